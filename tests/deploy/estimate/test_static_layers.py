"""Whole layers of few bits and of 8 bits on ARM cores, by what they execute and llvm-mca's models (static estimates):
the multiply-accumulates in a cycle, as those of the float layer, with the packing of a float input.
"""

from __future__ import annotations

import numpy as np
import pytest
from tvm import tirx

from b2nn_tvm.deploy.estimate.static_cost import cycles_of, execute_function
from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.kernel_attrs import Role, role_of
from b2nn_tvm.passes.pipeline import to_kernels
from b2nn_tvm.schedules.schedule_module import schedule_module, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.targets.target import get
from tests.support.networks.onnx_models import model, save

pytestmark = [pytest.mark.emulated, pytest.mark.sweep, pytest.mark.usefixtures("arm_board")]

NODES = """
    moved = Transpose <perm = [0, 3, 1, 2]> (x)
    rounded = Round (moved)
    codes = Clip (rounded, low, high)
    sums = Conv <pads = [1, 1, 1, 1]> (codes, w)
    y = Transpose <perm = [0, 2, 3, 1]> (sums)
"""
# (target, highest code, largest weight): the least multiply-accumulates in a cycle, by CPU
LEAST = {
    ("arm", 3, 1): {"cortex-a53": 12, "cortex-a72": 30, "cortex-a76": 30},
    ("arm", 255, 127): {"cortex-a53": 3.3, "cortex-a72": 7.4, "cortex-a76": 7.4},
    ("rpi5", 255, 127): {"cortex-a76": 28},
}


@pytest.mark.parametrize(("target", "most", "largest"), LEAST)
def test_layers_are_near_the_bound_of_the_cpu(llvm_tools, tmp_path, target, most, largest):
    size, channels = 28, 128
    rng, info = np.random.default_rng(0), get(target)
    weight = rng.integers(1, largest + 1, (channels, channels, 3, 3)) * rng.choice((-1, 1), (channels, channels, 3, 3))
    constants = {"low": np.float32(0), "high": np.float32(most), "w": weight.astype(np.float32)}
    built = model(NODES, constants, inputs=f"float[1,{size},{size},{channels}] x", outputs="float y")
    unit = vector_unit_named(info.vector)
    kernels = to_kernels(import_onnx(save(tmp_path, built)), unit.layout, info.tvm_target())
    scheduled = schedule_module(kernels.module, vector_unit=unit, records=Records(unit.name)).module
    functions = [function for function in scheduled.functions.values() if isinstance(function, tirx.PrimFunc)]
    convolutions = [function for function in functions if role_of(function.attrs) is Role.CONVOLUTION]
    assert len(convolutions) == (2 if most == 3 else 1)
    executed = [execute_function(function, info) for function in functions]
    for cpu, least in LEAST[target, most, largest].items():
        cycles = sum(cycles_of(one, info, llvm_tools, cpu=cpu) for one in executed)
        assert size * size * channels * channels * 9 / cycles >= least, cpu
