"""Each benchmark runs, with the least that it can be asked for, and writes the rows that it promises."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import psutil
import pytest

from b2nn_tvm.targets import target as targets

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ["onnxruntime", "openvino", "ncnn", "larq-compute-engine", "b2nn"]
NAMED = {
    "engine": {"enum": ENGINES},
    "precision": {"enum": ["fp32", "int8", "w2a2", "w1a2", "binary"]},
    "isa": {"enum": list(targets.VECTORS)},
    "case": {"type": "string", "minLength": 1},
    "threads": {"type": "integer", "minimum": 1},
}
TIMES = {"min_ms": {"type": "number", "exclusiveMinimum": 0}, "median_ms": {"type": "number", "exclusiveMinimum": 0}}


def rows(properties: dict) -> dict:
    row = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"type": "array", "items": row}


LEAST = ("--rounds", "1", "--seconds", "0.005")
SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "machine": {
            "type": "object",
            "properties": {"cpu": {"type": "string"}, "isa": {"type": "string"}, "cpus": {"type": "integer"}},
            "required": ["cpu", "isa", "cpus"],
        },
        "versions": {"type": "object", "required": ["b2nn-tvm", "python"], "additionalProperties": {"type": "string"}},
        "macs": {"type": "object", "additionalProperties": {"type": "integer"}},
        "rows": rows(NAMED | TIMES) | {"minItems": 1},
        "missing": rows(NAMED | {"reason": {"type": "string", "minLength": 1}}),
        "notes": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["title", "machine", "versions", "macs", "rows", "missing", "notes"],
    "additionalProperties": False,
}


def checked(path: Path) -> dict:
    document = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(document, SCHEMA)
    assert all(row["min_ms"] <= row["median_ms"] for row in document["rows"])
    return document


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """One round of a benchmark in this process, which spares loading torch and TVM anew: its JSON document and its
    tables.
    """

    def run(script: str, *arguments: str) -> tuple[dict, str]:
        path = tmp_path / "rows.json"
        monkeypatch.setattr(sys, "argv", [f"{script}.py", *LEAST, "--json", str(path), *arguments])
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        importlib.import_module(script).main()
        return checked(path), capsys.readouterr().out

    return run


@pytest.mark.sweep
def test_layers_beside_every_engine(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    command = [sys.executable, "benchmarks/conv.py", "--cases", "tiny", *LEAST, "--json", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "B2NN_LARQ_PYTHON": "/none"}
    result = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    document, tables = checked(path), result.stdout
    measured = {(row["engine"], row["precision"]) for row in document["rows"]}
    missing = {(row["engine"], row["precision"]): row["reason"] for row in document["missing"]}
    assert {
        ("b2nn", "fp32"),
        ("b2nn", "w1a2"),
        ("b2nn", "w2a2"),
        ("b2nn", "binary"),
        ("onnxruntime", "fp32"),
        ("onnxruntime", "int8"),
    } <= measured
    assert measured | set(missing) == {
        *(
            (engine, precision)
            for engine in ("onnxruntime", "openvino", "ncnn", "b2nn")
            for precision in ("fp32", "int8", "binary")
        )
    } - {("onnxruntime", "binary"), ("ncnn", "binary")} | {
        *(("larq-compute-engine", "binary"), ("b2nn", "w1a2"), ("b2nn", "w2a2"))
    }
    assert "make larq" in missing["larq-compute-engine", "binary"]
    assert not [reason for reason in missing.values() if "installed" not in reason], "an engine that is here failed"
    assert document["macs"] == {"3x3 32ch 8x8": 8 * 8 * 32 * 32 * 9}
    assert missing["larq-compute-engine", "binary"] in tables and "**b2nn binary**" in tables


@pytest.mark.sweep
def test_networks_and_walks(benchmark) -> None:
    walk = ("monotone", "--network", "tiny", "--orders", "back-to-front", "--layers", "1")
    cases = ("tiny-binary", "tiny-binary-int8")
    document, tables = benchmark("network", "--engines", "b2nn", "onnxruntime", "--cases", *cases, *walk)
    found = [(row["engine"], row["precision"], row["case"]) for row in document["rows"]]
    assert found[:6] == [
        (engine, precision, f"one block, all binary{rest}")
        for rest in ("", ", the rest int8")
        for engine, precision in (("onnxruntime", "fp32"), ("onnxruntime", "int8"), ("b2nn", "binary"))
    ]
    assert found[6:] == [
        ("b2nn", "fp32", "tiny, back-to-front, step 00: nothing"),
        ("b2nn", "binary", "tiny, back-to-front, step 01: stage1.0.conv2"),
    ]
    assert "Steps that made the network slower: 1 rounds are too few to tell." in tables


@pytest.mark.sweep
def test_threads(benchmark) -> None:
    document, tables = benchmark("threads", "--engines", "b2nn", "--cases", "tiny")
    assert {row["threads"] for row in document["rows"]} == {1, 2}
    assert {row["engine"] for row in document["rows"]} == {"b2nn"}
    assert "Ours that are slower with 2 threads" in tables


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """A benchmark of the latency model in this process: its JSON document and what it prints."""

    def run(name: str, *arguments: str) -> tuple[dict, str]:
        path = tmp_path / f"{name}.json"
        monkeypatch.setattr(sys, "argv", [f"{name}.py", "--precision", "0.5", "--json", str(path), *arguments])
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        importlib.import_module(name).main()
        return json.loads(path.read_text(encoding="utf-8")), capsys.readouterr().out

    return run


@pytest.mark.sweep
def test_the_latency_model_beside_a_neighbour(script, tmp_path: Path) -> None:
    plot = tmp_path / "points.svg"
    few = ("--networks", "tiny", "--masks", "2", "--mixtures", "1", "--disturb", "0.5", "--plot", str(plot))
    document, printed = script("latency_model", *few)
    assert [(row["network"], row["model"]) for row in document["rows"]] == [
        ("tiny", model) for model in ("fitted", "sum", "flops", "medians")
    ]
    for row in document["rows"]:
        assert set(row) == {"network", "model", "median_error", "p95_error", "disturb"} and row["disturb"] == 0.5
        assert 0 <= row["median_error"] <= row["p95_error"] < 10
    assert len(document["points"]["tiny"]) == 2 and all(len(pair) == 2 for pair in document["points"]["tiny"])
    assert "predicted ms" in plot.read_text() and printed.count("median") >= 4
    assert not [
        each for each in psutil.process_iter(["cmdline"]) if "disturb.py" in " ".join(each.info["cmdline"] or ())
    ]


@pytest.mark.sweep
def test_the_latency_model_of_more_precisions(script) -> None:
    few = ("--networks", "tiny", "--precisions", "1,8,32", "--masks", "2", "--mixtures", "1")
    document, _ = script("latency_model", *few)
    assert document["precisions"] == ["binary", "int8", "float"]
    assert [row["model"] for row in document["rows"]] == ["fitted", "apart", "sum"]
    assert all(0 <= row["median_error"] <= row["p95_error"] < 10 for row in document["rows"])


@pytest.mark.sweep
def test_budgets_are_measured_again_by_a_fresh_process(script) -> None:
    document, printed = script("budgets", "--network", "tiny", "--budgets", "2", "--again", "0.5")
    assert len(document["rows"]) + document["refused"] == 2 and " kept, " in printed
    for row in document["rows"]:
        assert row["found_ms"] <= row["budget_ms"] and row["again_ms"] > 0 and row["harm"] <= row["sort_harm"] + 1e-9
        assert row["keeps"] == (row["again_ms"] <= row["budget_ms"])


@pytest.mark.sweep
def test_the_time_of_a_search_and_of_a_second_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    command = [sys.executable, "benchmarks/search_time.py", "--network", "tiny", "--front", "2", "--json", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    printed = subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True).stdout
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    seconds = {(row["search"], row["phase"]): row["seconds"] for row in rows}
    assert seconds["second", "in all"] < seconds["first", "in all"] and "in all" in printed
    assert seconds["first", "measure networks in turn"] > 0 and ("second", "measure their layers") not in seconds
    for search in ("first", "second"):
        phases = [took for (name, phase), took in seconds.items() if name == search and phase != "in all"]
        assert sum(phases) < seconds[search, "in all"]


@pytest.mark.sweep
def test_the_share_of_a_training_step_outside_of_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.json"
    words = ["--augment", "none", "randaugment", "--batch", "8", "--steps", "3", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", ["training.py", *words])
    importlib.import_module("training").main()
    found = json.loads(path.read_text(encoding="utf-8"))["rows"]
    assert [row["augment"] for row in found] == ["none", "randaugment"]
    for row in found:
        assert 0 < row["outside"] < 1 and 0 < row["outside_ms"] < row["step_ms"]
        assert row["images_per_s"] > 0 and row["bare_images_per_s"] > 0
    assert "share outside" in capsys.readouterr().out


@pytest.mark.skipif(
    targets.get("arm").runs_here, reason="this machine runs the target that must be refused; run it on x86"
)
def test_a_target_that_this_machine_cannot_run_is_refused_before_any_work(benchmark) -> None:
    with pytest.raises(
        SystemExit, match="error: the benchmarks run here, and target arm needs a CPU of architecture aarch64"
    ):
        benchmark("conv", "--cases", "tiny", "--target", "arm")


@pytest.mark.sweep
def test_the_study_for_a_gpu_plans_its_epochs_and_goes_on_by_its_plan(tmp_path: Path) -> None:
    """At toy size, on what there is."""
    words = ["tests.support.study.few_digits:few_digits", str(tmp_path), "--hypotheses", "1", "--width", "4"]
    command = [sys.executable, "benchmarks/study_gpu.py", *words, "--minutes", "0.001", "--images", "64"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = lambda: (
        subprocess.run(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, check=True).stdout
    )
    assert "planned: 2 epochs in float, 2 of fine-tuning" in run()
    assert "| 1 |" in (tmp_path / "README.md").read_text() and "fine-tunings" in run()
    lines = (tmp_path / "results.csv").read_text().splitlines()
    assert len(lines) == 5  # the header, float, float trained on, all binary, MixBin's choice at 60 %
