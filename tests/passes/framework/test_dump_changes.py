"""--dump-ir: what a pass changed is written, numbered by the place of the pass, and nothing else in the folder is
lost.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tvm
from tvm.relax import op

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.errors import InputError
from b2nn_tvm.passes.binary.legalize_sign import LegalizeSign
from b2nn_tvm.passes.canonicalize.align_constants import AlignConstants
from b2nn_tvm.passes.canonicalize.canonicalize_sign import CanonicalizeSign
from b2nn_tvm.passes.canonicalize.fold_constants import FoldConstants
from b2nn_tvm.passes.framework.dump_changes import DumpChanges, prepare_dump_folder, with_instrument
from b2nn_tvm.passes.pipeline import after_scheduling, before_scheduling, run
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import NETWORKS
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import const, module


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_module_before_and_behind_what_changed_it(tmp_path):
    own = context()
    passes = (AlignConstants(own), FoldConstants(own), CanonicalizeSign(own), LegalizeSign(own))
    before = module(lambda x: op.nn.relu(op.sign(op.add(x, op.negative(const([[[[1.0]]]]))))))
    dump = DumpChanges(prepare_dump_folder(tmp_path / "new" / "ir"))
    with with_instrument(dump):
        run(passes, before, own, name="stage")
    folder = tmp_path / "new" / "ir"
    assert names(folder) == [
        f"{number}-{name}-{when}.py"
        for number, name in (("002", "FoldConstants"), ("003", "CanonicalizeSign"), ("004", "LegalizeSign"))
        for when in ("after", "before")
    ]
    assert (folder / "002-FoldConstants-before.py").read_text() == before.script() + "\n"
    assert "R.negative" not in (folder / "002-FoldConstants-after.py").read_text()
    assert "R.sign" in (folder / "004-LegalizeSign-before.py").read_text()
    assert "R.sign" not in (folder / "004-LegalizeSign-after.py").read_text()


def test_other_instruments_and_settings_stay_in_force(tmp_path):
    timing = tvm.ir.instrument.PassTimingInstrument()
    outer = tvm.transform.PassContext(instruments=[timing], disabled_pass=["FoldConstants"], opt_level=1)
    with outer, with_instrument(DumpChanges(tmp_path)) as inner:
        assert inner.instruments[0].same_as(timing)
        assert (list(inner.disabled_pass), inner.opt_level) == (["FoldConstants"], 1)


def test_a_compilation_is_numbered_like_the_pipeline(tmp_path):
    """In the order of the passes, those over scheduled functions last; a second dump takes the place of the first."""
    path = save(tmp_path, NETWORKS["residual"].build())
    folder = tmp_path / "ir"
    folder.mkdir()
    (folder / "999-OfAnEarlierRun-after.py").touch()
    compile_model(path, target="arm", output=tmp_path / "library", dump_ir=folder)
    pipeline = [one.info.name for one in (*before_scheduling(context()), *after_scheduling(context()))]
    found = [re.fullmatch(r"(\d{3})-(\w+)-(after|before)\.py", name).groups() for name in names(folder)]
    assert all(pipeline[int(number) - 1] == name for number, name, _ in found)
    assert {when for *_, when in found} == {"after", "before"} and len(found) % 2 == 0
    assert {"ConvertLayout", "LowerConv2d", "FuseTIR", "FusePad", "ZeroBorders"} <= {name for _, name, _ in found}
    assert "MergePad" not in {name for _, name, _ in found}
    assert "T.prim_func" in (folder / f"{len(pipeline):03d}-ZeroBorders-after.py").read_text()


@pytest.mark.parametrize("name", ["notes.txt", "012-FoldThreshold.py", "before.py"])
def test_a_folder_with_other_files_is_refused_and_stays_as_it_is(tmp_path, name):
    for present in (name, "012-FoldThreshold-before.py"):
        (tmp_path / present).touch()
    with pytest.raises(InputError, match=f"--dump-ir takes a new folder, an empty one or an earlier dump, .* {name}"):
        prepare_dump_folder(tmp_path)
    assert names(tmp_path) == sorted([name, "012-FoldThreshold-before.py"])


def test_a_file_is_refused(tmp_path):
    (tmp_path / "ir").touch()
    with pytest.raises(InputError, match="takes a folder, and .* is a file"):
        prepare_dump_folder(tmp_path / "ir")


def test_what_a_pass_calls_inside_belongs_to_it(tmp_path):
    """FoldConstants has Relax fold a function of its own."""
    own, before = context(), module(lambda x: op.add(x, op.exp(const(0))))
    with with_instrument(DumpChanges(tmp_path)):
        run((FoldConstants(own),), before, own, name="stage")
    assert names(tmp_path) == ["001-FoldConstants-after.py", "001-FoldConstants-before.py"]
