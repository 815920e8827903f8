"""Die at every commit and every call, live again, and see what is true then.

At each point, before and after every commit and every call to a network, what a
``kill -9`` would leave is kept: the files as they are, and the two networks. Points
that leave the same behind count once. On each of them a new life of the bridge begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.truth.invariants import violations
from tests.truth.life import Life
from tests.truth.scenarios import SCENARIOS, Scenario, play
from tests.truth.world import Remains, StuckError, World

SHORT = 34  # points
DAILY = 30  # scenarios, at the least, of which every day each point is tried
TWICE = [
    "plain send",
    "f05_ answer lost, taken",
    pytest.param("send again", marks=pytest.mark.chaos),
    pytest.param("f15_ 429", marks=pytest.mark.chaos),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("world")


@pytest.fixture(scope="module")
def counts() -> dict[str, int]:
    """How many points each scenario has, as far as it is known."""
    return {}


def outcome(world: World, scenario: Scenario) -> list[str]:
    """Play what is left of a scenario; return what was wrong in the end."""
    try:
        play(world, scenario)
        return violations(world)
    except StuckError as err:
        return [f"I6: {err}"]
    finally:
        world.close()


@dataclass
class Deaths:
    """What a death leaves at each point that leaves something else."""

    found: dict[str, Remains] = field(default_factory=dict)  # by fingerprint
    wrong: list[str] = field(default_factory=list)  # although nobody died

    def __iter__(self) -> Iterator[Remains]:
        return iter(self.found.values())

    def __len__(self) -> int:
        return len(self.found)


def deaths(folder: Path, scenario: Scenario, life: type[Life] = Life) -> Deaths:
    """Play a scenario to its end; note what a death would leave on the way."""
    deaths = Deaths()

    def note(_what: str) -> None:
        if not world.asks and scenario is not SCENARIOS["plain send"]:
            return  # the start is the same for all
        fingerprint = world.fingerprint()
        if fingerprint not in deaths.found:
            deaths.found[fingerprint] = world.remains()

    world = World(folder, life)
    world.doom.watcher = note
    deaths.wrong = outcome(world, scenario)
    return deaths


def sweep(
    folder: Path,
    scenario: Scenario,
    life: type[Life] = Life,
    *,
    found: Deaths | None = None,
    most: int | None = None,
) -> Iterator[str]:
    """Yield what is wrong without a death, and after one at each point.

    Of a scenario with more than ``most`` points only each twelfth is taken.
    """
    found = found or deaths(folder, scenario, life)
    yield from (f"nobody died: {each}" for each in found.wrong)
    for remains in list(found)[:: 1 if most is None or len(found) <= most else 12]:
        world = World(folder, life, remains=remains)
        for wrong in outcome(world, scenario):
            yield f"dead at point {remains.number}: {wrong}"


@pytest.mark.parametrize("name", SCENARIOS)
def test_f22_to_f26_a_crash_at_any_point_is_survived(
    folder: Path, counts: dict[str, int], name: str
) -> None:
    """Long scenarios are thinned out here; ``-m chaos`` dies at all their points."""
    found = deaths(folder, SCENARIOS[name])
    counts[name] = len(found)

    assert list(sweep(folder, SCENARIOS[name], found=found, most=SHORT)) == []


def test_of_thirty_scenarios_each_point_is_tried_every_day(
    folder: Path, counts: dict[str, int]
) -> None:
    for name in SCENARIOS.keys() - counts.keys():  # with all other tests: none
        counts[name] = len(deaths(folder, SCENARIOS[name]))

    assert sum(0 < count <= SHORT for count in counts.values()) >= DAILY


@pytest.mark.chaos
@pytest.mark.parametrize("name", SCENARIOS)
def test_f22_to_f26_every_single_point(folder: Path, name: str) -> None:
    assert list(sweep(folder, SCENARIOS[name])) == []


@pytest.mark.parametrize("name", TWICE)
def test_f22_a_crash_while_it_recovers_from_a_crash(folder: Path, name: str) -> None:
    found = deaths(folder, SCENARIOS[name])
    for number, remains in enumerate(list(found)[:: max(1, len(found) // 5)]):
        for second in range(2 + 3 * number, 50, 15):
            world = World(folder, at=(second,), remains=remains)
            where = f"dead at {remains.number}, then at {second}"
            assert (where, outcome(world, SCENARIOS[name])) == (where, [])
