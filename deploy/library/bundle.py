"""A bundle: the folder of a compiled library with examples and a README.txt, ready to be copied to a board."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from b2nn_tvm.deploy.codegen.program import TensorSpec
from b2nn_tvm.deploy.library.library_files import HEADER, LIBRARY, RUNNER
from b2nn_tvm.deploy.library.manifest import FILE as MANIFEST
from b2nn_tvm.deploy.library.manifest import Manifest, read_manifest
from b2nn_tvm.preprocess.in_words import in_words
from b2nn_tvm.preprocess.labels import FILE as LABELS
from b2nn_tvm.preprocess.labels import labels_text
from b2nn_tvm.storage.document import write_atomic

EXAMPLES = Path(__file__).parents[2] / "examples" / "board"  # in a checkout and in a wheel alike
C_EXAMPLE, CPP_EXAMPLE, CMAKE, PYTHON_EXAMPLE = "classify.c", "classify.cpp", "CMakeLists.txt", "classify.py"
SERVICE, PICTURE, README = "b2nn-camera.service", "example.png", "README.txt"
_WHAT = {
    LIBRARY: "the network: kernels, constants, runtime",
    RUNNER: "runs and times it on the board",
    HEADER: "its C interface",
    MANIFEST: "what is inside, how it was built",
    C_EXAMPLE: "how to call it from C",
    CPP_EXAMPLE: "how to call it from C++",
    CMAKE: "builds the example in C++",
    PYTHON_EXAMPLE: "how to call it from Python, which needs no package",
    LABELS: "the names of the classes, one in each line",
    PICTURE: "a picture to try it with",
    SERVICE: "a systemd unit: starts it with the board, for what a camera sees",
    README: "the commands, and what to do if one fails",
}


@dataclass(frozen=True)
class ExamplePicture:
    """A picture that the network was not trained on, as the bytes of a PNG file, and the name of its class."""

    png: bytes
    label: str


@dataclass(frozen=True)
class BundleFile:
    """A file of a bundle; ``what`` is its description for the table of files."""

    name: str
    size_bytes: int
    what: str


def write_bundle(folder: str | os.PathLike[str], *, picture: ExamplePicture | None = None) -> tuple[BundleFile, ...]:
    """Add the examples and README.txt to the folder of a compiled library; return all files of the bundle.

    The names of the classes go into labels.txt where they are known, and ``picture`` into example.png. A library that
    takes pictures gets a systemd unit for a camera. Raises InputError where the folder holds no compiled library.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    what = _files(manifest, picture)
    for name in set(what) & {C_EXAMPLE, CPP_EXAMPLE, CMAKE, PYTHON_EXAMPLE, SERVICE}:
        write_atomic(folder / name, (EXAMPLES / name).read_bytes())
    if manifest.labels is not None:
        write_atomic(folder / LABELS, labels_text(manifest.labels).encode())
    if picture is not None:
        write_atomic(folder / PICTURE, picture.png)
    write_atomic(folder / README, readme(manifest, folder.absolute().name, picture=picture).encode())
    return tuple(BundleFile(name, (folder / name).stat().st_size, text) for name, text in what.items())


def _files(manifest: Manifest, picture: ExamplePicture | None) -> dict[str, str]:
    """The files of a bundle, and what each of them is."""
    missing = [LABELS] * (manifest.labels is None) + [PICTURE] * (picture is None)
    missing += [SERVICE] * (manifest.preprocess is None)
    return {name: text for name, text in _WHAT.items() if name not in missing}


def requirements(manifest: Manifest) -> str:
    """The requirements on a machine that runs the bundle, in a few words."""
    target, glibc = manifest.target, manifest.library.glibc
    features = f", a CPU with {', '.join(target.requires)}" if target.requires else ""
    if manifest.levels:
        features += f" (with more of it the library runs faster kernels, for {', '.join(manifest.isas[1:])})"
    return f"a Linux system for {target.arch}{features}" + (f", the GNU C library {glibc} or later" if glibc else "")


def readme(manifest: Manifest, name: str, *, picture: ExamplePicture | None = None) -> str:
    """The text of README.txt for a bundle whose folder is called ``name``."""
    first = manifest.inputs[0]
    files = _files(manifest, picture)
    width = max(map(len, files))
    return _README.format(
        model=manifest.build.model or "A network",
        target=manifest.target.name,
        description=manifest.target.description,
        note=f"\n\nIt is {manifest.build.note}." if manifest.build.note else "",
        requirements=requirements(manifest),
        compiler=manifest.build.compiler,
        name=name,
        machine="machine" if manifest.target.arch == "x86_64" else "board",
        login="user@machine" if manifest.target.arch == "x86_64" else "pi@raspberrypi",
        library=LIBRARY,
        c_example=C_EXAMPLE,
        python_example=PYTHON_EXAMPLE,
        pictures=_pictures(manifest, picture),
        dtype=first.dtype,
        raw="image.f32" if first.dtype == "float32" else "image.raw",
        shape=_shape(first),
        labels="" if manifest.labels is None else f" --labels {LABELS}",
        inputs="\n".join(f"    {spec.name}: {spec.dtype}, {_shape(spec)}" for spec in manifest.inputs),
        outputs="\n".join(f"    {spec.name}: {spec.dtype}, {_shape(spec)}" for spec in manifest.outputs),
        files="\n".join(f"    {file:{width}}  {what}" for file, what in files.items()),
    )


def _pictures(manifest: Manifest, picture: ExamplePicture | None) -> str:
    """The part of README.txt on pictures: how they are given, or why they cannot be."""
    if manifest.preprocess is None:
        return (
            "This library does not know how a picture becomes its input, so it takes none: prepare the values as in"
            " training.\n(With --mean, --std and --resize, b2nn-compile makes a library that takes pictures.)\n"
        )
    lines = ["Run there, in the folder, with your own pictures (JPEG, PNG, PPM):", "", "    ./b2nn-run photo.jpg"]
    if picture is not None:
        lines[0] = f"Run there, in the folder; {PICTURE} is a picture that was not trained on: {picture.label}."
        lines[-1] = f"    ./b2nn-run {PICTURE}"
    what = ["", "What is done to a picture:", f"    {in_words(manifest.preprocess)}", ""]
    camera = ["What a camera sees, until Ctrl-C:", "", "    ./b2nn-run --camera /dev/video0", ""]
    start = [f"{SERVICE} starts this with the board; its first lines say how it is installed.", ""]
    return "\n".join([*lines, *what, *camera, *start])


def _shape(spec: TensorSpec) -> str:
    return "x".join(map(str, spec.shape)) or "scalar"


_README = """\
{model}, compiled for {target}: {description}.{note}

It needs {requirements}; nothing is to be installed.
Library and b2nn-run were built with {compiler}.

Copy this folder to the {machine}:

    scp -r {name} {login}:

{pictures}
With values that are ready for the network ({dtype}, {shape}; from Python: numpy.save("image.npy", image)):

    ./b2nn-run --input image.npy
    ./b2nn-run --input image.npy{labels} --threads 4
    ./b2nn-run --input image.npy --output scores.npy

Measure whole runs and every layer, as rows of JSON:

    ./b2nn-run --profile --threads 4 > times.jsonl

All options:

    ./b2nn-run --help

From C, from C++ and from Python (the image as raw values, image.tofile("{raw}")):

    cc {c_example} -o classify -L. -l:{library} -Wl,-rpath,'$ORIGIN'
    ./classify {raw}
    cmake -S . -B build && cmake --build build
    ./build/classify {raw}
    python3 {python_example} {raw}

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
