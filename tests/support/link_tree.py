"""build/tree: the package as it is installed, made of links, for tools that follow imports by folder.

    build/tree/b2nn_tvm/plan.py  ->  b2nn_tvm/plan.py        build/tree/b2nn_tvm/deploy  ->  deploy

mypy, import-linter, mkdocstrings and editors look for ``b2nn_tvm.deploy`` below the folder ``b2nn_tvm``; in a checkout
it stands beside it. Links to whole folders show new files at once; a new entry at the top needs this script again.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.support.paths import ROOT

TREE = ROOT / "build" / "tree"
BESIDE = ("schedules", "targets", "deploy")  # the packages whose folders stand beside b2nn_tvm


def link_tree(tree: Path = TREE) -> Path:
    """Make the folder ``tree`` anew, complete before it takes the place of an old one, and return it."""
    fresh = tree.with_name(f"{tree.name}.{os.getpid()}")
    package = fresh / "b2nn_tvm"
    package.mkdir(parents=True)
    entries = {path.name: path for path in (ROOT / "b2nn_tvm").iterdir() if path.name != "__pycache__"}
    entries |= {name: ROOT / name for name in BESIDE}
    for name, path in entries.items():
        (package / name).symlink_to(path)
    shutil.rmtree(tree, ignore_errors=True)
    fresh.rename(tree)
    return tree


if __name__ == "__main__":
    print(link_tree())
