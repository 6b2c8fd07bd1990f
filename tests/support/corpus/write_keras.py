"""Write a Keras network with tf2onnx into the corpus, with weights that compress."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf2onnx
from tensorflow.keras import layers

from tests.support.corpus.write_file import store

OPSET = 13
_PATTERN = 8191  # as in write_file.fill

Network = Callable[[tf.Tensor], tf.Tensor]


def sequence(*parts: layers.Layer) -> Network:
    def call(x: tf.Tensor) -> tf.Tensor:
        for part in parts:
            x = part(x)
        return x

    return call


def write(name: str, network: Network, shape: tuple[int, ...]) -> None:
    """Store what tf2onnx makes of ``network`` for one image of ``shape`` [H, W, C], and what TensorFlow computes."""
    tf.keras.backend.clear_session()
    x = layers.Input(shape, batch_size=1, name="x")
    model = tf.keras.Model(x, network(x))
    fill(model)
    signature = [tf.TensorSpec((1, *shape), tf.float32, name="x")]
    proto, _ = tf2onnx.convert.from_keras(model, signature, opset=OPSET)
    store(name, proto, lambda array: model(array, training=False).numpy())


def fill(model: tf.keras.Model) -> None:
    """Give weights few different values that repeat, and batch norms statistics as training leaves them."""
    rng = np.random.default_rng(0)
    pattern = (np.round(rng.standard_normal(_PATTERN) * 4) + 0.5) / 16
    for part in model.layers:
        if isinstance(part, layers.BatchNormalization):
            size = part.moving_mean.shape[0]
            part.moving_mean.assign(np.round(4 * rng.standard_normal(size)) / 4)
            part.moving_variance.assign(np.round(30 * rng.random(size)) + 1)
            part.beta.assign((np.round(8 * rng.standard_normal(size)) + 0.3) / 8)
            if part.gamma is not None:
                part.gamma.assign((np.round(8 * rng.standard_normal(size)) + 0.5) / 8)
            continue
        for weight in part.trainable_weights:
            start = sum(weight.name.encode()) % _PATTERN
            index = (np.arange(np.prod(weight.shape)) + start) % _PATTERN
            weight.assign(pattern[index].reshape(weight.shape))
