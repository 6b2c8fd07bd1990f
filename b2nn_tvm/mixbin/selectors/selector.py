"""The interface of all selectors."""

from __future__ import annotations

from typing import Protocol

from b2nn_tvm.mixbin.sensitivity import Sensitivity
from b2nn_tvm.mixbin.subject import Subject


class Selector(Protocol):
    """Scores the layers of a subject, the lowest to be binarized first; a frozen dataclass whose fields are options."""

    @property
    def name(self) -> str:
        """The word for it in the registry."""

    def score(self, subject: Subject) -> Sensitivity:
        """One finite score per layer of the subject; raises InputError where the subject lacks what it needs."""
