"""b2nn-profile: the time of a compiled network on a device, whole and per layer; and what binary layers would save."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from b2nn_tvm.cli.command import Command
from b2nn_tvm.cli.options.numbers import Number, Share, WholeNumber
from b2nn_tvm.cli.options.shapes import shapes
from b2nn_tvm.cli.options.word import Target
from b2nn_tvm.version import __version__
from b2nn_tvm.words.choices import PRECISION_OF_TIMES
from b2nn_tvm.words.number_of import number_of

if TYPE_CHECKING:
    from b2nn_tvm.deploy.latency.measure import Measurement

KIND, VERSION = "b2nn-measurement", 1
BUSY = 0.1  # above this spread a note asks whether the device was busy
RESUME = "with --costs what was measured is kept; add --resume to go on from there"
DEVICE = "Where to run: local, ssh://user@host[/folder], rpc://host:port, tracker://host:port/key."


@click.command(cls=Command, resume=RESUME)
@click.argument("folder", metavar="DIR|MODEL.onnx")
@click.option("--device", default="local", show_default=True, metavar="NAME", help=DEVICE)
@click.option(
    "--threads", default=1, show_default=True, metavar="N", type=WholeNumber(min=1), help="Threads of one inference."
)
@click.option(
    "--precision",
    default="2%",
    show_default=True,
    metavar="SHARE",
    type=Share(*PRECISION_OF_TIMES),
    help="Measure until the undisturbed time is known to this share of it.",
)
@click.option(
    "--runs",
    default=100,
    show_default=True,
    metavar="N",
    type=WholeNumber(min=1),
    help="Time at least this many inferences, and as many layer by layer.",
)
@click.option(
    "--costs", metavar="FILE", help="Add the times to this cost table, a costs.json; every burst is kept beside it."
)
@click.option("--resume", is_flag=True, help="With --costs, go on where an earlier run stopped.")
@click.option(
    "--timeout",
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    type=Number(min=1),
    help="Longest time that a device may stay silent.",
)
@click.option(
    "--what-if",
    is_flag=True,
    help="Of a float MODEL.onnx: measure it with float and with binary layers, without any training.",
)
@click.option(
    "--target",
    default="native",
    show_default=True,
    metavar="NAME",
    type=Target(),
    help="With --what-if: the target to compile for, as in b2nn-compile.",
)
@click.option(
    "--input-shape",
    "input_shapes",
    multiple=True,
    callback=shapes,
    metavar="NAME=1x3x32x32",
    help="With --what-if: fix the shape of an input that is dynamic; 1x3x32x32 alone for the only input.",
)
@click.option(
    "--watch",
    metavar="MINUTES",
    type=Number(min=0, min_open=True),
    help="Run without a pause for so long; every ten seconds or so, print frames per second, clock and temperature.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.version_option(__version__)
@click.pass_context
def main(
    context: click.Context,
    folder: str,
    device: str,
    threads: int,
    precision: float,
    runs: int,
    costs: str | None,
    resume: bool,
    timeout: float,
    what_if: bool,
    target: str,
    input_shapes: dict[str, tuple[int, ...]],
    watch: float | None,
    as_json: bool,
) -> None:
    """Measure on a device the network that b2nn-compile wrote into DIR.

    Prints two times of the whole network in milliseconds: what an inference needs when nothing disturbs it, with its 95
    % interval, and what was observed (median, 90th and 99th percentile). Every layer has its undisturbed time.
    With --what-if, MODEL.onnx is compiled with float and with binary layers, and both are compared. With --watch, the
    network runs for minutes, and what follows from heat is seen.
    """
    _check_usage(context, folder, what_if)
    if watch is not None:
        from b2nn_tvm.cli import watch as watched

        watched.run(folder, device=device, threads=threads, timeout_s=timeout, minutes=watch, as_json=as_json)
        return
    if what_if:
        from b2nn_tvm.cli import what_if as compared

        compared.run(
            folder,
            target=target,
            device=device,
            threads=threads,
            timeout_s=timeout,
            input_shapes=input_shapes,
            costs=costs,
            as_json=as_json,
        )
        return
    from dataclasses import asdict
    from pathlib import Path

    import b2nn_tvm
    from b2nn_tvm.cli import draw_progress
    from b2nn_tvm.cli import output as out
    from b2nn_tvm.cli.explanation import names_shown
    from b2nn_tvm.deploy.devices.open_device import open_device
    from b2nn_tvm.deploy.latency.effort import Effort
    from b2nn_tvm.deploy.latency.profile import profile

    if resume and not costs:
        raise click.UsageError("--resume needs --costs, where the earlier run kept what it measured")
    artifact = b2nn_tvm.load(folder)
    table = Path(costs) if costs else None
    with draw_progress.phases() as progress, open_device(device, timeout_s=timeout) as where:
        artifact = where.as_run_here(artifact)
        found = profile(
            artifact,
            device=where,
            threads=threads,
            effort=Effort(precision=precision, runs=runs),
            costs=table,
            resume=resume,
            note=out.print_note,
            progress=progress,
        )
    for line in (artifact.manifest.verification.note, *_doubts(found, precision)):
        if line:
            out.print_note(line)
    if as_json:
        checked = asdict(artifact.manifest.verification)
        out.print_document(KIND, VERSION, {"folder": folder, **asdict(found), "verification": checked})
        return
    precisions = {row.name: row.precision for row in artifact.layers}
    names = names_shown(artifact)
    rows = [
        (
            names.get(layer.name, layer.name),
            precisions.get(layer.name, ""),
            f"{layer.undisturbed_ms:.4f}",
            f"{layer.median_ms:.4f}",
            f"{layer.share:.1%}",
        )
        for layer in found.per_layer
    ]
    out.print_table(folder, ("layer", "precision", "undisturbed ms", "median ms", "share"), rows)
    out.print_line(
        f"whole network: undisturbed {found.undisturbed_ms:.4f} ms (95 % interval {found.low_ms:.4f} to"
        f" {found.high_ms:.4f}), {1e3 / found.undisturbed_ms:.1f} frames per second;"
        f" {number_of(found.threads, 'thread')}, {found.isa}"
    )
    out.print_line(
        f"observed in {found.runs} runs: median {found.median_ms:.4f} ms, p90 {found.p90_ms:.4f}, p99"
        f" {found.p99_ms:.4f}, min {found.min_ms:.4f}; spread {found.spread:.1%}"
    )
    out.print_line(f"device: {_describe(found)}")


def _check_usage(context: click.Context, folder: str, what_if: bool) -> None:
    """Raises UsageError where options do not go together, or MODEL.onnx and DIR are confused."""
    given = lambda name: context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    is_model = folder.endswith(".onnx")
    if is_model and not what_if:
        raise click.UsageError(
            f"{folder} is an ONNX file: compile it first with b2nn-compile, or add --what-if to learn what binary"
            " layers would save"
        )
    if what_if and not is_model:
        raise click.UsageError(f"--what-if takes a float network, a file MODEL.onnx, not {folder}")
    watched = context.params["watch"] is not None
    for name in filter(given, ("what_if", "costs", "resume", "runs", "precision") if watched else ()):
        option = "--" + name.replace("_", "-")
        raise click.UsageError(f"{option} does not go with --watch, which runs without a pause and keeps nothing")
    foreign = ("runs", "resume") if what_if else ("target", "input_shapes")
    for name in filter(given, foreign):
        option = {"runs": "--runs", "resume": "--resume", "target": "--target"}.get(name, "--input-shape")
        if what_if:
            raise click.UsageError(f"{option} does not go with --what-if, which measures two networks in turn")
        raise click.UsageError(f"{option} goes with --what-if; a compiled folder has its target and its shapes")


def _describe(found: Measurement) -> str:
    """The device in words: everything that is known of it."""
    device, now = found.device, found.conditions
    parts = [device.board, device.cpu, number_of(device.cpus, "CPU") if device.cpus else "", device.system]
    parts += [
        f"{now.mhz or device.max_mhz} MHz" if now.mhz or device.max_mhz else "",
        f"governor {device.governor}" if device.governor else "",
    ]
    parts += [
        f"{now.temperature_c:.1f} °C" if now.temperature_c is not None else "",
        now.throttled and f"throttled: {now.throttled}",
    ]
    return f"{device.name} ({', '.join(part for part in parts if part)})"


def _doubts(found: Measurement, precision: float) -> list[str]:
    """Notes on the conditions that make the times longer, or less steady, than the device could do."""
    doubts = []
    if found.conditions.slowed:
        doubts.append(
            f"the device is slowed down ({found.conditions.throttled}), so the times are too long: mend its supply or"
            " cooling"
        )
    if found.device.governor not in ("", "performance"):
        doubts.append(
            f"the CPU's clock changes with its load (governor {found.device.governor}); for steady times: "
            "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        )
    if crowd := found.device.crowd(found.threads):
        doubts.append(crowd)
    half = (found.high_ms - found.low_ms) / 2 / found.undisturbed_ms
    if half > precision:
        doubts.append(
            f"the undisturbed time is known to {half:.1%} only, not to {precision:.1%}: of the reference's bursts,"
            f" {found.disturbance.quiet:.0%} were undisturbed; measure again when the device is idle"
        )
    if found.spread > BUSY:
        causes = "; ".join(found.disturbance.words) or "the device does not tell why"
        doubts.append(
            f"the times vary by {found.spread:.0%} between the 10th and the 90th percentile: {causes}. The undisturbed"
            " time comes from the bursts that nothing disturbed"
        )
    return doubts


if __name__ == "__main__":
    main()
