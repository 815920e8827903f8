"""The present moment, on a clock that nobody can set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.clock import SteadyClock
from tests.fakes import FakeClock

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Seconds:
    """What passes, whatever clocks say."""

    def __init__(self) -> None:
        self.passed = 4711.0

    def __call__(self) -> float:
        return self.passed


@pytest.mark.parametrize("minutes", [60, -60, 5, -5, 0])
def test_f55_a_clock_that_is_set_moves_no_moment(minutes: int) -> None:
    wall, seconds = FakeClock(NOON), Seconds()
    clock = SteadyClock(wall, seconds)

    wall.advance(60 * minutes)
    seconds.passed += 10

    assert clock() == NOON + timedelta(seconds=10)
    assert clock.drift() == timedelta(minutes=minutes, seconds=-10)


def test_time_passes_on_the_real_one() -> None:
    clock = SteadyClock()
    before = clock()

    while clock() == before:
        pass

    assert clock() > before
    assert clock().tzinfo is UTC
    assert abs(clock.drift()) < timedelta(minutes=1)
