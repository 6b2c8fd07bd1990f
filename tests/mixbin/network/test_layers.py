"""Which layers may become binary, on small networks that each hold one structure."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm import models
from b2nn_tvm.costs.eligibility import NARROW_GROUPS
from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.plan import Plan
from b2nn_tvm.workload import ConvWorkload


def conv(inputs, outputs, kernel=3, stride=1, groups=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


def conv_bn(*args, **options):
    module = conv(*args, **options)
    return nn.Sequential(module, nn.BatchNorm2d(module.out_channels))


class Residual(nn.Module):
    """x -> main -> + <- shortcut <- x."""

    def __init__(self, main, shortcut):
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, x):
        return self.main(x) + self.shortcut(x)


def network(*body, channels=8):
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 5)]
    return nn.Sequential(nn.Sequential(conv(3, 8), nn.BatchNorm2d(8)), *body, *head)


def reasons(model, shape=(3, 8, 8)):
    return {row.name: row.reason for row in trace(model, shape)}


def test_first_convolution_and_classifier_stay_and_the_rest_is_eligible():
    table = trace(network(nn.ReLU(), conv_bn(8, 8)), (3, 8, 8))
    assert [(row.name, row.kind, row.eligible, row.reason) for row in table] == [
        ("0.0", "Conv2d", False, "first convolution"),
        ("2.0", "Conv2d", True, ""),
        ("5", "Linear", False, "classifier"),
    ]
    assert table.eligible == ["2.0"]
    assert table["2.0"].activation == "1"
    assert table["0.0"].activation == ""
    assert table.input_shape == (1, 3, 8, 8)


def test_workloads():
    table = trace(nn.Sequential(conv(3, 8), nn.Conv2d(8, 6, (3, 1), (2, 1), (1, 2), (1, 2), 2)), (2, 3, 9, 8))
    expected = ConvWorkload(2, 8, 9, 8, 6, (3, 1), (2, 1), (1, 2, 1, 2), (1, 2), 2)
    assert table["1"].workload == expected
    linear = trace(nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), (3, 3, 2, 2))["1"].workload
    assert (linear.macs, linear.batch, linear.in_channels, linear.out_channels) == (3 * 12 * 5, 3, 12, 5)


def test_pointwise_convolutions_of_mobilenet_are_eligible_and_depthwise_ones_are_not():
    block = nn.Sequential(conv_bn(8, 8, groups=8), nn.ReLU(), conv_bn(8, 8, 1), nn.ReLU())
    found = reasons(network(block))
    assert found["1.0.0"] == "depthwise convolution"
    assert found["1.2.0"] == ""


def test_inverted_residuals_keep_their_pointwise_convolutions_eligible():
    main = nn.Sequential(conv_bn(8, 16, 1), nn.ReLU6(), conv_bn(16, 16, groups=16), nn.ReLU6(), conv_bn(16, 8, 1))
    found = reasons(network(Residual(main, nn.Identity())))
    assert (found["1.main.0.0"], found["1.main.4.0"]) == ("", "")


def test_groups_of_few_channels_are_not_eligible():
    assert reasons(network(conv_bn(8, 8, groups=2)))["1.0"] == NARROW_GROUPS
    assert reasons(network(conv_bn(8, 64), conv_bn(64, 64, groups=4), channels=64))["2.0"] == ""


def test_strided_projection():
    block = Residual(conv_bn(8, 8, stride=2), conv_bn(8, 8, 1, stride=2))
    found = reasons(network(block))
    assert found["1.shortcut.0"] == "strided 1x1 convolution: the projection of a shortcut"
    assert found["1.main.0"] == ""


def test_unstrided_projection_behind_a_pooling():
    block = Residual(conv_bn(8, 16, stride=2), nn.Sequential(nn.AvgPool2d(2), *conv_bn(8, 16, 1)))
    found = reasons(network(block, channels=16))
    assert found["1.shortcut.1"] == "1x1 projection of a shortcut"
    assert found["1.main.0"] == ""


def test_projection_of_a_bottleneck_whose_other_branch_has_pointwise_convolutions():
    main = nn.Sequential(conv_bn(8, 4, 1), nn.ReLU(), conv_bn(4, 4), nn.ReLU(), conv_bn(4, 16, 1))
    found = reasons(network(Residual(main, conv_bn(8, 16, 1)), channels=16))
    assert found["1.shortcut.0"] == "1x1 projection of a shortcut"
    assert {name for name, reason in found.items() if name.startswith("1.main")} == {
        "1.main.0.0",
        "1.main.2.0",
        "1.main.4.0",
    }
    assert not any(reason for name, reason in found.items() if name.startswith("1.main"))


def test_a_projection_with_an_activation_of_its_own():
    shortcut = nn.Sequential(conv_bn(8, 8, 1), nn.ReLU())
    found = reasons(network(Residual(nn.Sequential(conv_bn(8, 8, 1), conv_bn(8, 8)), shortcut)))
    assert found["1.shortcut.0.0"] == "1x1 projection of a shortcut"


def test_a_pointwise_convolution_in_company_is_no_projection():
    main = nn.Sequential(conv_bn(8, 8), conv_bn(8, 8, 1))
    found = reasons(network(Residual(main, conv_bn(8, 8, 1))))
    assert (found["1.main.1.0"], found["1.shortcut.0"]) == ("", "1x1 projection of a shortcut")


def test_of_two_lone_pointwise_branches_the_one_without_activation_is_the_shortcut():
    found = reasons(network(Residual(nn.Sequential(nn.ReLU(), *conv_bn(8, 8, 1)), conv_bn(8, 8, 1))))
    assert found["1.main.1"] == ""
    assert found["1.shortcut.0"] == "1x1 projection of a shortcut"


def test_a_lone_pointwise_convolution_beside_an_identity_is_the_main_path():
    assert reasons(network(Residual(nn.Sequential(nn.ReLU(), *conv_bn(8, 8, 1)), nn.Identity())))["1.main.1"] == ""


def test_a_last_convolution_that_makes_class_scores_is_a_classifier():
    scores = nn.Sequential(conv_bn(3, 8), nn.ReLU(), nn.Conv2d(8, 10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert reasons(scores)["2"] == "classifier"


def test_the_last_convolution_of_a_backbone_is_not_a_classifier():
    assert reasons(nn.Sequential(conv_bn(3, 8), nn.ReLU(), conv_bn(8, 8)))["2.0"] == ""


def test_shared_weights_are_not_eligible():
    shared = conv(8, 8)
    found = reasons(network(shared, nn.ReLU(), shared))
    assert found["1"] == "called more than once: its weights are shared"


def test_weights_that_two_modules_share_are_not_eligible():
    model = network(conv(8, 8), nn.ReLU(), conv(8, 8), nn.ReLU(), conv(8, 8))
    (_, first, second, third) = (module for module in model.modules() if isinstance(module, nn.Conv2d))
    second.weight = first.weight
    found = trace(model, (3, 8, 8))
    names = {module: name for name, module in model.named_modules()}
    shared = "called more than once: its weights are shared"
    assert [found[names[each]].reason for each in (first, second, third)] == [shared, shared, ""]


def test_a_program_of_torch_export_is_refused():
    program = torch.export.export(conv(3, 8).eval(), (torch.zeros(1, 3, 8, 8),))
    with pytest.raises(UnsupportedError, match="is a program of torch.export, .*load_state_dict"):
        trace(program.module(), (3, 8, 8))


def test_padding_modes_without_a_binary_form_are_not_eligible():
    found = reasons(network(nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular")))
    assert found["1"] == "padding mode 'circular'"


def test_hidden_linear_layers_are_not_eligible():
    model = nn.Sequential(conv(3, 8), nn.Flatten(), nn.Linear(128, 7), nn.ReLU(), nn.Linear(7, 5))
    found = reasons(model, (3, 4, 4))
    assert (found["2"], found["4"]) == ("linear layer: only convolutions become binary", "classifier")


def test_binary_layers_say_so():
    table = trace(network(BinaryConv2d(8, 8, (3, 3), padding=(1, 1, 2, 2))), (3, 8, 8))
    assert (table["1"].kind, table["1"].eligible, table["1"].reason) == ("BinaryConv2d", False, "already binary")
    assert table["1"].workload.padding == (1, 1, 2, 2)


class Functional(nn.Module):
    """relu -> max pooling -> conv, and a concatenation of two activations -> conv."""

    def __init__(self):
        super().__init__()
        self.stem, self.left, self.right, self.joined = conv(3, 8), conv(8, 4), conv(8, 4), conv(8, 8)
        self.norm, self.clip = nn.BatchNorm2d(8), nn.Hardtanh()

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(x)), 2)
        x = torch.cat([self.left(x).clamp(min=0), self.clip(self.right(x))], 1)
        return self.norm(self.joined(x))


def test_activations_are_found_through_poolings_and_concatenations():
    table = trace(Functional(), (3, 8, 8))
    assert {row.name: row.activation for row in table} == {
        "stem": "",
        "left": "relu",
        "right": "relu",
        "joined": "clamp, clip",
    }


class Functional2(nn.Module):
    """A convolution and a product on parameters of its own."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.filters = nn.Parameter(torch.randn(outputs, inputs, 3, 3))

    def forward(self, x):
        return F.conv2d(x, self.filters, padding=1)


def test_a_convolution_called_as_a_function_is_told_and_may_be_the_first():
    table = trace(nn.Sequential(Functional2(3, 8), nn.ReLU(), conv_bn(8, 8), nn.ReLU(), Functional2(8, 8)), (3, 8, 8))
    assert {row.name: row.reason for row in table} == {"2.0": ""}
    reason = "called as a function in Functional2.forward: only modules that are convolutions become binary"
    assert [(other.name, other.kind, other.reason) for other in table.others] == [
        ("0", "conv2d", reason),
        ("4", "conv2d", reason),
    ]


def test_convolutions_of_other_dimensions_are_told():
    model = nn.Sequential(conv(3, 8), nn.ConvTranspose2d(8, 8, 2, 2), nn.Unflatten(1, (2, 4)), nn.Conv3d(2, 4, 3))
    others = trace(model, (3, 8, 8)).others
    assert [(other.name, other.reason) for other in others] == [
        ("1", "ConvTranspose2d: only 1-D and 2-D convolutions become binary"),
        ("3", "Conv3d: only 1-D and 2-D convolutions become binary"),
    ]


class Functional1(Functional2):
    def forward(self, x):
        return F.conv1d(x, self.filters[:, :, 0])


def test_convolutions_of_signals_have_the_workload_of_images_of_one_row():
    norm_act = lambda channels: (nn.BatchNorm1d(channels), nn.ReLU())
    model = nn.Sequential(
        nn.Conv1d(1, 8, 16, 4),
        *norm_act(8),
        nn.MaxPool1d(2),
        nn.Conv1d(8, 8, 3, 2, padding="valid", dilation=2),
        *norm_act(8),
        nn.Conv1d(8, 1, 1),
        nn.Conv1d(1, 8, 3, padding="same", padding_mode="zeros"),
        Functional1(8, 8),
        nn.Conv1d(8, 8, 3, padding=1, padding_mode="reflect"),
        *norm_act(8),
        nn.Conv1d(8, 4, 3),
    )
    table = trace(model, (1, 400))
    few = "one input channel: a popcount adds channels"
    assert {row.name: row.reason for row in table} == {
        "0": few,
        "4": "",
        "7": "",
        "8": few,
        "10": "padding mode 'reflect'",
        "13": "classifier",
    }
    assert table["4"].workload.key == "conv2d_n1_c8_h1_w48_o8_k1x3_s1x2_p0x0x0x0_d1x2_g1"
    assert table["4"].activation == "2"
    assert table["8"].workload.padding == (0, 1, 0, 1) and table.input_shape == (1, 1, 400)
    assert [(other.name, other.kind) for other in table.others] == [("9", "conv1d")]


class Parallel(nn.Module):
    """1x1 convolutions side by side, which are one layer once they are merged (MobileOne)."""

    def __init__(self, channels, branches):
        super().__init__()
        self.branches = nn.ModuleList(conv_bn(channels, channels, 1) for _ in range(branches))
        self.skip, self.act = nn.BatchNorm2d(channels), nn.ReLU()

    def forward(self, x):
        total = self.skip(x)
        for branch in self.branches:
            total = total + branch(x)
        return self.act(total)


def test_parallel_pointwise_convolutions_are_no_projections():
    found = reasons(network(Parallel(8, 4), Parallel(8, 2)))
    assert not any(reason for name, reason in found.items() if name.startswith(("1.", "2.")))


def test_an_unknown_layer_lists_the_layers():
    with pytest.raises(InputError, match="no layer 'head'; the layers are 0.0, 3"):
        trace(network(), (3, 8, 8))["head"]


def test_tracing_leaves_the_model_as_it_was():
    model = models.cresnet20(width=4).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trace(model, (2, 3, 32, 32))
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_each_precision_has_layers_of_its_own():
    hidden = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    grouped = nn.Conv2d(8, 8, 3, groups=8)
    reflected = nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect", groups=8)
    table = trace(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), grouped, reflected, *hidden), (3, 12, 12))
    assert table.eligible == table.eligible_for("binary") == ["1"]
    assert table.eligible_for("int8") == ["0", "1", "2", "6", "8"]
    assert table.eligible_for("w1a2") == table.eligible_for("w2a2") == ["1", "6"]
    assert table["2"].against("w2a2") == "depthwise convolution"


def test_quantized_layers_are_layers_of_the_same_shape():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding="same"), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4))
    before, after = (trace(each, (3, 6, 6)) for each in (model, convert(model, Plan({"0": "int8", "3": "int8"}))))
    assert [row.workload for row in after] == [row.workload for row in before]
    assert [(row.kind, row.reason) for row in after] == [
        ("QuantizedConv2d", "already int8"),
        ("QuantizedLinear", "already int8"),
    ]


def test_a_linear_layer_that_is_called_twice_has_one_precision_only():
    linear = nn.Linear(8, 8)
    table = trace(nn.Sequential(nn.Flatten(), linear, nn.ReLU(), linear), (2, 2, 2))
    assert table.eligible_for("int8") == []
