"""Budgets: upper bounds on milliseconds, FLOPs or bytes, absolute or in percent of the float network's."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from b2nn_tvm.errors import InputError

Number = int | float | Fraction

UNITS = {
    "ms": {"us": Fraction(1, 1000), "ms": Fraction(1), "s": Fraction(1000)},
    "flops": {"flops": Fraction(1), "kflops": Fraction(10**3), "mflops": Fraction(10**6), "gflops": Fraction(10**9)},
    "bytes": {
        "b": Fraction(1),
        "bytes": Fraction(1),
        "kb": Fraction(10**3),
        "mb": Fraction(10**6),
        "gb": Fraction(10**9),
        "kib": Fraction(2**10),
        "mib": Fraction(2**20),
        "gib": Fraction(2**30),
    },
}
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
# Other words for units. They are not taken: a letter alone may mean 1000 or 1024.
_WORDS = {
    **dict.fromkeys(("sec", "second", "seconds"), "s"),
    **dict.fromkeys(("msec", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("usec", "microsecond", "microseconds"), "us"),
    **{f"{letter.lower()}flop": f"{letter}FLOPs" for letter in ("", "k", "M", "G")},
    **{letter.lower(): f"{letter}iB" for letter in "KMG"},
    "byte": "bytes",
}
_EXAMPLES = "12ms, 12ms@p90, 800us, 40%ms, 1.5MFLOPs, 40%flops, 300KiB or 40%bytes"


class Cost(Protocol):
    """The properties of a cost model from which a budget takes its bound."""

    @property
    def unit(self) -> str: ...
    @property
    def full(self) -> Number: ...


@dataclass(frozen=True)
class Budget:
    """An upper bound on a cost; ``value`` is in ``unit`` ("ms", "flops", "bytes"), or in percent of the float network's
    cost.

    ``quantile`` is the share of the observed times, 0.5, 0.9 or 0.99, that have to be within a bound in milliseconds;
    None bounds the time that the network needs when nothing disturbs it. ``words`` is the budget as its user wrote it,
    if somebody did: messages repeat it. Raises InputError for another quantile, and
    for a quantile of anything but milliseconds.
    """

    value: Number
    unit: str
    relative: bool = False
    quantile: float | None = None
    words: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.quantile is None:
            return
        if self.unit != "ms":
            raise InputError(
                f"a quantile is of observed times, so it needs a budget in milliseconds such as 12ms@p90, not one in"
                f" {self.unit}"
            )
        if self.quantile not in QUANTILES.values():
            raise InputError(
                f"a budget's quantile is one of {', '.join(f'@{word}' for word in QUANTILES)}, not {self.quantile}"
            )

    def limit(self, cost: Cost) -> Number:
        """The bound in the cost's own unit; raises InputError where the units differ."""
        if cost.unit != self.unit:
            raise InputError(f"the budget {self} is in {self.unit}, but the cost model counts {cost.unit}")
        return Fraction(self.value) / 100 * Fraction(cost.full) if self.relative else self.value

    def __str__(self) -> str:
        if self.words:
            return self.words
        quantile = "" if self.quantile is None else f"@{quantile_word(self.quantile)}"
        return f"{float(self.value):.10g}{'%' * self.relative}{self.unit}{quantile}"


def quantile_word(quantile: float) -> str:
    """The word for a quantile of observed times, such as "p90" for 0.9."""
    return next(word for word, share in QUANTILES.items() if share == quantile)


def parse_budget(text: str) -> Budget:
    """The budget in a text such as "12ms", "12ms@p90", "40%flops" or "300KiB".

    Raises InputError, which lists the units, where the text is not a positive number with a unit, and for a quantile
    that is none or not of milliseconds.
    """
    if "," in str(text):
        raise InputError(
            f"budget {text!r}: expected one budget without a comma, such as {_EXAMPLES}; give several ones one by"
            " one, and decimals with a point"
        )
    plain = unicodedata.normalize("NFKC", str(text)).lower().replace("\N{GREEK SMALL LETTER MU}", "u")
    match = re.fullmatch(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*(%?)\s*([a-z]*)\s*(@\S*)?\s*", plain)
    if not match:
        raise InputError(f"budget {text!r}: expected a positive number and a unit, such as {_EXAMPLES}")
    number, percent, word = Fraction(match[1]), bool(match[2]), match[3]
    if not word:
        raise InputError(f"budget {text!r} has no unit; write it as {_EXAMPLES}")
    if number == 0:
        raise InputError(f"budget {text!r}: expected a number above zero, such as {_EXAMPLES}")
    words = "".join(str(text).split())
    quantile = None
    if match[4]:
        quantile = QUANTILES.get(match[4][1:])
        if quantile is None:
            raise InputError(
                f"budget {text!r}: unknown quantile {match[4]!r}; write one of"
                f" {', '.join(f'@{each}' for each in QUANTILES)} behind milliseconds, such as 12ms@p90"
            )
    if percent:
        if word not in UNITS:
            raise InputError(f"budget {text!r}: a percentage is of one of {', '.join(UNITS)}; {word!r} is none of them")
        if number > 100:
            raise InputError(f"budget {text!r}: more than the float network needs; give at most 100 percent of it")
        return Budget(number, word, relative=True, quantile=quantile, words=words)
    for unit, factors in UNITS.items():
        if word in factors:
            return Budget(number * factors[word], unit, quantile=quantile, words=words)
    if word == "fps":
        raise InputError(f"budget {text!r}: give the time of one frame, which is {1000 / float(number):.4g}ms")
    if word in _WORDS:
        raise InputError(f"budget {text!r}: unknown unit {word!r}; did you mean {match[1]}{_WORDS[word]}?")
    known = ", ".join(name for factors in UNITS.values() for name in factors)
    raise InputError(
        f"budget {text!r}: unknown unit {word!r}; the units are {known}, or a percentage of {', '.join(UNITS)}"
    )
