"""What each pass requires holds when it runs, what it ensures holds behind it, and each is known by its name."""

from __future__ import annotations

import pytest
import tvm
from tvm import relax, tirx
from tvm.relax import op

from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.models import bireal18
from b2nn_tvm.passes.binary.legalize_sign import LegalizeSign
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NCHW
from b2nn_tvm.passes.framework.kernel_invariants import SCHEDULED
from b2nn_tvm.passes.fuse.copy_outputs import CopyOutputs
from b2nn_tvm.passes.lower.lower_conv2d import LowerConv2d
from b2nn_tvm.passes.pipeline import (
    Kernels,
    after_scheduling,
    before_scheduling,
    finish_scheduled,
    run,
    to_kernels,
)
from b2nn_tvm.relax_query import op_name
from b2nn_tvm.schedules.schedule_module import schedule_module, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.targets.target import get
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import NETWORKS
from tests.support.passes.check_invariants import CheckInvariants, contract_of, is_ours
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import const, module, random_signs

IMPORTED = (NCHW,)  # what holds of every imported network
ALL = (*before_scheduling(context()), *after_scheduling(context()))
OURS = [one.info.name for one in ALL if is_ours(one)]


@pytest.fixture(scope="module")
def bireal_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("bireal") / "model.onnx"
    whole = bireal18(classes=10, image_size=64)
    return export_onnx(convert(whole, trace(whole, (3, 64, 64)).eligible).eval(), path, input_shape=(3, 64, 64))


def compiled(path, target, instruments) -> Kernels:
    """The network of this file as scheduled functions, with instruments around all passes of the pipeline."""
    unit = vector_unit_named(get(target).vector)
    imported = import_onnx(path)
    with tvm.transform.PassContext(instruments=instruments):
        kernels = to_kernels(imported, unit.layout, get(target).tvm_target())
    assert_nothing_but_calls(kernels.module)
    scheduled = schedule_module(kernels.module, vector_unit=unit, records=Records(unit.name))
    with tvm.transform.PassContext(instruments=instruments):
        return Kernels(finish_scheduled(scheduled.module, kernels.context), kernels.context)


def assert_nothing_but_calls(found: tvm.IRModule) -> None:
    """No operator of Relax, no sign, and every function has a body of loops."""
    for block in found["main"].body.blocks:
        for binding in block.bindings:
            if isinstance(binding.value, relax.Call):
                assert op_name(binding.value) == "relax.call_tir"
                assert isinstance(found[binding.value.args[0]], tirx.PrimFunc)
            else:
                assert isinstance(binding.value, relax.Tuple | relax.TupleGetItem | relax.Var)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_pass_finds_what_it_requires_and_leaves_what_it_ensures(tmp_path, name):
    check = CheckInvariants(ALL)
    kernels = compiled(save(tmp_path, NETWORKS[name].build()), "x86", [check])
    assert check.broken == []
    assert check.seen == [one.info.name for one in ALL]
    assert {entry.rule for entry in kernels.log.in_order([])} <= set(OURS)  # what --explain prints


@pytest.mark.sweep
def test_so_does_bireal18(bireal_path):
    check = CheckInvariants(ALL)
    kernels = compiled(bireal_path, "arm", [check])
    assert check.broken == []
    rules = {entry.rule for entry in kernels.log.in_order([])}
    assert {"ClassifyConvs", "FoldAffine", "FusePack", "LowerBinaryConv2d", "LowerConv2d"} <= rules <= set(OURS)


def test_tvm_times_every_pass_by_its_name(tmp_path):
    path = save(tmp_path, NETWORKS["outputs between binary convolutions"].build())
    timing = tvm.ir.instrument.PassTimingInstrument()
    unit = vector_unit_named(get("x86").vector)
    with tvm.transform.PassContext(instruments=[timing]):
        kernels = to_kernels(import_onnx(path), unit.layout, get("x86").tvm_target())
        scheduled = schedule_module(kernels.module, vector_unit=unit, records=Records(unit.name))
        finish_scheduled(scheduled.module, kernels.context)
        lines = [line.strip().partition(":")[0] for line in timing.render().splitlines()]
    timed = [name for name in lines if name in OURS]
    assert timed == OURS


def test_every_requirement_is_ensured_by_an_earlier_pass():
    """A pass may break what an earlier one ensured; the tests above, which ask when it runs, would tell."""
    for passes, given in ((before_scheduling(context()), IMPORTED), (after_scheduling(context()), (SCHEDULED,))):
        ensured = set(given)
        for one in passes:
            contract = contract_of(one)
            missing = [invariant.name for invariant in contract.requires if invariant not in ensured]
            assert not missing, f"{one.info.name} requires {missing}, which no pass before it ensures"
            ensured.update(contract.ensures)


def test_every_invariant_has_a_name_of_its_own_and_a_sentence():
    found = {
        invariant for one in ALL for which in ("requires", "ensures") for invariant in getattr(contract_of(one), which)
    }
    assert len({invariant.name for invariant in found}) == len(found) > 15
    assert all(invariant.sentence.endswith(".") for invariant in found)


def test_every_pass_of_this_project_is_made_from_a_context_and_named_like_its_class():
    for one in ALL:
        if is_ours(one):
            assert one.info.name == type(one).__name__ == type(one._inst).__name__
            assert one.info.opt_level == 0
            assert isinstance(one.requires, tuple) and isinstance(one.ensures, tuple)


def conv(x, weight, **layout):
    return op.nn.conv2d(x, const(weight), **layout)


# (the pass, a module that breaks what it requires, what is reported)
BROKEN = {
    "a convolution in NCHW": (
        LowerConv2d,
        lambda x: conv(x, random_signs((5, 4, 3, 3))),
        "LowerConv2d requires NHWC: gv: a convolution in NCHW with weights in OIHW",
    ),
    "a sign that is still there": (
        LowerConv2d,
        lambda x: op.nn.relu(op.sign(x)),
        "LowerConv2d requires NO_SIGN: lv: a sign",
    ),
    "a sign of no known meaning": (
        LegalizeSign,
        op.sign,
        "LegalizeSign requires SIGN_IS_BINARY: the module's attribute b2nn.sign is None",
    ),
    "an operator of Relax": (
        CopyOutputs,
        op.nn.relu,
        "CopyOutputs requires KERNELS_ONLY: gv: a call of relax.nn.relu",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_a_requirement_is_reported_with_the_name_of_the_pass(case):
    make, body, expected = BROKEN[case]
    own = context()
    one, check = make(own), CheckInvariants([make(own)])
    before = module(body)
    with tvm.transform.PassContext(instruments=[check]):
        run((one,), before, own, name="stage")
    assert expected in check.broken


def test_a_pass_that_does_not_ensure_what_it_says_is_reported():
    @tvm.transform.module_pass(opt_level=0, name="Claims")
    class Claims(CompilerPass):
        ensures = (SCHEDULED,)

        def transform_module(self, module, _pass_context):
            return module

    own = context()
    kernel = tvm.te.create_prim_func([x := tvm.te.placeholder((4,)), tvm.topi.nn.relu(x)])
    check = CheckInvariants([Claims(own)])
    with tvm.transform.PassContext(instruments=[check]):
        run((Claims(own),), tvm.IRModule({"kernel": kernel}), own, name="stage")
    assert check.broken == ["Claims ensures SCHEDULED: kernel: it has no schedule"]
