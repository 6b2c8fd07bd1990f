"""Pickles of Python 2, damaged and hostile ones."""

from __future__ import annotations

import builtins
import copyreg
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from b2nn_tvm import data
from b2nn_tvm.data.arrays import cifar_pickle
from b2nn_tvm.errors import InputError
from tests.support.data.cifar_files import cifar100, python2_pickle, write


def test_the_writer_writes_as_python_2_did() -> None:
    """The opcodes at the start of the real cifar-100-python/train, and the three names that it asks for."""
    written = python2_pickle({"data": np.zeros((1, 3072), np.uint8)})
    assert written.startswith(b"\x80\x02}q\x00T\x04\x00\x00\x00data")
    for name in (b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"):
        assert name in written
    assert b"numpy._core" not in written and b"_codecs" not in written


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "cifar-100-python", cifar100())


class Call:
    """Unpickled, calls a function; without one, gets only as far as naming it."""

    def __init__(self, function: Any, *arguments: Any):
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ["os.system", "eval", "exec", "__import__", "getattr", "copyreg", "numpy"])
def test_a_hostile_pickle_is_refused_and_not_run(root: Path, name: str, protocol: int) -> None:
    marker = root / "was here"
    code = f"open({str(marker)!r}, 'w').close()"
    hostile = {
        "os.system": Call(os.system, f"touch '{marker}'"),
        "eval": Call(builtins.eval, code),
        "exec": Call(builtins.exec, code),
        "__import__": Call(builtins.__import__, "this"),
        "getattr": Call(builtins.getattr, "text", "upper"),
        "copyreg": Call(copyreg._reconstructor, object, object, None),
        "numpy": Call(np.fromfile, str(root / "meta"), np.uint8),
    }[name]
    (root / "train").write_bytes(pickle.dumps(cifar_with(hostile), protocol))
    with pytest.raises(InputError, match=r"train: expected a pickle of CIFAR, but it is refused \(it asks for "):
        data.cifar(root)
    assert not marker.exists()
    if name in ("os.system", "eval", "exec"):  # as it would have been
        pickle.loads((root / "train").read_bytes())
        assert marker.exists()


def cifar_with(hostile: Call) -> dict[str, Any]:
    return {"batch_label": hostile, "fine_labels": [0]}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not a pickle",
        python2_pickle([1, 2]),
        python2_pickle(cifar100()["meta"])[:-100],
        pickle.PROTO + bytes([99]) + pickle.STOP,
        b"\x80\x02cnumpy\nndarray\n)R.",  # calls the stand-in that is no function
        b"\x80\x02cnumpy\ndtype\n)R.",  # calls one without its argument
        b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\n)Ru.",  # an array that never gets a state
        b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\n)RK\x01bu.",  # or one that is none
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nN}(U\x08__code__K\x01u\x86b.",  # or sets its code
        b"\x80\x02U\x01aQ.",  # a persistent name
        b"\x80\x02\x82\x01.",  # a registered extension
        b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.dumps\x93.",  # an attribute of an allowed name
    ],
)
def test_damaged_pickles_are_refused(raw: bytes) -> None:
    with pytest.raises(InputError, match=r"^here: expected a pickle of CIFAR, but it is refused \(.+\); get it anew$"):
        cifar_pickle.load(raw, source="here")


def test_arrays_stored_by_columns_are_read_as_they_were() -> None:
    rows = np.arange(12, dtype=np.uint8).reshape(3, 4)
    written = python2_pickle({"data": np.asfortranarray(rows)})
    assert np.array_equal(cifar_pickle.load(written, source="")["data"], rows)
