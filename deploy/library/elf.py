"""What the builder wants to know of an ELF file: its machine, its symbols, where its bytes go."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

_MACHINES = {3: "i686", 40: "armv7l", 62: "x86_64", 183: "aarch64"}
_SYMTAB, _NOBITS, _DYNSYM = 2, 8, 11
_LOADED, _EXECUTABLE = 2, 4
_CONTENT = (1, 14, 15, 16, 0x70000001)  # PROGBITS, tables of initializers, unwinding on x86-64 and ARM


@dataclass(frozen=True)
class ElfFile:
    """``defined`` and ``undefined`` are names of global and weak symbols: the dynamic ones of a shared library.

    The file's bytes are those of executable sections, of other loaded content (constants, tables, unwinding), of what
    only linkers and loaders read (symbols, names, relocations), and of headers and padding between. ``glibc`` is the
    newest version of the C library that it asks for, empty where it asks for none.
    """

    arch: str
    defined: frozenset[str]
    undefined: frozenset[str]
    code_bytes: int
    data_bytes: int
    linking_bytes: int
    padding_bytes: int
    glibc: str


def read_elf(content: bytes) -> ElfFile:
    """Read a little-endian ELF object or shared library; ValueError where it is none."""
    wide, sections = _sections(content)
    machine = struct.unpack_from("<H", content, 18)[0]
    kind = _DYNSYM if any(section.kind == _DYNSYM for section in sections) else _SYMTAB
    defined, undefined, versions = set(), set(), set()
    for section in sections:
        if section.kind == kind:
            names = sections[section.link]
            strings = content[names.offset : names.offset + names.size]
            versions |= set(re.findall(rb"GLIBC_(\d+\.\d+)", strings))
            for name, where, _ in _symbols(content[section.offset : section.offset + section.size], strings, wide):
                (defined if where else undefined).add(name)
    in_file = [section for section in sections if section.kind != _NOBITS]
    code = sum(s.size for s in in_file if s.flags & _EXECUTABLE)
    data = sum(s.size for s in in_file if s.kind in _CONTENT and s.flags & _LOADED and not s.flags & _EXECUTABLE)
    total = sum(s.size for s in in_file)
    return ElfFile(
        arch=_MACHINES.get(machine, f"machine {machine}"),
        defined=frozenset(defined),
        undefined=frozenset(undefined - {""}),
        code_bytes=code,
        data_bytes=data,
        linking_bytes=total - code - data,
        padding_bytes=len(content) - total,
        glibc=max((v.decode() for v in versions), key=lambda text: tuple(map(int, text.split("."))), default=""),
    )


@dataclass(frozen=True)
class Symbol:
    """Where a symbol lies: its address (in an object file, the offset in its section) and the bytes of its section."""

    address: int
    section_bytes: int


def find_symbol(content: bytes, name: str) -> Symbol:
    """A symbol of an object file or program; LookupError where it is not defined there, ValueError as ``read_elf``."""
    wide, sections = _sections(content)
    for section in (section for section in sections if section.kind == _SYMTAB):
        names = sections[section.link]
        strings = content[names.offset : names.offset + names.size]
        for found, where, address in _symbols(content[section.offset : section.offset + section.size], strings, wide):
            if found == name and where:
                return Symbol(address, sections[where].size)
    raise LookupError(f"no symbol {name}")


def section_bytes(content: bytes, kind: int) -> bytes:
    """What the first section of this type (sh_type) holds; empty where there is none."""
    _, sections = _sections(content)
    found = next((section for section in sections if section.kind == kind), None)
    return content[found.offset : found.offset + found.size] if found else b""


@dataclass(frozen=True)
class _Section:
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


def _sections(content: bytes) -> tuple[bool, list[_Section]]:
    """Whether the file is one of 64 bits, and its sections."""
    if content[:4] != b"\x7fELF" or content[5] != 1:
        raise ValueError("not a little-endian ELF file")
    wide = content[4] == 2
    table = struct.unpack_from("<Q" if wide else "<I", content, 40 if wide else 32)[0]
    count = struct.unpack_from("<H", content, 60 if wide else 48)[0]
    layout, step = ("<IIQQQQIIQQ", 64) if wide else ("<IIIIIIIIII", 40)
    return wide, [_Section(*struct.unpack_from(layout, content, table + index * step)) for index in range(count)]


def _symbols(table: bytes, strings: bytes, wide: bool):
    """(name, section index, value) of each global and weak symbol; index 0 means undefined."""
    for entry in struct.iter_unpack("<IBBHQQ" if wide else "<IIIBBH", table):
        name, info, where, value = (
            (entry[0], entry[1], entry[3], entry[4]) if wide else (entry[0], entry[3], entry[5], entry[1])
        )
        if info >> 4 in (1, 2):
            yield strings[name : strings.index(b"\0", name)].decode(), where, value
