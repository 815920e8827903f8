"""The result: one line per question, with its goal beside it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

NONE = "-"
COLUMNS = ("what", "baseline", "bridge", "ratio", "goal", "reached")


def percentile(values: Iterable[float], percent: float) -> float:
    """Return the smallest value that so many percent do not exceed.

    >>> percentile([4, 1, 3, 2], 50), percentile(range(1, 101), 99)
    (2, 99)
    """
    ordered = sorted(values)
    if not ordered:
        return math.nan
    rank = math.ceil(len(ordered) * percent / 100)
    return ordered[max(0, rank - 1)]


def ratio(bridge: float, baseline: float) -> float | None:
    """Return how many times the baseline it is; None if that can't be said."""
    if not baseline or not math.isfinite(bridge) or not math.isfinite(baseline):
        return None
    return bridge / baseline


def median_ratio(
    bridge: Sequence[Sequence[float]],
    baseline: Sequence[Sequence[float]],
    percent: float,
) -> float | None:
    """Return the median of the rounds' own ratios.

    Both sides of a round are measured one after the other, so what else the machine
    does at that time falls on both.

    >>> median_ratio([[2], [9], [4]], [[1], [1], [1]], 50)
    4.0
    """
    found = [
        ratio(percentile(ours, percent), percentile(theirs, percent))
        for ours, theirs in zip(bridge, baseline, strict=True)
    ]
    known = [value for value in found if value is not None]
    return statistics.median(known) if known else None


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit for a number."""

    limit: float
    is_least: bool = False  # False: at most
    unit: str = ""  # "": the limit is for the ratio; else for the bridge's own value

    def __str__(self) -> str:
        sign = "≥" if self.is_least else "≤"
        return f"{sign} {self.limit:g}{' ' if self.unit else ''}{self.unit}"

    def is_met(self, value: float) -> bool:
        """Whether a number is on the right side; just at the limit is."""
        return value >= self.limit if self.is_least else value <= self.limit


def at_most(limit: float, unit: str = "") -> Goal:
    """Return an upper limit."""
    return Goal(limit, unit=unit)


def at_least(limit: float, unit: str = "") -> Goal:
    """Return a lower limit."""
    return Goal(limit, is_least=True, unit=unit)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result."""

    what: str
    baseline: str = NONE
    bridge: str = NONE
    ratio: float | None = None
    goal: Goal | None = None
    value: float | None = None  # what the goal is for, if that is not the ratio
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; None without a goal or a number."""
        measured = self.value if self.value is not None else self.ratio
        if self.goal is None or measured is None:
            return None
        return self.goal.is_met(measured)

    def cells(self) -> tuple[str, ...]:
        """Return the line's texts."""
        words = {True: "yes", False: "NO", None: NONE}
        return (
            self.what,
            self.baseline,
            self.bridge,
            NONE if self.ratio is None else f"{self.ratio:.3g}",
            NONE if self.goal is None else str(self.goal),
            words[self.reached] + (f" ({self.note})" if self.note else ""),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the line for ``--json``."""
        return {
            **dict(zip(COLUMNS, self.cells(), strict=True)),
            "ratio": self.ratio,
            "reached": self.reached,
            "note": self.note,
        }


def render(rows: Sequence[Row]) -> str:
    """Return the rows as a table of plain text.

    >>> print(render([Row("ack", "2 ms", "1 ms", 0.5, at_most(1.5))]))
    what | baseline | bridge | ratio | goal  | reached
    -----+----------+--------+-------+-------+--------
    ack  | 2 ms     | 1 ms   | 0.5   | ≤ 1.5 | yes
    """
    lines = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = [
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    texts.insert(1, "-+-".join("-" * width for width in widths))
    return "\n".join(text.rstrip() for text in texts)


def pooled(rounds: Iterable[Iterable[float]]) -> list[float]:
    """Return the values of all rounds together."""
    return [value for values in rounds for value in values]


def milliseconds(seconds: Iterable[float]) -> str:
    """Return ``p50 / p99 ms``; ``never`` for an ack that did not come.

    >>> milliseconds([0.001, 0.002, 0.003, math.inf])
    '2.00 / never ms'
    """
    known = list(seconds)
    texts = [_ms(percentile(known, percent)) for percent in (50, 99)]
    return f"{texts[0]} / {texts[1]} ms"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f}" if math.isfinite(seconds) else "never"
