"""The mark of a block: operator, workload and numbers under names of ours."""

from __future__ import annotations

from tvm import te
from tvm.s_tir import Schedule

from b2nn_tvm.ops.anchor import mark
from b2nn_tvm.workload import ConvWorkload

WORKLOAD = ConvWorkload(1, 3, 8, 8, 16, (3, 3), padding=(1, 1, 1, 1))


def test_a_mark_holds_the_key_of_the_workload_and_the_numbers():
    expected = {"b2nn.op": "conv2d", "b2nn.workload": WORKLOAD.key, "b2nn.lanes": 16, "b2nn.groups": 1}
    assert mark("conv2d", WORKLOAD, lanes=16, groups=1) == expected
    assert mark("pack", "a key") == {"b2nn.op": "pack", "b2nn.workload": "a key"}


def test_a_schedule_finds_it_on_the_block():
    x = te.placeholder((4,), name="x")
    y = te.compute((4,), lambda i: x[i] + 1.0, name="y", attrs=mark("add", "four", lanes=4))
    sch = Schedule(te.create_prim_func([x, y]))
    found = sch.get(sch.get_sblock("y")).annotations
    assert (str(found["b2nn.op"]), str(found["b2nn.workload"]), int(found["b2nn.lanes"])) == ("add", "four", 4)
