"""The plan of a round: everything that will happen, drawn from one seed beforehand.

A plan is plain JSON, so a failing round can be sent to a colleague and played again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

Database = Literal["sqlite", "postgres"]
Transport = Literal["socket", "http"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens.

    Attributes:
        at: Seconds since the round began in which a bridge was up: while none is,
            the plan's clock stands still.
        kind: A key of ``actors.ACTS``.
        args: What that takes.
    """

    at: float
    kind: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """A round: what it runs on, and its steps in order."""

    seed: int
    database: Database
    transport: Transport
    replicas: int
    scale: float  # a second of the bridge's own waiting takes so many real ones
    steps: tuple[Step, ...]
    mutant: str | None = None  # a fault that is planted in the bridges

    def count(self, *kinds: str) -> int:
        """Return how many steps are of these kinds."""
        return sum(step.kind in kinds for step in self.steps)

    def with_steps(self, steps: tuple[Step, ...]) -> Self:
        """Return the same round with other steps."""
        return replace(self, steps=steps)

    def to_json(self) -> str:
        """Return the plan as a text, one step a line."""
        head = asdict(self)
        steps = ",\n".join(json.dumps(step) for step in head.pop("steps"))
        return f'{json.dumps(head)[:-1]}, "steps": [\n{steps}\n]}}\n'

    @classmethod
    def from_json(cls, written: str) -> Self:
        """Read what ``to_json`` wrote."""
        body = json.loads(written)
        steps = tuple(Step(**step) for step in body.pop("steps"))
        return cls(**body, steps=steps)


def read_plan(path: Path) -> Plan:
    """Return the plan in a file."""
    return Plan.from_json(path.read_text("utf-8"))


def write_plan(plan: Plan, folder: Path) -> Path:
    """Keep the plan of a round that failed; return where."""
    path = folder / f"chaos-failed-{plan.seed}.json"
    path.write_text(plan.to_json(), "utf-8")
    return path.resolve()
