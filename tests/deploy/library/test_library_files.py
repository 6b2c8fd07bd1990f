"""What is agreed on between a library and its readers."""

from __future__ import annotations

from b2nn_tvm.deploy.library.library_files import ABI_VERSION, HEADER, LEVEL_VARIABLE
from b2nn_tvm.deploy.library.write_sources import RUNTIME


def test_python_and_header_agree_on_the_version():
    assert f"#define B2NN_ABI_VERSION {ABI_VERSION}\n" in (RUNTIME / HEADER).read_text()


def test_the_runtime_reads_the_variable_for_the_level():
    assert f'"{LEVEL_VARIABLE}"' in (RUNTIME / "level.c").read_text()
