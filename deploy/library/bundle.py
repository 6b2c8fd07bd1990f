"""A bundle: the folder of a compiled library with examples and a README.txt, ready to be copied to a board."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from b2nn_tvm.deploy.codegen.program import TensorSpec
from b2nn_tvm.deploy.library.build_library import HEADER, LIBRARY, RUNNER
from b2nn_tvm.deploy.library.manifest import FILE as MANIFEST
from b2nn_tvm.deploy.library.manifest import Manifest, read_manifest
from b2nn_tvm.storage.document import write_atomic

EXAMPLES = Path(__file__).parents[2] / "examples" / "board"  # in a checkout and in a wheel alike
C_EXAMPLE, PYTHON_EXAMPLE, README = "classify.c", "classify.py", "README.txt"
_WHAT = {
    LIBRARY: "the network: kernels, constants, runtime",
    RUNNER: "runs and times it on the board",
    HEADER: "its C interface",
    MANIFEST: "what is inside, how it was built",
    C_EXAMPLE: "how to call it from C",
    PYTHON_EXAMPLE: "how to call it from Python, which needs no package",
    README: "the commands, and what to do if one fails",
}


@dataclass(frozen=True)
class BundleFile:
    """A file of a bundle; ``what`` is its description for the table of files."""

    name: str
    size_bytes: int
    what: str


def write_bundle(folder: str | os.PathLike[str]) -> tuple[BundleFile, ...]:
    """Add the examples and README.txt to the folder of a compiled library; return all files of the bundle.

    Raises InputError where the folder holds no compiled library.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    for name in (C_EXAMPLE, PYTHON_EXAMPLE):
        write_atomic(folder / name, (EXAMPLES / name).read_bytes())
    write_atomic(folder / README, readme(manifest, folder.absolute().name).encode())
    return tuple(BundleFile(name, (folder / name).stat().st_size, what) for name, what in _WHAT.items())


def requirements(manifest: Manifest) -> str:
    """The requirements on a machine that runs the bundle, in a few words."""
    target, glibc = manifest.target, manifest.library.glibc
    features = f", a CPU with {', '.join(target.requires)}" if target.requires else ""
    return f"a Linux system for {target.arch}{features}" + (f", the GNU C library {glibc} or later" if glibc else "")


def readme(manifest: Manifest, name: str) -> str:
    """The text of README.txt for a bundle whose folder is called ``name``."""
    first = manifest.inputs[0]
    width = max(len(file) for file in _WHAT)
    return _README.format(
        model=manifest.build.model or "A network",
        target=manifest.target.name,
        description=manifest.target.description,
        note=f"\n\nIt is {manifest.build.note}." if manifest.build.note else "",
        requirements=requirements(manifest),
        compiler=manifest.build.compiler,
        name=name,
        library=LIBRARY,
        c_example=C_EXAMPLE,
        python_example=PYTHON_EXAMPLE,
        dtype=first.dtype,
        shape=_shape(first),
        inputs="\n".join(f"    {spec.name}: {spec.dtype}, {_shape(spec)}" for spec in manifest.inputs),
        outputs="\n".join(f"    {spec.name}: {spec.dtype}, {_shape(spec)}" for spec in manifest.outputs),
        files="\n".join(f"    {file:{width}}  {what}" for file, what in _WHAT.items()),
    )


def _shape(spec: TensorSpec) -> str:
    return "x".join(map(str, spec.shape)) or "scalar"


_README = """\
{model}, compiled for {target}: {description}.{note}

It needs {requirements}; nothing is to be installed.
Library and b2nn-run were built with {compiler}.

Copy this folder to the board:

    scp -r {name} pi@raspberrypi:

Run there, in the folder ({dtype}, {shape}; from Python: numpy.save("image.npy", image)):

    ./b2nn-run --input image.npy
    ./b2nn-run --input image.npy --labels labels.txt --threads 4
    ./b2nn-run --input image.npy --output scores.npy

Measure whole runs and every layer, as rows of JSON:

    ./b2nn-run --profile --threads 4 > times.jsonl

All options:

    ./b2nn-run --help

From C and from Python (the image as raw values, image.tofile("image.f32")):

    cc {c_example} -o classify -L. -l:{library} -Wl,-rpath,'$ORIGIN'
    ./classify image.f32
    python3 {python_example} image.f32

Inputs:

{inputs}

Outputs:

{outputs}

Files:

{files}

If it does not start:

    "Exec format error" or "cannot execute": the system is for another architecture than the bundle (uname -m; a
        32-bit system on a 64-bit CPU counts as 32-bit); compile the network for its target.
    "version `GLIBC_...' not found": the system is older than what the bundle was built for; build it with the Python
        package ziglang (pip install 'b2nn-tvm[cross]').
    "not found" or "No such file or directory", although the file is there: the system has another C library than
        GNU's (Alpine, say); compile the network with --static, then b2nn-run needs no library.
    "Permission denied": chmod +x b2nn-run, or the folder's file system is mounted noexec: copy the bundle elsewhere.
    "error: ...": the line says what was expected.
"""
