"""Libraries of hand-written kernels, built once for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.deploy.devices.qemu import FOLDER_VARIABLE, find_emulator
from b2nn_tvm.deploy.library.artifact import Artifact, load
from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.deploy.library.bundle import write_bundle
from b2nn_tvm.deploy.library.library_files import LIBRARY
from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.errors import DeviceError, ToolchainError
from b2nn_tvm.reference import pack, sign
from tests.support.boards.board_process import BoardProcess
from tests.support.deploy.handmade import N, Workshop, program
from tests.support.networks.onnx_models import BINARY_CONV2D, model, save


@pytest.fixture(scope="session")
def workshop(tmp_path_factory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("workshop"))
    try:
        find_toolchain(workshop.target())
    except ToolchainError as error:
        pytest.skip(str(error))
    return workshop


@pytest.fixture(scope="session")
def net(workshop) -> Path:
    """A library of four steps, two of them parallel with scratch memory."""
    return workshop.build("shift_one", "shift_seven_tasks", name="shared")


@pytest.fixture(scope="session")
def static_net(workshop) -> Path:
    """The same network with a static program."""
    return workshop.build("shift_one", "shift_seven_tasks", name="static", static=True)


@pytest.fixture(scope="session")
def leveled(workshop) -> Path:
    """A library of three levels; of those that a CPU can run the second one is the best."""
    return workshop.build_levels("leveled")


@pytest.fixture(scope="session")
def bundle_for(workshop) -> Callable[[str], Path]:
    """The bundle of a network of one input and one output by target; where that is another machine, with the C
    example compiled.
    """

    @cache
    def build(target: str) -> Path:
        folder = workshop.folder / f"bundle-{target}"
        base = program("shift_one", "shift_seven_tasks")
        single = replace(base, outputs=base.outputs[:1], steps=base.steps[:-1])
        build_library(single, [workshop.kernels(target=target)], workshop.target(target), folder)
        write_bundle(folder)
        if target != "native":
            words = ["-O1", "classify.c", "-o", "classify", "-L.", f"-l:{LIBRARY}", "-Wl,-rpath,$ORIGIN"]
            find_toolchain(workshop.target(target)).run(words, folder=folder)
        return folder

    return build


@pytest.fixture(scope="session")
def small_network(tmp_path_factory) -> Path:
    """A compiled network for x86: a float and a binary convolution of sizes that fill no vector, pooling, a dense
    layer.
    """
    draw = lambda *shape: np.random.default_rng(shape).standard_normal(shape).astype("float32")
    nodes = """
        a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (input, w1)
        b = b2nn.BinaryConv2d <kernel_shape = [3, 3], strides = [2, 2], dilations = [1, 1], pads = [1, 1, 1, 1],
            pad_value = 0.0, channels = 35> (a, w2, s2, t2)
        c = GlobalAveragePool (b)
        d = Flatten (c)
        output = Gemm (d, w3)
    """
    constants = {
        "w1": draw(35, 3, 3, 3),
        "w2": pack(sign(draw(37, 3, 3, 35))),
        "s2": np.abs(draw(37)),
        "t2": draw(35),
        "w3": draw(37, 10),
    }
    outputs = "float[1,10] output"
    made = model(nodes, constants, inputs="float[1,3,11,13] input", outputs=outputs, functions=BINARY_CONV2D)
    folder = tmp_path_factory.mktemp("small")
    compile_model(save(folder, made), target="x86", output=folder / "net", verify=False).close()
    return folder / "net"


@pytest.fixture
def artifact(net) -> Artifact:
    with load(net) as artifact:
        yield artifact


@pytest.fixture(scope="session")
def family(workshop) -> tuple[Artifact, ...]:
    """Four networks, with different numbers of steps."""
    kernels = {"one": ("shift_one",), "two": ("shift_one", "shift_seven_tasks"), "nested": ("shift_nested",)}
    kernels["three"] = ("shift_one", "shift_nested", "shift_seven_tasks")
    return tuple(load(workshop.build(*middle, name=f"family-{name}")) for name, middle in kernels.items())


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((1, N)).astype("float32")


@pytest.fixture
def arm_board(monkeypatch, pytestconfig) -> None:
    """Skips the test where there is no emulated ARM board."""
    if FOLDER_VARIABLE not in os.environ:
        monkeypatch.setenv(FOLDER_VARIABLE, str(pytestconfig.rootpath / "build" / "arm-emulator"))
    try:
        find_emulator("aarch64")
    except DeviceError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    board = BoardProcess(tmp_path_factory.mktemp("board"))
    yield board
    board.stop()


@pytest.fixture
def start_board(tmp_path):
    """A function that starts a board which the test may break."""
    boards = []

    def start(*words, **options) -> BoardProcess:
        boards.append(BoardProcess(tmp_path, *words, **options))
        return boards[-1]

    yield start
    for board in boards:
        board.stop()
