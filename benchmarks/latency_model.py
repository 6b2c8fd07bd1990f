"""How well milliseconds are predicted: networks with random layers binary, predicted and then measured.

    python benchmarks/latency_model.py [--networks cresnet20 bireal18-64 ...] [--precisions 1,2,8,32] [--masks N]
        [--threads N] [--disturb SHARE] [--json FILE] [--plot FILE]

For each network the all-float and the all-binary network and a few mixtures are measured, and a cost model is fitted to
them, as a search does. Then ``--masks`` other choices of layers are built, predicted and measured. Four models are
compared: "fitted" is the search's; "sum" adds up the layers; "flops" scales FLOPs between the two ends; "medians" is
the search's fit to medians of networks that were measured one after the other, which it predicts, too. With more
``--precisions`` than binary and float, layers have one of them at random, and "apart", the same fit without anything
that layers share, stands in place of the last two. With ``--disturb`` a process keeps one core busy for this share of
the time, while networks are measured.

The rows are {network, model, median_error, p95_error, disturb}; errors are shares of the measured time.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from disturb import neighbour
from latency_baselines import medians_one_by_one
from network_models import network

from b2nn_tvm import __version__
from b2nn_tvm.costs.fit import fit
from b2nn_tvm.costs.options import layer_of
from b2nn_tvm.costs.precisions import BINARY_OR_FLOAT, parse_precisions
from b2nn_tvm.costs.prediction_error import prediction_error
from b2nn_tvm.costs.table import ms_cost
from b2nn_tvm.data import DataBundle, TensorImages
from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.loop.choose_by_flops import flops_between
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.build_side_by_side import build_networks
from b2nn_tvm.loop.measuring.measure_costs import exact_cost, measure_cost
from b2nn_tvm.loop.measuring.measure_network import measure_networks
from b2nn_tvm.loop.measuring.settle_references import until_settled
from b2nn_tvm.loop.settings import SearchSettings
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.progress import silent
from b2nn_tvm.storage.document import write_document
from b2nn_tvm.storage.phase_cache import State

NETWORKS = {
    "cresnet20": ("cresnet20", 32),
    "resnet18-224": ("resnet18", 224),
    "bireal18-64": ("bireal18", 64, {"image_size": 64}),
    "bireal18-224": ("bireal18", 224),
    "mobilenet-128": ("mobilenet", 128),
    "squeezenet-128": ("squeezenet", 128),
    "digits": ("digits", 32),
    "tiny": ("tiny", 8),
}
BENCH = ("cresnet20", "bireal18-64", "bireal18-224", "mobilenet-128")
MODELS = ("fitted", "apart", "sum", "flops", "medians")


@dataclass(frozen=True)
class Row:
    """The errors of one model over the masks of one network, as shares of the measured times."""

    network: str
    model: str
    median_error: float
    p95_error: float
    disturb: float


def main() -> None:
    arguments = _arguments()
    rows: list[Row] = []
    points: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for key in arguments.networks:
            folder = (arguments.state or Path(scratch)) / key
            fit_to, threads = arguments.mixtures, arguments.threads
            predicted, measured = predict(
                make_job(
                    key,
                    folder,
                    masks=fit_to,
                    precision=arguments.precision,
                    threads=threads,
                    precisions=arguments.precisions,
                ),
                masks=arguments.masks,
                disturb=arguments.disturb,
                alone="medians" in arguments.models and threads == 1,  # they are measured with one thread
            )
            points[key] = list(zip(predicted["fitted"], measured["fitted"], strict=True))
            for model in (model for model in arguments.models if model in predicted):
                pairs = zip(predicted[model], measured[model], strict=True)
                errors = [abs(prediction_error(*pair)) for pair in pairs]
                row = Row(key, model, float(np.median(errors)), float(np.quantile(errors, 0.95)), arguments.disturb)
                rows.append(row)
                print(f"{key:14} {model:8} median {row.median_error:6.1%}  p95 {row.p95_error:6.1%}", flush=True)
    machine = asdict(LocalDevice().describe())
    body = {"version": __version__, "machine": machine, "masks": arguments.masks, "mixtures": arguments.mixtures}
    if arguments.json:
        body["precisions"] = list(arguments.precisions)
        found = {"threads": arguments.threads, "rows": list(map(asdict, rows)), "points": points}
        write_document(arguments.json, "latency-model", 1, {**body, **found})
    if arguments.plot:
        title = f"{machine['cpu']}, threads: {arguments.threads}, neighbour {arguments.disturb:.0%}"
        plot(points, arguments.plot, title)


def make_job(
    key: str,
    folder: Path,
    *,
    masks: int,
    precision: float,
    threads: int = 1,
    precisions: tuple[str, ...] = BINARY_OR_FLOAT,
) -> Job:
    """A search's job for a network of NETWORKS with random weights, and images of noise."""
    name, size, *options = NETWORKS[key]
    model, shape = network(name, **dict(*options)), (3, size, size)
    noise = torch.randn(8, *shape, generator=torch.Generator().manual_seed(1))
    split = TensorImages(noise, torch.zeros(len(noise), dtype=torch.long))
    data = DataBundle("noise", split, split, split, tuple(map(str, range(1000))), shape, (0.0,) * 3, (1.0,) * 3)
    settings = SearchSettings.from_keywords(masks=masks, precision=precision, threads=threads, precisions=precisions)
    return Job(key, model, trace(model, shape), data, settings, State(folder / "state"), silent)


def predict(
    job: Job, *, masks: int, disturb: float, alone: bool
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """(predicted, measured) milliseconds of the masks, by model."""
    held_out = random_masks(job, masks)
    print(f"{job.name}: build {masks} networks", file=sys.stderr)
    build_networks(job, held_out)  # nothing is built while the clock runs
    with neighbour(disturb):
        cost, held = until_settled(lambda: (measure_cost(job), measure_networks(job, held_out)))
    summed = ms_cost(cost.table, tuple(job.layers), options=job.options)
    models = {"fitted": cost.fitted.cost, "sum": summed}
    if job.is_binary:
        models["flops"] = flops_between(exact_cost(job, "flops"), cost.float_ms, cost.binary_ms)
    else:
        models["apart"] = fit(summed, [time.network() for time in cost.networks]).cost
    predicted = {name: [float(model.total(choice)) for choice in held_out] for name, model in models.items() if model}
    measured = {model: [time.ms for time in held] for model in predicted}
    if alone and job.is_binary:
        with neighbour(disturb):
            fitted, medians = medians_one_by_one(job, [time.binary for time in cost.networks], held_out)
        predicted["medians"] = [float(fitted.total(choice)) for choice in held_out]
        measured["medians"] = medians
    return predicted, measured


def random_masks(job: Job, count: int) -> list[tuple[str, ...]]:
    """Choices of layers: each takes a random share of them, so that all shares occur, in a random precision each."""
    draw = random.Random(20)
    found: dict[tuple[str, ...], None] = {}
    of = {layer: [each for each in job.options if layer_of(each) == layer] for layer in job.choosing}
    while len(found) < min(count, 2 ** len(of) - 2):
        share = draw.random()
        layers = [layer for layer in of if draw.random() < share]
        if 0 < len(layers) < len(of):
            found[tuple(of[each][0] if job.is_binary else draw.choice(of[each]) for each in layers)] = None
    return list(found)


def plot(points: dict[str, list[tuple[float, float]]], path: Path, title: str) -> None:
    """Predicted against measured milliseconds, one panel per network."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(points), 4.2), layout="constrained")
    for axes, (name, pairs) in zip(figure.subplots(1, len(points), squeeze=False)[0], points.items(), strict=True):
        predicted, measured = zip(*pairs, strict=True)
        ends = (0, 1.05 * max(*predicted, *measured))
        axes.plot(ends, ends, color="0.7", linewidth=1)
        axes.scatter(predicted, measured, s=14, color="#c2571a")
        axes.set(title=name, xlabel="predicted ms", ylabel="measured ms", xlim=ends, ylim=ends)
    figure.suptitle(title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--networks", nargs="+", choices=NETWORKS, default=BENCH)
    made.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    made.add_argument(
        "--precisions", type=parse_precisions, default=BINARY_OR_FLOAT, help="those of layers, such as 1,2,8,32"
    )
    made.add_argument("--masks", type=int, default=40, help="choices that are predicted and then measured")
    made.add_argument("--mixtures", type=int, default=6, help="choices that the cost model is fitted to")
    made.add_argument("--threads", type=int, default=1, help="threads of one inference")
    made.add_argument("--disturb", type=float, default=0.0, help="share of the time that a process keeps a core busy")
    made.add_argument("--precision", type=float, default=0.02, help="how precisely each network is measured")
    made.add_argument("--state", type=Path, help="keep libraries and times here, and go on from there")
    made.add_argument("--json", type=Path, help="write the rows to this file")
    made.add_argument("--plot", type=Path, help="write a scatter plot to this file")
    return made.parse_args()


if __name__ == "__main__":
    main()
