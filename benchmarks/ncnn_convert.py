"""A float ONNX file in ncnn's format, by ncnn's own converter."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Sequence
from pathlib import Path


def convert(path: Path, folder: Path, *, shape: Sequence[int]) -> Path:
    """Write the network of ``path``, whose input has this shape, into ``folder``; return its .param file.

    The weights stay float32. pnnx is a program; importing its Python package would load torch.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "network.onnx"  # pnnx writes beside what it reads
    copy.write_bytes(path.read_bytes())
    spec = importlib.util.find_spec("pnnx")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pnnx is not installed", name="pnnx")
    sizes = f"inputshape=[{','.join(map(str, shape))}]"
    command = [Path(spec.origin).with_name("pnnx"), copy.name, sizes, "fp16=0"]
    result = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, errors="replace")
    param = folder / "network.ncnn.param"
    if result.returncode or not param.is_file():
        last = (result.stderr.strip() or result.stdout.strip() or "it printed nothing").splitlines()[-1]
        raise ValueError(f"pnnx ended with status {result.returncode}: {last}")
    return param
