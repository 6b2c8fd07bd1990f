"""Every byte of the library is in one part of the table, checked against binutils and against the compiler's own
figures.
"""

from __future__ import annotations

import shutil
import subprocess

import pytest

from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.elf import read_elf
from b2nn_tvm.deploy.library.library_files import LIBRARY
from tests.support.deploy.handmade import N


def binutils_sizes(path) -> dict[str, int]:
    """Bytes of a file's sections by kind, as readelf lists them."""
    done = subprocess.run(["readelf", "--wide", "--section-headers", path], check=True, capture_output=True, text=True)
    sizes = {"code": 0, "data": 0, "linking": 0}
    for line in done.stdout.splitlines():
        number, _, rest = line.strip().removeprefix("[").partition("]")
        if not number.strip().isdigit() or number.strip() == "0":
            continue
        _, kind, _, _, size, _, flags, *_ = [*rest.split(), "", "", "", "", "", ""]
        if kind == "NOBITS":
            continue
        loaded = kind in ("PROGBITS", "INIT_ARRAY", "FINI_ARRAY", "X86_64_UNWIND") and "A" in flags
        sizes["code" if "X" in flags else "data" if loaded else "linking"] += int(size, 16)
    return sizes


def test_the_sections_are_those_that_readelf_lists(net):
    if not shutil.which("readelf"):
        pytest.skip("needs readelf; get it with: apt install binutils")
    content = (net / LIBRARY).read_bytes()
    elf = read_elf(content)
    found = {"code": elf.code_bytes, "data": elf.data_bytes, "linking": elf.linking_bytes}
    assert found == binutils_sizes(net / LIBRARY)
    assert sum(found.values()) + elf.padding_bytes == len(content)
    assert 0 < elf.padding_bytes < len(content) / 2


def test_kernels_and_runtime_share_the_code(net, workshop):
    with load(net) as artifact:
        sizes = artifact.manifest.sizes
        elf = read_elf((net / LIBRARY).read_bytes())
        assert sizes.kernel_code == read_elf(workshop.kernels()).code_bytes > 0
        assert sizes.kernel_code + sizes.runtime_code == elf.code_bytes
        assert 1000 < sizes.runtime_code < 20_000
        assert sizes.tables == elf.data_bytes - 4 * N > 0
