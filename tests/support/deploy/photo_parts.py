"""The parts of b2nn-run that read photos, as a shared library whose functions a test calls one by one."""

from __future__ import annotations

import ctypes
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from b2nn_tvm.deploy.library.compile_once import compile_once
from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.deploy.library.write_sources import write_runner_sources
from tests.support.deploy.handmade import Workshop

_SHARED = ("-std=c11", "-D_GNU_SOURCE", "-O1", "-fPIC", "-shared")


class Image(ctypes.Structure):
    _fields_ = (
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("pixels", ctypes.POINTER(ctypes.c_uint8)),
    )

    @property
    def array(self) -> np.ndarray:
        shape = (self.height, self.width, self.channels)
        return np.ctypeslib.as_array(self.pixels, shape).copy()


class Bytes(ctypes.Structure):
    _fields_ = (("at", ctypes.c_char_p), ("count", ctypes.c_size_t))


class View(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("full_width", "full_height", "left", "top")),
        *((name, ctypes.c_int) for name in ("width", "height")),
    )


class Preprocess(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int) for name in ("resize", "channels", "baked")),
        *((name, ctypes.c_int64) for name in ("height", "width", "crop_height", "crop_width")),
        ("mean", ctypes.c_float * 3),
        ("std", ctypes.c_float * 3),
    )


class FrameFormat(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int) for name in ("width", "height", "format"))


@dataclass(frozen=True)
class Parts:
    functions: ctypes.CDLL

    def decode(self, content: bytes) -> np.ndarray | str:
        """The pixels, uint8 [H, W, C], or what is wrong."""
        made = Image()
        wrong = self.functions.decode_image(Bytes(content, len(content)), ctypes.byref(made))
        return wrong.decode() if wrong else self._taken(made)

    def resample(self, pixels: np.ndarray, view: View) -> np.ndarray:
        return self._taken(self.functions.resample(ctypes.byref(self._image(pixels)), ctypes.byref(view)))

    def resize(self, pixels: np.ndarray, height: int, width: int) -> np.ndarray:
        return self.resample(pixels, View(width, height, 0, 0, width, height))

    def gray(self, pixels: np.ndarray) -> np.ndarray:
        image = self._image(pixels)
        self.functions.make_gray(ctypes.byref(image))
        return image.array

    def frame(self, content: bytes, width: int, height: int, kind: int) -> np.ndarray:
        return self._taken(self.functions.frame_image(ctypes.byref(FrameFormat(width, height, kind)), content))

    def preprocess(self, text: str) -> Preprocess | str:
        """What the text of a manifest's member says, or what is wrong."""
        made = Preprocess()
        wrong = self.functions.read_preprocess(text.encode(), ctypes.byref(made))
        return wrong.decode() if wrong else made

    def view(self, how: Preprocess, width: int, height: int) -> View | str:
        made = View()
        wrong = self.functions.find_view(ctypes.byref(how), width, height, ctypes.byref(made))
        return wrong.decode() if wrong else made

    def _image(self, pixels: np.ndarray) -> Image:
        dense = np.ascontiguousarray(pixels)
        image = Image(
            dense.shape[1], dense.shape[0], dense.shape[2], dense.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        )
        image.kept = dense
        return image

    def _taken(self, image: Image) -> np.ndarray:
        array = image.array
        self.functions.free_image(ctypes.byref(image))
        return array


@cache
def _load(path: str) -> Parts:
    functions = ctypes.CDLL(path)
    of = ctypes.POINTER
    for name, result, arguments in (
        ("decode_image", ctypes.c_char_p, [Bytes, of(Image)]),
        ("free_image", None, [of(Image)]),
        ("resample", Image, [of(Image), of(View)]),
        ("make_gray", None, [of(Image)]),
        ("frame_image", Image, [of(FrameFormat), ctypes.c_char_p]),
        ("read_preprocess", ctypes.c_char_p, [ctypes.c_char_p, of(Preprocess)]),
        ("find_view", ctypes.c_char_p, [of(Preprocess), ctypes.c_int, ctypes.c_int, of(View)]),
        ("json_is_valid", ctypes.c_int, [ctypes.c_char_p]),
        ("json_member", ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]),
        ("json_text", ctypes.c_char_p, [ctypes.c_void_p]),
        ("names_photos", ctypes.c_int, [ctypes.c_char_p]),
    ):
        function = getattr(functions, name)
        function.restype, function.argtypes = result, arguments
    return Parts(functions)


def load_parts(workshop: Workshop) -> Parts:
    """The parts, compiled once and kept in the user's cache."""
    toolchain = find_toolchain(workshop.target())
    path = workshop.folder / "photo_parts.so"
    if not path.exists():
        with tempfile.TemporaryDirectory(prefix="b2nn-") as name:
            sources = write_runner_sources(Path(name), compiler="tests")
            words = [*_SHARED, "-o", "parts.so", *sources, "-ldl", "-lm"]
            path.write_bytes(compile_once(toolchain, words, folder=Path(name), output="parts.so"))
    return _load(str(path))
