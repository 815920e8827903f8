"""How often what goes wrong: draws a plan from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from chaos.menu import (
    MOMENTS,
    NOW_AND_THEN,
    POSTGRES_ONLY,
    SQLITE_ONLY,
    WITH_A_COMMAND,
)
from chaos.plan import Database, Plan, Step, Transport

ROOMS = 6
NUMBERS = 12
PEOPLE = 4
PRESSES = 6
PRESS_GAP = 0.05  # seconds
CHOICES = ("send_again", "send_again", "mark_not_sent", "check_again")
TWINS = 0.02  # commands that repeat chat and text of the one before


@dataclass(frozen=True, slots=True)
class Size:
    """How big a round is."""

    commands: int
    kills: int
    seconds: float  # in which a bridge is up


def draw(
    seed: int,
    size: Size,
    database: Database,
    transport: Transport,
    *,
    scale: float = 0.05,
) -> Plan:
    """Return the plan of a round; the same seed gives the same plan."""
    chance = random.Random(seed)  # noqa: S311 - to be repeatable
    replicas = 2 if database == "postgres" else 1
    steps = _commands(chance, size)
    steps += _kills(chance, size, replicas)
    steps += _presses(chance, size)
    special = SQLITE_ONLY if database == "sqlite" else POSTGRES_ONLY
    for rate, kind, args in NOW_AND_THEN + special:
        for _ in range(_times(chance, rate * size.seconds / 100)):
            at = chance.uniform(0, size.seconds)
            steps.append(Step(at, kind, _for_one(chance, kind, args, replicas)))
    ordered = sorted(steps, key=lambda step: step.at)
    rounded = tuple(Step(round(s.at, 3), s.kind, s.args) for s in ordered)
    return Plan(seed, database, transport, replicas, scale, rounded)


def _commands(chance: random.Random, size: Size) -> list[Step]:
    steps: list[Step] = []
    target = {"room": 0, "number": 0, "words": 0}
    for number in range(size.commands):
        at = chance.uniform(0, size.seconds)
        is_twin = bool(number) and chance.random() < TWINS
        if not is_twin:
            target = {
                "room": chance.randrange(ROOMS),
                "number": int(chance.triangular(0, NUMBERS, 0)),
                "words": number,
            }
        args = {
            **target,
            "person": chance.randrange(PEOPLE),
            "attempts": _attempts(chance),
        }
        steps.append(Step(at, "command", args))
        for probability, kind, how in WITH_A_COMMAND:
            if chance.random() < probability:
                steps.append(
                    Step(max(0, at - 0.005), kind, _for_a_chat(kind, how, target))
                )
    return steps


def _for_a_chat(
    kind: str, args: dict[str, Any], target: dict[str, int]
) -> dict[str, Any]:
    if kind in {"receipts", "incoming"}:
        return {**args, "number": target["number"]}
    return dict(args)


def _attempts(chance: random.Random) -> list[int]:
    """Return which deliveries of a command reach the bridge: a tenth is odd."""
    if chance.random() >= 0.1:
        return [0]
    return chance.choice([[0, 0], [0, 1], [1, 0, 2], [0] * 5, [1], [1]])  # F32 to F34


def _kills(chance: random.Random, size: Size, replicas: int) -> list[Step]:
    steps = []
    for _ in range(size.kills):
        at = chance.uniform(0.3, size.seconds)
        which = chance.randrange(replicas)
        if chance.random() < 0.4:
            steps.append(Step(at, "kill", {"replica": which}))
            continue
        method, is_executed = chance.choice(MOMENTS)
        args = {"replica": which, "method": method, "is_executed": is_executed}
        steps.append(Step(at, "kill_at", args))
    return steps


def _presses(chance: random.Random, size: Size) -> list[Step]:
    """Return what people decide at the end, where the bridge could find nothing."""
    return [
        Step(
            size.seconds + number * PRESS_GAP,
            "press",
            {"choice": chance.choice(CHOICES), "attempts": _attempts(chance)},
        )
        for number in range(PRESSES)
    ]


def _times(chance: random.Random, expected: float) -> int:
    whole = int(expected)
    return whole + (chance.random() < expected - whole)


def _for_one(
    chance: random.Random, kind: str, args: dict[str, Any], replicas: int
) -> dict[str, Any]:
    if kind in {"freeze", "stop"}:
        return {**args, "replica": chance.randrange(replicas)}
    return dict(args)
