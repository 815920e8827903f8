"""Lanes: one step at a time for each key, several keys at once."""

from __future__ import annotations

import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bridge.errors import StoreError
from bridge.worker import Lanes, Pace

NEVER = 3600.0  # a poll that no test waits for


class Work:
    """Numbers to be done for each key, and what was done."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.todo: dict[str, list[int]] = defaultdict(list)
        self.done: list[tuple[str, int]] = []
        self.running: Counter[str] = Counter()
        self.most_at_once = 0
        self.overlaps = 0
        self.during: Callable[[str], None] = lambda _key: None
        self.rest = 0.0

    def due(self) -> list[str]:
        with self.changed:
            return [key for key, numbers in self.todo.items() if numbers]

    def step(self, key: str) -> float:
        with self.changed:
            self.running[key] += 1
            self.overlaps += self.running[key] > 1
            self.most_at_once = max(self.most_at_once, sum(self.running.values()))
        try:
            self.during(key)
        finally:
            with self.changed:
                self.running[key] -= 1
                if self.todo[key]:
                    self.done.append((key, self.todo[key].pop(0)))
                self.changed.notify_all()
        return self.rest

    def wait(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.done) >= count, timeout=10)


@contextmanager
def running(
    work: Work, workers: int = 4, pace: Pace | None = None, poll: float = NEVER
) -> Iterator[Lanes[str]]:
    lanes = Lanes("test", work.due, work.step, workers=workers, pace=pace, poll=poll)
    lanes.start()
    yield lanes
    assert lanes.stop(timeout=10)


def test_all_that_is_due_gets_done_in_the_order_of_each_key() -> None:
    work = Work()
    for number in range(50):
        for key in "abc":
            work.todo[key].append(number)

    with running(work):
        work.wait(150)

    for key in "abc":
        assert [n for k, n in work.done if k == key] == list(range(50))
    assert work.overlaps == 0


def test_keys_are_worked_at_the_same_time() -> None:
    work = Work()
    meeting = threading.Barrier(3)
    work.during = lambda _key: meeting.wait(10) and None
    for key in "abc":
        work.todo[key].append(1)

    with running(work):
        work.wait(3)

    assert work.most_at_once == 3


def test_an_idle_lane_wakes_at_once() -> None:
    work = Work()

    with running(work) as lanes:
        for number in range(20):
            work.todo["a"].append(number)
            lanes.wake()
            work.wait(number + 1)


def test_a_wake_in_a_moment_comes_in_a_moment() -> None:
    work = Work()
    with running(work) as lanes:
        for number in range(5):
            work.todo["a"].append(number)
            lanes.wake_in(0.005)
            work.wait(number + 1)


def test_work_that_nobody_announced_is_found_by_the_poll() -> None:
    work = Work()

    with running(work, poll=0.01):
        work.todo["a"].append(1)
        work.wait(1)


def test_a_key_that_rests_does_not_hold_up_the_others() -> None:
    work = Work()
    work.rest = NEVER
    work.todo["a"] = [1, 2]

    with running(work) as lanes:
        work.wait(1)
        work.todo["b"].append(3)
        lanes.wake()
        work.wait(2)

    assert sorted(work.done) == [("a", 1), ("b", 3)]


def test_a_rest_ends_by_itself() -> None:
    work = Work()
    work.rest = 0.01
    work.todo["a"] = [1, 2, 3]

    with running(work):
        work.wait(3)


def test_a_bug_in_one_step_stops_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    work = Work()

    def explode(key: str) -> None:
        if key == "bad":
            raise ZeroDivisionError

    work.during = explode
    work.todo["bad"] = [1]
    work.todo["good"] = [1, 2]

    with running(work, workers=1), caplog.at_level(logging.ERROR):
        work.wait(3)

    assert [n for k, n in work.done if k == "good"] == [1, 2]
    assert "the lane goes on" in caplog.text


def test_a_store_in_trouble_is_no_bug(caplog: pytest.LogCaptureFixture) -> None:
    work = Work()

    def refuse(_key: str) -> None:
        raise StoreError("The disk is full.")

    work.during = refuse
    work.todo["a"] = [1]

    with caplog.at_level(logging.WARNING), running(work):
        work.wait(1)

    assert "The disk is full." in caplog.text
    assert "Traceback" not in caplog.text


def test_a_stop_waits_for_the_step_under_way() -> None:
    work = Work()
    entered, leave = threading.Event(), threading.Event()

    def block(_key: str) -> None:
        entered.set()
        leave.wait(10)

    work.during = block
    work.todo["a"] = [1, 2]
    lanes = Lanes("test", work.due, work.step, workers=2)
    lanes.start()
    entered.wait(10)

    assert not lanes.stop(timeout=0)
    leave.set()
    assert lanes.stop(timeout=10)
    assert work.done == [("a", 1)]


def test_the_pace_spaces_the_starts() -> None:
    work = Work()
    starts: list[float] = []
    import time

    work.during = lambda _key: starts.append(time.monotonic())
    for key in "abcdef":
        work.todo[key].append(1)

    with running(work, pace=Pace(200.0)):
        work.wait(6)

    gaps = [b - a for a, b in zip(sorted(starts), sorted(starts)[1:], strict=False)]
    assert sum(gaps) >= 5 * 0.005 * 0.9


class Seconds:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def gap(pace: Pace) -> float:
    """Return how long the step after the next one has to wait for it."""
    pace.next_start()
    first = pace.next_start()
    return pace.next_start() - first


def test_f15_a_refusal_halves_the_pace_and_one_a_second_is_the_least() -> None:
    seconds = Seconds()
    pace = Pace(8.0, seconds=seconds)
    gaps = [gap(pace)]

    for _ in range(6):
        seconds.now += 1.0
        pace.slow_down()
        gaps.append(gap(pace))

    assert gaps == pytest.approx([0.125, 0.25, 0.5, 1.0, 1.0, 1.0, 1.0])


def test_refusals_that_come_together_count_once() -> None:
    pace = Pace(8.0, seconds=Seconds())

    for _ in range(10):
        pace.slow_down()

    assert gap(pace) == pytest.approx(0.25)


def test_the_pace_recovers_by_itself_and_not_beyond_what_was_asked_for() -> None:
    seconds = Seconds()
    pace = Pace(8.0, seconds=seconds)
    for _ in range(5):
        seconds.now += 1.0
        pace.slow_down()
    gaps = []

    for _ in range(6):
        seconds.now += 10.0
        gaps.append(gap(pace))

    assert gaps == pytest.approx([0.5, 0.25, 0.125, 0.125, 0.125, 0.125])


def test_a_pace_slower_than_one_a_second_is_not_made_faster_by_a_refusal() -> None:
    pace = Pace(0.5, seconds=Seconds())

    pace.slow_down()

    assert gap(pace) == pytest.approx(2.0)


def test_after_an_idle_time_the_first_step_is_at_once_and_no_burst_follows() -> None:
    seconds = Seconds()
    pace = Pace(10.0, seconds=seconds)
    pace.next_start()
    seconds.now += 3600

    waits = [pace.next_start() for _ in range(4)]

    assert waits == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_f64_a_bug_is_judged_and_the_judge_may_have_one_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    judged: list[str] = []

    def judge(key: str) -> None:
        judged.append(key)
        raise RecursionError

    work = Work()

    def explode(key: str) -> None:
        if key == "bad":
            raise MemoryError

    work.during = explode
    work.todo["bad"] = [1]
    work.todo["good"] = [1]
    lanes = Lanes("test", work.due, work.step, workers=1, poll=NEVER, on_bug=judge)

    with caplog.at_level(logging.ERROR):
        lanes.start()
        work.wait(2)
        assert lanes.stop(timeout=10)

    assert judged == ["bad"]
    assert "can't be judged either" in caplog.text
