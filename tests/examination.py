"""The doctor's checks on a world, in this process: real sockets, real emulators."""

from __future__ import annotations

from pathlib import Path

from bridge.doctor.case import Case
from bridge.doctor.examine import examine, select
from bridge.doctor.findings import Finding
from tests.harness import World


def look(world: World, check: str, **settings: str) -> Finding:
    """Return what one check finds; ``settings`` are besides those of the world.

    An empty one takes a setting of the world away.
    """
    (finding,) = look_at_all(world, check, **settings)
    return finding


def look_at_all(
    world: World, *words: str, env_file: Path | None = None, **settings: str
) -> list[Finding]:
    """Return the findings of these checks and areas, in the order of the report."""
    given = {**world.bridge.settings, **settings}
    case = Case({name: value for name, value in given.items() if value}, env_file)
    try:
        found = examine(case, select(words), by_name=frozenset(words))
        return [each.finding for each in found]
    finally:
        case.close()
