"""What the loader reads of an ELF file: segments and names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elftools.elf.constants import P_FLAGS
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

EXECUTABLE, WRITABLE = P_FLAGS.PF_X, P_FLAGS.PF_W


@dataclass(frozen=True)
class Segment:
    """A part of a library or program as it lies in the file and in memory, of ``bytes`` there."""

    kind: str
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
        return tuple(segment for segment in self.segments if segment.kind == "PT_LOAD")

    @property
    def executable_stack(self) -> bool:
        return any(segment.kind == "PT_GNU_STACK" and segment.flags & EXECUTABLE for segment in self.segments)


def read_image(path: Path) -> Image:
    with path.open("rb") as file:
        segments = list(ELFFile(file).iter_segments())
        (dynamic,) = [segment for segment in segments if isinstance(segment, DynamicSegment)]
        return Image(
            segments=tuple(_segment(segment.header) for segment in segments),
            needed=frozenset(tag.needed for tag in dynamic.iter_tags("DT_NEEDED")),
            soname=next((tag.soname for tag in dynamic.iter_tags("DT_SONAME")), ""),
        )


def _segment(header) -> Segment:
    return Segment(
        kind=header.p_type,
        flags=header.p_flags,
        offset=header.p_offset,
        address=header.p_vaddr,
        file_bytes=header.p_filesz,
        bytes=header.p_memsz,
        alignment=header.p_align,
    )
