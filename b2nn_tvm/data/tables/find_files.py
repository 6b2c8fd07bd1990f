"""The image file that a row of a table means: a path, a name, or a name without its ending."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from b2nn_tvm.data.image_files.decode_image import SUFFIXES
from b2nn_tvm.data.image_files.scan_classes import is_junk


class FileIndex:
    """The image files below a folder, by all that a table may call them."""

    def __init__(self, folder: Path) -> None:
        self._paths: dict[str, Path] = {}
        self._short: dict[str, Path] = {}
        times: Counter[str] = Counter()
        for place, folders, files in os.walk(folder):
            folders[:] = sorted(name for name in folders if not is_junk(name))
            for name in files:
                stem, suffix = os.path.splitext(name)
                if is_junk(name) or suffix.lower() not in SUFFIXES:
                    continue
                path = Path(place, name)
                inside = path.relative_to(folder).as_posix()
                self._paths |= {inside: path, os.path.splitext(inside)[0]: path}
                for short in (name, stem):
                    times[short] += 1
                    self._short[short] = path
        self._short = {short: path for short, path in self._short.items() if times[short] == 1}

    def find(self, text: str) -> Path | None:
        """The file that ``text`` names: its path from here, or where that is another one, its name if no other file has
        it; None where there is none.
        """
        text = text.strip().replace("\\", "/").removeprefix("./")
        return self._paths.get(text) or self._short.get(text.rsplit("/", 1)[-1])
