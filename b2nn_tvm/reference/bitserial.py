"""The definition of bitserial operators in numpy: sums of binary ones, one for each plane of the activations.

Activations are codes of b bits, 0 to 2^b - 1, weights whole numbers of m bits. Plane p of the codes has +1 where their
bit p is set, else -1; with weights of signs the sums are (Zhou et al., DoReFa-Net, section 2.1)

    sum of w * code  =  1/2 * sum over p of 2^p * (sum of w * plane p)  +  1/2 * (2^b - 1) * sum of w

Weights of more bits are two's complement: w = sum over q of 2^q * bit q, less 2^m for the highest bit.
A padded pixel holds a code, too; padding with zeros is padding with code 0, which is -1 in every plane.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from b2nn_tvm.reference.binary import binary_conv2d, binary_dense


def code_planes(codes: np.ndarray, bits: int) -> np.ndarray:
    """int8 [bits, ...] planes of -1 and +1 of codes from 0 to 2^bits - 1, the lowest bit first; raises ValueError for
    other codes.
    """
    codes = np.asarray(codes)
    if (codes < 0).any() or (codes >= 2**bits).any():
        raise ValueError(f"codes of {bits} bits lie between 0 and {2**bits - 1}")
    return np.stack([2 * (codes.astype(np.int64) >> p & 1) - 1 for p in range(bits)]).astype(np.int8)


def weight_planes(weight: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Planes int8 [P, ...] of -1 and +1, coefficients [P] and a rest with which 2 * weight is the sum of coefficient *
    plane, plus the rest.

    Weights of 1 bit are -1 and +1; of more bits they lie between -2^(bits - 1) and 2^(bits - 1) - 1. Raises ValueError
    for others.
    """
    weight = np.asarray(weight, np.int64)
    if bits == 1:
        if (np.abs(weight) != 1).any():
            raise ValueError("weights of 1 bit are -1 and +1")
        return weight[None].astype(np.int8), np.array([2]), 0
    half = 2 ** (bits - 1)
    if (weight < -half).any() or (weight >= half).any():
        raise ValueError(f"weights of {bits} bits lie between {-half} and {half - 1}")
    return code_planes(weight + half, bits), 2 ** np.arange(bits), -1


def bitserial_conv2d(
    codes: np.ndarray,
    weight: np.ndarray,
    *,
    activation_bits: int,
    weight_bits: int,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    pad_code: int = 0,
) -> np.ndarray:
    """int32 [N, O, H', W'] convolution of codes [N, C, H, W] with whole weights [O, C/groups, kh, kw].

    ``padding`` is (top, left, bottom, right) pixels of ``pad_code``.
    """
    top, left, bottom, right = padding
    padded = np.pad(codes, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=pad_code)

    def convolve(plane: np.ndarray, signs: np.ndarray) -> np.ndarray:
        return binary_conv2d(plane, signs, stride=stride, dilation=dilation, groups=groups)

    sums = _sum_of_planes(padded, weight, activation_bits, weight_bits, convolve)
    constant = weight.reshape(len(weight), -1).sum(axis=1, dtype=np.int64)[:, None, None]
    return _with_constant(sums, constant, activation_bits)


def bitserial_dense(codes: np.ndarray, weight: np.ndarray, *, activation_bits: int, weight_bits: int) -> np.ndarray:
    """int32 [rows, out] products of codes [rows, in] and whole weights [out, in]."""
    sums = _sum_of_planes(codes, weight, activation_bits, weight_bits, binary_dense)
    return _with_constant(sums, weight.sum(axis=1, dtype=np.int64), activation_bits)


def _sum_of_planes(
    codes: np.ndarray,
    weight: np.ndarray,
    activation_bits: int,
    weight_bits: int,
    product: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Four times the sum over all pairs of planes: int64."""
    planes, coefficients, rest = weight_planes(weight, weight_bits)
    terms = [*zip(coefficients, planes), *([(rest, np.ones_like(planes[0]))] if rest else [])]
    products = [
        2**p * int(coefficient) * product(plane, signs).astype(np.int64)
        for p, plane in enumerate(code_planes(codes, activation_bits))
        for coefficient, signs in terms
    ]
    return np.asarray(np.sum(products, axis=0))


def _with_constant(sums: np.ndarray, weight_sums: np.ndarray, activation_bits: int) -> np.ndarray:
    return np.asarray((sums + 2 * (2**activation_bits - 1) * weight_sums) // 4, np.int32)
