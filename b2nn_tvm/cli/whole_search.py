"""How far a whole search is: "phase 3 of 8, about 6 min left".

A search reports the phases of its parts, such as building and measuring, which belong to several of its own phases.
What is left is predicted from what this search has taken so far: seconds per measured network, and seconds per epoch.
As long as one of the two is unknown, nothing is said of the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

# Each phase of a search with the reports that only it makes.
CHECK, MEASURE, TRAIN, SCORE = "check", "measure", "train", "score"
CHOOSE, FINETUNE, DELIVER, FRONT, COMPARE = "choose", "fine-tune", "deliver", "front", "compare"
REPORTS = {
    "check the images": CHECK,
    "train the float network": TRAIN,
    "score the layers": SCORE,
    "find the choice that keeps the budget": CHOOSE,
    "fine-tune the chosen network": FINETUNE,
    "export, compile and check the chosen network": DELIVER,
    "measure the front": FRONT,
    "fine-tune the front": FRONT,
    "measure random choices": COMPARE,
    "fine-tune the networks to compare with": COMPARE,
}
MEASURING = ("build networks to measure", "measure networks in turn", "measure their layers")
# An epoch of fine-tuning beside one of float training: the teacher answers too, and binary layers are emulated. The
# numbers of networks that are measured while choosing and delivering are usual ones.
FINETUNING, CHOSEN, DELIVERED = 1.6, 6, 3
SHORTEST_S = 2.0  # a phase that took less was read from disk, and says nothing of the time


@dataclass(frozen=True)
class Effort:
    """What a phase takes: so many networks are measured, and so many epochs of float training pass, or their like."""

    networks: float = 0.0
    epochs: float = 0.0


class WholeSearch:
    """Told of (phase, done, total) as a search goes on, it says which phase this is and about how much time is left."""

    def __init__(
        self,
        *,
        float_epochs: int,
        epochs: int,
        masks: int,
        scores: bool,
        front: int = 0,
        tuned_front: int = 0,
        compare: int = 0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``masks`` networks are measured beside the float and the all-binary one, and ``front`` more for fronts, of
        which ``tuned_front`` are fine-tuned; ``compare`` random choices are measured and fine-tuned.
        """
        tuned = FINETUNING * epochs
        phases = {CHECK: Effort(), MEASURE: Effort(networks=2 + masks)}
        if float_epochs:
            phases[TRAIN] = Effort(epochs=float_epochs)
        if scores:
            phases[SCORE] = Effort()  # short beside a training, but for methods that train
        phases |= {CHOOSE: Effort(networks=CHOSEN), FINETUNE: Effort(epochs=tuned), DELIVER: Effort(networks=DELIVERED)}
        if front:
            phases[FRONT] = Effort(networks=front, epochs=tuned * tuned_front)
        if compare:
            phases[COMPARE] = Effort(networks=compare, epochs=tuned * (compare + 1))
        self._phases, self._now = phases, now
        self._phase, self._begun = CHECK, now()
        self._took: dict[str, float] = {}
        self._share = 0.0

    def __call__(self, phase: str, done: int, total: int) -> str:
        found = REPORTS.get(phase, self._phase)
        if phase in MEASURING and self._phase == CHECK:
            found = MEASURE
        if found not in self._phases:
            found = self._phase
        if found != self._phase:
            self._took[self._phase] = self._now() - self._begun
            self._phase, self._begun = found, self._now()
        self._share = done / max(total, 1) if phase in REPORTS else 0.0
        number = list(self._phases).index(self._phase) + 1
        left = self._left_s()
        time_left = "" if left is None else f", about {_words(left)} left"
        return f"phase {number} of {len(self._phases)}{time_left}"

    def _left_s(self) -> float | None:
        """The seconds that this phase and those after it take; None where that is not known."""
        network, epoch = self._rate("networks"), self._rate("epochs")
        later = list(self._phases.values())[list(self._phases).index(self._phase) + 1 :]
        seconds = 0.0
        for effort in (self._phases[self._phase], *later):
            if (effort.networks and network is None) or (effort.epochs and epoch is None):
                return None
        for effort in later:
            seconds += effort.networks * (network or 0.0) + effort.epochs * (epoch or 0.0)
        mine = self._phases[self._phase]
        whole = mine.networks * (network or 0.0) + mine.epochs * (epoch or 0.0)
        return seconds + max(0.0, whole - (self._now() - self._begun))

    def _rate(self, unit: str) -> float | None:
        """Seconds per network or per epoch, from the phases that are done and the one that runs."""
        seconds = amount = 0.0
        for name, effort in self._phases.items():
            units = getattr(effort, unit)
            if not units or (effort.networks and effort.epochs):
                continue
            if name in self._took and self._took[name] >= SHORTEST_S:
                seconds, amount = seconds + self._took[name], amount + units
            elif name == self._phase and self._share > 0.05 and self._now() - self._begun >= SHORTEST_S:
                seconds, amount = seconds + self._now() - self._begun, amount + units * self._share
        return seconds / amount if amount else None


def _words(seconds: float) -> str:
    if seconds < 90:
        return f"{max(10, round(seconds / 10) * 10)} s"
    return f"{round(seconds / 60)} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
