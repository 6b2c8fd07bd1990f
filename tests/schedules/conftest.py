"""The shipped targets whose code this machine can run, and the best of them."""

from __future__ import annotations

import pytest

from b2nn_tvm.targets.target import NATIVE, TargetInfo, get, names


@pytest.fixture(params=[name for name in names() if name != NATIVE])
def target(request) -> TargetInfo:
    info = get(request.param)
    if info.missing:
        pytest.skip(f"{info.name} needs {', '.join(info.missing)}")
    return info


@pytest.fixture
def native() -> TargetInfo:
    return get(NATIVE)
