"""The hardware of a training: its devices, the number of processes, and the precision."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.loss import device_of
from b2nn_tvm.words.number_of import number_of

PRECISIONS = ("auto", "32", "bf16-mixed", "16-mixed")


@dataclass(frozen=True)
class Hardware:
    """The hardware of a training; ``devices`` > 1 trains in as many processes of this machine (DDP).

    Under torchrun, the training runs in torchrun's processes on all its machines, whatever ``devices`` is.
    ``accelerator`` is Lightning's word ("auto", "cpu", "gpu"); ``threads`` is the number of CPU threads (None: torch's
    own). ``precision`` is one of PRECISIONS; "auto" is mixed on CUDA and 32 elsewhere. Raises InputError for a value
    that is out of range.
    """

    devices: int = 1
    accelerator: str = "auto"
    threads: int | None = None
    precision: str = "auto"

    def __post_init__(self) -> None:
        if self.devices < 1:
            raise InputError(f"a training needs at least one device, not {self.devices}")
        if self.precision not in PRECISIONS:
            raise InputError(f"unknown precision {self.precision!r}; choose one of {', '.join(PRECISIONS)}")
        if self.precision == "16-mixed" and not self.on_cuda:
            raise InputError("precision '16-mixed' needs a CUDA device; take 'bf16-mixed' or '32' here")

    @property
    def on_cuda(self) -> bool:
        """Whether training runs on CUDA devices."""
        return self.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()

    @property
    def settled_precision(self) -> str:
        """The precision, with "auto" decided for this machine: bfloat16 where the GPU computes in it, else float16."""
        if self.precision != "auto":
            return self.precision
        if not self.on_cuda:
            return "32"
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"

    @property
    def under_torchrun(self) -> bool:
        """Whether this process is one of several that torchrun started."""
        return torch.distributed.is_available() and torch.distributed.is_torchelastic_launched()

    @property
    def spawns(self) -> bool:
        """Whether training runs in new processes rather than in this one."""
        return self.devices > 1 and not self.under_torchrun

    def trainer_settings(self) -> dict[str, Any]:
        """The arguments about hardware for Lightning's Trainer.

        Raises InputError where torchrun started different numbers of processes on its machines.
        """
        settings = {"accelerator": self.accelerator, "precision": self.settled_precision}
        if not self.under_torchrun:
            # Spawned processes end here; processes of plain "ddp" would run the caller's whole program again.
            return {**settings, "devices": self.devices, "strategy": "ddp_spawn" if self.spawns else "auto"}
        world, local = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
        if world % local:
            raise InputError(
                f"torchrun started {local} of {number_of(world, 'process', 'processes')} here; give each machine"
                " equally many"
            )
        return {**settings, "devices": local, "num_nodes": world // local, "strategy": "ddp"}

    @contextmanager
    def computing(self, model: nn.Module) -> Iterator[None]:
        """Inside this context ``model`` is on the GPU if there is one, and the CPU computes with ``threads``."""
        home = device_of(model)
        with self.cpu_threads():
            try:
                if self.on_cuda:
                    model.to("cuda")
                yield
            finally:
                model.to(home)

    @contextmanager
    def cpu_threads(self) -> Iterator[None]:
        """Inside this context the CPU computes with ``threads`` threads."""
        before = torch.get_num_threads()
        try:
            if self.threads is not None:
                torch.set_num_threads(self.threads)
            yield
        finally:
            torch.set_num_threads(before)


HERE = Hardware()  # one process of this machine, on its GPU where it has one
