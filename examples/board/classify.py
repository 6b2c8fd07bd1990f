"""The best class of an image, by the C interface of a compiled network; this needs nothing but Python itself.

    python3 classify.py image.f32 4

The file holds the values of the network's input as they lie in memory: 602112 bytes for float32 of 1x3x224x224. The
second argument is the number of threads, by default 1.
"""

import array
import ctypes
import sys
from pathlib import Path

OK = 0


class Tensor(ctypes.Structure):
    """The structure b2nn_tensor of b2nn.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("dtype", ctypes.c_char_p),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("size_bytes", ctypes.c_uint64),
    )


def load(path):
    """The library with its functions; the functions that return or take pointers must be declared."""
    library = ctypes.CDLL(str(path))
    table = ctypes.POINTER(ctypes.c_void_p)
    for name, result, arguments in (
        ("b2nn_input", ctypes.POINTER(Tensor), [ctypes.c_int32]),
        ("b2nn_output", ctypes.POINTER(Tensor), [ctypes.c_int32]),
        ("b2nn_status_text", ctypes.c_char_p, [ctypes.c_int32]),
        ("b2nn_model_create", ctypes.c_int32, [table, ctypes.c_int32]),
        ("b2nn_model_run", ctypes.c_int32, [ctypes.c_void_p, table, table]),
        ("b2nn_model_error", ctypes.c_char_p, [ctypes.c_void_p]),
        ("b2nn_model_destroy", None, [ctypes.c_void_p]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: classify.py IMAGE [THREADS]")
    library = load(Path(__file__).resolve().with_name("libb2nn_model.so"))
    try:
        image = Path(sys.argv[1]).read_bytes()
    except OSError as error:
        sys.exit(
            f"error: {sys.argv[1]}: cannot be read: {error.strerror}; expected a file with the values of the input"
        )
    expected, output = library.b2nn_input(0).contents, library.b2nn_output(0).contents
    if len(image) != expected.size_bytes:
        sys.exit(
            f"error: {sys.argv[1]}: expected {expected.size_bytes} bytes of {expected.dtype.decode()}, not"
            f" {len(image)}; b2nn-run takes pictures"
        )
    if (library.b2nn_input_count(), library.b2nn_output_count(), output.dtype) != (1, 1, b"float32"):
        sys.exit("error: this example is for one input and one output of float32")
    scores = array.array("f", bytes(output.size_bytes))

    # Make an instance once, and run it for each image.
    model = ctypes.c_void_p()
    status = library.b2nn_model_create(ctypes.byref(model), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    if status != OK:
        sys.exit(f"error: {library.b2nn_status_text(status).decode()}")
    inputs = (ctypes.c_void_p * 1)(ctypes.cast(ctypes.c_char_p(image), ctypes.c_void_p))
    outputs = (ctypes.c_void_p * 1)(scores.buffer_info()[0])
    if library.b2nn_model_run(model, inputs, outputs) != OK:
        sys.exit(f"error: {library.b2nn_model_error(model).decode()}")
    library.b2nn_model_destroy(model)

    best = max(range(len(scores)), key=scores.__getitem__)
    print(f"class {best}: {scores[best]:.6f}")


if __name__ == "__main__":
    main()
