"""The plugin that counts instructions: for both versions of QEMU's interface, without a warning."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess

import pytest

from b2nn_tvm.deploy.estimate.instruction_counts import PLUGIN
from b2nn_tvm.deploy.library.elf import read_elf

STRICT = ("-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", "-fvisibility=hidden")


@pytest.mark.parametrize("version", [1, 2])
def test_it_tells_qemu_which_version_of_the_interface_it_was_built_for(tmp_path, version):
    if not shutil.which("gcc"):
        pytest.skip("needs gcc; get it with: apt install gcc")
    library = tmp_path / "count_blocks.so"
    words = ["gcc", *STRICT, f"-DVERSION={version}", "-shared", "-fPIC", "-O2", str(PLUGIN), "-o", str(library)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert read_elf(library.read_bytes()).defined == {"qemu_plugin_version", "qemu_plugin_install"}
    plugin = ctypes.CDLL(str(library), mode=os.RTLD_LAZY)  # QEMU's own functions are not here, and not called
    assert ctypes.c_int.in_dll(plugin, "qemu_plugin_version").value == version
    nowhere = (ctypes.c_char_p * 2)(b"first=4096", b"end=8192")
    assert plugin.qemu_plugin_install(ctypes.c_uint64(0), None, 2, nowhere) == 1  # where should the counts go?
