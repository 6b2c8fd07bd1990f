"""Keras networks with layers of Larq 0.14.0, written by tf2onnx 1.17.0 with TensorFlow 2.15.1.

python -m tests.support.corpus.larq_networks [NAME ...]
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import larq as lq
import tensorflow as tf
from tensorflow.keras import layers

from tests.support.corpus.write_keras import sequence, write

BINARY = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip"}


def conv(filters: int, kernel: int = 3, **options: object) -> layers.Layer:
    return lq.layers.QuantConv2D(filters, kernel, **{"padding": "same", "use_bias": False, **BINARY, **options})


def dense(units: int, **options: object) -> layers.Layer:
    return lq.layers.QuantDense(units, **{"use_bias": False, **BINARY, **options})


def norm(**options: object) -> layers.Layer:
    return layers.BatchNormalization(momentum=0.9, **options)


def residual(x: tf.Tensor) -> tf.Tensor:
    """Two blocks as in Bi-Real Net and QuickNet; the second one halves the image."""
    x = layers.add([x, norm()(conv(16)(x))])
    shortcut = norm()(layers.Conv2D(32, 1, use_bias=False)(layers.AveragePooling2D(2, padding="same")(x)))
    return layers.add([shortcut, norm()(conv(32, strides=2)(x))])


def binary_net(x: tf.Tensor) -> tf.Tensor:
    """The network of Larq's introduction (docs.larq.dev/larq/tutorials/mnist), with fewer channels."""
    x = norm(scale=False)(layers.MaxPooling2D(2)(conv(16, padding="valid", input_quantizer=None)(x)))
    x = norm(scale=False)(layers.MaxPooling2D(2)(conv(32, padding="valid")(x)))
    x = norm(scale=False)(conv(32, padding="valid")(x))
    x = norm(scale=False)(dense(32)(layers.Flatten()(x)))
    return layers.Activation("softmax")(norm(scale=False)(dense(10)(x)))


NETWORKS: dict[str, tuple[Callable[[tf.Tensor], tf.Tensor], tuple[int, ...]]] = {
    "conv": (sequence(conv(8), norm()), (8, 8, 16)),
    "conv_padded_with_one": (sequence(conv(8, pad_values=1), norm()), (8, 8, 16)),
    "conv_strided": (sequence(conv(16, strides=2), norm(), conv(8, strides=2)), (9, 8, 8)),
    "conv_bias": (sequence(conv(8, use_bias=True), layers.ReLU()), (7, 7, 16)),
    "magnitude_aware": (sequence(conv(8, kernel_quantizer="magnitude_aware_sign"), norm()), (8, 8, 16)),
    "approx_sign": (sequence(conv(8, input_quantizer="approx_sign"), norm(), conv(8)), (8, 8, 16)),
    "pooled": (sequence(conv(16), layers.MaxPooling2D(2), norm(), conv(8), norm()), (8, 8, 16)),
    "dense": (sequence(dense(16), norm(), dense(10)), (32,)),
    "depthwise": (
        sequence(
            lq.layers.QuantDepthwiseConv2D(
                3, padding="same", use_bias=False, input_quantizer="ste_sign", depthwise_quantizer="ste_sign"
            ),
            norm(),
        ),
        (8, 8, 16),
    ),
    "residual": (residual, (8, 8, 16)),
    "binary_net": (binary_net, (20, 20, 1)),
}


def main(only: set[str]) -> None:
    for name, (network, shape) in NETWORKS.items():
        if not only or name in only:
            write(f"larq_{name}", network, shape)


if __name__ == "__main__":
    main(set(sys.argv[1:]))
