"""``python -m bench``: measure, and print one table."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
import time
from contextlib import suppress

import click

from bench import acks, bursts, claims, costs, floors, postgres
from bench.plan import QUICK, Bench, Plan, Section
from bench.rig import NotMeasured, open_rig
from bench.table import Row, render

SECTIONS: dict[str, Section] = {
    "floors": floors.measure,
    "acks-http": acks.over_http,
    "acks-socket": acks.over_socket_mode,
    "burst-http": bursts.over_http,
    "burst-socket": bursts.over_socket_mode,
    "pace": bursts.with_pace,
    "cpu": costs.per_command,
    "claim": claims.measure,
    "idle": costs.while_idle,
    "imports": costs.of_imports,
    "postgres": postgres.measure,
}

SECTION_SECONDS = 300
# What takes long and says little in small numbers.
WHOLE_ONLY = ("burst-http", "pace", "cpu", "postgres")


@click.command()
@click.option("--quick", is_flag=True, help="Less of everything: about a minute.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(list(SECTIONS)),
    help="Only this section; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(quick: bool, only: tuple[str, ...], as_json: bool) -> None:
    """Measure the bridge beside a bare Bolt app and beside the tutorial script.

    Exit code 0: everything was measured, whether its goal is reached or not.
    1: something could not be measured, or a message was lost, doubled or overtaken.
    """
    _allow_many_files()
    left_out = WHOLE_ONLY if quick and not only else ()
    names = [name for name in SECTIONS if name in (only or SECTIONS)]
    names = [name for name in names if name not in left_out]
    rows, faults = asyncio.run(measure(QUICK if quick else Plan(), names))
    if as_json:
        found = {"schema": 1, "rows": [row.as_dict() for row in rows]}
        click.echo(json.dumps({**found, "faults": faults, "machine": machine()}))
    else:
        click.echo(render(rows))
        for fault in faults:
            click.echo(f"FAULT  {fault}")
        if left_out:
            click.echo(f"--quick left out: {', '.join(left_out)}")
        click.echo(f"times are p50 / p99; {machine()}")
    sys.exit(1 if faults else 0)


async def measure(plan: Plan, names: list[str]) -> tuple[list[Row], list[str]]:
    """Return the rows of some sections, and what went wrong."""
    rows: list[Row] = []
    async with open_rig() as rig:
        bench = Bench(rig, plan, say=_say)
        for name in names:
            start = time.monotonic()
            try:
                async with asyncio.timeout(SECTION_SECONDS):
                    rows += await SECTIONS[name](bench)
            except NotMeasured as err:
                bench.faults.append(f"{name}: {err}")
            except TimeoutError:
                bench.faults.append(f"{name}: not done after {SECTION_SECONDS} s")
            _say(f"{name}: {time.monotonic() - start:.0f} s")
    return rows, bench.faults


def machine() -> str:
    """Return what the times depend on, in words."""
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def _say(text: str) -> None:
    click.echo(text, err=True)


def _allow_many_files() -> None:
    """A thousand connections at once need as many file descriptors on each side."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


if __name__ == "__main__":
    main()
