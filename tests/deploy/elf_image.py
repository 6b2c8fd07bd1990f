"""What the loader reads of an ELF file: segments and names."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

LOAD, DYNAMIC, GNU_STACK = 1, 2, 0x6474E551
EXECUTABLE, WRITABLE = 1, 2
NEEDED, SONAME, STRTAB = 1, 14, 5


@dataclass(frozen=True)
class Segment:
    """A part of a library or program as it lies in the file and in memory, of ``bytes`` there."""

    kind: int
    flags: int
    offset: int
    address: int
    file_bytes: int
    bytes: int
    alignment: int


@dataclass(frozen=True)
class Image:
    """What the loader reads: the segments and some names."""

    segments: tuple[Segment, ...]
    needed: frozenset[str]
    soname: str

    @property
    def loaded(self) -> tuple[Segment, ...]:
        return tuple(segment for segment in self.segments if segment.kind == LOAD)

    @property
    def executable_stack(self) -> bool:
        return any(segment.kind == GNU_STACK and segment.flags & EXECUTABLE for segment in self.segments)


def read_image(path: Path) -> Image:
    content = path.read_bytes()
    wide = content[4] == 2
    table = struct.unpack_from("<Q" if wide else "<I", content, 32 if wide else 28)[0]
    size, count = struct.unpack_from("<HH", content, 54 if wide else 42)
    rows = [
        struct.unpack_from("<IIQQQQQQ" if wide else "<IIIIIIII", content, table + size * index)
        for index in range(count)
    ]
    # kind, flags, offset, address, _, file_bytes, bytes, alignment; with 32 bits, flags are the last but one
    rows = rows if wide else [(row[0], row[6], *row[1:6], row[7]) for row in rows]
    segments = tuple(Segment(*row[:4], *row[5:]) for row in rows)
    (dynamic,) = [segment for segment in segments if segment.kind == DYNAMIC]
    entries = content[dynamic.offset : dynamic.offset + dynamic.file_bytes]
    entries = list(struct.iter_unpack("<qQ" if wide else "<iI", entries))
    strings = next(value for tag, value in entries if tag == STRTAB)
    holder = next(s for s in segments if s.kind == LOAD and s.address <= strings < s.address + s.file_bytes)
    offset = strings - holder.address + holder.offset
    text = lambda at: content[offset + at : content.index(b"\0", offset + at)].decode()
    return Image(
        segments=segments,
        needed=frozenset(text(value) for tag, value in entries if tag == NEEDED),
        soname=next((text(value) for tag, value in entries if tag == SONAME), ""),
    )
