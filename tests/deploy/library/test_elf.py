"""What is no ELF file or a damaged one is refused with ValueError, whatever byte of it is wrong."""

from __future__ import annotations

import platform

import pytest

from b2nn_tvm.deploy.library.elf import Symbol, find_symbol, is_hard_float, read_elf

READERS = [read_elf, is_hard_float, lambda content: find_symbol(content, "scale")]


@pytest.fixture(scope="module")
def kernels(workshop) -> bytes:
    return workshop.kernels()


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"MZ" + bytes(100), b"\x7fELF\x02\x02" + bytes(100)])
def test_other_files_are_refused(read, content):
    """Among them a file of four bytes, and one of a big-endian machine."""
    with pytest.raises(ValueError, match="^not a little-endian ELF file$"):
        read(content)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("length", [6, 16, 63, 64, 1000, -64, -1])
def test_a_file_that_is_cut_short_is_refused(kernels, read, length):
    """Compilers put the table of sections last, so whoever reads it misses the end of the file."""
    with pytest.raises(ValueError, match="^a damaged ELF file: "):
        read(kernels[:length])


@pytest.mark.parametrize("value", [0x00, 0x7F, 0xFF])
def test_a_wrong_byte_in_the_header_raises_nothing_but_a_valueerror(kernels, value):
    refused = 0
    for place in range(64):
        try:
            read_elf(kernels[:place] + bytes([value]) + kernels[place + 1 :])
        except ValueError:
            refused += 1
    assert refused >= 6  # the four of "\x7fELF", the width of a word and the order of bytes


def test_a_symbol_is_found_where_it_is_defined(kernels):
    found = find_symbol(kernels, "scale")
    assert isinstance(found, Symbol)
    assert 0 <= found.address < found.section_bytes
    for name in ("memcpy", "no_such_name"):  # the first one is used there, but not defined
        with pytest.raises(LookupError, match=f"^no symbol {name}$"):
            find_symbol(kernels, name)


@pytest.mark.parametrize(("target", "hard"), [("native", False), ("arm", False), ("armv7", True)])
def test_only_arm_objects_of_32_bits_tell_how_they_pass_floats(workshop, target, hard):
    assert is_hard_float(workshop.kernels(target=target)) is hard


def test_elf_files_are_read(workshop):
    elf = read_elf(workshop.kernels())
    assert elf.arch == platform.machine()
    assert {"scale", "shift_one", "__TVMBackendParallelLaunch"} <= elf.defined
    assert "memcpy" in elf.undefined
    assert elf.glibc == ""
    with pytest.raises(ValueError, match="not a little-endian ELF file"):
        read_elf(b"MZ" + bytes(100))
