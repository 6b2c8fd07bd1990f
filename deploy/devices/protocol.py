"""The version of the protocol on which client and board of b2nn-device must agree."""

from __future__ import annotations

PROTOCOL = 2  # grows with every change of the functions in deploy/server/functions.py
