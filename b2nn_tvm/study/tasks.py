"""The tasks of a study's worker processes: train a parent, score its layers, fine-tune a choice, slim and fine-tune."""

from __future__ import annotations

import io
import shutil
import time
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from b2nn_tvm import models
from b2nn_tvm.costs.budget import Budget
from b2nn_tvm.costs.counted import flops_cost
from b2nn_tvm.data import DataBundle
from b2nn_tvm.data.adjust import adjusted
from b2nn_tvm.data.subset import subset
from b2nn_tvm.loop.sources import factory_arguments, load_data
from b2nn_tvm.mixbin.conversion.convert_choice import convert_choice
from b2nn_tvm.mixbin.conversion.options import ConversionOptions
from b2nn_tvm.mixbin.network.flops import flops
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringOptions
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.slimming.slim import slim
from b2nn_tvm.mixbin.slimming.train_sparse import slim_train
from b2nn_tvm.mixbin.training.digests import model_digest
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.recipes.presets import preset
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.mixbin.training.train import evaluate, finetune, train
from b2nn_tvm.plan import Precision
from b2nn_tvm.progress import Progress
from b2nn_tvm.storage.document import write_atomic

DRAW = 1_000_003  # between the seeds of the draws of one method and seed


@dataclass(frozen=True)
class Source:
    """A data set by name or path, how many of its training and validation images to use (0: all), and the augmentation
    of the former (None: as the data say).
    """

    data: str
    images: int
    validation: int
    augment: str | None = None

    def load(self) -> DataBundle:
        """The data set; a process loads it once."""
        return _load(self)


@lru_cache(maxsize=2)  # a study has two data sets at most
def _load(source: Source) -> DataBundle:
    bundle = adjusted(load_data(source.data), augment=source.augment)
    return replace(bundle, train=subset(bundle.train, source.images), val=subset(bundle.val, source.validation))


@dataclass(frozen=True)
class Net:
    """A built-in network of some width with one of the activations."""

    model: str
    width: int
    activation: str

    @property
    def conversion(self) -> ConversionOptions:
        """The form of the network's binary layers, with the network's own activation, even one that drops the sign."""
        return ConversionOptions(activation=self.activation)

    def build(self, bundle: DataBundle, *, seed: int = 0) -> nn.Module:
        """The network for the images and classes of ``bundle``, initialized by ``seed``."""
        factory = models.get(self.model)
        torch.manual_seed(seed)
        return factory(**factory_arguments(factory, bundle), width=self.width, activation=self.activation).eval()

    def load(self, bundle: DataBundle, weights: Path) -> nn.Module:
        """The network with the weights of the file ``weights``."""
        model = self.build(bundle)
        model.load_state_dict(torch.load(weights, weights_only=True))
        return model


@dataclass(frozen=True)
class Work:
    """The fields of all tasks: the parent's architecture, the data, the seed, the calibration, the recipe of trainings,
    the folder for files, the precision that trainings compute in.
    """

    net: Net
    source: Source
    seed: int
    calibration: int
    recipe: str
    folder: Path
    training_precision: str

    @property
    def training(self) -> dict[str, Any]:
        hardware = Hardware(threads=torch.get_num_threads(), precision=self.training_precision)
        return {"seed": self.seed, "hardware": hardware, "workdir": self.folder / "checkpoints"}


@dataclass(frozen=True)
class Parent(Work):
    """Train the float network; if ``sparse``, with a penalty on its batch norms' scales, for slimming."""

    epochs: int
    sparse: bool = False

    def run(self, progress: Progress) -> dict[str, Any]:
        """Write weights.pt; the result has the weights' hash, the accuracies and the seconds."""
        bundle, begun = self.source.load(), time.perf_counter()
        model = self.net.build(bundle, seed=self.seed)
        how = {**preset(self.recipe).float_training, **self.training}
        (slim_train if self.sparse else train)(model, bundle, epochs=self.epochs, progress=progress, **how)
        shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)
        buffer = io.BytesIO()
        torch.save(model.state_dict(), buffer)
        write_atomic(self.folder / "weights.pt", buffer.getvalue())
        return {"weights": model_digest(model), **_accuracies(model, bundle), "seconds": time.perf_counter() - begun}


@dataclass(frozen=True)
class Scoring(Work):
    """Score the layers of a parent for becoming ``precision`` by one method, once per budget (in FLOPs) where its
    scores depend on it; ``draw`` tells the draws of a random method apart.
    """

    weights: Path
    method: str
    limits: tuple[int, ...]
    draw: int = 0
    precision: str = "binary"

    def run(self, progress: Progress) -> dict[str, Any]:
        """The scores per limit, in the order of the limits."""
        bundle, begun = self.source.load(), time.perf_counter()
        model = self.net.load(bundle, self.weights)
        found: dict[int, dict[str, float]] = {}
        for limit in self._asked():
            path = self.folder / f"{limit}.json"
            seed = self.seed + DRAW * self.draw
            options: ScoringOptions = {"seed": seed, "conversion": self.net.conversion, "path": path}
            options["precision"] = Precision(self.precision)
            if self.method in methods.NEED_TRAINING_DATA:
                options["data"] = bundle
            if self.method in methods.NEED_BUDGET:
                layers = tuple(trace(model, bundle.input_shape))
                options["cost"] = flops_cost(layers, total=flops(model, bundle.input_shape))
                options["limit"] = limit
            batches = bundle.calibration(self.calibration, seed=self.seed)
            scored = methods.score(self.method, model, batches, progress=progress, **options)
            found[limit] = dict(scored.scores)
            shutil.rmtree(f"{path}.steps", ignore_errors=True)  # intermediate networks
        last = found[self._asked()[-1]]
        return {"scores": [found.get(limit, last) for limit in self.limits], "seconds": time.perf_counter() - begun}

    def _asked(self) -> tuple[int, ...]:
        """The limits to score for: all of them for pseudo-random, else the smallest alone.

        A greedy choice under a larger budget is the beginning of the choice under a smaller one.
        """
        return self.limits if self.method == "pseudo-random" else (min(self.limits),)


@dataclass(frozen=True)
class FineTuning(Work):
    """Fine-tune the parent with the layers ``binary``, or options of layers (see costs.options), in fewer bits; it is
    distilled from the parent, or from another ``teacher`` with its weights.
    """

    weights: Path
    binary: tuple[str, ...]
    epochs: int
    teacher: tuple[Net, Path] | None = None

    def run(self, progress: Progress) -> dict[str, Any]:
        """The accuracies before and after fine-tuning, and the seconds."""
        bundle = self.source.load()
        parent = self.net.load(bundle, self.weights)
        images = partial(bundle.calibration, self.calibration, seed=self.seed)
        student = convert_choice(parent, self.binary, self.net.conversion, images)
        teacher = parent if self.teacher is None else self.teacher[0].load(bundle, self.teacher[1])
        return _finetune(self, student, teacher, bundle, progress)


@dataclass(frozen=True)
class Slimming(Work):
    """Slim the ``sparse`` parent to ``limit`` FLOPs and fine-tune it like other networks, distilled from the parent."""

    weights: Path
    sparse: Path
    limit: int
    epochs: int

    def run(self, progress: Progress) -> dict[str, Any]:
        """The result as in FineTuning, with the FLOPs that are left and the number of removed channels."""
        bundle = self.source.load()
        slimmed = slim(self.net.load(bundle, self.sparse), bundle.input_shape, Budget(self.limit, "flops"))
        removed = sum(len(channels) for channels in slimmed.removed.values())
        found = _finetune(self, slimmed.model, self.net.load(bundle, self.weights), bundle, progress)
        return {**found, "flops": int(slimmed.achieved), "removed": removed}


def _finetune(
    work: FineTuning | Slimming, student: nn.Module, teacher: nn.Module, bundle: DataBundle, progress: Progress
) -> dict[str, Any]:
    begun = time.perf_counter()
    reestimate(student, bundle.calibration(work.calibration, seed=work.seed))
    before = _accuracies(student, bundle)
    how = {**preset(work.recipe).finetuning, **work.training}
    finetune(student, teacher, bundle, epochs=work.epochs, progress=progress, **how)
    shutil.rmtree(work.folder / "checkpoints", ignore_errors=True)
    return {"before": before, "after": _accuracies(student, bundle), "seconds": time.perf_counter() - begun}


def _accuracies(model: nn.Module, bundle: DataBundle) -> dict[str, float]:
    return {"validation": evaluate(model, bundle.val_loader()), "test": evaluate(model, bundle.test_loader())}
