"""b2nn-env, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys

from click.testing import CliRunner

from b2nn_tvm.cli.main import main
from b2nn_tvm.targets.target import get
from b2nn_tvm.version import __version__
from tests.support.paths import ROOT


def test_lines_for_a_reader_and_json_for_a_program_say_the_same() -> None:
    text = CliRunner().invoke(main, ["env"])
    body = CliRunner().invoke(main, ["env", "--json"])
    assert (text.exit_code, body.exit_code) == (0, 0), text.output + body.output
    found = json.loads(body.stdout)
    assert (found["kind"], found["format_version"], found["version"]) == ("b2nn-environment", 1, __version__)
    assert found["vector"] == get("native").vector and found["target"] in found["runs"]
    rows = dict(line.split("  ", 1) for line in text.stdout.splitlines())
    assert rows["b2nn-tvm"].strip().startswith(__version__)
    assert found["device"]["cpu"] in rows["CPU"] and f"{found['device']['cpus']} CPUs" in rows["CPU"]
    assert all(name in text.stdout for name in found["runs"])


def test_it_needs_neither_torch_nor_tvm_which_may_be_what_is_broken() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'tvm', 'onnx', 'onnxruntime']))\n"
        "sys.argv = ['b2nn', 'env']; from b2nn_tvm.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("b2nn-tvm ")
