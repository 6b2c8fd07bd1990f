import json

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.plan import Certificate, Plan, Precision

LAYERS = {
    "stem": Precision.FLOAT,
    "a.conv1": Precision.BINARY,
    "a.conv2": Precision.WEIGHT_BINARY,
    "b": Precision.BINARY,
    "c": Precision.INT8,
    "d": Precision.W1A2,
    "e": Precision.W2A2,
}


def plan(**changes) -> Plan:
    given = {
        "layers": LAYERS,
        "workloads": {"a.conv1": "conv2d_n1"},
        "model": "net",
        "method": "mixbin-loss",
        "budget": "12ms",
        "predicted": 11.25,
        "unit": "ms",
        "conversion": {"binarizer": "xnor", "pad_value": 1},
        "certificate": Certificate(0.5, 0.25, 0.25, "exact"),
    }
    return Plan(**(given | changes))


def test_a_plan_survives_the_file(tmp_path):
    loaded = Plan.load(plan().save(tmp_path / "plan.json"))
    assert loaded == plan()
    assert list(loaded.layers) == list(LAYERS)  # network order
    assert all(isinstance(precision, Precision) for precision in loaded.layers.values())


@pytest.mark.parametrize("certificate", [None, Certificate(0.5, None, None, "sort")])
def test_a_plan_may_have_no_proof(tmp_path, certificate):
    path = plan(certificate=certificate).save(tmp_path / "plan.json")
    assert Plan.load(path) == plan(certificate=certificate)
    assert ("certificate" in json.loads(path.read_text())) == (certificate is not None)


def test_binary_names_only_fully_binary_layers():
    assert plan().binary == ("a.conv1", "b")
    assert plan().chosen == ("a.conv1", "a.conv2", "b", "c", "d", "e")


def test_the_digest_is_of_the_layer_choice_alone():
    reversed_layers = dict(reversed(LAYERS.items()))
    assert plan(layers=reversed_layers, method="front", predicted=3.0).digest == plan().digest
    assert plan(layers=LAYERS | {"b": Precision.FLOAT}).digest != plan().digest
    assert plan(layers={**LAYERS, "f": Precision.FLOAT}).digest != plan().digest


def test_the_digest_does_not_change_between_versions():
    """sha256sum of [["a", "binary"]]"""
    assert Plan({"a": Precision.BINARY}).digest == "4a943ee04ab99c019ada3effb222c1e7e43d7cdfbdf96c0254cdf59be8ebd467"


def test_plans_of_the_first_version_are_read(tmp_path):
    layers = {"stem": Precision.FLOAT, "a": Precision.BINARY, "b": Precision.WEIGHT_BINARY}
    path = plan(layers=layers).save(tmp_path / "plan.json")
    document = json.loads(path.read_text())
    assert document["format_version"] == 2
    path.write_text(json.dumps(document | {"format_version": 1}))
    assert Plan.load(path).layers == layers


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.update(kind="costs"), "kind"),
        (lambda d: d.update(format_version=99), "version"),
        (lambda d: d["layers"][0].update(precision="ternary"), "ternary"),
        (lambda d: d.pop("layers"), "layers"),
        (lambda d: d["layers"].append(d["layers"][0]), "one precision for each layer, but .* is listed more than once"),
        (lambda d: d["certificate"].pop("gap"), "certificate.*gap"),
        (lambda d: d["certificate"].update(bound="0.2"), "certificate/bound"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, edit, message):
    path = plan().save(tmp_path / "plan.json")
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=message):
        Plan.load(path)
