"""Compiled binary convolutions equal reference.py bit for bit, on each x86 ISA level, float and threshold-packed."""

import itertools

import numpy as np
import pytest
import tvm
from tvm import te, topi

from b2nn_tvm import reference
from b2nn_tvm.ops import bit_layout
from b2nn_tvm.ops.bconv2d import bconv2d
from b2nn_tvm.ops.pack_signs import pack_signs
from b2nn_tvm.schedules.records import Records
from b2nn_tvm.schedules.rules import schedule_function, unit
from b2nn_tvm.targets.target import get
from b2nn_tvm.workload import ConvWorkload

CHANNELS = (1, 3, 16, 31, 32, 33, 63, 64, 65, 96, 128)
KERNELS = (1, 3, 5)
VARIANTS = tuple(itertools.product((1, 2), (1, 2), (0, 1, -1)))  # stride, dilation, pad value
HEIGHT, WIDTH = 9, 8


def case(channels, kernel, index):
    """One workload and its data; batch, outputs and asymmetry of the padding change with the index."""
    stride, dilation, pad_value = VARIANTS[index]
    rng = np.random.default_rng([channels, kernel, index])
    outputs = CHANNELS[(CHANNELS.index(channels) + index) % len(CHANNELS)]
    reach = dilation * (kernel - 1)
    padding = (reach // 2, reach // 2, reach - reach // 2, reach - reach // 2 - (reach > 2 and index % 2))
    workload = ConvWorkload(
        3 if index % 4 == 0 else 1, channels, HEIGHT, WIDTH, outputs, (kernel, kernel), (stride,) * 2, padding, (dilation,) * 2
    )
    x = rng.standard_normal((workload.batch, channels, HEIGHT, WIDTH)).astype(np.float32)
    x.flat[:: max(1, x.size // 7)] = 0.0
    x.flat[1 :: max(1, x.size // 5)] = -0.0
    x.flat[2 :: max(1, x.size // 3)] = np.nan
    weight = reference.sign(rng.standard_normal((outputs, channels, kernel, kernel)))
    return workload, pad_value, x, weight, rng


def compile_case(workload, pad_value, weight, target):
    """pack -> conv with one scale per channel -> pack with thresholds, in one module built for ``target``."""
    vector_unit = unit(target.vector)
    word = vector_unit.layout.word
    lanes = vector_unit.layout.binary_lanes(workload.out_channels)
    packed = bit_layout.pack_weights(weight, word=word, lanes=lanes)
    border = bit_layout.border(weight, workload, pad_value=pad_value, lanes=lanes)
    top, left, bottom, right = workload.padding
    words = packed.shape[3]
    x = te.placeholder((workload.batch, HEIGHT + top + bottom, WIDTH + left + right, words), word, name="x")
    w = te.placeholder(packed.shape, word, name="w")
    scale = te.placeholder((1, 1, 1, workload.out_channels), "float32", name="scale")
    tables = [te.placeholder(t.shape, "int32", name=n) for n, t in (("table", border.table), ("rows", border.rows), ("columns", border.columns))]
    constant = [int(border.table.flat[0])] if border.uniform else tables
    dot = bconv2d(x, w, *constant, workload=workload)
    y = topi.multiply(topi.cast(dot, "float32"), scale)
    given = [] if border.uniform else tables
    function, _ = schedule_function(
        te.create_prim_func([x, w, *given, scale, y]), vector_unit=vector_unit, records=Records(vector_unit.name)
    )
    shape = (workload.batch, HEIGHT, WIDTH, workload.in_channels)
    out_shape = (workload.batch, workload.out_height, workload.out_width, workload.out_channels)
    functions = {
        "pack": pack_signs(shape, workload.padding, word=word, pad_value=pad_value),
        "conv": function,
        "repack": pack_signs(out_shape, (0, 0, 0, 0), word=word, pad_value=0),
    }
    module = tvm.IRModule({name: f.with_attr("global_symbol", name) for name, f in functions.items()})
    library = tvm.runtime.Executable(tvm.tirx.build(module, target=target.tvm_target()))
    arguments = [packed] + ([] if border.uniform else [border.table, border.rows, border.columns])
    return library, word, arguments


@pytest.mark.parametrize("isa", ["x86", "x86-avx512", "x86-vpopcntdq"])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("channels", CHANNELS)
def test_equals_the_reference(isa, kernel, channels):
    target = get(isa)
    if target.missing:
        pytest.skip(f"{isa} needs {', '.join(target.missing)}")
    for index in range(len(VARIANTS)):
        workload, pad_value, x, weight, rng = case(channels, kernel, index)
        library, word, arguments = compile_case(workload, pad_value, weight, target)
        limits = rng.choice(np.array([0.0, 0.0, 0.5, -0.25], np.float32), channels)
        scale = rng.uniform(0.01, 2, workload.out_channels).astype(np.float32)
        thresholds = rng.integers(-9, 9, workload.out_channels).astype(np.float32)

        top, left, bottom, right = workload.padding
        shape = (workload.batch, HEIGHT + top + bottom, WIDTH + left + right, arguments[0].shape[3])
        packed = call(library["pack"], shape, word, x.transpose(0, 2, 3, 1), limits)
        out_shape = (workload.batch, workload.out_height, workload.out_width, workload.out_channels)
        scaled = call(library["conv"], out_shape, "float32", packed, *arguments, scale.reshape(1, 1, 1, -1))
        words = -(-workload.out_channels // (8 * np.dtype(word).itemsize))
        bits = call(library["repack"], (*out_shape[:3], words), word, scaled, thresholds * scale)

        expected = reference.binary_conv2d(
            reference.sign(x, limits[:, None, None]), weight, stride=workload.stride, padding=workload.padding,
            dilation=workload.dilation, pad_value=pad_value,
        )  # fmt: skip
        where = f"{workload.key} padded with {pad_value}"
        np.testing.assert_array_equal(scaled.transpose(0, 3, 1, 2), reference.scale_channels(expected, scale), err_msg=where)
        signs = reference.threshold_channels(expected, thresholds, np.zeros(workload.out_channels, bool))
        np.testing.assert_array_equal(bits, bit_layout.pack_channels(signs.transpose(0, 2, 3, 1), word=word), err_msg=where)


def call(function, shape, dtype, *arrays):
    out = tvm.runtime.tensor(np.full(shape, 77, dtype))
    function(*(tvm.runtime.tensor(np.ascontiguousarray(a)) for a in arrays), out)
    return out.numpy()
