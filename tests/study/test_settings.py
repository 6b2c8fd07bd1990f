"""Settings refuse what is unknown or out of range, with the choices."""

from __future__ import annotations

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.study.settings import PRESETS, StudySettings, method_names, preset


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"methods": ("magic",)}, "magic.*mixbin-loss.*network-slimming"),
        ({"activations": ("gelu",)}, "gelu.*binrelu"),
        ({"model": "lenet"}, "lenet.*cresnet20"),
        ({"budgets": (0,)}, "between 0 and 100"),
        ({"budgets": (40, 40)}, "each one once"),
        ({"seeds": 0}, "at least 1"),
        ({"methods": (), "activations": ()}, "nothing to compare"),
        ({"methods": (), "activations": (), "other_data": "digits", "budgets": ()}, "nothing to compare"),
        ({"selections": ("best",)}, "best.*runners-up"),
        ({"fronts": ("int4",)}, "int4.*mixbin 1,8,32"),
        ({"narrower": (100,)}, "from 1 to below 100"),
        ({"ways": (0, 0)}, "each one once"),
    ],
)
def test_refusals(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        StudySettings(**options)


def test_presets_compare_every_method() -> None:
    assert all(
        set(chosen.methods) == {*methods.names(), "network-slimming"} == set(method_names())
        for chosen in PRESETS.values()
    )
    with pytest.raises(InputError, match="small, full"):
        preset("huge")
