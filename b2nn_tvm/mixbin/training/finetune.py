"""Fine-tune a converted network in two stages, distilled from the float network it came from.

Stage 1 has binary activations, float weights and weight decay. Stage 2 has binary weights too, and no decay on them,
since the size of a weight does not matter to its sign (Martinez et al., Training Binary Neural Networks with
Real-to-Binary Convolutions, ICLR 2020).
"""

from __future__ import annotations

import os

from torch import nn

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.modules.quantized_layer import STEP, refuse_uncalibrated
from b2nn_tvm.mixbin.training.distill import distill_from
from b2nn_tvm.mixbin.training.finish import StageProgress, finish_training
from b2nn_tvm.mixbin.training.fit_stage import fit
from b2nn_tvm.mixbin.training.hardware import HERE, Hardware
from b2nn_tvm.mixbin.training.loss import CrossEntropy, Loss, device_of, evaluate
from b2nn_tvm.mixbin.training.recipe import EpochRecord, Recipe, TrainResult
from b2nn_tvm.mixbin.training.recipes.optimization import PLAIN, Optimization
from b2nn_tvm.progress import Progress, as_progress

FIRST_STAGE = 0.4  # share of the epochs


def finetune(
    student: nn.Module,
    teacher: nn.Module,
    data: DataBundle,
    *,
    epochs: int,
    lr: float = 5e-3,
    weight_decay: float = 1e-5,
    temperature: float = 2.0,
    distillation: float = 0.7,
    label_smoothing: float = 0.0,
    loss: Loss | None = None,
    optimization: Optimization = PLAIN,
    first_stage: float = FIRST_STAGE,
    batch: int = 64,
    seed: int = 0,
    workdir: str | os.PathLike[str] | None = None,
    hardware: Hardware = HERE,
    progress: Progress | None = None,
) -> TrainResult:
    """Train ``student`` in place for ``epochs`` in all, then re-estimate its batch norms; 0 epochs only measure it.

    ``first_stage`` is the share of the epochs with float weights; a single epoch goes to the second stage, and a
    student without binary layers has one stage only. Quantized layers are quantized in all stages, and their steps have
    no weight decay; they come calibrated. ``distillation`` in 0..1 weighs the teacher's outputs, softened by
    ``temperature``, against the labels, which ``label_smoothing`` smooths unless there is another ``loss``. Each stage
    has the course of ``optimization`` for itself. All else, including reproducibility and resuming, is as in ``train``.
    Raises InputError as ``train`` does.
    """
    if not 0 <= first_stage < 1:
        raise InputError(f"the first stage takes a share of the epochs from 0 to below 1, not {first_stage}")
    progress = as_progress(progress)
    refuse_uncalibrated(student)
    if epochs == 0:
        return TrainResult(evaluate(student, data.val_loader()), ())
    home = device_of(teacher)
    with hardware.computing(teacher):
        labels = loss or CrossEntropy(label_smoothing, data.class_weights)
        objective, answered = distill_from(teacher, data, temperature=temperature, weight=distillation, loss=labels)
    binary = {name: module for name, module in student.named_modules() if isinstance(module, BinaryConv2d)}
    latent = frozenset(f"{name}.weight" for name in binary)
    steps = frozenset(name for name, _ in student.named_parameters() if name.endswith(STEP))
    history: tuple[EpochRecord, ...] = ()
    for stage, length in (_stages(epochs, first_stage) if binary else {"float": epochs}).items():
        weights_too = stage == "binary-weights"
        undecayed = steps | (latent if weights_too else frozenset())
        recipe = Recipe(stage, length, lr, weight_decay, batch, seed, undecayed, optimization)
        told = StageProgress(progress, "fine-tune", first=len(history), total=epochs)
        for module in binary.values():
            module.weight_binary = weights_too
        try:
            history += fit(student, answered, objective, recipe=recipe, hardware=hardware, told=told, workdir=workdir)
        finally:
            for module in binary.values():
                module.weight_binary = True
            teacher.to(home)  # with augmented images it ran on the device of the training
    return TrainResult(finish_training(student, data, recipe, hardware), history)


def _stages(epochs: int, share: float) -> dict[str, int]:
    """The epochs of each stage that has any; with two epochs or more no stage is empty, unless ``share`` is 0."""
    first = min(max(1, round(epochs * share)), epochs - 1) if share else 0
    lengths = {"binary-activations": first, "binary-weights": epochs - first}
    return {stage: length for stage, length in lengths.items() if length}
