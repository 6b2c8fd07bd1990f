"""The ONNX files: onnxruntime computes what torch computes; names and bits are inside, nothing of the machine is."""

import dataclasses
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from b2nn_tvm import models, reference
from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.modules import activations as activation
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.preprocess import Preprocess
from b2nn_tvm.preprocess.onnx_metadata import Meaning, read_meaning
from b2nn_tvm.reference.onnx_functions import binary_conv2d_function
from tests.support.networks.weight_binary_networks import small_resnet

FORMS = ("function", "plain")


def run(path, x: torch.Tensor) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x.numpy()})


def agree(path, model: nn.Module, x: torch.Tensor) -> None:
    """1e-4 relative to the largest output, and the same class."""
    with torch.no_grad():
        expected = model.eval()(x).numpy()
    (found,) = run(path, x)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
    assert np.array_equal(found.reshape(len(x), -1).argmax(1), expected.reshape(len(x), -1).argmax(1))


def lived_in(model: nn.Module, seed: int = 0) -> nn.Module:
    """``model`` with the batch norms and thresholds of a trained network, some gammas negative."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.copy_(torch.randn(module.num_features, generator=generator) * 0.1)
                module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
                module.weight.copy_(torch.randn(module.num_features, generator=generator))
                module.bias.copy_(torch.randn(module.num_features, generator=generator))
            if isinstance(module, BinaryConv2d) and module.threshold is not None:
                module.threshold.copy_(torch.randn(module.in_channels, generator=generator) * 0.3)
    return model.eval()


def image(*shape: int, seed: int = 0) -> torch.Tensor:
    """Normal numbers with many exact zeros of both signs."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator)
    x[torch.rand(shape, generator=generator) < 0.2] = 0.0
    x[torch.rand(shape, generator=generator) < 0.2] = -0.0
    return x


def layer_nodes(path) -> list[tuple[str, str]]:
    operators = ("Conv", "BinaryConv2d", "WeightBinaryConv2d", "Gemm")
    return [(node.op_type, node.name) for node in onnx.load(path).graph.node if node.op_type in operators]


class Geometries(nn.Module):
    """Binary convolutions of many channel counts, strides, dilations and paddings, side by side on one image each."""

    cases = (
        (1, {"kernel_size": (3, 3), "padding": (1, 1, 1, 1)}),
        (3, {"kernel_size": (1, 1)}),
        (31, {"kernel_size": (3, 3), "padding": (1, 1, 1, 1), "stride": (2, 2)}),
        (32, {"kernel_size": (3, 2), "padding": (0, 1, 2, 3), "stride": (2, 1), "dilation": (1, 2)}),
        (33, {"kernel_size": (3, 3), "padding": (2, 2, 2, 2), "dilation": (2, 2), "bias": True}),
        (64, {"kernel_size": (5, 5)}),
        (65, {"kernel_size": (1, 1), "stride": (2, 2), "padding": (1, 1, 1, 1)}),
    )

    def __init__(self, **options):
        super().__init__()
        self.layers = nn.ModuleList(
            BinaryConv2d(channels, 1 + channels % 5, **case, **options) for channels, case in self.cases
        )

    def forward(self, x):
        return tuple(layer(x[:, : layer.in_channels]) for layer in self.layers)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("pad_value", "learned_threshold"), [(0, False), (1, True), pytest.param(-1, False, marks=pytest.mark.sweep)]
)
def test_every_geometry_and_padding_value(tmp_path, form, pad_value, learned_threshold):
    torch.manual_seed(0)
    model = lived_in(Geometries(pad_value=pad_value, learned_threshold=learned_threshold))
    x = image(2, 65, 9, 8)
    with torch.no_grad():
        if learned_threshold:
            model.layers[2].threshold[:] = x[0, :31, 4, 4]  # ties are +1
        expected = [y.numpy() for y in model(x)]
    found = run(export_onnx(model, tmp_path / "m.onnx", input_shape=x.shape, form=form), x)
    assert len(found) == len(Geometries.cases)
    for y, reference_y in zip(found, expected):
        np.testing.assert_allclose(y, reference_y, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("form", "input_binary"),
    [
        ("function", True),
        *(
            pytest.param(*each, marks=pytest.mark.sweep)
            for each in (("plain", True), *((form, False) for form in FORMS))
        ),
    ],
)
def test_two_values_per_filter_are_a_convolution_and_a_box_sum(tmp_path, form, input_binary):
    torch.manual_seed(0)
    options = {"binarizer": "distribution-aware", "input_binary": input_binary, "learned_threshold": input_binary}
    for pad_value in (0, 1):
        model = lived_in(Geometries(pad_value=pad_value, **options))
        x = image(2, 65, 9, 8)
        path = export_onnx(model, tmp_path / "m.onnx", input_shape=x.shape, form=form)
        with torch.no_grad():
            for y, expected in zip(run(path, x), model(x), strict=True):
                np.testing.assert_allclose(y, expected.numpy(), rtol=1e-5, atol=1e-5)
        kind = ("BinaryConv2d" if input_binary else "WeightBinaryConv2d") if form == "function" else "Conv"
        names = [name for i in range(len(Geometries.cases)) for name in (f"layers.{i}", f"layers.{i}.box_sum")]
        assert layer_nodes(path) == [(kind, name) for name in names]


def test_every_activation_exports(tmp_path):
    """Batch norm between them keeps sums of zero, which are ties of the next sign, apart from 0."""
    torch.manual_seed(0)
    group = lambda name: (BinaryConv2d(4, 4, (3, 3)), nn.BatchNorm2d(4), activation.make(name, channels=4))
    model = lived_in(nn.Sequential(*(module for name in activation.names() for module in group(name))))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.1)
    agree(export_onnx(model, tmp_path / "m.onnx", input_shape=(4, 14, 14)), model, image(1, 4, 14, 14))


@pytest.mark.parametrize(
    ("form", "seed"),
    [("function", 2), *(pytest.param(*each, marks=pytest.mark.sweep) for each in (("plain", 2), ("function", 1)))],
)
def test_random_subsets_of_a_pre_activation_network(tmp_path, form, seed):
    torch.manual_seed(seed)
    model = lived_in(models.cresnet20(classes=10, width=8, image_size=16), seed)
    eligible = trace(model, (3, 16, 16)).eligible
    chosen = [name for name, keep in zip(eligible, torch.rand(len(eligible)) < 0.5) if keep]
    mixed = lived_in(convert(model, chosen, pad_value=seed - 1, learned_threshold=seed == 2), seed)
    path = export_onnx(mixed, tmp_path / "m.onnx", input_shape=(2, 3, 16, 16), form=form)
    agree(path, mixed, image(2, 3, 16, 16))
    nodes = {name: kind for kind, name in layer_nodes(path)}
    assert set(nodes) == {row.name for row in trace(model, (3, 16, 16))}
    marked = {name for name, kind in nodes.items() if kind == "BinaryConv2d"}
    assert marked == (set(chosen) if form == "function" else set())


@pytest.mark.parametrize("form", ["plain", pytest.param("function", marks=pytest.mark.sweep)])
def test_a_converted_graph_keeps_module_names_where_batch_norm_is_absorbed(tmp_path, form):
    torch.manual_seed(0)
    model = lived_in(models.resnet18(classes=10, width=8))
    for block in (model.layer1[0], model.layer1[1]):  # equal weights are stored once, and the names must not merge
        nn.init.constant_(block.conv1.weight, 0.01)
    chosen = ["layer1.1.conv2", "layer2.0.conv1", "layer4.1.conv2"]
    mixed = convert(model, chosen)
    path = export_onnx(mixed, tmp_path / "m.onnx", input_shape=(3, 32, 32), form=form)
    agree(path, mixed, image(1, 3, 32, 32))
    assert [name for _, name in layer_nodes(path)] == [row.name for row in trace(mixed, (3, 32, 32))]
    norms = [node for node in onnx.load(path).graph.node if node.op_type == "BatchNormalization"]
    assert len(norms) == len(chosen)


def test_the_file_is_static_complete_and_says_nothing_of_the_machine(tmp_path):
    mixed = convert(models.cresnet20(width=4), ["stage1.0.conv1"])
    path = export_onnx(mixed, tmp_path / "deep" / "m.onnx", input_shape=(3, 32, 32))
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["m.onnx"]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18), ("b2nn", 1)]
    sides = [
        (value.name, [size.dim_value for size in value.type.tensor_type.shape.dim])
        for value in (*model.graph.input, *model.graph.output)
    ]
    assert sides == [("input", [1, 3, 32, 32]), ("output", [1, 100])]
    content = path.read_bytes()
    for trace_of_source in (b".py", __file__.encode(), sys.prefix.encode(), b"site-packages", b"torch", b"stack_trace"):
        assert trace_of_source not in content


def test_what_the_data_mean_goes_with_the_file(tmp_path):
    meaning = Meaning(Preprocess.covering((3, 8, 8), (0.5,) * 3, (0.25,) * 3), ("cat", "dog"))
    path = export_onnx(nn.Conv2d(3, 2, 8), tmp_path / "net.onnx", input_shape=(3, 8, 8), meaning=meaning)
    assert read_meaning(onnx.load(path)) == meaning
    assert [value.name for value in onnx.load(path).graph.input] == [meaning.preprocess.input]


def test_the_marked_layer_follows_the_format(tmp_path):
    conv = BinaryConv2d(9, 5, (3, 2), stride=(2, 1), padding=(0, 1, 2, 3), dilation=(1, 2), pad_value=-1)
    path = export_onnx(nn.Sequential(conv), tmp_path / "m.onnx", input_shape=(9, 8, 8))
    model = onnx.load(path)
    (node,) = model.graph.node
    assert (node.op_type, node.domain, node.name) == ("BinaryConv2d", "b2nn", "0")
    assert {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute} == {
        "kernel_shape": [3, 2],
        "strides": [2, 1],
        "pads": [0, 1, 2, 3],
        "dilations": [1, 2],
        "pad_value": -1.0,
        "channels": 9,
        "group": 1,
    }
    values = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    weight, scale, threshold = (values[name] for name in node.input[1:])
    assert weight.dtype == np.uint8
    assert weight.shape == (5, 3, 2, 2)
    signs = reference.unpack(weight, 9).transpose(0, 3, 1, 2)
    assert np.array_equal(signs, reference.sign(conv.weight.detach().numpy()))
    assert np.array_equal(weight[..., 1] & 0xFE, np.zeros((5, 3, 2), np.uint8))  # the tail bits are 0
    assert np.array_equal(scale, conv.scale.numpy())
    assert np.array_equal(threshold, np.zeros(9, np.float32))
    (function,) = model.functions
    assert (function.domain, function.name) == ("b2nn", "BinaryConv2d")
    assert function == binary_conv2d_function()


def test_a_float_model_has_no_function(tmp_path):
    path = export_onnx(nn.Sequential(nn.Conv2d(3, 4, 3)), tmp_path / "m.onnx", input_shape=(3, 5, 5))
    assert not onnx.load(path).functions
    assert layer_nodes(path) == [("Conv", "0")]


def test_packed_weights_are_small(tmp_path):
    model = nn.Sequential(BinaryConv2d(64, 64, (3, 3)))
    sizes = [export_onnx(model, tmp_path / form, input_shape=(64, 8, 8), form=form).stat().st_size for form in FORMS]
    assert sizes[0] < 64 * 64 * 9 / 8 + 4000
    assert sizes[1] > 64 * 64 * 9 * 4


@pytest.mark.parametrize(("form", "binarizer"), [("function", "distribution-aware"), ("plain", "xnor")])
def test_layers_whose_weights_alone_are_binary(tmp_path, form, binarizer):
    mixed = small_resnet(binarizer)
    path = export_onnx(mixed, tmp_path / "m.onnx", input_shape=(3, 32, 32), form=form)
    agree(path, mixed, image(1, 3, 32, 32))
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    nodes = {node.name: node for node in model.graph.node}
    packed = form == "function"
    assert nodes["0"].op_type == nodes["4.conv2"].op_type == ("WeightBinaryConv2d" if packed else "Conv")
    assert nodes["3.conv2"].op_type == ("BinaryConv2d" if packed else "Conv")
    boxes = [name for name in nodes if name.endswith("#2")]  # the filters of ones
    assert len(boxes) == (4 if binarizer == "distribution-aware" else 0)
    assert [function.name for function in model.functions] == (["BinaryConv2d", "WeightBinaryConv2d"] if packed else [])
    if not packed:
        weights = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
        assert np.array_equal(np.abs(weights[nodes["0"].input[1]]), np.ones((16, 3, 7, 7), np.float32))


@pytest.mark.parametrize("pad_value", [0, 1])
def test_the_border_of_a_float_input_has_the_padding_value(tmp_path, pad_value):
    options = {"stride": (2, 1), "padding": (0, 1, 2, 3), "dilation": (1, 2), "pad_value": pad_value}
    conv = BinaryConv2d(9, 5, (3, 2), input_binary=False, bias=True, **options)
    path = export_onnx(nn.Sequential(conv), tmp_path / "m.onnx", input_shape=(9, 8, 8))
    agree(path, conv, image(1, 9, 8, 8))
    (expected,) = run(path, image(1, 9, 8, 8))
    node = next(node for node in onnx.load(path).graph.node if node.op_type == "WeightBinaryConv2d")
    values = {entry.name: numpy_helper.to_array(entry) for entry in onnx.load(path).graph.initializer}
    weight, scale = (values[name] for name in node.input[1:])
    signs = reference.unpack(weight, 9).transpose(0, 3, 1, 2)
    found = reference.weight_binary_conv2d(image(1, 9, 8, 8).numpy(), signs, scale, **options)
    np.testing.assert_allclose(found + conv.bias.detach().numpy()[:, None, None], expected, rtol=1e-5, atol=1e-5)


def test_packed_weights_of_float_inputs_are_small(tmp_path):
    model = nn.Sequential(BinaryConv2d(64, 64, (3, 3), input_binary=False))
    path = export_onnx(model, tmp_path / "m.onnx", input_shape=(64, 8, 8))
    assert path.stat().st_size < 64 * 64 * 9 / 8 + 4000


def test_exporting_prints_nothing_and_changes_nothing(tmp_path, capfd):
    model = convert(models.cresnet20(width=4), ["stage1.0.conv1"], learned_threshold=True).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    agree_path = export_onnx(model, tmp_path / "m.onnx", input_shape=(3, 32, 32))
    run(agree_path, image(1, 3, 32, 32))
    assert capfd.readouterr() == ("", "")
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert isinstance(model.stage1[0].conv1, BinaryConv2d)


class Untraceable(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Eigenvalues(nn.Module):
    def forward(self, x):
        return torch.linalg.eigvals(x).real


class Faulty(nn.Module):
    def forward(self, x):
        raise KeyError("mine")


def test_what_is_no_path_of_a_file_is_refused(tmp_path):
    for path, text in ((None, "path: expected the path of the file to write, not NoneType"), (tmp_path, "is a folder")):
        with pytest.raises(InputError, match=text):
            export_onnx(nn.Conv2d(3, 4, 3), path, input_shape=(3, 8, 8))


def unfinished():
    model = nn.Sequential(BinaryConv2d(3, 4, (3, 3)))
    model[0].weight_binary = False
    return model


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        (nn.Conv2d(3, 4, 3), {"form": "packed"}, InputError, "no ONNX form 'packed'; choose one of function, plain"),
        (nn.Conv2d(4, 4, 3), {}, InputError, r"Conv2d does not accept an input of shape \(1, 3, 8, 8\)"),
        (nn.Conv2d(3, 4, 3), {"input_shape": (8,)}, InputError, "an input shape is"),
        (nn.Conv2d(3, 4, 3), {"input_shape": None}, InputError, "an input shape is .* not None"),
        (nn.Conv2d(3, 4, 3, device="meta"), {}, InputError, "the weights 'weight' have no values"),
        (nn.Conv2d, {}, InputError, r"expected a network, but got the class Conv2d; make one, such as Conv2d\(\)"),
        (Faulty(), {}, InputError, r"Faulty does not accept .*: KeyError: 'mine' \(test_export_onnx.py:\d+\)"),
        (unfinished(), {}, InputError, "layer 0 still has float weights"),
        (Eigenvalues(), {}, UnsupportedError, "torch.onnx cannot export Eigenvalues: .*linalg_eig"),
        (Untraceable(), {}, UnsupportedError, "torch.export cannot capture Untraceable"),
    ],
)
def test_refusals_are_silent_and_leave_the_old_file(tmp_path, capfd, model, options, error, message):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"old")
    with pytest.raises(error, match=message):
        export_onnx(model, path, **{"input_shape": (3, 8, 8), **options})
    assert capfd.readouterr() == ("", "")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@dataclasses.dataclass
class Found:
    scores: torch.Tensor
    hidden: torch.Tensor | None = None


class Own(dict):
    """A dict of a class of its own, as Hugging Face's networks give."""


@pytest.mark.parametrize("form", [Found, lambda y: Own(scores=y, none=None), lambda y: Found(y, y + 1)])
def test_outputs_in_objects(tmp_path, form):
    class Net(nn.Conv2d):
        def forward(self, x):
            return form(super().forward(x))

    model = Net(3, 4, 3).eval()
    path = export_onnx(model, tmp_path / "net.onnx", input_shape=(3, 8, 8))
    names = [output.name for output in onnx.load(path).graph.output]
    assert names in (["output"], ["output", "output_1"])
    x = image(1, 3, 8, 8)
    with torch.no_grad():
        expected = nn.Conv2d.forward(model, x).numpy()
    np.testing.assert_allclose(run(path, x)[0], expected, rtol=1e-4, atol=1e-5)


def test_forward_hooks_of_binary_layers_are_exported(tmp_path):
    model = nn.Sequential(nn.Conv2d(3, 32, 3), nn.PReLU(), nn.Conv2d(32, 32, 3), nn.Flatten(), nn.Linear(512, 4)).eval()
    model[2].register_forward_hook(lambda module, args, result: result.clamp(-0.5, 0.5))
    assert trace(model, (3, 8, 8)).eligible == ["2"]
    mixed = convert(model, ["2"]).eval()
    agree(export_onnx(mixed, tmp_path / "net.onnx", input_shape=(3, 8, 8)), mixed, image(1, 3, 8, 8))
