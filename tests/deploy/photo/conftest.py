"""The parts of b2nn-run that read photos, and a network that takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.deploy import photo_network
from tests.support.deploy.photo_parts import Parts, load_parts


@pytest.fixture(scope="session")
def parts(workshop) -> Parts:
    return load_parts(workshop)


@pytest.fixture(scope="session")
def photo_net(workshop) -> Path:
    """A network of photos stretched to 40 x 50 pixels, whose classes are the three colors."""
    return photo_network.build(workshop, "photos", photo_network.preprocess((40, 50)))
