"""Static programs hold their network and start without any loader, here and on emulated ARM systems."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import numpy as np
import pytest

from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.latency.measure import measure
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.library_files import LIBRARY, RUNNER
from b2nn_tvm.deploy.library.static_program import is_static, link_static, static_toolchain
from b2nn_tvm.deploy.library.toolchain import Toolchain
from b2nn_tvm.errors import ToolchainError
from tests.support.deploy.handmade import expected

pytestmark = pytest.mark.usefixtures("short_measurements")


def test_the_program_alone_computes(static_net, net, tmp_path, x):
    assert is_static(static_net / RUNNER) and not is_static(net / RUNNER)
    alone = tmp_path / "alone"  # without the library beside it
    alone.write_bytes((static_net / RUNNER).read_bytes())
    alone.chmod(0o755)
    x.tofile(tmp_path / "in")
    words = ["--input", "in", "--output", "out", "--output", "tasks", "--threads", "2"]
    subprocess.run([alone, *words], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(np.fromfile(tmp_path / "out", "float32"), (expected(x) + 1)[0])
    refused = subprocess.run([alone, static_net / LIBRARY], capture_output=True, text=True, check=False)
    assert refused.returncode == 1 and "this program is static" in refused.stderr


def test_it_is_measured_as_others_are(static_net):
    assert measure(load(static_net), runs=3, precision=0.5).runs >= 3


@pytest.mark.parametrize(
    ("target", "cpu"), [("arm", "cortex-a53"), pytest.param("armv7", "cortex-a7", marks=pytest.mark.sweep)]
)
def test_it_runs_on_arm(workshop, arm_board, x, target, cpu):
    try:
        folder = workshop.build("shift_one", "shift_seven_tasks", name=f"static-{target}", target=target, static=True)
    except ToolchainError as error:
        pytest.skip(str(error))
    assert is_static(folder / RUNNER)
    with open_device(f"emulator:{cpu}") as device:
        outputs = device.run(load(folder), {"input": x}, threads=3)
    np.testing.assert_array_equal(outputs["output"], expected(x) + 1)
    assert int(outputs["tasks"]) == 3


@pytest.mark.parametrize(
    ("gnu", "musl"),
    [
        ("aarch64-linux-gnu.2.28", "aarch64-linux-musl"),
        ("arm-linux-gnueabihf.2.28", "arm-linux-musleabihf"),
        ("x86_64-linux-gnu", "x86_64-linux-musl"),
        ("/usr/bin/aarch64-linux-gnu-gcc", "/usr/bin/aarch64-linux-gnu-gcc"),
    ],
)
def test_zig_links_with_musl_and_others_with_what_they_have(gnu, musl):
    chain = Toolchain(("zig", "cc", "-target", gnu), "zig 1")
    assert static_toolchain(chain) == replace(chain, command=("zig", "cc", "-target", musl))


def test_a_compiler_without_the_archive_says_what_to_get(tmp_path):
    broken = Toolchain(("sh", "-c", "echo 'ld: cannot find -lc' >&2; exit 1"), "broken")
    with pytest.raises(ToolchainError, match=r"cannot find -lc; .*; a static program needs .* ziglang .* libc6-dev"):
        link_static(broken, [], folder=tmp_path, output="x")


def test_a_script_is_no_static_program(tmp_path):
    (tmp_path / "script").write_text("#!/bin/sh\n")
    assert not is_static(tmp_path / "script")
