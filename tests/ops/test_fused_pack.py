"""A convolution that packs its own result equals reference.py bit for bit: the float result and the packed one."""

import numpy as np
import pytest
import tvm
from tvm import relax, te, topi

from b2nn_tvm import reference
from b2nn_tvm.ops import bit_layout
from b2nn_tvm.ops.bconv2d import bconv2d
from b2nn_tvm.ops.pack_signs import pack_signs
from b2nn_tvm.passes.fuse.fuse_pack import compose
from b2nn_tvm.schedules.schedule_module import schedule_function, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.targets.target import get
from b2nn_tvm.workload import ConvWorkload

# kernel, stride, whether the float result is read; tests/exactness has every shape and every kind of output
VARIANTS = ((1, 1, False), (3, 2, False), (3, 1, True), (1, 2, True))


@pytest.mark.in_turn("isa", turn=1)
@pytest.mark.parametrize("isa", ["x86", "x86-avx512", "x86-vpopcntdq"])
@pytest.mark.parametrize("outputs", [16, 96])
def test_equals_the_reference(isa, outputs):
    target = get(isa)
    if target.missing:
        pytest.skip(f"{isa} needs {', '.join(target.missing)}")
    layout = vector_unit_named(target.vector).layout
    assert layout.packs_in_tiles(outputs)
    for index, (kernel, stride, keep) in enumerate(VARIANTS):
        rng = np.random.default_rng([outputs, index])
        channels, padding = (3, 33, 64)[index % 3], ((1, 2, 0, 1), (0, 0, 0, 0))[index % 2]
        workload = ConvWorkload(
            1 + index % 2, channels, 9, 8, outputs, (kernel,) * 2, (stride,) * 2, (kernel // 2,) * 4
        )
        signs = reference.sign(rng.standard_normal((workload.batch, channels, 9, 8)))
        weight = reference.sign(rng.standard_normal((outputs, channels, kernel, kernel)))
        limits = rng.integers(-3, 4, outputs).astype(np.float32)
        y, packed = run(target, layout, workload, signs, weight, limits, padding, keep=keep)

        expected = reference.binary_conv2d(signs, weight, stride=workload.stride, padding=workload.padding)
        if keep:
            np.testing.assert_array_equal(y.transpose(0, 3, 1, 2), expected, err_msg=workload.key)
        bits = bit_layout.pack_channels(
            reference.sign(expected, limits[:, None, None]).transpose(0, 2, 3, 1), word=layout.word
        )
        top, left, bottom, right = padding
        bordered = np.pad(bits, ((0, 0), (top, bottom), (left, right), (0, 0)))
        np.testing.assert_array_equal(packed, bordered, err_msg=workload.key)


def run(target, layout, workload, signs, weight, limits, padding, *, keep):
    """The float result (None unless kept) and the packed one of the fused function."""
    word, lanes = layout.word, layout.binary_lanes(workload.out_channels)
    filters = bit_layout.pack_weights(weight, word=word, lanes=lanes)
    border = bit_layout.border(weight, workload, pad_value=0, lanes=lanes)
    top, left, bottom, right = workload.padding
    image = np.pad(signs.transpose(0, 2, 3, 1), ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=-1)
    arrays = [bit_layout.pack_channels(image, word=word), filters]
    arrays += [] if border.uniform else [border.table, border.rows, border.columns]
    holders = [te.placeholder(array.shape, str(array.dtype), name=f"p{i}") for i, array in enumerate(arrays)]
    constant = [int(border.table.flat[0])] if border.uniform else holders[2:]
    y = topi.cast(bconv2d(*holders[:2], *constant, workload=workload), "float32")
    shape = (workload.batch, workload.out_height, workload.out_width, workload.out_channels)
    above, before, below, after = padding
    words = -(-workload.out_channels // (8 * np.dtype(word).itemsize))
    packed_shape = (shape[0], shape[1] + above + below, shape[2] + before + after, words)
    function = compose(
        te.create_prim_func([*holders, y]),
        pack_signs(shape, padding, word=word, pad_value=0),
        relax.TensorType(packed_shape, word),
        keep=keep,
    )
    scheduled, description = schedule_function(
        function, vector_unit=vector_unit_named(target.vector), records=Records(target.vector)
    )
    assert description.startswith("bconv2d")
    module = tvm.IRModule({"main": scheduled.with_attr("global_symbol", "main")})
    library = tvm.runtime.Executable(tvm.tirx.build(module, target=target.tvm_target()))
    results = [tvm.runtime.tensor(np.full(shape, 77, np.float32))] if keep else []
    results.append(tvm.runtime.tensor(np.zeros(packed_shape, word)))
    library["main"](*map(tvm.runtime.tensor, arrays), tvm.runtime.tensor(limits), *results)
    return (results[0].numpy() if keep else None), results[-1].numpy()
