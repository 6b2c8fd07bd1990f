"""b2nn-profile: the time of a compiled network on a device, whole and per layer."""

from __future__ import annotations

import click

from b2nn_tvm.cli.command import Command
from b2nn_tvm.version import __version__


@click.command(cls=Command)
@click.argument("folder", metavar="DIR")
@click.option("--device", default="local", show_default=True, metavar="NAME", help="Where to run: local is this machine.")
@click.option("--threads", default=1, show_default=True, metavar="N", type=click.IntRange(min=1), help="Threads of one inference.")
@click.option("--runs", default=100, show_default=True, metavar="N", type=click.IntRange(min=1), help="Timed inferences.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.version_option(__version__)
def main(folder, device, threads, runs, as_json) -> None:
    """Measure the network that b2nn-compile wrote into DIR on a device.

    Prints the median, the 10th and 90th percentile and the minimum of the whole network in milliseconds, and the time of every layer.
    """
    from dataclasses import asdict

    import b2nn_tvm
    from b2nn_tvm.cli import output as out

    measurement = b2nn_tvm.measure(b2nn_tvm.load(folder), device=device, threads=threads, runs=runs)
    if as_json:
        out.print_json({"folder": folder, **asdict(measurement)})
        return
    rows = [(layer.name, f"{layer.median_ms:.4f}", f"{layer.min_ms:.4f}", f"{layer.share:.1%}") for layer in measurement.per_layer]
    out.print_table(f"{folder} on {measurement.device}", ("layer", "median ms", "min ms", "share"), rows)
    out.print_line(
        f"whole network: median {measurement.median_ms:.4f} ms, p10 {measurement.p10_ms:.4f}, p90 {measurement.p90_ms:.4f}, "
        f"min {measurement.min_ms:.4f}; {measurement.runs} runs, {measurement.threads} thread{'s' * (measurement.threads > 1)}, "
        f"{measurement.isa}, spread {measurement.spread:.1%}"
    )


if __name__ == "__main__":
    main()
