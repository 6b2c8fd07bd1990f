"""Programs over hand-written kernels: real object files, without the compiler."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from b2nn_tvm.deploy.codegen.program import Argument, Constants, LayerRow, Program, Step, Storage, TensorSpec
from b2nn_tvm.deploy.codegen.share_constants import Level
from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.targets import target as targets

N = 1000
KERNELS = Path(__file__).with_name("kernels.c")
STRESS = Path(__file__).with_name("stress.c")  # a program that runs them in many threads
DAMAGED = Path(__file__).with_name("damaged.c")  # a program that reads damaged files
ARENA, CONSTANT = Storage.ARENA, Storage.CONSTANT
INPUT, OUTPUT = Argument(Storage.INPUT, 0), Argument(Storage.OUTPUT, 0)
CONSTANTS = np.linspace(-1, 1, N, dtype="float32")


def arena(index: int) -> Argument:
    return Argument(ARENA, index * 4032)


def program(*middle: str) -> Program:
    """out = x * constants * FACTOR, then each kernel of ``middle`` (one input, one output) in turn; the task count."""
    steps = [Step("scale", "conv1", (INPUT, Argument(CONSTANT, 0), arena(0)))]
    for index, symbol in enumerate(middle):
        out = OUTPUT if index == len(middle) - 1 else arena(1 - index % 2)
        steps.append(Step(symbol, f"layer {index}", (arena(index % 2), out)))
    steps.append(Step("count_tasks", "tail", (Argument(Storage.OUTPUT, 1),)))
    return Program(
        inputs=(TensorSpec("input", (1, N), "float32"),),
        outputs=(TensorSpec("output", (1, N), "float32"), TensorSpec("tasks", (), "int32")),
        steps=tuple(steps),
        layers=(
            LayerRow("conv1", "conv2d", "binary", "", "", "scale", 3000, weight_bytes=2500),
            LayerRow("layer 0", "conv2d", "float", "its weights are not ±alpha", "", "shift", 0),
        ),
        arena_bytes=2 * 4032,
        workspace_bytes=16 * 1024,
        constants=Constants((CONSTANTS.tobytes(),)),
    )


def expected(x: np.ndarray, *, factor: float = 2.0, shifts: int = 1) -> np.ndarray:
    return x * CONSTANTS * np.float32(factor) + np.float32(shifts)


@dataclass
class Workshop:
    """Compiles the hand-written kernels and builds libraries in a temporary folder."""

    folder: Path

    def target(self, name: str = "native") -> targets.TargetInfo:
        if name != "native":
            return targets.get(name)
        return replace(targets.get("x86"), name="native", arch=platform.machine(), requires=())

    def kernels(self, *, factor: float = 2.0, target: str = "native") -> bytes:
        out = self.folder / f"kernels_{factor}_{target}.o"
        self.compile(self.target(target), "-O2", "-fPIC", f"-DFACTOR={factor}f", "-c", str(KERNELS), "-o", str(out))
        return out.read_bytes()

    def compile(self, target: targets.TargetInfo, *arguments: str) -> None:
        find_toolchain(target).run(arguments, folder=self.folder)

    def build(self, *middle: str, name: str = "net", factor: float = 2.0, target: str = "native", **options) -> Path:
        folder = self.folder / name
        object_file = self.kernels(factor=factor, target=target)
        build_library(program(*middle), [object_file], self.target(target), folder, **options)
        return folder

    def build_levels(self, name: str, **options) -> Path:
        """A library of three levels, which add one, two and three to the scaled input; no CPU runs the last one."""
        folder, base, kernels = self.folder / name, self.target(), [self.kernels()]
        required = {"avx2": (), "avx512": base.requires, "avx512vpopcntdq": (*base.requires, "avx1024")}
        first, *above = (
            Level(replace(base, vector=isa, requires=requires), program(*["shift_one"] * count), kernels)
            for count, (isa, requires) in enumerate(required.items(), start=1)
        )
        build_library(first.program, kernels, first.target, folder, levels=above, **options)
        return folder
