"""From a file to fused kernels: what is left of the network, and what each convolution was called."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.relax_query import calls
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import NETWORKS, Network, binary, binary_constants
from tests.support.passes.chain import chain
from tests.support.passes.kernel_functions import called, kernels

TARGETS = pytest.mark.parametrize("target", ["x86-vpopcntdq", "x86", "arm"])


@TARGETS
def test_a_chain_of_binary_layers_has_nothing_between_them(tmp_path, target):
    """conv - batch norm - sign, four times: one function per layer, and one each for what comes in and goes out."""
    found = called(kernels(save(tmp_path, chain(4, channels=64, classifier=True)), target))
    assert len([name for name in found if name.startswith("bconv2d")]) == 5
    assert not [name for name in found if "where" in name or "greater" in name or "multiply" in name]
    assert len([name for name in found if name == "transpose"]) <= 2
    assert len(found) <= 5 + 2 + 1  # layers, transposes, the packing of the network's input


@TARGETS
def test_what_follows_a_convolution_is_part_of_it(tmp_path, target):
    """Scale, batch norm, residual and activation of a Bi-Real block are one function with the popcounts."""
    network = Network(
        "a = Conv <pads = [1, 1, 1, 1]> (input, w)"
        + binary("a", "b", "u", 32)
        + "c = BatchNormalization (b, g, h, h, v) d = Add (c, a) e = Relu (d) output = Conv (e, x)",
        {
            "w": (32, 4, 3, 3),
            **binary_constants("u", 32, 32),
            "g": (32,),
            "h": (32,),
            "v": np.ones(32, np.float32),
            "x": (5, 32, 1, 1),
        },
    )
    found = called(kernels(save(tmp_path, network.build()), target))
    (block,) = [name for name in found if name.startswith("bconv2d")]
    assert all(word in block for word in ("multiply", "add", "relu"))
    assert not [name for name in found if name.split("_")[0] in ("add", "multiply", "relu")]


def packing(name):
    return name.endswith("_pack")


# (what stands between two binary layers, channels, padding value of the second, is its packing part of the first?)
BETWEEN = {
    "nothing": ("", 64, 0, True),
    "padded with -1": ("", 64, -1, True),
    "padded with +1": ("", 64, 1, False),
    "a few channels": ("", 24, 0, False),
    "an activation": ("a = Sigmoid (a0)", 64, 0, True),
    "max pooling": ("a = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (a0)", 64, 0, True),
}


@pytest.mark.parametrize("case", BETWEEN)
def test_a_result_is_packed_by_the_layer_that_computes_it(tmp_path, case):
    between, channels, pad_value, together = BETWEEN[case]
    network = Network(
        binary("input", "a0" if between else "a", "u", 4)
        + between
        + binary("a", "output", "v", channels, pad_value=pad_value),
        {**binary_constants("u", channels, 4), **binary_constants("v", 8, channels)},
    )
    found = called(kernels(save(tmp_path, network.build())))
    assert any(map(packing, found)) == together
    assert len([name for name in found if name == "pack_signs"]) == (1 if together else 2)


def test_a_packed_result_that_others_read_is_kept(tmp_path):
    """Another kernel, or the caller: here in the layout of the kernels, so that no transpose stands between."""
    readers = {
        "kernel": ("r = GlobalAveragePool (a)", "float[N,C,H,W] r"),
        "caller": ("r = Transpose <perm = [0, 2, 3, 1]> (a)", "float[N,H,W,C] r"),
    }
    for reader, output in readers.values():
        network = Network(
            binary("input", "a", "u", 4) + binary("a", "output", "v", 64) + reader,
            {**binary_constants("u", 64, 4), **binary_constants("v", 8, 64)},
            outputs=f"float[N,C,H,W] output, {output}",
        )
        found = kernels(save(tmp_path, network.build()))
        (both,) = [call for _, call in calls(found.module["main"]) if packing(call.args[0].name_hint)]
        assert len(both.ty.fields) == 2
        assert tuple(int(d) for d in both.ty.fields[0].shape) == (1, 9, 7, 64)


def test_every_convolution_is_classified_once(tmp_path):
    network = Network(
        "a = Conv (input, w)"
        + binary("a", "b", "u", 8)
        + binary("b", "c", "v", 6)
        + "output = Conv <group = 2> (c, x)",
        {"w": (8, 4, 3, 3), **binary_constants("u", 6, 8), **binary_constants("v", 10, 6), "x": (4, 5, 1, 1)},
    )
    built = network.build()
    for node, name in zip(built.graph.node, ("stem", "first", "second", "head"), strict=True):
        node.name = name
    found = kernels(save(tmp_path, built)).convs
    assert [(conv.name, conv.binary) for conv in found] == [
        ("stem", False),
        ("first", True),
        ("second", True),
        ("head", False),
    ]
    assert [bool(conv.reason) for conv in found] == [True, False, False, True]


def test_sign_zero_decides_whether_sign_is_binary(tmp_path):
    network = Network(
        "s = Sign (input) output = Conv (s, w)",
        {"w": np.where(np.arange(144) % 3, 1, -1).reshape(4, 4, 3, 3).astype(np.float32)},
    )
    path = save(tmp_path, network.build())
    assert [conv.binary for conv in kernels(path).convs] == [False]
    assert "sign_zero='+1'" in kernels(path).convs[0].reason
    for sign_zero in ("+1", "-1"):
        assert [conv.binary for conv in kernels(path, sign_zero=sign_zero).convs] == [True]


def test_the_same_network_gives_the_same_kernels(tmp_path):
    """Nothing depends on the order of a set or on names of variables."""
    path = save(tmp_path, NETWORKS["outputs between binary convolutions"].build())
    assert kernels(path).module.script() == kernels(path).module.script()
