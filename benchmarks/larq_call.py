"""A network of binary layers in Larq Compute Engine; runs under an interpreter that has it and TensorFlow
(larq_peer.py).

The network (larq_graph.py writes it) becomes a TensorFlow function in NHWC, which LCE's converter reads. Its binary
convolutions pad "SAME" with zeros as TensorFlow does. With a stride of 2 and an even size, this is one pixel off from
ONNX's symmetric padding: the numbers differ there, but the work is the same.
"""

from __future__ import annotations

import json

import larq_compute_engine as lce
import numpy as np
import tensorflow as tf
from inputs import random_input


def load(*, graph: str, threads: int):
    archive = np.load(graph)
    described = json.loads(str(archive["graph"]))
    arrays = {name.partition(":")[2]: archive[name] for name in archive.files if name != "graph"}
    batch, channels, *image = described["shape"]

    def network(x):
        values = {described["input"]: x}
        for operation in described["operations"]:
            inputs = [values[name] if name in values else arrays[name] for name in operation["inputs"]]
            values[operation["output"]] = OPERATIONS[operation["type"]](operation["attributes"], *inputs)
        return values[described["output"]]

    given = tf.keras.Input((*image, channels), batch_size=batch)
    model = tf.keras.Model(given, tf.keras.layers.Lambda(network)(given))
    # The direct kernel, its default, is several times slower on x86 than the indirect one.
    interpreter = lce.testing.Interpreter(
        lce.convert_keras_model(model), num_threads=threads, use_indirect_bgemm=True
    ).interpreter
    x = [np.ascontiguousarray(random_input(described["shape"]).transpose(0, 2, 3, 1))]

    def result():
        (y,) = interpreter.predict(x)
        return y.transpose(0, 3, 1, 2) if y.ndim == 4 else y

    return lambda: interpreter.predict(x), result


def _binary_conv(attributes, x, weight, scale):
    if attributes["pad_value"] and any(attributes["pads"]):
        raise ValueError("only zero padding is translated")
    signs = tf.where(tf.greater_equal(x, 0.0), tf.constant(1.0), tf.constant(-1.0))
    padding = "SAME" if any(attributes["pads"]) else "VALID"
    return tf.nn.conv2d(signs, weight * scale, attributes["strides"], padding, dilations=attributes["dilations"])


def _conv(attributes, x, weight, bias=None):
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    padding = [[0, 0], [top, bottom], [left, right], [0, 0]] if top + left + bottom + right else "VALID"
    if attributes.get("group", 1) != 1:
        raise ValueError("grouped convolutions are not translated")
    y = tf.nn.conv2d(x, weight, attributes.get("strides", [1, 1]), padding)
    return y if bias is None else y + bias


def _max_pool(attributes, x):
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    padded = tf.pad(x, [[0, 0], [top, bottom], [left, right], [0, 0]], constant_values=x.dtype.min)
    return tf.nn.max_pool2d(padded, attributes["kernel_shape"], attributes["strides"], "VALID")


def _average_pool(attributes, x):
    return tf.nn.avg_pool2d(
        x, attributes["kernel_shape"], attributes.get("strides", attributes["kernel_shape"]), "VALID"
    )


def _dense(attributes, x, weight, bias=None):
    y = tf.matmul(x, weight, transpose_b=bool(attributes.get("transB", 0)))
    return y if bias is None else y + bias


def _batch_norm(attributes, x, gamma, beta, mean, variance):
    factor = gamma / np.sqrt(variance + attributes.get("epsilon", 1e-5))
    return x * factor + (beta - mean * factor)


def _flatten(_attributes, x, *_shape):
    """Flatten images of one pixel, in which channels-last and channels-first have the same order."""
    if x.shape.rank == 4 and x.shape[1] * x.shape[2] != 1:
        raise ValueError(f"only single pixels are flattened, not {x.shape}")
    return tf.reshape(x, (x.shape[0], -1))


OPERATIONS = {
    "BinaryConv2d": _binary_conv,
    "Conv": _conv,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "Gemm": _dense,
    "BatchNormalization": _batch_norm,
    "Flatten": _flatten,
    "Reshape": _flatten,
    "GlobalAveragePool": lambda _, x: tf.reduce_mean(x, (1, 2), keepdims=True),
    "ReduceMean": lambda _, x, *_axes: tf.reduce_mean(x, (1, 2), keepdims=True),
    "Relu": lambda _, x: tf.nn.relu(x),
    "Clip": lambda _, x, low=None, high=None: x if low is None else tf.maximum(x, low),
    "Add": lambda _, a, b: a + b,
    "Transpose": lambda attributes, x: _same(attributes["perm"], x),
}


def _same(order, x):
    if list(order) != sorted(order):
        raise ValueError(f"the transposition {order} is not translated")
    return x
