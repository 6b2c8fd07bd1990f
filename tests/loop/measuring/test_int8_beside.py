"""onnxruntime's int8 form is measured in turns with the library, on this machine alone."""

from __future__ import annotations

import builtins
from pathlib import Path

import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.errors import DeviceError, InputError
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.loop.measuring.int8_beside import check_int8, measure_int8
from tests.support.loop.small_job import small_job


@pytest.mark.sweep
def test_both_are_measured_and_the_answers_counted_once(tmp_path: Path) -> None:
    job = small_job(tmp_path / "state")
    path = export_onnx(job.model, tmp_path / "model.onnx", input_shape=(1, *job.data.input_shape))
    compile_model(path, output=tmp_path / "native", verify=False)
    found = measure_int8(job, tmp_path / "native")
    assert found.ms > 0 and found.library_ms > 0 and found.size_bytes > 0
    assert 0 <= found.accuracy <= 1 and (8 * found.accuracy).is_integer()
    (stamp,) = (tmp_path / "state" / "int8").rglob("phase.json")
    before = stamp.stat().st_mtime_ns
    assert measure_int8(job, tmp_path / "native") == found and stamp.stat().st_mtime_ns == before


def test_another_device_or_no_onnxruntime_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match="on this machine alone, not on pi@board: leave int8 out"):
        check_int8("pi@board")
    check_int8("local")
    load = builtins.__import__

    def without(name, *rest, **more):
        if name == "onnxruntime":
            raise ImportError(name)
        return load(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match="onnxruntime is not installed"):
        check_int8("local")
