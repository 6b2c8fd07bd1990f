"""The findings of a search in sentences: all of them for the terminal, those that are nowhere else for report.html."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from b2nn_tvm.costs.options import precision_of
from b2nn_tvm.costs.prediction_error import prediction_error
from b2nn_tvm.loop.choose_by_flops import FlopsChoice
from b2nn_tvm.loop.compare_random import TOLERANCE, Interval
from b2nn_tvm.loop.measuring.int8_beside import Int8Beside
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.results.budget_words import achieved_words, at_words, limit_words
from b2nn_tvm.loop.results.result import SearchResult
from b2nn_tvm.plan import Certificate
from b2nn_tvm.words.number_of import number_of

OTHERS = 3  # images that are named


@dataclass(frozen=True)
class Finding:
    """What a search found, in a sentence without a full stop, and what it is about, in a few words.

    ``shown`` if report.html has it elsewhere: as a figure at the top, a table, a chart or a list of files.
    """

    topic: str
    text: str
    shown: bool = False


def lines(result: SearchResult) -> list[str]:
    """The findings that do not fit into the table, one line each: for the terminal, which has no page."""
    return [each.text for each in findings(result)]


def findings(result: SearchResult) -> list[Finding]:
    """All findings, the budgets first."""
    found = [
        Finding(
            "budget",
            f"budget {achieved_words(each)}",
            shown=True,
        )
        for each in result.budgets
    ]
    if result.plan.certificate is not None:
        found.append(Finding("is there a better choice?", _proof(result.plan.certificate, result.fewer_bits)))
    if result.prediction_error is not None:
        text = (
            f"predicted {result.predicted:.4g} ms, measured {result.measured_ms:.4g} ms{at_words(result.quantile)}:"
            f" {_error(result.prediction_error)}"
        )
        found.append(Finding("its prediction", text))
    if words := prediction_words(result):
        found.append(Finding("predictions", words, shown=True))
    if len(result.rounds) > 1:
        found.append(Finding("rounds", _rounds(result), shown=True))
    if result.time is not None:
        found.append(Finding("its time", _two_times(result.time)))
    if result.by_flops is not None:
        found.append(Finding("by FLOPs alone", _flops(result, result.by_flops)))
    if result.int8 is not None:
        found.append(Finding("int8", int8_words(result.int8), shown=True))
    if result.unprofitable:
        slow = ", ".join(
            f"{layer.name} ({layer.float_ms:.4g} ms float, {layer.binary_ms:.4g} {layer.precision})"
            for layer in result.unprofitable
        )
        text = f"layers that are no faster when they are {result.fewer_bits} on this device: {slow}"
        found.append(Finding("what does not pay", text))
    if result.front:
        found.append(Finding("front", _front(result), shown=True))
    if result.fronts:
        found.append(Finding("fronts", _fronts(result), shown=True))
    if result.quality:
        quality = result.quality
        text = (
            f"cost model over {quality.networks} measured networks: leave-one-out error {quality.error:.1%} on average,"
            f" {quality.worst:.1%} at worst; adding up the layers is off by {quality.sum_error:.1%}"
        )
        found.append(Finding("the cost model", text))
    if result.steps:
        found.append(Finding("layer by layer", _progression(result)))
    if any(precision_of(each) == "binary" for each in result.row.binary):
        found.append(Finding("the binary layers", f"binary layers have {result.conversion}"))
    if not result.is_binary:
        words = counted(result.row.binary)
        found.append(Finding("precisions", f"layers of each precision: {words}", shown=True))
    if result.library_accuracy is not None:
        text = (
            f"compiled library on {number_of(result.images, 'test image')}: accuracy"
            f" {100 * result.library_accuracy:.2f} %, "
            f"the torch model's answer on {result.agreeing} of them{_others(result)}"
        )
        found.append(Finding("the library and torch", text))
    if result.random_accuracy and result.random_ms:
        text = _comparison(result, result.random_accuracy, result.random_ms)
        found.append(Finding("better than chance?", text))
    libraries = ", ".join(map(str, result.libraries.values()))
    text = (
        f"{result.folder / 'report.html'} shows all of this in a browser; the libraries are {libraries}, and model.onnx"
        " beside them is what b2nn-compile takes for other targets"
    )
    found.append(Finding("files", text, shown=True))
    return found


def _others(result: SearchResult) -> str:
    """The images on which the library and torch name different classes, with how close the two classes are."""

    def name(index: int) -> str:
        return result.labels[index] if result.labels else f"class {index}"

    words = [
        f"image {each.index} ({name(each.library)}, in torch {name(each.torch)}, scores {each.gap:.2%} apart)"
        for each in result.other_answers[:OTHERS]
    ]
    more = len(result.other_answers) - len(words)
    end = f" and {more} more, in report.json" if more else ""
    return f"; another one on {', '.join(words)}{end}" if words else ""


def int8_words(int8: Int8Beside) -> str:
    """What onnxruntime's int8 form of the float network needs and knows, beside the library."""
    return (
        f"onnxruntime {int8.version} runs the float network in int8 in {int8.ms:.4g} ms, the library takes"
        f" {int8.library_ms:.4g} ms in the same turns and is {int8.ms / int8.library_ms:.2f} times as fast; the int8"
        f" form's accuracy is {100 * int8.accuracy:.2f} %, its file has {int8.size_bytes / 1024:.0f} KiB; these two"
        " times compare with each other only"
    )


def prediction_words(result: SearchResult) -> str:
    """How far the predictions were off, the delivered network's among them; empty where there are too few to say."""
    pairs = predictions(result)
    if len(pairs) < 2:
        return ""
    errors = [abs(prediction_error(*pair)) for pair in pairs]
    return (
        f"{len(errors)} networks predicted before they were measured: median error {median(errors):.1%}, worst"
        f" {max(errors):.1%}"
    )


def predictions(result: SearchResult) -> list[tuple[float, float]]:
    """(predicted, measured) milliseconds of the networks that the cost model had not seen when it predicted them; the
    delivered library's come last.
    """
    tried = [(attempt.predicted_ms, attempt.measured_ms) for attempt in result.attempts]
    drawn = [(row.predicted_ms, row.measured_ms) for row in result.rows if row.role == "random"]
    delivered = [(result.predicted, result.measured_ms)] if result.unit == "ms" else []
    found = [*tried, *drawn, *delivered]
    return [(predicted, ms) for predicted, ms in found if predicted is not None and ms is not None]


def _two_times(time: NetworkTime) -> str:
    return (
        f"the delivered library needs {time.ms:.4g} ms when nothing disturbs it (95 % interval {time.low_ms:.4g} to"
        f" {time.high_ms:.4g}, {time.quiet} of {number_of(time.bursts, 'burst')} undisturbed); observed in"
        f" {number_of(time.runs, 'run')}: median"
        f" {time.median_ms:.4g} ms, p90 {time.p90_ms:.4g}, p99 {time.p99_ms:.4g}"
    )


def _flops(result: SearchResult, other: FlopsChoice) -> str:
    """What FLOPs in place of milliseconds would have come to."""
    head = (
        f"with FLOPs in place of milliseconds, {_layers(other.binary, '')} would have become binary"
        f" ({other.flops / 1e6:.2f} MFLOPs): measured {other.measured_ms:.4g} ms{at_words(result.quantile)}"
    )
    budget = limit_words(result.budgets[0])
    if set(other.binary) == set(result.row.binary):
        return "FLOPs in place of milliseconds would have chosen the same layers"
    if not other.keeps and other.measured_ms <= result.limit:
        return f"{head}, and the interval of this time reaches over the budget of {budget}"
    if not other.keeps:
        return f"{head}, {other.measured_ms / result.limit - 1:.1%} over the budget of {budget}"
    mine = sum(result.scores[name] for name in result.row.binary)
    return f"{head}, within the budget, with a summed harm of {other.harm:.4g} in place of {mine:.4g}"


def _layers(names: Sequence[str], kind: str) -> str:
    """ "1 binary layer", "2 binary layers"."""
    return number_of(len(names), f"{kind}layer")


def _rounds(result: SearchResult) -> str:
    """What the rounds before the last one delivered, and why they were not the last."""
    earlier = ", ".join(
        f"{_layers(each.binary, 'binary ')} at {each.time.at(result.quantile):.4g} ms ({each.status})"
        for each in result.rounds[:-1]
    )
    return f"{len(result.rounds)} rounds: libraries that did not keep the budget for certain came first: {earlier}"


def _front(result: SearchResult) -> str:
    points = ", ".join(
        f"{point.ms:.4g} ms with harm {point.harm:.4g}" + (" (the knee)" if point.knee else "")
        for point in result.front
    )
    return f"front of {len(result.front)} measured choices{at_words(result.quantile)}: {points}"


def _fronts(result: SearchResult) -> str:
    """The least harm of each front within the budget, or within the delivered library's time."""
    within = result.limit if result.unit == "ms" or result.measured_ms is None else result.measured_ms
    harms = []
    for each in result.fronts:
        best = each.best_within(within)
        words = "no choice as fast" if best is None else f"{best.harm:.4g} ({counted(best.binary)})"
        harms.append(f"{each.title} {words}")
    return f"the least harm measured within {within:.4g} ms{at_words(result.quantile)}: {'; '.join(harms)}"


def counted(choice: Iterable[str]) -> str:
    """How many layers of a choice have each precision, such as "3 binary, 5 int8"."""
    counts = Counter(precision_of(each) for each in choice)
    return ", ".join(f"{number} {word}" for word, number in counts.items()) or "all float"


def _progression(result: SearchResult) -> str:
    known = ((step.layer, step.accuracy) for step in result.steps if step.accuracy is not None)
    accuracies = ", ".join(f"{layer} {100 * accuracy:.1f} %" for layer, accuracy in known)
    return f"layers became binary one after the other, with this validation accuracy after each: {accuracies}"


def _comparison(result: SearchResult, accuracy: Interval, ms: Interval) -> str:
    mean = accuracy.mean
    seeds = ", ".join(str(row.seed) for row in result.rows if row.role == "random")
    word = "above" if result.accuracy > mean else "below"
    if not abs(result.accuracy - mean) > accuracy.half_width:
        word = "not told apart from"
    return (
        f"mixed {100 * result.accuracy:.2f} % is {word} the mean {with_interval(accuracy, 100, 2)} % of "
        f"{number_of(accuracy.count, 'random choice')} (seeds {seeds}; 95 % interval) that were measured at "
        f"{with_interval(ms, 1, 4)} ms and fine-tuned equally{_far_apart(result)}"
    )


def _far_apart(result: SearchResult) -> str:
    """Words on the random choices whose time is not the chosen network's, though it should be; often none."""
    drawn = [row.measured_ms for row in result.rows if row.role == "random"]
    chosen = result.measured_ms
    distances = [abs(ms / chosen - 1) for ms in drawn if ms is not None and chosen]
    far = [distance for distance in distances if distance > TOLERANCE]
    if not far:
        return ""
    return (
        f"; {len(far)} of their times {'is' if len(far) == 1 else 'are'} more than {TOLERANCE:.0%} away from the chosen"
        f" network's, at most {max(far):.1%}: no closer choices were found"
    )


def with_interval(interval: Interval, factor: float, digits: int) -> str:
    """The mean and the half of its interval, times ``factor``."""
    if not math.isfinite(interval.half_width):
        return f"{factor * interval.mean:.{digits}f}"
    return f"{factor * interval.mean:.{digits}f} ± {factor * interval.half_width:.{digits}f}"


def _proof(certificate: Certificate, fewer_bits: str) -> str:
    layers = "binary layers" if fewer_bits == "binary" else f"layers {fewer_bits}"
    harm = f"the summed harm of the {layers} is {certificate.objective:.4g}"
    if certificate.bound is None or certificate.gap is None:
        return f"{harm}; the solver {certificate.solver} proves nothing of it"
    if certificate.gap <= 1e-6 * abs(certificate.objective):
        return f"{harm}, proven to be the least of all choices within the bound (solver {certificate.solver})"
    return (
        f"{harm}; no choice within the bound has less than {certificate.bound:.4g}, which leaves a gap of"
        f" {certificate.gap:.2g} (solver {certificate.solver})"
    )


def _error(error: float) -> str:
    if abs(error) < 0.0005:
        return "the prediction was right to 0.1%"
    return f"the prediction was {abs(error):.1%} too {'high' if error > 0 else 'low'}"
