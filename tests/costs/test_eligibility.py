"""The rule on graphs that are written down by hand; torch and ONNX have tests of their own graphs."""

import pytest

from b2nn_tvm.costs.eligibility import (
    BECAUSE,
    NARROW_GROUPS,
    OPEN,
    Operation,
    Role,
    group_obstacle,
    ineligible,
    last_operations,
    reason_against,
)


def conv(name, *inputs, kernel=3, stride=1, obstacle=""):
    return Operation(name, inputs, Role.CONVOLUTION, (kernel, kernel), (stride, stride), obstacle)


HEAD = (Operation("x"), conv("stem", "x"))


def test_first_convolution_classifier_and_linear_layers_stay_float():
    graph = (
        *HEAD,
        conv("a", "stem"),
        Operation("hidden", ("a",), Role.LINEAR),
        Operation("fc", ("hidden",), Role.LINEAR),
    )
    assert ineligible(graph) == {
        "stem": "first convolution",
        "hidden": "linear layer: only convolutions become binary",
        "fc": "classifier",
    }
    assert last_operations(graph) == {"fc"}


def test_a_last_convolution_is_a_classifier_unless_batch_norm_reads_it():
    assert ineligible((*HEAD, conv("a", "stem")))["a"] == "classifier"
    assert "a" not in ineligible((*HEAD, conv("a", "stem"), Operation("norm", ("a",), Role.BATCH_NORM)))


def test_an_obstacle_comes_before_the_place_in_the_network():
    assert ineligible((Operation("x"), conv("stem", "x", obstacle="already binary")))["stem"] == "already binary"


@pytest.mark.parametrize(
    ("groups", "channels", "expected"),
    [
        *((1, 8, ""), (4, 64, ""), (2, 96, ""), (4, 60, NARROW_GROUPS), (2, 8, NARROW_GROUPS)),
        (64, 64, "depthwise convolution"),
    ],
)
def test_groups_of_enough_channels_are_binary_convolutions_of_their_own(groups, channels, expected):
    assert group_obstacle(groups, channels) == expected
    assert not expected or expected in BECAUSE


def test_weights_of_another_kind_count_as_a_layer_in_front():
    graph = (Operation("x"), Operation("up", ("x",), Role.WEIGHTED), conv("a", "up"), conv("b", "a"))
    assert "a" not in ineligible(graph)


def residual(main, shortcut):
    """stem -> main -> + <- shortcut <- stem, and a classifier."""
    add = Operation("add", (main[-1].name, shortcut[-1].name if shortcut else "stem"), Role.ADDITION)
    return (*HEAD, *main, *shortcut, add, Operation("fc", ("add",), Role.LINEAR))


def test_projections_of_shortcuts():
    main = (conv("m1", "stem"), conv("m2", "m1"))
    found = ineligible(residual(main, (conv("s", "stem", kernel=1),)))
    assert found == {"stem": "first convolution", "s": "1x1 projection of a shortcut", "fc": "classifier"}
    found = ineligible(residual(main, (conv("s", "stem", kernel=1, stride=2),)))
    assert found["s"] == "strided 1x1 convolution: the projection of a shortcut"
    assert set(ineligible(residual((conv("m", "stem", kernel=1),), ()))) == {"stem", "fc"}


def test_of_two_lone_pointwise_branches_the_one_with_an_activation_is_the_main_path():
    main = (Operation("act", ("stem",), Role.ACTIVATION), conv("m", "act", kernel=1))
    found = ineligible(residual(main, (conv("s", "stem", kernel=1),)))
    assert "m" not in found and found["s"] == "1x1 projection of a shortcut"


def test_a_reason_against_binary_layers_may_leave_other_precisions_open():
    words = ("float", "binary", "weight-binary", "int8", "w1a2", "w2a2")
    against = lambda reason: {word for word in words if reason_against(reason, word)}
    assert against("") == set()
    assert against("first convolution") == against("classifier") == {"binary", "weight-binary", "w1a2", "w2a2"}
    assert against("depthwise convolution") == against("1x1 projection of a shortcut") == against("classifier")
    assert against("linear layer: only convolutions become binary") == {"binary", "weight-binary"}
    assert against("padding mode 'reflect'") == set(words) - {"float"}
    assert reason_against("classifier", "w1a2") == "classifier"
    assert set(BECAUSE) < set(OPEN) and NARROW_GROUPS in OPEN


def test_a_linear_layer_may_have_an_obstacle_of_its_own():
    graph = (*HEAD, Operation("fc", ("stem",), Role.LINEAR, obstacle="already int8"))
    assert ineligible(graph)["fc"] == "already int8"
