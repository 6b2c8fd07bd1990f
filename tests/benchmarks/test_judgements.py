"""What the benchmarks conclude from times and results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


def timing(*turns: float):
    from rounds import Timing

    return Timing(tuple((turn, 2 * turn) for turn in turns))


@pytest.mark.parametrize(
    ("after", "slower"),
    [
        ([1.05] * 10, True),
        ([1.05] * 9, False),  # too few rounds to say anything
        ([1.005] * 15, False),  # by too little
        ([1.05] * 14 + [0.5], True),
        ([1.05] * 13 + [0.5] * 2, False),
        ([0.9] * 15, False),
    ],
)
def test_slower_is_by_more_than_the_least_and_not_by_chance(after: list[float], slower: bool) -> None:
    from slower import compare

    found = compare(timing(*[1.0] * len(after)), timing(*after), least=0.01)
    assert found.slower is slower
    assert found.ratio == pytest.approx(float(np.median(after))) and found.rounds == len(after)


def test_a_summary_says_what_was_asked_for_before_it_says_none() -> None:
    from slower import summary

    assert summary("Slower", [], least=0.01, rounds=9) == "Slower: 9 rounds are too few to tell."
    assert summary("Slower", [], least=0.01, rounds=15).startswith(
        "Slower: none (by more than 1% in the median of 15 rounds, and in 14 of"
    )
    assert summary("Slower", ["a", "b"], least=0.03, rounds=10).startswith(
        "Slower: a, b (by more than 3% in the median of 10 rounds, and in 10"
    )


def test_an_engine_that_computes_something_else_is_not_timed(tmp_path: Path) -> None:
    from agreement import drop_disagreeing
    from engines import Name
    from rounds import Timing, Unavailable

    y = np.random.default_rng(0).standard_normal((1, 4, 3, 2)).astype(np.float32)
    arrays = {
        Name("onnxruntime", "fp32", "avx2"): y,
        Name("ncnn", "fp32", "avx2"): y.transpose(0, 2, 3, 1),
        Name("openvino", "fp32", "avx2"): y + 1,
        Name("ncnn", "int8", "avx2"): y * 1.05,
        Name("openvino", "int8", "avx2"): np.full_like(y, np.nan),
        Name("b2nn", "binary", "avx2"): np.sign(y),
        Name("openvino", "binary", "avx2"): np.sign(y),
        Name("larq-compute-engine", "binary", "avx2"): np.sign(y)[:, ::-1],
    }
    outputs = {name: tmp_path / f"{index}.npy" for index, name in enumerate(arrays)}
    for name, path in outputs.items():
        np.save(path, arrays[name])
    outcome = {name: timing(1.0) for name in arrays} | {Name("b2nn", "int8", "avx2"): Unavailable("not made")}
    checked = drop_disagreeing(outcome, outputs)
    wrong = {(name.engine, name.precision) for name, found in checked.items() if not isinstance(found, Timing)}
    assert wrong == {("openvino", "fp32"), ("openvino", "int8"), ("larq-compute-engine", "binary"), ("b2nn", "int8")}
    assert "computes something else" in checked[Name("openvino", "fp32", "avx2")].reason

    np.save(outputs[Name("b2nn", "binary", "avx2")], -np.sign(y))  # ours is the binary ones' reference
    np.save(tmp_path / "mine.npy", y + 1)
    mine = Name("b2nn", "fp32", "avx2")
    with pytest.raises(SystemExit, match="our fp32 result differs"):
        drop_disagreeing(outcome | {mine: timing(1.0)}, outputs | {mine: tmp_path / "mine.npy"})


def test_a_table_is_aligned_and_says_why_a_cell_is_empty() -> None:
    from engines import Name
    from report import Report
    from rounds import Unavailable

    report = Report("Title")
    base, mine, other = (
        Name("onnxruntime", "fp32", "avx2"),
        Name("b2nn", "binary", "avx2"),
        Name("ncnn", "fp32", "avx2"),
    )
    report.add(
        "Group", "one", 2_000_000, {base: timing(4.0), mine: timing(0.25), other: Unavailable("ncnn is not installed")}
    )
    report.add("Group", "two", 2_000_000, {base: timing(4.0), mine: timing(2.0)})
    table = report.markdown().split("### Group\n\n")[1]
    last = [cell.strip() for cell in table.splitlines()[4].strip("|").split("|")]
    assert last == ["**b2nn binary**", "avx2", "1", "0.250 / 0.375 · 8 · 16.00x", "2.000 / 3.000 · 1 · 2.00x"]
    assert "none (1)" in table and "(1) ncnn is not installed" in table
    assert len({len(line) for line in table.splitlines() if line.startswith("|")}) == 1
    with pytest.raises(SystemExit, match="our binary library cannot be measured: broken"):
        report.add("Group", "three", 1, {mine: Unavailable("broken")})


@pytest.mark.parametrize(
    ("target", "isa"), [("x86", "AVX2"), ("x86-avxvnni", "AVX2_VNNI"), ("x86-vpopcntdq", "AVX512_CORE_VNNI")]
)
def test_openvino_is_held_to_a_target_by_name_and_native_holds_nothing_back(tmp_path, monkeypatch, target, isa) -> None:
    import engines

    monkeypatch.setattr(engines, "_installed", lambda module: None)
    network = engines.Network(tmp_path / "layer.onnx", tmp_path, (1, 3, 8, 8))
    environment = lambda word: {
        (name.precision, name.isa): engine.environment
        for name, engine in engines.peers(network, target=word, threads=1, wanted=("openvino",)).items()
        if name.precision == "fp32"
    }
    assert environment(target) == {("fp32", engines.targets.get(target).vector): {"ONEDNN_MAX_CPU_ISA": isa}}
    assert environment("native") == {("fp32", engines.machine_isa()): {}}
