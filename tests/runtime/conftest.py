"""A network that takes photos, for b2nn-runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.errors import ToolchainError
from tests.support.deploy import photo_network
from tests.support.deploy.handmade import Workshop


@pytest.fixture(scope="session")
def photo_net(tmp_path_factory) -> Path:
    """A network of photos of which the middle is taken, whose classes are the three colors."""
    workshop = Workshop(tmp_path_factory.mktemp("runtime"))
    try:
        find_toolchain(workshop.target())
    except ToolchainError as error:
        pytest.skip(str(error))
    shorter = {"mode": "shorter", "height": 48, "width": 48}
    how = photo_network.preprocess((48, 48), resize=shorter, crop={"height": 40, "width": 45})
    return photo_network.build(workshop, "photos", how)
