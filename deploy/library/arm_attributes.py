"""How a 32-bit ARM object passes floats: in integer registers (soft float), or in those of the FPU (hard float).

The linker joins both kinds without a word, and the board's loader then calls the library a file that does not exist.
"""

from __future__ import annotations

from b2nn_tvm.deploy.library.elf import section_bytes

_ATTRIBUTES = 0x70000003  # SHT_ARM_ATTRIBUTES
_FILE, _VFP_ARGS, _COMPATIBILITY = 1, 28, 32


def is_hard_float(content: bytes) -> bool:
    """Whether an object says that it passes floats in the FPU's registers: Tag_ABI_VFP_args of its build attributes.

    Source: Arm, "Addenda to, and Errata in, the ABI for the Arm Architecture", 3.3.
    """
    table = section_bytes(content, _ATTRIBUTES)
    at = 1  # behind the format's version, "A"
    while at + 4 <= len(table):
        end = at + int.from_bytes(table[at : at + 4], "little")
        vendor_end = table.index(b"\0", at + 4)
        if table[at + 4 : vendor_end] == b"aeabi" and table[vendor_end + 1] == _FILE:
            return _attributes(table[vendor_end + 6 : end]).get(_VFP_ARGS) == 1
        at = max(end, at + 4)
    return False


def _attributes(table: bytes) -> dict[int, int]:
    """The numeric attributes by tag. Tags 4 and 5 hold text, above 32 the odd ones do; 32 holds a number and text."""
    found: dict[int, int] = {}
    at = 0
    while at < len(table):
        tag, at = _number(table, at)
        is_text = tag in (4, 5) or tag > _COMPATIBILITY and tag % 2
        if not is_text:
            found[tag], at = _number(table, at)
        if is_text or tag == _COMPATIBILITY:
            at = table.index(b"\0", at) + 1
    return found


def _number(table: bytes, at: int) -> tuple[int, int]:
    """A number in ULEB128 and the place behind it."""
    value = shift = 0
    while True:
        byte = table[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
