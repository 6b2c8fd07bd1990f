"""What is built in place of the objects beside the weights."""

from __future__ import annotations

from collections import OrderedDict

import pytest

from b2nn_tvm.loop.checkpoint.stand_ins import ListStandIn, MappingStandIn, StandIn, is_plain, stand_ins


@pytest.mark.parametrize(
    "name", ["argparse.Namespace", "numpy._core.multiarray.scalar", "omegaconf.dictconfig.DictConfig", "builtins.tuple"]
)
def test_plain_data_is_known(name: str) -> None:
    assert is_plain(name)


@pytest.mark.parametrize(
    "name", ["posix.system", "builtins.eval", "builtins.getattr", "__main__.Net", "numpy.load", "torchvision.Net"]
)
def test_what_may_run_code_is_not(name: str) -> None:
    assert not is_plain(name)


def test_stand_ins_are_made_as_pickle_makes_objects_and_keep_what_the_file_says() -> None:
    for made in (StandIn("any", 3), StandIn.__new__(StandIn, "any", 3)):
        made.__setstate__({"lr": 0.1})
        assert made.state == {"lr": 0.1} and not made.is_module
    module = StandIn()
    module.__setstate__({"_modules": {}, "_parameters": {}})
    assert module.is_module
    assert type(MappingStandIn(dict)) is OrderedDict and type(ListStandIn((), 5)) is list


def test_each_name_has_the_stand_in_that_torch_can_fill() -> None:
    assert stand_ins({"collections.deque", "easydict.EasyDict", "a.B"}) == [
        (StandIn, "a.B"),
        (ListStandIn, "collections.deque"),
        (MappingStandIn, "easydict.EasyDict"),
    ]
