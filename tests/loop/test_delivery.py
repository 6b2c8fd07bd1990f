"""A network is exported, compiled, run on the test set and measured; what is delivered appears whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch

from b2nn_tvm.data import PixelImages
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.loop import delivery as module
from b2nn_tvm.loop.delivery import Delivery, deliver
from b2nn_tvm.loop.measuring.measure_network import FINEST, SURE, measure_beside_float, measure_networks
from b2nn_tvm.mixbin.training.loss import evaluate
from b2nn_tvm.preprocess import Preprocess
from b2nn_tvm.preprocess.onnx_metadata import Meaning, read_meaning
from tests.support.loop.small_job import NAMES, small_job

PHASE = "delivery/mine"


def delivered(folder: Path, *, limit_ms: float = 1e9, quantile: float | None = None, **settings) -> Delivery:
    job = small_job(folder / "state", **settings)
    model = job.settings.conversion.convert(job.model, NAMES[2:]).eval()
    return deliver(job, model, folder / "out", phase=PHASE, limit_ms=limit_ms, plan_digest="a plan", quantile=quantile)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where networks were measured before, as in any search."""
    folder = tmp_path_factory.mktemp("delivered")
    measure_networks(small_job(folder / "state"), [()])
    return folder


@pytest.fixture(scope="module")
def delivery(folder: Path) -> Delivery:
    (folder / "out" / "native").mkdir(parents=True)
    (folder / "out" / "native" / "of an earlier search").touch()
    return delivered(folder)


def test_the_library_answers_as_the_network_on_the_test_set(folder: Path, delivery: Delivery) -> None:
    job = small_job(folder / "state")
    model = job.settings.conversion.convert(job.model, NAMES[2:])
    assert delivery.images == len(job.data.test) == 8 and delivery.other_answers == ()
    assert delivery.accuracy == evaluate(model, job.data.test_loader())
    assert (
        0 < delivery.time.low_ms <= delivery.measured_ms <= delivery.time.high_ms and delivery.time.binary == NAMES[2:]
    )
    assert delivery.size_bytes > 0


def test_answers_other_than_torchs_are_listed_with_how_close_the_two_classes_are(
    folder: Path, delivery: Delivery
) -> None:
    """A torch model whose scores are those of the network moved by one class names the next class."""
    job = small_job(folder / "state")
    own = job.settings.conversion.convert(job.model, NAMES[2:])
    exchanged = torch.nn.Sequential(own, Exchanged()).eval()
    with load(delivery.libraries["native"]) as artifact:
        right, others, answers = module._answers(job, artifact, exchanged)
    scores = torch.cat([own(images) for images, _ in job.data.test_loader()]).detach()
    assert answers == scores.argmax(1).tolist() and right == round(delivery.accuracy * delivery.images)
    assert [(each.index, each.library) for each in others] == list(enumerate(answers))
    assert [each.torch for each in others] == [(answer + 1) % 3 for answer in answers]
    for each, row in zip(others, scores, strict=True):
        turned = row.roll(1)
        gap = (turned.max() - turned[each.library]) / turned.abs().max()
        assert each.gap == pytest.approx(float(gap), rel=1e-4)


class Exchanged(torch.nn.Module):
    """Each class has the score of the one before."""

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        return scores.roll(1, dims=1)


def test_the_files_are_there_and_those_of_an_earlier_search_are_not(folder: Path, delivery: Delivery) -> None:
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["model.onnx", "native"]
    assert delivery.libraries == {"native": folder / "out" / "native"}
    assert not (folder / "out" / "native" / "of an earlier search").exists()
    with load(delivery.libraries["native"]) as artifact:
        precisions = {row.name: row.precision for row in artifact.layers}
        assert [precisions[name] for name in NAMES] == ["float"] * 2 + ["binary"] * 2
        assert artifact.manifest.build.plan_digest == "a plan"
        assert (artifact.manifest.preprocess, artifact.manifest.labels) == (None, ("a", "b", "c"))


def test_the_same_network_is_delivered_from_disk(folder: Path, delivery: Delivery) -> None:
    (stamp,) = folder.rglob("mine/phase.json")
    before = stamp.stat().st_mtime_ns
    assert delivered(folder) == delivery and stamp.stat().st_mtime_ns == before


def test_a_limit_inside_the_interval_is_measured_more_precisely(
    folder: Path, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether more bursts come of it depends on the machine: a disturbed one has taken all that are allowed before."""
    asked = []

    def asking(*of, share: float, **how):
        asked.append(share)
        return measure_beside_float(*of, share=share, **how)

    monkeypatch.setattr(module, "measure_beside_float", asking)
    first = delivered(folder, limit_ms=delivery.time.high_ms * 4).time
    asked.clear()
    assert delivered(folder, limit_ms=first.high_ms * 2).time == first and asked == [0.02]  # that is enough
    observed = delivered(folder, limit_ms=first.ms, quantile=0.9)  # no precision changes what was observed
    assert observed.time == first and observed.measured_ms == first.p90_ms and asked == [0.02, 0.02]
    asked.clear()
    close = delivered(folder, limit_ms=first.ms).time
    assert asked in ([0.02, 0.01], [0.02, 0.01, FINEST]) and close.bursts >= first.bursts >= SURE


@pytest.mark.sweep
def test_a_library_of_pixels_answers_on_the_pixels_of_the_test_set(tmp_path: Path) -> None:
    job = small_job(tmp_path / "state", input_format="uint8-nhwc")
    pixels = torch.randint(0, 256, (8, 1, 8, 8), dtype=torch.uint8)
    split = PixelImages(pixels, job.data.test.labels, (0.4,), (0.3,))
    preprocess = Preprocess.covering((1, 8, 8), (0.4,), (0.3,))
    job = replace(job, data=replace(job.data, train=split, val=split, test=split, preprocess=preprocess))
    found = deliver(job, job.model, tmp_path / "out", phase=PHASE, limit_ms=None, plan_digest="")
    assert found.images == 8 and found.other_answers == ()
    assert found.accuracy == evaluate(job.model, job.data.test_loader())
    with load(found.libraries["native"]) as artifact:
        assert [(spec.shape, spec.dtype) for spec in artifact.inputs] == [((1, 8, 8, 1), "uint8")]
        assert artifact.manifest.labels == ("a", "b", "c")
        assert artifact.manifest.preprocess == replace(preprocess, input="input_pixels", baked=True)
    delivered_file = read_meaning(onnx.load(tmp_path / "out" / "model.onnx"))
    assert delivered_file == Meaning(preprocess, ("a", "b", "c"))  # which takes floats, for any other runtime


def test_another_precision_is_measured_for(folder: Path, delivery: Delivery) -> None:
    (phase,) = folder.rglob("mine/phase.json")
    delivered(folder)
    before = phase.stat().st_mtime_ns
    assert delivered(folder, precision=0.5).measured_ms > 0 and phase.stat().st_mtime_ns > before
