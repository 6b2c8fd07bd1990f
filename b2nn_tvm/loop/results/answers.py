"""The answers of the delivered library on the test set, image by image, beside those of the float network."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from b2nn_tvm.data import DataBundle
from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.loop.job import Job
from b2nn_tvm.mixbin.training.digests import model_digest
from b2nn_tvm.mixbin.training.loss import predictions

SHOWN = 8  # images whose answer changed
SIDE = 96  # pixels of the longer side of a shown image, at most
LEVEL = 0.05  # differences that chance makes as often as this are not told apart
PHASE = "answer the test set in float"


@dataclass(frozen=True)
class ChangedAnswer:
    """A test image on which one of the two networks is right: its place in the test set, the classes as numbers, and
    the picture as a data URI.
    """

    index: int
    label: int
    before: int
    after: int
    picture: str


@dataclass(frozen=True)
class Answers:
    """The answers of the float network and of the delivered library on the test set.

    ``confusion`` holds (label, the library's answer, images) where there is any image; ``right_before`` are the float
    network's right answers by class. ``lost`` images only the float network has right, ``gained`` ones only the
    library; ``p`` is the probability of a difference as large as theirs if both were equally good (McNemar's exact
    test). ``changed`` are some of those images.
    """

    classes: tuple[str, ...]
    confusion: tuple[tuple[int, int, int], ...]
    right_before: tuple[int, ...]
    lost: int
    gained: int
    p: float
    changed: tuple[ChangedAnswer, ...]

    @property
    def images(self) -> int:
        """How many images there are."""
        return sum(count for _, _, count in self.confusion)

    @property
    def differs(self) -> bool:
        """Whether the two networks' accuracies are told apart."""
        return self.p < LEVEL

    def by_class(self) -> list[tuple[str, int, int, int]]:
        """(class, images, right in float, right in the library) of every class that has images."""
        images, right = Counter[int](), Counter[int]()
        for label, answer, count in self.confusion:
            images[label] += count
            right[label] += count * (label == answer)
        return [
            (name, images[index], self.right_before[index], right[index])
            for index, name in enumerate(self.classes)
            if images[index]
        ]

    def confused(self) -> list[tuple[str, str, int]]:
        """(label, answer, images) of the library's wrong answers, the most frequent first."""
        wrong = [(label, answer, count) for label, answer, count in self.confusion if label != answer]
        wrong.sort(key=lambda each: -each[2])
        return [(self.name(label), self.name(answer), count) for label, answer, count in wrong]

    def name(self, index: int) -> str:
        """The name of a class; a network may have more scores than the data have classes."""
        return self.classes[index] if index < len(self.classes) else f"#{index}"


def compare_answers(job: Job, after: Sequence[int]) -> Answers:
    """The float network's answers on the test set, computed once, beside the library's answers ``after``."""
    inputs = {"weights": model_digest(job.model), "data": job.data.digest}
    found = job.state.run("answers/float", inputs, lambda _folder: _float_answers(job))
    return answers_of(job.data, found["labels"], found["answers"], after)


def answers_of(data: DataBundle, labels: Sequence[int], before: Sequence[int], after: Sequence[int]) -> Answers:
    """The answers ``before`` and ``after`` on the images with these ``labels``, all of them numbers of classes."""
    from scipy.stats import binomtest

    each = list(enumerate(zip(labels, before, after, strict=True)))
    lost = [index for index, (label, first, then) in each if first == label != then]
    gained = [index for index, (label, first, then) in each if first != label == then]
    right = Counter(label for label, first in zip(labels, before, strict=True) if label == first)
    both = len(lost) + len(gained)
    gains = gained[: max(SHOWN // 4, SHOWN - len(lost))]
    shown = [*lost[: SHOWN - len(gains)], *gains]
    return Answers(
        classes=tuple(data.class_names),
        confusion=tuple((*pair, count) for pair, count in sorted(Counter(zip(labels, after, strict=True)).items())),
        right_before=tuple(right[index] for index in range(data.classes)),
        lost=len(lost),
        gained=len(gained),
        p=float(binomtest(len(lost), both).pvalue) if both else 1.0,
        changed=tuple(
            ChangedAnswer(index, labels[index], before[index], after[index], picture(data, index)) for index in shown
        ),
    )


def picture(data: DataBundle, index: int) -> str:
    """A test image as a PNG in a data URI: its normalization is undone, and a large image is made smaller."""
    from PIL import Image

    images, _ = data.test[BatchIndex((index,))]
    pixels = images[0]
    shape = (-1, 1, 1)
    shown = pixels * torch.tensor(data.std).reshape(shape) + torch.tensor(data.mean).reshape(shape)
    levels = (255 * shown.clamp(0, 1)).round().to(torch.uint8).permute(1, 2, 0).numpy()
    image = Image.fromarray(levels[:, :, 0] if levels.shape[2] != 3 else levels)
    image.thumbnail((SIDE, SIDE))
    content = io.BytesIO()
    image.save(content, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def _float_answers(job: Job) -> dict[str, list[int]]:
    labels: list[int] = []
    answers: list[int] = []
    for outputs, wanted in predictions(job.model, job.data.test_loader()):
        answers += outputs.argmax(1).tolist()
        labels += wanted.tolist()
        job.progress(PHASE, len(labels), len(job.data.test))
    return {"labels": labels, "answers": answers}
