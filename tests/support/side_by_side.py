"""Which files of tests run in the same process, where several processes run tests side by side."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadFileScheduling

# What the files of these folders share takes long to make, such as a trained network: it is made once.
TOGETHER = ("tests/mixbin/selectors/", "tests/mixbin/training/", "tests/tracking/")


def group_of(nodeid: str) -> str:
    """What runs in one process together with this test: the tests of its file, or of its folder."""
    return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.partition("::")[0])


class FilesAndFolders(LoadFileScheduling):
    """The scheduling of ``--dist loadfile``, with folders that stay together."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def scheduler(config: pytest.Config, log: object) -> FilesAndFolders | None:
    """The scheduling of ``--dist loadfile``; None for any other, which then stays as it is."""
    return FilesAndFolders(config, log) if config.getvalue("dist") == "loadfile" else None
