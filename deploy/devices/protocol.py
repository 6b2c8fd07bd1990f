"""What client and board of b2nn-device must agree on."""

from __future__ import annotations

PROTOCOL = 1  # grows with every change of these functions
