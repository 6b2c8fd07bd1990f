"""The survey of generated 8-bit layers: that its table has nothing wrong, and a sample of it."""

from __future__ import annotations

from importlib import import_module

import pytest

from b2nn_tvm.targets.target import NATIVE, get, names
from tests.support.exactness.int8_layers import draw_layers
from tests.support.surveys.registry import find_survey
from tests.support.surveys.run_survey import FOLDER, read_rows

int8_layers = import_module("tests.surveys.int8_layers")  # a survey is no test, but stands among them
X86 = [name for name in names() if name != NATIVE and get(name).arch == "x86_64"]


def test_every_network_of_the_table_is_exact():
    rows = read_rows(find_survey("int8_layers"), FOLDER / "int8_layers.csv")
    assert {name for name, row in rows.items() if row["outcome"] != int8_layers.EXACT} == set()
    assert {name.split()[0] for name in rows} == set(X86)


@pytest.mark.sweep
@pytest.mark.parametrize("target", X86)
def test_layers_of_another_seed_are_exact(target):
    if get(target).missing:
        pytest.skip(f"{target} needs {', '.join(get(target).missing)}")
    assert int8_layers.differences(draw_layers(1000, 7), target, 1000) == []
