"""What the phases of a search share: eligible layers in order, and what a network's speed depends on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from b2nn_tvm.data import DataBundle, TensorImages
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.settings import SearchSettings, TrainingSettings
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.models.bireal import BiRealNet
from b2nn_tvm.preprocess.onnx_metadata import Meaning
from b2nn_tvm.progress import silent
from b2nn_tvm.storage.phase_cache import State
from tests.support.loop.small_job import NAMES, small_job


def test_what_finished_phases_depend_on_is_named_as_before(tmp_path: Path) -> None:
    """States on disk that older versions wrote are found again by these very names."""
    split = TensorImages(torch.zeros(4, 1, 8, 8), torch.zeros(4, dtype=torch.long))
    bundle = DataBundle("noise", split, split, split, ("a",), (1, 8, 8), (0,), (1,))
    model = BiRealNet(classes=1, channels=1, image_size=8, stem="cifar", widths=(4,), blocks=1, activation="binrelu")
    settings = SearchSettings.from_keywords(target="x86", threads=2)
    job = Job("net", model.eval(), trace(model, (1, 8, 8)), bundle, settings, State(tmp_path), silent)
    assert set(job.structure_inputs()) == {"structure", "input"}
    inputs = job.deployment_inputs()
    assert set(inputs) == {"target", "device", "threads"}
    assert (inputs["target"]["name"], inputs["device"], inputs["threads"]) == ("x86", "local", 2)
    other = replace(job, settings=replace(settings, training=TrainingSettings(epochs=1)))
    assert other.deployment_inputs() == inputs


def test_eligible_layers_are_in_network_order_and_have_workloads(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    assert job.eligible == NAMES == tuple(job.workloads)
    assert job.workloads["stage1.0.conv1"] == "conv2d_n1_c4_h8_w8_o4_k3x3_s1x1_p1x1x1x1_d1x1_g1"
    assert job.workloads["stage2.0.conv1"] == "conv2d_n1_c4_h8_w8_o8_k3x3_s2x2_p1x1x1x1_d1x1_g1"


def test_weights_do_not_change_the_structure_and_layers_do(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    before = job.structure_inputs()
    assert before["input"] == [1, 8, 8]
    with torch.no_grad():
        job.model.conv1.weight.fill_(3)
    assert job.structure_inputs() == before
    job.model.fc = torch.nn.Linear(8, 4)
    assert job.structure_inputs() != before


def test_other_settings_of_deployment_are_other_inputs(tmp_path: Path) -> None:
    found = [
        small_job(tmp_path, **keywords).deployment_inputs()
        for keywords in ({}, {"threads": 2}, {"target": "x86"}, {"input_format": "uint8-nhwc"})
    ]
    assert all(found[0] != other for other in found[1:])


def test_every_score_has_a_name(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    assert job.meaning(3) == Meaning(None, ("a", "b", "c"))
    assert job.meaning(5).labels == ("a", "b", "c", "3", "4")  # a network for more classes than the data have


def test_options_are_what_the_precisions_leave_open(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    assert job.options == job.eligible == job.choosing and job.is_binary and job.transitions
    more = small_job(tmp_path, precisions="1,8,32")
    assert set(more.options) == {*NAMES, *(f"{row.name}@int8" for row in more.layers)}
    assert more.choosing == tuple(row.name for row in more.layers) and more.options[0] == f"{more.choosing[0]}@int8"
    assert not more.is_binary
    assert {shared.when for shared in more.transitions} == {"float", "int8"}  # no tensor has two readers in bits
    assert more.transitions[0].layers == more.choosing
    assert (more.choosing[0], more.choosing[1]) in [shared.layers for shared in more.transitions]
    assert set(small_job(tmp_path, precisions="2,32").options) == {f"{name}@w{n}a2" for name in NAMES for n in (1, 2)}
