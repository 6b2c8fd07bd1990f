"""The facts of an ELF file for the builder: its machine, its symbols, where its bytes go, and how it passes floats."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from elftools.common.exceptions import ELFError
from elftools.construct.lib.container import Container
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_E_MACHINE
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import ARMAttributesSection, Section, SymbolTableSection
from elftools.elf.segments import InterpSegment

_ARCHES = {"EM_386": "i686", "EM_ARM": "armv7l", "EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}
# The types of sections with data: constants, tables of initializers, and unwinding on ARM and x86-64.
_CONTENT = {
    "SHT_PROGBITS",
    "SHT_PREINIT_ARRAY",
    "SHT_INIT_ARRAY",
    "SHT_FINI_ARRAY",
    "SHT_ARM_EXIDX",
    "SHT_AMD64_UNWIND",
}


@dataclass(frozen=True)
class Home:
    """The section of a symbol: its index in the file and its size."""

    index: int
    size_bytes: int


@dataclass(frozen=True)
class ElfFile:
    """The machine, the symbols and the sizes of an ELF file.

    ``defined`` and ``undefined`` are names of global and weak symbols; in a shared library, of its dynamic symbols.
    ``homes`` are the sections of the defined symbols that stand in one. The bytes of the file add up from executable
    sections (``code_bytes``), other loaded content such as constants, tables and unwinding (``data_bytes``), content
    that only linkers and loaders read such as symbols, names and relocations (``linking_bytes``), and headers and the
    gaps between sections (``padding_bytes``). ``glibc`` is the newest version of the GNU C library that the file asks
    for, empty where it asks for none. ``loader`` is the program that loads this one, empty for a static program and for
    all that is no program.
    """

    arch: str
    defined: frozenset[str]
    undefined: frozenset[str]
    code_bytes: int
    data_bytes: int
    linking_bytes: int
    padding_bytes: int
    glibc: str
    loader: str
    homes: Mapping[str, Home]


def read_elf(content: bytes | BinaryIO) -> ElfFile:
    """Read a little-endian ELF object or shared library, given as its content or as an open file.

    Raises ValueError where it is none, or is damaged.
    """
    with _opened(content) as elf:
        sections = list(elf.iter_sections())
        kind = "SHT_DYNSYM" if any(section["sh_type"] == "SHT_DYNSYM" for section in sections) else "SHT_SYMTAB"
        symbols = list(_symbols(sections, kind))
        in_file = [section.header for section in sections if section["sh_type"] != "SHT_NOBITS"]
        code_bytes = sum(each.sh_size for each in in_file if each.sh_flags & SH_FLAGS.SHF_EXECINSTR)
        data_bytes = sum(each.sh_size for each in in_file if _is_data(each))
        total = sum(each.sh_size for each in in_file)
        machine = elf["e_machine"]
        return ElfFile(
            arch=_ARCHES.get(machine, f"machine {ENUM_E_MACHINE.get(machine, machine)}"),
            defined=frozenset(name for name, where, _ in symbols if where != "SHN_UNDEF"),
            undefined=frozenset(name for name, where, _ in symbols if where == "SHN_UNDEF" and name),
            code_bytes=code_bytes,
            data_bytes=data_bytes,
            linking_bytes=total - code_bytes - data_bytes,
            padding_bytes=elf.stream_len - total,
            glibc=_newest_glibc(sections),
            loader=next(
                (each.get_interp_name() for each in elf.iter_segments() if isinstance(each, InterpSegment)), ""
            ),
            homes={
                name: Home(where, sections[where]["sh_size"])
                for name, where, _ in symbols
                if isinstance(where, int) and where < len(sections)
            },
        )


@lru_cache(maxsize=1024)
def shared_elf(content: bytes) -> ElfFile:
    """``read_elf`` of a file that goes into many libraries: the kernels, of some 10 KiB each, and the runner."""
    return read_elf(content)


def is_hard_float(content: bytes) -> bool:
    """Whether a 32-bit ARM object says that it passes floats in the FPU's registers, not in integer ones (soft float).

    The linker joins both kinds without a word, and the board's loader then calls the library a file that does not
    exist. The attribute Tag_ABI_VFP_args of the object tells; an object without attributes passes soft floats. Raises
    ValueError as ``read_elf`` does. Source: Arm, "Addenda to, and Errata in, the ABI for the Arm Architecture", 3.3.
    """
    with _opened(content) as elf:
        attributes = next((each for each in elf.iter_sections() if isinstance(each, ARMAttributesSection)), None)
        # The properties are lists: pyelftools' iterators share one position in the file and cannot be nested.
        for vendor in attributes.subsections if attributes else ():
            for part in vendor.subsubsections if vendor["vendor_name"] == "aeabi" else ():
                if part.header.tag == "TAG_FILE":
                    return any(each.value == 1 for each in part.iter_attributes("TAG_ABI_VFP_ARGS"))
    return False


@dataclass(frozen=True)
class Symbol:
    """The place of a symbol: its address (in an object file, its offset in its section) and the size of its section."""

    address: int
    section_bytes: int


def find_symbol(content: bytes, name: str) -> Symbol:
    """The symbol ``name`` of an object file or program.

    Raises LookupError where the symbol is not defined there, ValueError as ``read_elf`` does.
    """
    with _opened(content) as elf:
        for found, where, address in _symbols(list(elf.iter_sections()), "SHT_SYMTAB"):
            if found == name and isinstance(where, int):
                return Symbol(address, elf.get_section(where)["sh_size"])
    raise LookupError(f"no symbol {name}")


@contextmanager
def _opened(content: bytes | BinaryIO) -> Iterator[ELFFile]:
    """The file as pyelftools opens it; raises ValueError in place of the errors of pyelftools."""
    stream = io.BytesIO(content) if isinstance(content, bytes) else content
    stream.seek(0)
    head = stream.read(6)
    if head[:4] != b"\x7fELF" or head[5:] != b"\x01":
        raise ValueError("not a little-endian ELF file")
    try:
        yield ELFFile(stream)
    except (ELFError, OverflowError) as error:  # OverflowError: an offset beyond any file
        raise ValueError(f"a damaged ELF file: {error}") from None


def _is_data(header: Container) -> bool:
    loaded, executable = header.sh_flags & SH_FLAGS.SHF_ALLOC, header.sh_flags & SH_FLAGS.SHF_EXECINSTR
    return bool(loaded and not executable and header.sh_type in _CONTENT)


def _symbols(sections: list[Section], kind: str) -> Iterator[tuple[str, int | str, int]]:
    """(name, section index or SHN_ name, value) of each global and weak symbol in the tables of this kind."""
    for table in sections:
        if isinstance(table, SymbolTableSection) and table["sh_type"] == kind:
            for symbol in table.iter_symbols():
                if symbol["st_info"]["bind"] in ("STB_GLOBAL", "STB_WEAK"):
                    yield symbol.name, symbol["st_shndx"], symbol["st_value"]


def _newest_glibc(sections: list[Section]) -> str:
    needed = (section for section in sections if isinstance(section, GNUVerNeedSection))
    names = [version.name for section in needed for _, versions in section.iter_versions() for version in versions]
    found = [match[1] for name in names if (match := re.match(r"GLIBC_(\d+\.\d+)", name))]
    return max(found, key=lambda text: tuple(map(int, text.split("."))), default="")
