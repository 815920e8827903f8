"""A thousand commands at the same moment, and how fast they leave."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.check import number_of, swapped
from bench.load import Ack, Command, Typist, commands
from bench.plan import Bench
from bench.rig import BRIDGE, SCRIPT, App, Kind
from bench.table import Row, at_least, at_most, ratio

LATE_SECONDS = 3.0  # Slack shows an error then
PACE = 50  # messages a second that GREEN-API takes
SLOWEST = {"HTTP": 1.5, "Socket Mode": 0.8}  # goals, seconds


@dataclass(frozen=True, slots=True)
class Burst:
    """What became of one burst."""

    acks: list[Ack]
    posted_at: list[float]
    swapped: int  # arrivals after one of the same chat that was typed later
    cut_after: float | None = None  # seconds after which it was not watched further

    @property
    def late(self) -> int:
        """How many users saw an error."""
        return sum(ack.seconds > LATE_SECONDS for ack in self.acks)

    @property
    def slowest(self) -> float:
        """Seconds to the last ack; endless if one never came."""
        return max(ack.seconds for ack in self.acks)

    @property
    def rate(self) -> float:
        """Messages a second that reached GREEN-API."""
        return rate(self.posted_at)

    def slowest_text(self) -> str:
        """Return the slowest ack in words."""
        if math.isfinite(self.slowest):
            return f"{self.slowest:.2f} s"
        return f"> {self.cut_after:.0f} s" if self.cut_after else "never"


def rate(moments: Sequence[float]) -> float:
    """Return how many a second there are between the first and the last.

    >>> rate([0.0, 0.5, 1.0])
    2.0
    """
    span = max(moments, default=0.0) - min(moments, default=0.0)
    return (len(moments) - 1) / span if span else 0.0


async def over_http(bench: Bench) -> list[Row]:
    """Return the rows for HTTP."""
    return await _measure(bench, "HTTP", socket_mode=False)


async def over_socket_mode(bench: Bench) -> list[Row]:
    """Return the rows for Socket Mode."""
    return await _measure(bench, "Socket Mode", socket_mode=True)


async def with_pace(bench: Bench) -> list[Row]:
    """Return how near to the provider's pace the bridge comes."""
    async with bench.rig.app(BRIDGE, BRIDGE_PACE=str(PACE)) as app:
        await _warm(bench, app)
        found = await _burst(bench, app, bench.plan.paced, seconds=60.0)
    posted = sorted(found.posted_at)
    edge = len(posted) // 10
    steady = rate(posted[edge:-edge])
    return [
        Row(
            f"draining with the pace on, n={bench.plan.paced}",
            f"{PACE}/s",
            f"{steady:.2f}/s",
            steady / PACE,
            at_most(5, "% off"),
            value=abs(steady / PACE - 1) * 100,
        )
    ]


async def _measure(bench: Bench, way: str, *, socket_mode: bool) -> list[Row]:
    plan = bench.plan
    found = {}
    for kind, seconds in ((SCRIPT, plan.script_seconds), (BRIDGE, 60.0)):
        async with bench.rig.app(kind, socket_mode=socket_mode, BRIDGE_PACE="0") as app:
            await _warm(bench, app)
            found[kind] = await _burst(bench, app, plan.burst, seconds)
    return _rows(way, plan.burst, found)


def _rows(way: str, count: int, found: dict[Kind, Burst]) -> list[Row]:
    script, bridge = found[SCRIPT], found[BRIDGE]
    what = f"{count} at once, {way}"
    slowest = bridge.slowest
    return [
        Row(
            f"{what}: acks later than 3 s",
            f"{script.late}",
            f"{bridge.late}",
            goal=at_most(0, "late"),
            value=bridge.late,
        ),
        Row(
            f"{what}: slowest ack",
            script.slowest_text(),
            bridge.slowest_text(),
            ratio(slowest, script.slowest),
            at_most(SLOWEST[way], "s"),
            value=slowest,
        ),
        Row(
            f"{what}: drained, pace off",
            f"{script.rate:.1f}/s",
            f"{bridge.rate:.1f}/s",
            ratio(bridge.rate, script.rate),
            at_least(8),
            note=f"swapped: script {script.swapped}, bridge {bridge.swapped}",
        ),
    ]


async def _warm(bench: Bench, app: App) -> None:
    await bench.rig.reset()
    await bench.warm_up(app)
    await bench.rig.until_told(bench.plan.warm_up, 20.0)
    await bench.rig.reset()


async def _burst(bench: Bench, app: App, count: int, seconds: float) -> Burst:
    acks, cut_after = await _typed(bench, app.typist, commands(count), seconds)
    if app.kind is BRIDGE:
        await bench.judge(f"{count} at once", acks)
    posts = await bench.rig.posts()
    arrived = [(str(body["chatId"]), number_of(body)) for _, body in posts]
    return Burst(acks, [at for at, _ in posts], swapped(acks, arrived), cut_after)


async def _typed(
    bench: Bench, typist: Typist, todo: Sequence[Command], seconds: float
) -> tuple[list[Ack], float | None]:
    """Type all at once; after some seconds the acks still missing count as none."""
    start = time.monotonic()
    tasks = [asyncio.create_task(typist.type(command)) for command in todo]
    await asyncio.wait(tasks, timeout=seconds)
    await bench.rig.until_posted(len(todo), start + seconds - time.monotonic())
    acks = []
    was_cut = False
    for command, task in zip(todo, tasks, strict=True):
        if task.done():
            acks.append(task.result())
        else:
            task.cancel()
            was_cut = True
            acks.append(Ack(command, start, None))
    return acks, seconds if was_cut else None
