"""The engines of the benchmarks: the form of an ONNX file that each engine needs, or why the engine is missing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from larq_graph import write_graph
from larq_peer import QUIET, larq_python
from ncnn_convert import convert
from ncnn_int8 import quantize as quantize_ncnn
from onnxruntime_int8 import quantize
from rounds import Engine, Unavailable

from b2nn_tvm.targets import target as targets

ENGINES = ("onnxruntime", "openvino", "ncnn", "larq-compute-engine", "b2nn")  # in the order of the tables
PRECISIONS = ("fp32", "int8", "w2a2", "w1a2", "binary")
INSTALL = "pip install 'b2nn-tvm[bench]'"
# What oneDNN, which OpenVINO computes with, calls the instruction sets of the targets.
ONEDNN_ISA = {
    "avx2": "AVX2",
    "avxvnni": "AVX2_VNNI",
    "avx512": "AVX512_CORE",
    "avx512vpopcntdq": "AVX512_CORE_VNNI",
}


@dataclass(frozen=True)
class Name:
    """One engine in a table; ``isa`` is the instruction set for which it was compiled, or the best that it may use."""

    engine: str
    precision: str
    isa: str
    threads: int = 1


@dataclass(frozen=True)
class Network:
    """One case as two ONNX files, of which all peers' forms are made: with float layers, and with nodes BinaryConv2d.

    ``shape`` is that of the input, ``binary_shape`` that of the binary form's input where it differs; conversions go to
    ``folder``.
    """

    plain: Path
    folder: Path
    shape: tuple[int, ...]
    binary: Path | None = None


def peers(
    network: Network, *, target: str, threads: int, wanted: Collection[str] = ENGINES
) -> dict[Name, Engine | Unavailable]:
    """Every other engine with ``network``: in float, in int8, and in binary if the engine can compute that.

    OpenVINO alone can be held to an instruction set, which is that of ``target``; with "native" it is not held back.
    """
    limit = "" if target == targets.NATIVE else targets.get(target).vector
    native = machine_isa()
    found: dict[Name, Engine | Unavailable] = {}
    for (engine, precision), make in PEERS.items():
        if engine not in wanted or (precision == "binary" and network.binary is None):
            continue
        name = Name(engine, precision, limit if engine == "openvino" and limit in ONEDNN_ISA else native, threads)
        try:
            found[name] = make(network, threads, limit)
        except ModuleNotFoundError as error:
            found[name] = Unavailable(f"{error.name} is not installed: {INSTALL}" if error.name else str(error))
        except Exception as error:  # noqa: BLE001 - a peer's converter may fail in any way; the table says so
            found[name] = Unavailable(f"{type(error).__name__}: {' '.join(str(error).split())}"[:300])
    return found


def ours(
    folder: Path, *, precision: str, target: str, threads: int, channels_last: bool = False
) -> dict[Name, Engine | Unavailable]:
    """Our engine with the library in ``folder``, compiled for ``target``; ``channels_last`` if its input is so."""
    arguments = {"folder": str(folder), "threads": threads, "channels_last": channels_last}
    engine = Engine("b2nn_call", arguments, ("apache-tvm",))
    return {Name("b2nn", precision, targets.get(target).vector, threads): engine}


def machine_isa() -> str:
    """The best instruction set of this machine among those of our targets."""
    return targets.get(targets.NATIVE).vector


def _onnxruntime(network: Network, threads: int, _limit: str) -> Engine:
    _installed("onnxruntime")
    return Engine("onnxruntime_call", {"path": str(network.plain), "threads": threads}, ("onnxruntime",))


def _onnxruntime_int8(network: Network, threads: int, _limit: str) -> Engine:
    return Engine("onnxruntime_call", {"path": str(_int8(network)), "threads": threads}, ("onnxruntime",))


def _openvino(path: Path, threads: int, limit: str) -> Engine:
    _installed("openvino")
    restricted = {"ONEDNN_MAX_CPU_ISA": ONEDNN_ISA[limit]} if limit in ONEDNN_ISA else {}
    return Engine("openvino_call", {"path": str(path), "threads": threads}, ("openvino",), environment=restricted)


def _ncnn(network: Network, threads: int, _limit: str) -> Engine:
    return _ncnn_call(_ncnn_float(network), network, threads)


def _ncnn_int8(network: Network, threads: int, _limit: str) -> Engine:
    output = _ncnn_float(network).with_name("int8.param")
    path = output if output.is_file() else quantize_ncnn(_ncnn_float(network), output, shape=network.shape)
    return _ncnn_call(path, network, threads)


def _larq(network: Network, threads: int, _limit: str) -> Engine:
    output = network.folder / f"{network.binary.stem}.larq.npz"
    path = output if output.is_file() else write_graph(network.binary, output)
    return Engine(
        "larq_call",
        {"graph": str(path), "threads": threads},
        ("larq-compute-engine", "tensorflow-cpu"),
        larq_python(),
        QUIET,
    )


def _int8(network: Network) -> Path:
    output = network.folder / f"{network.plain.stem}.int8.onnx"
    return output if output.is_file() else quantize(network.plain, output)


def _ncnn_float(network: Network) -> Path:
    _installed("ncnn")
    folder = network.folder / f"{network.plain.stem}.ncnn"
    param = folder / "network.ncnn.param"
    return param if param.is_file() else convert(network.plain, folder, shape=network.shape)


def _ncnn_call(param: Path, network: Network, threads: int) -> Engine:
    return Engine(
        "ncnn_call", {"param": str(param), "shape": list(network.shape), "threads": threads}, ("ncnn", "pnnx")
    )


def _installed(module: str) -> None:
    """Raise ModuleNotFoundError here rather than in the engine's process."""
    if importlib.util.find_spec(module) is None:
        raise ModuleNotFoundError(f"{module} is not installed", name=module)


PEERS: Mapping[tuple[str, str], Callable[[Network, int, str], Engine]] = {
    ("onnxruntime", "fp32"): _onnxruntime,
    ("onnxruntime", "int8"): _onnxruntime_int8,
    ("openvino", "fp32"): lambda network, threads, limit: _openvino(network.plain, threads, limit),
    ("openvino", "int8"): lambda network, threads, limit: _openvino(_int8(network), threads, limit),
    ("openvino", "binary"): lambda network, threads, limit: _openvino(network.binary, threads, limit),
    ("ncnn", "fp32"): _ncnn,
    ("ncnn", "int8"): _ncnn_int8,
    ("larq-compute-engine", "binary"): _larq,
}
