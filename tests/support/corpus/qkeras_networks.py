"""Keras networks with layers of QKeras 0.9.0, written by tf2onnx 1.17.0 with TensorFlow 2.15.1.

python -m tests.support.corpus.qkeras_networks [NAME ...]
"""

from __future__ import annotations

import sys

from qkeras import QActivation, QConv2D, QDense, QDepthwiseConv2D
from tensorflow.keras import layers

from tests.support.corpus.write_keras import Network, sequence, write


def sign() -> layers.Layer:
    return QActivation("binary(alpha=1)")


def conv(filters: int, kernel: int = 3, *, weights: str = "binary(alpha=1)", **options: object) -> layers.Layer:
    return QConv2D(filters, kernel, kernel_quantizer=weights, **{"padding": "same", "use_bias": False, **options})


def dense(units: int, *, weights: str = "binary(alpha=1)") -> layers.Layer:
    return QDense(units, kernel_quantizer=weights, use_bias=False)


NETWORKS: dict[str, tuple[Network, tuple[int, ...]]] = {
    "conv": (sequence(sign(), conv(8), layers.BatchNormalization()), (8, 8, 16)),
    "conv_scaled": (sequence(sign(), conv(8, weights="binary(alpha='auto')"), layers.BatchNormalization()), (8, 8, 16)),
    "two_convs": (
        sequence(sign(), conv(16), layers.BatchNormalization(), sign(), conv(8, strides=2), layers.ReLU()),
        (9, 9, 8),
    ),
    "zero_one": (sequence(QActivation("binary(use_01=True, alpha=1)"), conv(8)), (8, 8, 16)),
    "ternary": (sequence(sign(), conv(8, weights="ternary(alpha=1)")), (8, 8, 16)),
    "depthwise": (sequence(sign(), QDepthwiseConv2D(3, depthwise_quantizer="binary(alpha=1)")), (8, 8, 16)),
    "dense": (sequence(sign(), dense(16), layers.BatchNormalization(), sign(), dense(10)), (32,)),
    "pooled": (
        sequence(
            sign(),
            conv(16),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            sign(),
            conv(16),
            layers.BatchNormalization(),
            layers.Flatten(),
            sign(),
            dense(10),
        ),
        (8, 8, 8),
    ),
}


def main(only: set[str]) -> None:
    for name, (network, shape) in NETWORKS.items():
        if not only or name in only:
            write(f"qkeras_{name}", network, shape)


if __name__ == "__main__":
    main(set(sys.argv[1:]))
