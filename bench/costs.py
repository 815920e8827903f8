"""What the bridge costs: CPU time per command, and doing nothing."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time

from bench.load import at_once, commands
from bench.plan import Bench
from bench.rig import BRIDGE, SCRIPT, Kind, plain_environment
from bench.table import Row, at_most, ratio

HEAVY = ("sqlalchemy", "slack_bolt", "flask", "requests")
TEXT = "+14155550000 Hello"


async def per_command(bench: Bench) -> list[Row]:
    """Return the CPU time per command, up to its last line in Slack."""
    rows = [await _cpu_row(bench, bench.plan.costed, 0.35, tls=False)]
    if bench.rig.has_tls:
        rows.append(await _cpu_row(bench, bench.plan.costed_tls, 0.06, tls=True))
    else:
        bench.say("tests/certs is missing, so nothing was measured over TLS")
    return rows


async def _cpu_row(bench: Bench, count: int, limit: float, *, tls: bool) -> Row:
    script = await _cpu(bench, SCRIPT, count, tls=tls)
    bridge = await _cpu(bench, BRIDGE, count, tls=tls)
    return Row(
        f"{count} at once, {'TLS' if tls else 'plain'}: CPU per command, all included",
        f"{script * 1000:.2f} ms",
        f"{bridge * 1000:.2f} ms",
        ratio(bridge, script),
        at_most(limit),
        note=f"n={count}",
    )


async def _cpu(bench: Bench, kind: Kind, count: int, *, tls: bool) -> float:
    rig = bench.rig
    async with rig.app(kind, tls=tls) as app:
        await rig.reset()
        await bench.warm_up(app)
        await rig.until_told(bench.plan.warm_up, 20.0)
        await rig.reset()
        before = app.process.cpu_seconds()
        acks = await at_once(app.typist, commands(count))
        await rig.until_posted(count, 60.0)
        await rig.until_told(count, 60.0)
        spent = app.process.cpu_seconds() - before
        if kind is BRIDGE:
            await bench.judge("CPU per command", acks)
    return spent / count


async def while_idle(bench: Bench) -> list[Row]:
    """Return the memory and the CPU time of a bridge that has nothing to do."""
    rig = bench.rig
    async with rig.app(BRIDGE, socket_mode=True) as app:
        await rig.reset()
        # Some work first: what is loaded with the first command counts as well.
        await bench.warm_up(app)
        await rig.until_told(bench.plan.warm_up, 20.0)
        await asyncio.sleep(1.0)
        before, start = app.process.cpu_seconds(), time.monotonic()
        await asyncio.sleep(bench.plan.idle_seconds)
        spent = app.process.cpu_seconds() - before
        percent = 100 * spent / (time.monotonic() - start)
        megabytes = app.process.memory_bytes() / 1e6
    return [
        Row(
            "idle memory (RSS), Socket Mode",
            bridge=f"{megabytes:.1f} MB",
            goal=at_most(100, "MB"),
            value=megabytes,
        ),
        Row(
            f"idle CPU over {bench.plan.idle_seconds:g} s, Socket Mode",
            bridge=f"{percent:.2f} % of a core",
            goal=at_most(0.5, "% of a core"),
            value=percent,
        ),
    ]


async def of_imports(bench: Bench) -> list[Row]:
    """Return how long the quick commands take to start."""
    count = bench.plan.starts
    bare = await asyncio.to_thread(_start_seconds, ["-c", "pass"], count)
    rows = []
    for arguments in (["--help"], ["explain", TEXT]):
        command = ["-m", "bridge", *arguments]
        seconds = await asyncio.to_thread(_start_seconds, command, count)
        heavy = await asyncio.to_thread(_heavy_imports, arguments)
        rows.append(
            Row(
                f"bridge {arguments[0]}: start",
                f"{bare * 1000:.0f} ms (python -c pass)",
                f"{seconds * 1000:.0f} ms",
                ratio(seconds, bare),
                at_most(0, "heavy imports"),
                value=len(heavy),
                note=", ".join(heavy) or "none heavy",
            )
        )
    return rows


def _start_seconds(arguments: list[str], count: int) -> float:
    times = []
    for _ in range(count):
        start = time.monotonic()
        _python(arguments)
        times.append(time.monotonic() - start)
    return statistics.median(times)


def _heavy_imports(arguments: list[str]) -> list[str]:
    code = (
        "import sys\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "from bridge.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    return _python(["-c", code]).splitlines()[-1].split()


def _python(arguments: list[str]) -> str:
    done = subprocess.run(  # noqa: S603 - our own modules only
        [sys.executable, *arguments],
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
