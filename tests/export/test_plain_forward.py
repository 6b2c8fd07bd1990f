"""Networks with autocast and .data in them are exported, in float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import nn

from b2nn_tvm.export import export_onnx
from b2nn_tvm.export.plain_forward import plain_forward


class Net(nn.Module):
    def __init__(self, forward: Callable[[nn.Module, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.conv, self.body = nn.Conv2d(3, 4, 3), forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(self, x)


def in_autocast(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return net.conv(x).float()


@torch.autocast("cpu", dtype=torch.bfloat16)
def decorated(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return net.conv(x).float()


def in_data(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return net.conv(x.data).data * 2


@pytest.mark.parametrize("forward", [in_autocast, decorated, in_data])
def test_such_networks_are_exported(forward: Callable[..., torch.Tensor], tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, image = Net(forward).eval(), torch.randn(1, 3, 6, 6)
    path = export_onnx(net, tmp_path / "net.onnx", input_shape=(3, 6, 6))
    (found,) = onnxruntime.InferenceSession(path).run(None, {"input": image.numpy()})
    with torch.no_grad(), plain_forward():
        expected = net(image)
    assert expected.dtype == torch.float32
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-5, atol=1e-5)


def test_autocast_is_as_before_behind_it() -> None:
    with plain_forward(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert not torch.is_autocast_enabled("cpu")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.is_autocast_enabled("cpu")
    assert not torch.is_autocast_enabled("cpu")
