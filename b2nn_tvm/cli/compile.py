"""b2nn-compile: an ONNX file becomes a library for a target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from b2nn_tvm.cli.command import input_option
from b2nn_tvm.cli.limits import limit_options
from b2nn_tvm.cli.options.fit import Fit
from b2nn_tvm.cli.options.numbers import Numbers, WholeNumber
from b2nn_tvm.cli.options.shapes import shapes
from b2nn_tvm.cli.options.word import Target
from b2nn_tvm.cli.supervise import SupervisedCommand
from b2nn_tvm.version import __version__
from b2nn_tvm.words.number_of import number_of

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact
    from b2nn_tvm.deploy.library.bundle import BundleFile

KIND, VERSION = "b2nn-compile", 1


def _list_targets(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    from b2nn_tvm.cli import output
    from b2nn_tvm.deploy.devices.readiness import readiness
    from b2nn_tvm.targets import target as targets

    rows = []
    for each in map(targets.get, targets.names()):
        found = readiness(each)
        runs = "yes" if found.runs else found.emulator or "no"
        also, missing = "\n".join(targets.aliases(each.name)), "\n".join(found.missing)
        rows.append((each.name, also, each.triple, each.mcpu, each.vector, found.compiler or "no", runs, missing))
    columns = ("target", "also called", "triple", "mcpu", "vector", "compiled by", "runs here", "missing here")
    output.print_table("targets", columns, rows)
    context.exit()


def _folder(parameters: dict[str, Any]) -> Path | None:
    """The folder that a call with these parameters writes; None where they are not complete."""
    from b2nn_tvm.errors import TargetError
    from b2nn_tvm.targets import target as targets

    model, target, output = (parameters.get(name) for name in ("model", "target", "output"))
    if output or not model:
        return Path(output) if output else None
    try:
        return Path(f"{Path(model).stem}-{targets.get(target or targets.NATIVE).name}")
    except TargetError:
        return None


@click.command(cls=SupervisedCommand, output=_folder, resume="nothing was written; run the same command again")
@click.argument("model", metavar="MODEL.onnx")
@click.option(
    "--target",
    default="native",
    show_default=True,
    metavar="NAME",
    type=Target(),
    help="Target that the library will run on: arm, x86, native, ...",
)
@click.option(
    "-o", "--output", metavar="DIR", help="Folder of the library.  [default: the model's name and the target]"
)
@click.option(
    "--tune", default=0, show_default=True, metavar="N", type=WholeNumber(min=0), help="Tuning trials per kernel."
)
@click.option(
    "--device",
    default="local",
    show_default=True,
    metavar="NAME",
    help="Device that --tune measures on, as in b2nn-profile, or static for estimates.",
)
@click.option(
    "--verify/--no-verify",
    default=True,
    show_default=True,
    help="Compare the library with the reference after compiling.",
)
@click.option(
    "--input-shape",
    "input_shapes",
    multiple=True,
    callback=shapes,
    metavar="NAME=1x3x32x32",
    help="Fix the shape of an input that is dynamic; 1x3x32x32 alone for the only input.",
)
@click.option(
    "--sign-zero",
    type=click.Choice(["+1", "-1"]),
    help="Value of ONNX Sign at zero; needed where a Sign feeds a binary layer.",
)
@click.option(
    "--binarize",
    metavar="PLAN.json",
    help="Make the layers of this plan binary in a float network, without training: for latency only.",
)
@input_option
@click.option(
    "--mean",
    type=Numbers(),
    metavar="R,G,B",
    help="Mean of the pixels, divided by 255, that training subtracted; one number for all channels, or one for each."
    "  [default: the file's metadata]",
)
@click.option("--std", type=Numbers(), metavar="R,G,B", help="Standard deviation that training divided by, likewise.")
@click.option(
    "--resize",
    type=Fit(),
    metavar="HOW",
    help="With --mean and --std, how a picture gets the input's size: cover takes its middle, stretch the whole; none"
    " takes no other size; 256 makes its shorter side so long, before the middle is cropped.  [default: cover]",
)
@click.option(
    "--channels",
    type=click.Choice(["rgb", "bgr"]),
    metavar="ORDER",
    help="With --mean and --std, the order of colors: rgb or bgr.  [default: rgb]",
)
@click.option(
    "--labels",
    metavar="FILE",
    help="Names of the classes, one in each line.  [default: the file's metadata]",
)
@click.option(
    "--bundle", is_flag=True, help="Add examples and README.txt: a folder to copy to a board, which needs nothing else."
)
@click.option(
    "--static", is_flag=True, help="Make b2nn-run a static program that holds the network: for boards without glibc."
)
@click.option(
    "--multi-level",
    is_flag=True,
    help="Add kernels for better CPUs of the target's family (x86: AVX-512, VNNI; arm: dotprod). The library chooses"
    " when it is loaded; its size is at most the sum.",
)
@click.option(
    "--explain", is_flag=True, help="Print the operators fused into each kernel, and each pass's decisions and reasons."
)
@click.option("--dump-ir", metavar="DIR", help="Write the module before and after each pass that changes it.")
@click.option(
    "--dump-mismatch",
    metavar="FILE.npz",
    help="Where the library disagrees with the reference, write inputs, outputs and values of layers.",
)
@limit_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--list-targets",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_targets,
    help="List the targets and stop.",
)
@click.version_option(__version__)
def main(
    model: str,
    target: str,
    output: str | None,
    tune: int,
    device: str,
    verify: bool,
    input_shapes: dict[str, tuple[int, ...]],
    sign_zero: str | None,
    binarize: str | None,
    input_format: str,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    resize: str | int | None,
    channels: str | None,
    labels: str | None,
    bundle: bool,
    static: bool,
    multi_level: bool,
    explain: bool,
    dump_ir: str | None,
    dump_mismatch: str | None,
    as_json: bool,
) -> None:
    """Compile MODEL.onnx into a self-contained library for a target.

    Writes the library, its manifest and a C header into DIR, and prints a table of the layers and a table of the bytes.
    """
    from dataclasses import asdict

    import b2nn_tvm
    from b2nn_tvm.cli import draw_progress, explanation
    from b2nn_tvm.cli import output as out
    from b2nn_tvm.frontend.file_kind import check_kind
    from b2nn_tvm.preprocess.labels import read_labels
    from b2nn_tvm.targets import target as targets
    from b2nn_tvm.tvm_internals.import_alone import import_tvm_alone

    if (mean is None) != (std is None):
        raise click.UsageError("--mean and --std belong together: give both")
    if mean is None and (resize, channels) != (None, None):
        raise click.UsageError("--resize and --channels go with --mean and --std: give these, too")
    if device != "local" and not tune:
        raise click.UsageError("--device says where --tune measures; without --tune nothing is measured")
    check_kind(Path(model))  # before TVM is imported, which takes seconds
    import_tvm_alone()
    folder = _folder({"model": model, "target": targets.get(target).name, "output": output})
    assert folder is not None  # the model is given, and the target is known
    with draw_progress.phases() as draw:

        def report(phase: str, done: int, total: int, detail: str = "") -> None:
            if "skipped" not in phase:  # the note below says that checks were skipped
                draw(phase, done, total, detail)

        artifact = b2nn_tvm.compile_model(
            model,
            target=target,
            output=folder,
            verify=verify,
            static=static,
            multi_level=multi_level,
            tune=tune,
            device=device,
            input_shapes=input_shapes or None,
            sign_zero=sign_zero,
            binarize=binarize,
            input_format=input_format,
            mean=mean,
            std=std,
            resize=resize,
            channels=channels,
            labels=None if labels is None else read_labels(labels),
            dump_ir=dump_ir,
            dump_mismatch=dump_mismatch,
            progress=report,
        )
    files = _bundle(folder) if bundle else ()
    checked = artifact.manifest.verification
    for note in filter(None, (artifact.manifest.build.note, checked.note, *explanation.network_notes(artifact))):
        out.print_note(note)
    if as_json:
        bundled = {"bundle": [asdict(file) for file in files]} if files else {}
        out.print_document(KIND, VERSION, {**explanation.as_document(artifact, str(folder)), **bundled})
        return
    explanation.print_layers(artifact, f"{model} for {artifact.target.name} ({artifact.target.mcpu})")
    if explain:
        explanation.print_kernels(artifact)
        explanation.print_rewrites(artifact)
    explanation.print_sizes(artifact)
    explanation.print_levels(artifact)
    out.print_line(f"{folder}: {_counts(artifact)}")
    if checked.summary:
        out.print_line(checked.summary)
    if bundle:
        _print_bundle(artifact, folder, files)


def _bundle(folder: Path) -> tuple[BundleFile, ...]:
    from b2nn_tvm.deploy.library.bundle import write_bundle

    return write_bundle(folder)


def _print_bundle(artifact: Artifact, folder: Path, files: tuple[BundleFile, ...]) -> None:
    from b2nn_tvm.cli import output as out
    from b2nn_tvm.deploy.library.bundle import requirements

    rows = [(file.name, str(file.size_bytes), file.what) for file in files]
    total = sum(file.size_bytes for file in files)
    out.print_table("bundle", ("file", "bytes", "what it is"), rows)
    out.print_line(f"{folder}: {total} bytes, for {requirements(artifact.manifest)}")
    out.print_line(f"library and b2nn-run are built with {artifact.manifest.build.compiler}")


def _counts(artifact: Artifact) -> str:
    from b2nn_tvm.provenance.kernel_layers import is_in_bits

    binary = sum(row.precision == "binary" for row in artifact.layers)
    of_bits = sum(is_in_bits(row.precision) for row in artifact.layers) - binary
    others = f", {of_bits} {'has' if of_bits == 1 else 'have'} a few bits" if of_bits else ""
    are = "is" if binary == 1 else "are"
    return f"{binary} of {number_of(len(artifact.layers), 'layer')} {are} binary{others}"


if __name__ == "__main__":
    main()
