"""The name of a kernel for people, its result, and how large tensors are."""

from __future__ import annotations

import numpy as np
import pytest
from tvm import relax

from b2nn_tvm.deploy.codegen.kernel_call import KernelCall, is_bits, size_bytes
from b2nn_tvm.deploy.codegen.read_calls import read_calls
from tests.support.deploy.kernel_network import Network


def tensor(shape: tuple[int, ...], dtype: str = "float32") -> relax.Var:
    return relax.Var("x", relax.TensorType(shape, dtype))


def call(function: str, *arguments) -> KernelCall:
    return KernelCall(function, None, (), None, arguments, (), None, has_weights=False)


@pytest.mark.parametrize(
    ("function", "word"),
    [
        ("bconv2d", "bconv2d"),
        ("bconv2d12", "bconv2d"),
        ("fused_conv2d_relu3", "conv2d_relu"),
        ("fused_conv2d_pad_4", "conv2d"),
        ("pack_signs", "pack_signs"),
    ],
)
def test_the_word_is_the_name_without_what_tvm_puts_around_it(function: str, word: str) -> None:
    assert call(function).word == word


def test_the_result_is_the_last_argument() -> None:
    first, last = tensor((2,)), tensor((3,))
    assert call("add", first, relax.const(np.zeros(2, np.float32)), last).result.same_as(last)


@pytest.mark.parametrize(
    ("shape", "dtype", "bytes_", "bits"),
    [
        ((3, 5), "float32", 60, False),
        ((1, 4, 4, 2), "uint32", 128, True),
        ((7,), "uint8", 7, True),
        ((7,), "int8", 7, False),
        ((2, 2), "int64", 32, False),
        ((), "float32", 4, False),
    ],
)
def test_sizes_and_which_types_packed_signs_have(shape, dtype: str, bytes_: int, bits: bool) -> None:
    assert (size_bytes(tensor(shape, dtype)), is_bits(tensor(shape, dtype))) == (bytes_, bits)


def test_a_call_of_a_network_writes_its_result_first_and_reads_before_it() -> None:
    """negate(double(x)), after Relax has allocated what both write."""
    module = Network((3, 5)).build(lambda net, x: net.call("negate", net.call("double", x)))
    line = read_calls(relax.transform.CallTIRRewrite()(module), lambda constants: None)
    double, negate = line.calls
    assert (double.word, negate.word) == ("double", "negate")
    assert double.arguments[0].same_as(line.parameters[0]) and negate.arguments[0].same_as(double.result)
    assert [one.outputs for one in line.calls] == [(one.result,) for one in line.calls]
    assert line.result_tensors[0].same_as(negate.result) and len(line.allocated) == 2
