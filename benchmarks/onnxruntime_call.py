"""An ONNX file in onnxruntime's CPU engine, with all graph optimizations, and with arrays that are bound beforehand."""

from __future__ import annotations

import onnxruntime
from inputs import random_input


def load(*, path: str, threads: int):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (given,), (wanted,) = session.get_inputs(), session.get_outputs()
    binding = session.io_binding()
    x = onnxruntime.OrtValue.ortvalue_from_numpy(random_input(given.shape))
    binding.bind_ortvalue_input(given.name, x)
    binding.bind_output(wanted.name, "cpu")
    session.run_with_iobinding(binding)
    (y,) = binding.get_outputs()  # from now on it writes there, instead of making an array for each run
    binding.bind_ortvalue_output(wanted.name, y)
    return lambda: session.run_with_iobinding(binding), y.numpy
