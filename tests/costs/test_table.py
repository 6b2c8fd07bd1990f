import json
from dataclasses import dataclass, replace

import pytest

from b2nn_tvm.costs.table import CostRow, CostTable, NetworkRow, ms_cost
from b2nn_tvm.errors import InputError
from b2nn_tvm.version import __version__
from b2nn_tvm.workload import ConvWorkload

WORKLOAD = ConvWorkload(1, 16, 8, 8, 16, (3, 3))


@dataclass(frozen=True)
class Row:
    name: str
    workload: ConvWorkload | None
    eligible: bool


def row(layer="a", precision="float", ms=2.0, **changes) -> CostRow:
    return replace(CostRow(layer, WORKLOAD.key, precision, ms, 50, 0.05, "arm", "Cortex-A72", 1), **changes)


def network(binary=("a",), ms=9.0, **changes) -> NetworkRow:
    return replace(NetworkRow("net", tuple(binary), ms, 50, 0.05, "arm", "Cortex-A72", 1), **changes)


def test_a_table_survives_the_file(tmp_path):
    table = CostTable((row(), row(precision="binary", ms=0.5)), (network(), network(())))
    assert CostTable.load(table.save(tmp_path / "costs.json")) == table


def test_emulated_rows_never_enter(tmp_path):
    with pytest.raises(InputError, match="a on QEMU was emulated"):
        CostTable((row(emulated=True, device="QEMU"),))
    with pytest.raises(InputError, match="emulated"):
        CostTable().add([network(emulated=True)])
    path = CostTable((row(),)).save(tmp_path / "costs.json")
    document = json.loads(path.read_text())
    document["layers"][0]["emulated"] = True
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="emulated"):
        CostTable.load(path)


@pytest.mark.parametrize("ms", [-1.0, float("nan"), float("inf")])
def test_impossible_times_are_refused(ms):
    with pytest.raises(InputError, match="not below zero"):
        CostTable((row(ms=ms),))


def test_a_file_with_unknown_or_missing_columns_is_refused(tmp_path):
    path = CostTable((row(),)).save(tmp_path / "costs.json")
    document = json.loads(path.read_text())
    document["layers"][0]["watts"] = 3
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="watts"):
        CostTable.load(path)


def test_later_measurements_replace_earlier_ones_of_the_same_identity():
    first = CostTable((row(ms=2.0), row("b")), (network(ms=9.0),))
    merged = first.add((row(ms=3.0), row(threads=4), network(ms=8.0), network(("b",))))
    assert [(r.layer, r.ms, r.threads) for r in merged.layers] == [("a", 3.0, 1), ("b", 2.0, 1), ("a", 2.0, 4)]
    assert [(n.binary, n.ms) for n in merged.networks] == [(("a",), 8.0), (("b",), 9.0)]


def test_rows_of_one_target_are_picked():
    table = CostTable((row(), row(target="x86"), row(threads=4), row("b", device="Cortex-A53")), (network(threads=4),))
    assert table.only(target="arm", threads=1).layers == (row(), row("b", device="Cortex-A53"))
    assert table.only(target="arm", threads=1, device="Cortex-A72").layers == (row(),)
    assert table.only(target="arm", threads=4).networks == (network(threads=4),)


def test_rows_of_other_devices_and_versions_are_refused_with_the_reason():
    here = {"fingerprint": "A Pi", "target": "arm", "threads": 1}
    mine = row(fingerprint="A Pi")
    others = (
        row("b", fingerprint="A Pi", version="0.0.9"),
        row("c", fingerprint="Another Pi"),
        row("d", fingerprint="A Pi", target="x86"),
        row("e", fingerprint="A Pi", threads=4),
        row("f"),
    )
    table, reasons = CostTable(
        (mine, *others), (network(fingerprint="A Pi"), network(fingerprint="Another Pi"))
    ).usable(**here)
    assert table.layers == (mine,) and [each.fingerprint for each in table.networks] == ["A Pi"]
    assert reasons == (
        f"version 0.0.9, not {__version__}",
        "device Another Pi, not A Pi",
        "target x86, not arm",
        "threads 4, not 1",
        "device unknown, not A Pi",
    )


def test_a_layers_own_time_comes_before_that_of_its_workload():
    table = CostTable((row("a", ms=2.0), row("b", ms=3.0), row("c", ms=10.0)))
    assert table.ms(layer="a", workload=WORKLOAD.key, precision="float") == 2.0
    assert table.ms(layer="other", workload=WORKLOAD.key, precision="float") == 3.0
    assert table.ms(layer="a", workload=WORKLOAD.key, precision="binary") is None


def test_the_sum_of_the_rows_is_a_cost():
    rows = (row("stem", ms=1.0), row("a", ms=2.0), row("a", "binary", 0.5), row("bn", ms=0.25, workload=""))
    layers = (Row("stem", WORKLOAD, False), Row("a", WORKLOAD, True), Row("fc", None, False))
    cost = ms_cost(CostTable(rows), layers)
    assert cost.full == 3.25
    assert cost.total(["a"]) == 1.75
    assert cost.fixed_parts == {"stem": 1.0, "bn": 0.25}


def test_a_missing_time_says_what_to_measure():
    with pytest.raises(InputError, match=f"no binary time of a .{WORKLOAD.key}"):
        ms_cost(CostTable((row("a"),)), (Row("a", WORKLOAD, True),))


def test_options_have_rows_of_their_own():
    rows = [row(layer="a", ms=4.0), row(layer="a", precision="int8", ms=1.0), row(layer="b", ms=3.0)]
    rows += [row(layer="b", precision="w1a2", ms=0.5), row(layer="pool", workload="", ms=0.25)]
    layers = [Row("a", WORKLOAD, False), Row("b", WORKLOAD, True)]
    cost = ms_cost(CostTable(tuple(rows)), layers, options=("a@int8", "b@w1a2"))
    assert (cost.full, cost.total(("a@int8", "b@w1a2"))) == (7.25, 1.75)
    with pytest.raises(InputError, match="no binary time of b"):
        ms_cost(CostTable(tuple(rows)), layers, options=("b",))
