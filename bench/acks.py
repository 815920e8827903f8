"""How soon a command is acked, and how soon it leaves for GREEN-API.

All apps run side by side and are measured in turns, so that a busy moment of the
machine falls on all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bench.check import number_of
from bench.floors import commit_times
from bench.load import Ack, commands, one_by_one
from bench.plan import Bench
from bench.rig import BEFORE, BRIDGE, DEFAULT, SCRIPT, App, Kind
from bench.table import (
    Row,
    at_most,
    median_ratio,
    milliseconds,
    percentile,
    pooled,
    ratio,
)

Rounds = list[list[float]]
"""Seconds, by round."""


@dataclass(frozen=True, slots=True)
class _Stand:
    bench: Bench
    way: str
    apps: dict[Kind, App]


async def over_http(bench: Bench) -> list[Row]:
    """Return the rows for HTTP."""
    return await _measure(bench, "HTTP", socket_mode=False)


async def over_socket_mode(bench: Bench) -> list[Row]:
    """Return the rows for Socket Mode."""
    return await _measure(bench, "Socket Mode", socket_mode=True)


async def _measure(bench: Bench, way: str, *, socket_mode: bool) -> list[Row]:
    warm_up = bench.plan.warm_up
    async with AsyncExitStack() as stack:
        apps = {
            kind: await stack.enter_async_context(
                bench.rig.app(kind, socket_mode=socket_mode)
            )
            for kind in (DEFAULT, BEFORE, SCRIPT, BRIDGE)
        }
        await bench.rig.reset()
        for app in apps.values():
            await bench.warm_up(app)
        await bench.rig.until_told(2 * warm_up, 20.0)  # by the script and the bridge
        stand = _Stand(bench, way, apps)
        return [*await _alone(stand), *await _idle(stand), *await _crowd(stand)]


async def _alone(stand: _Stand) -> list[Row]:
    plan = stand.bench.plan
    times: dict[Kind, Rounds] = {DEFAULT: [], BEFORE: [], BRIDGE: []}
    for _ in range(plan.rounds):
        for kind, rounds in times.items():
            rounds.append(await _timed(stand, kind, plan.acks, outstanding=1))
    what = f"durable ack p50, {stand.way}, 1 at a time, against"
    return [
        _row(f"{what} Bolt before_response", times, BEFORE, 50, 1.5),
        _row(f"{what} Bolt default", times, DEFAULT, 50, 0.3),
    ]


async def _crowd(stand: _Stand) -> list[Row]:
    plan = stand.bench.plan
    times: dict[Kind, Rounds] = {DEFAULT: [], BRIDGE: []}
    for _ in range(plan.crowd_rounds):
        for kind, rounds in times.items():
            rounds.append(await _timed(stand, kind, plan.crowd, outstanding=50))
    what = f"durable ack p99, {stand.way}, 50 at a time, against Bolt default"
    return [_row(what, times, DEFAULT, 99, 1.0)]


async def _timed(
    stand: _Stand, kind: Kind, count: int, *, outstanding: int
) -> list[float]:
    bench = stand.bench
    await bench.rig.reset()
    todo = commands(count)
    acks = await one_by_one(stand.apps[kind].typist, todo, outstanding)
    if kind is BRIDGE:
        await bench.judge(f"{stand.way}, {outstanding} at a time", acks)
        # What is still to be told must not slow down the next one measured.
        await bench.rig.until_told(count, 30.0)
    return [ack.seconds for ack in acks]


def _row(
    what: str, times: dict[Kind, Rounds], baseline: Kind, percent: int, limit: float
) -> Row:
    ours, theirs = times[BRIDGE], times[baseline]
    return Row(
        what,
        milliseconds(pooled(theirs)),
        milliseconds(pooled(ours)),
        median_ratio(ours, theirs, percent),
        at_most(limit),
        note=f"n={sum(map(len, ours))}",
    )


async def _idle(stand: _Stand) -> list[Row]:
    """Measure commands to apps that have nothing else to do."""
    count = stand.bench.plan.lone
    _, script_posts = await _lone(stand, SCRIPT, count)
    bridge_acks, bridge_posts = await _lone(stand, BRIDGE, count)
    plain = await _lone_acks(stand, BEFORE, count)
    folder = stand.bench.rig.folder
    commit = await asyncio.to_thread(commit_times, folder / "floor.db")
    least = percentile(plain, 50) + percentile(commit, 50)
    return [
        Row(
            f"idle command → POST p50, {stand.way}, against the script",
            milliseconds(script_posts),
            milliseconds(bridge_posts),
            ratio(percentile(bridge_posts, 50), percentile(script_posts, 50)),
            at_most(0.8),
            note=f"n={count}",
        ),
        Row(
            f"idle ack p50, {stand.way}, against Bolt before_response",
            milliseconds(plain),
            milliseconds(bridge_acks),
            ratio(percentile(bridge_acks, 50), percentile(plain, 50)),
        ),
        Row(
            f"idle ack p50, {stand.way}, against that + one sqlite3 commit",
            f"{least * 1000:.2f} ms",
            milliseconds(bridge_acks),
            ratio(percentile(bridge_acks, 50), least),
        ),
    ]


async def _lone(
    stand: _Stand, kind: Kind, count: int
) -> tuple[list[float], list[float]]:
    """Return the seconds to the ack and to the POST of single commands."""
    rig = stand.bench.rig
    await rig.reset()
    acks: list[Ack] = []
    for number, command in enumerate(commands(count), 1):
        acks += await one_by_one(stand.apps[kind].typist, [command])
        await rig.until_posted(number, 10.0)
        await asyncio.sleep(0.35)  # the script is busy that long with Slack
    if kind is BRIDGE:
        await stand.bench.judge(f"{stand.way}, idle", acks)
    arrived = {number_of(body): at for at, body in await rig.posts()}
    missing = float("inf")
    posts = [arrived.get(a.command.number, missing) - a.sent_at for a in acks]
    return [ack.seconds for ack in acks], posts


async def _lone_acks(stand: _Stand, kind: Kind, count: int) -> list[float]:
    acks: list[Ack] = []
    for command in commands(count):
        acks += await one_by_one(stand.apps[kind].typist, [command])
        await asyncio.sleep(0.1)
    return _seconds(acks)


def _seconds(acks: Sequence[Ack]) -> list[float]:
    return [ack.seconds for ack in acks]
