"""One round: a fresh world, a plan, a verdict."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos.actors import act
from chaos.evidence import Evidence
from chaos.plan import Plan, Step
from chaos.promises import Violation
from chaos.referee import judge
from chaos.stage import Stage
from chaos.witness import collect, outputs, wait_for_rest
from chaos.words import says_queued


@dataclass(slots=True)
class Verdict:
    """What came of a round, or of several."""

    violations: list[Violation] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    slowest_ack: float = 0.0  # seconds, of those that nothing disturbed
    seconds: float = 0.0
    output: str = ""  # of the bridges, when something is wrong

    def add(self, other: Verdict) -> None:
        """Count another round."""
        self.violations += other.violations
        self.figures += other.figures
        self.statuses += other.statuses
        self.slowest_ack = max(self.slowest_ack, other.slowest_ack)
        self.seconds += other.seconds


def play(plan: Plan, database_url: str | None = None) -> Verdict:
    """Play a plan in a fresh world and judge it."""
    began_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos") as folder:
        evidence, output = _witness(Path(folder), plan, database_url)
    calm = [asked.seconds for asked in evidence.asked if asked.is_undisturbed]
    violations = judge(evidence)
    return Verdict(
        violations,
        _figures(evidence),
        Counter(row.status for row in evidence.rows),
        slowest_ack=max(calm, default=0.0),
        seconds=time.monotonic() - began_at,
        output=output if violations else "",
    )


def _witness(
    folder: Path, plan: Plan, database_url: str | None
) -> tuple[Evidence, str]:
    with Stage(folder, plan, database_url) as stage:
        rested = _until_rest(stage, [s for s in plan.steps if s.kind != "press"])
        # Nobody is asked anything before the search has ended.
        rested &= _until_rest(stage, [s for s in plan.steps if s.kind == "press"])
        return collect(stage, rested), outputs(stage)


def _until_rest(stage: Stage, steps: Sequence[Step]) -> bool:
    stage.play(steps, lambda kind, args: act(stage, kind, args))
    stage.heal()
    stage.wait_until_up(everybody=True)
    return wait_for_rest(stage)


def _figures(evidence: Evidence) -> Counter[str]:
    queued = sum(says_queued(asked.ack) for asked in evidence.asked)
    silent = sum(asked.ack is None for asked in evidence.asked)
    figures = Counter(evidence.figures)
    figures["commands"] = len(evidence.asked)
    figures["acked queued"] = queued
    figures["refused"] = len(evidence.asked) - queued - silent
    figures["no answer"] = silent
    figures["accepted by GREEN-API"] = len(evidence.ledger)
    return figures
