"""Classification networks of timm, sampled by family."""

from __future__ import annotations

import contextlib

from tests.support.paths import ROOT
from tests.support.surveys import torch_network
from tests.support.surveys.prepare_timm import prepare_timm

TITLE = "Networks of timm"
ABOUT = """
The smallest network of every module of `timm.models` that has more than one convolution, and of the modules that hold
several families the smallest of further families. Those above 45 million weights are left out. The networks have random
weights, ten classes, and the smallest of the usual image sizes that they take. Each is traced, every second eligible
layer becomes binary, and the result is exported, compiled for this machine, and compared with onnxruntime (by the
compiler's own check) and with torch.

`make surveys` installs timm into an environment of its own, `.venv-timm`, which takes all else from `.venv`.
"""
COLUMNS = ("model", "module", "image", *torch_network.COLUMNS)
OUTCOMES = torch_network.OUTCOMES
LIMIT_S = 600
PER_PROCESS = 8
PYTHON = ROOT / ".venv-timm" / "bin" / "python"

SIZES = (64, 96, 128, 160, 192, 224, 256, 288)

MODELS = """
mobileone_s1 convmixer_768_32 halonet_h1 coat_tiny convnextv2_atto cpubone_nano crossvit_tiny_240 csatv2
cs3darknet_focus_s cspnext_tiny davit_tiny densenet121 dla46x_c dpn48b edgenext_xx_small efficientformer_l1
efficientformerv2_s0 mobilenetv2_035 efficientvim_m1 efficientvit_b0 efficientvit_m0 fasternet_t0 fastvit_t8
focalnet_tiny_srf gcvit_xxtiny ghostnet_050 hardcorenas_b hgnetv2_b0 hrnet_w18_small iformer_t
inception_next_atto inception_v3 lcnetv2_small levit_128s lowformer_b0 test_mambaout test_coatnet
poolformerv2_s12 lcnet_035 mobilevit_xxs mvitv2_tiny nest_tiny nextvit_small test_nfnet pit_ti_224 pvt_v2_b0
rdnet_tiny regnetx_002 repghostnet_050 repvit_m1 res2next50 resnest14d resnetblur18 resnetv2_18 rexnet_100
selecsls42 legacy_seresnet18 sequencer2d_s shvit_s1 skresnet18 starnet_s050 swiftformer_xs tiny_vit_5m_224
tresnet_m twins_svt_small visformer_tiny vit_tiny_r_s16_p8_224 vitamin_small_224 volo_d1_224
ese_vovnet19b_slim_dw legacy_xception xception41p xcit_nano_12_p8_224 mobilenetv3_small_050 fbnetv3_b
seresnet18 tinynet_e mnasnet_small mixnet_s spnasnet_100 fbnetc_100 tf_efficientnetv2_b0 repvgg_a0 gernet_s
regnety_002 regnetz_005 seresnext26ts gcresnext26ts bat_resnext26ts botnet26t_256 lambda_resnet26t
ecaresnet26t resnext50_32x4d resnetaa34d nf_regnet_b0 darknet17 cspresnet50 mobilevitv2_050 test_maxvit
ghostnetv3_050 poolformer_s12 convformer_s18 legacy_seresnext26_32x4d hgnet_tiny seresnext26t_32x4d
skresnext50_32x4d densenetblur121d rexnetr_100 convnext_atto mobilenetv4_conv_small test_efficientnet
test_byobnet inception_v4
""".split()  # noqa: SIM905 - a hundred lines otherwise


def names() -> list[str]:
    """The names of the models, in timm's spelling."""
    prepare_timm()
    return MODELS


def row(name: str) -> dict[str, object]:
    """What became of the model ``name``."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    size = smallest_size(name)
    model = _create(name, size)
    module = type(model).__module__.rpartition(".")[2]
    return {"module": module, "image": size, **torch_network.try_network(model, (3, size, size))}


def smallest_size(name: str) -> int:
    """The smallest of SIZES, or else its own, at which the model runs; nothing is computed."""
    import timm
    import torch

    for size in SIZES:
        with contextlib.suppress(Exception), torch.device("meta"), torch.no_grad():
            _create(name, size).eval()(torch.zeros(1, 3, size, size))
            return size
    return timm.get_pretrained_cfg(name).input_size[-1]


def _create(name: str, size: int) -> object:
    """The model, for images of ``size`` where that is an argument of it."""
    import timm

    options = {"pretrained": False, "num_classes": 10}
    try:
        return timm.create_model(name, img_size=size, **options)
    except TypeError:
        return timm.create_model(name, **options)
