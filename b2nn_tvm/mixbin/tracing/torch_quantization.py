"""Networks that torch.ao.quantization has prepared or converted.

Observers watch values and compute nothing, so they are taken off. Quantizers and quantized layers are refused: the
layers in them cannot be replaced, and this project has int8 layers of its own.
"""

from __future__ import annotations

from torch import nn

from b2nn_tvm.errors import UnsupportedError

_QUANTIZED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.ao.nn.quantizable")


def without_observers(model: nn.Module) -> None:
    """Put an Identity in the place of each observer in ``model``, which is changed."""
    for module in list(model.modules()):
        for name, child in module._modules.items():
            if child is not None and _is_a(child, "torch.ao.quantization.observer", "ObserverBase"):
                module._modules[name] = nn.Identity()


def refuse_quantizers(model: nn.Module) -> None:
    """Raise UnsupportedError where ``model`` has quantizers for training, or layers that are quantized."""
    for name, module in model.named_modules():
        at = f"its module {name!r}, a {type(module).__name__}," if name else f"it, a {type(module).__name__},"
        if _is_a(module, "torch.ao.quantization.fake_quantize", "FakeQuantizeBase"):
            raise UnsupportedError(
                f"{type(model).__name__} is prepared for training with quantizers: {at} rounds values. Give the"
                " network as it was before torch.ao.quantization.prepare_qat, with its weights:"
                " net.load_state_dict(prepared.state_dict(), strict=False); a search has int8 layers of its own"
            )
        if type(module).__module__.startswith(_QUANTIZED):
            raise UnsupportedError(
                f"{type(model).__name__} is quantized by torch: {at} has no float weights. Give the network as it was"
                " before torch.ao.quantization.convert or quantize_dynamic; a search has int8 layers of its own"
            )


def _is_a(module: nn.Module, place: str, name: str) -> bool:
    """Whether the module has this class or a subclass of it; the class itself takes long to import."""
    return any(kind.__name__ == name and kind.__module__ == place for kind in type(module).__mro__)
