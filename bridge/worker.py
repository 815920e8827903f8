"""Lanes: keyed work, one step at a time for each key, several keys at once."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from bridge.errors import StoreError

log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=str)

POLL_SECONDS = 1.0  # finds rows of other processes, and waits that are over
PAUSE_AFTER_A_BUG = 5.0
PAUSE_WITHOUT_STORE = 1.0
CALM_SECONDS = 10.0  # without a refusal, until the pace doubles again
MOST_PATIENCE = 0.25  # a step is not put off for longer than this


class Lanes(Generic[Key]):
    """Works off what is due, in threads of its own.

    A key (a chat, a channel) is worked by one thread at a time, so its order is the
    order of its rows. ``wake`` starts an idle lane at once.

    Args:
        name: for the threads and the log.
        find_due: returns keys that have something to do, most urgent first.
        step: does one thing for a key; returns seconds to leave the key alone.
        workers: how many keys may be worked at once.
        pace: says how many steps may begin in a second; None: as fast as it goes.
        poll: seconds between two looks of an idle lane.
        give_way: waits while others need the processor more, so many seconds at most.
        on_bug: judges a key whose step raised what nobody foresaw.
    """

    def __init__(
        self,
        name: str,
        find_due: Callable[[], Sequence[Key]],
        step: Callable[[Key], float],
        *,
        workers: int,
        pace: Pace | None = None,
        poll: float = POLL_SECONDS,
        give_way: Callable[[float], None] = lambda _seconds: None,
        on_bug: Callable[[Key], None] = lambda _key: None,
    ) -> None:
        self._name = name
        self._find_due = find_due
        self._step = step
        self._pace = pace
        self._poll = poll
        self._give_way = give_way
        self._on_bug = on_bug
        self._changed = threading.Condition()
        self._news = True  # something may be due that nobody has looked for
        self._looking = False
        self._found: deque[Key] = deque()
        self._in_hand: set[Key] = set()
        self._resting: dict[Key, float] = {}  # monotonic time a key may go on
        self._has_lookout = False
        self._lookout_until = 0.0
        self._news_at = math.inf
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True)
            for n in range(workers)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Say that something may be due now."""
        with self._changed:
            self._news = True
            self._changed.notify()

    def wake_in(self, seconds: float) -> None:
        """Say that something may be due a little later, when others had their turn."""
        with self._changed:
            self._news_at = min(self._news_at, time.monotonic() + seconds)
            self._tell_the_lookout(self._news_at)

    def ask_to_stop(self) -> None:
        """Begin no further step; those under way go on."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def stop(self, timeout: float) -> bool:
        """End after the steps under way; False if some outlast ``timeout`` seconds."""
        self.ask_to_stop()
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (key := self._take()) is not None:
            self._wait_for_the_pace()
            self._give_way(MOST_PATIENCE)
            rest = 0.0 if self._stopping.is_set() else self._do(key)
            self._give_back(key, rest)

    def _do(self, key: Key) -> float:
        try:
            return self._step(key)
        except StoreError as err:  # locked, full, gone: known, and it passes
            log.warning("%s lane: %s", self._name, err)
            return PAUSE_WITHOUT_STORE
        except Exception:
            # The one place that catches what nobody foresaw: one bad row must not
            # end a thread that others depend on.
            log.exception("%s lane: a step failed; the lane goes on", self._name)
            self._judge(key)
            return PAUSE_AFTER_A_BUG

    def _judge(self, key: Key) -> None:
        try:
            self._on_bug(key)
        except StoreError as err:
            log.warning("%s lane: %s", self._name, err)
        except Exception:
            log.exception("%s lane: the failure can't be judged either", self._name)

    def _take(self) -> Key | None:
        """Wait for a key that is due and in nobody's hand; None at the stop."""
        while True:
            with self._changed:
                if self._stopping.is_set():
                    return None
                if (key := self._pick()) is not None:
                    return key
                if self._looking or not self._news:
                    self._wait()
                    continue
                self._looking, self._news = True, False
            self._look()

    def _pick(self) -> Key | None:
        while self._found:
            key = self._found.popleft()
            if key not in self._in_hand and key not in self._resting:
                self._in_hand.add(key)
                if self._found or self._news or not self._has_lookout:
                    self._changed.notify()
                return key
        return None

    def _look(self) -> None:
        # Outside the lock: a command on its way in must never wait for this query.
        found: Sequence[Key] = ()
        try:
            found = self._find_due()
        except StoreError as err:
            log.warning("%s lane: %s", self._name, err)
        except Exception:
            log.exception("%s lane: could not look for work", self._name)
        with self._changed:
            self._looking = False
            self._found.extend(found)

    def _wait(self) -> None:
        """Wait for news; one idle thread also looks at the clock for all."""
        if self._has_lookout:
            self._changed.wait()
            return
        now = time.monotonic()
        self._has_lookout = True
        self._lookout_until = min(
            now + self._poll, self._news_at, *self._resting.values()
        )
        self._changed.wait(max(0.0, self._lookout_until - now))
        self._has_lookout = False
        now = time.monotonic()
        if now >= self._lookout_until:
            self._news, self._news_at = True, math.inf
            over = [key for key, until in self._resting.items() if until <= now]
            for key in over:
                del self._resting[key]

    def _give_back(self, key: Key, rest: float) -> None:
        with self._changed:
            self._in_hand.discard(key)
            if rest > 0:
                self._resting[key] = time.monotonic() + rest
                self._tell_the_lookout(self._resting[key])
            self._news = True
            self._changed.notify()

    def _tell_the_lookout(self, moment: float) -> None:
        """Have somebody look at the clock at ``moment``, if nobody would."""
        if not self._has_lookout:
            self._changed.notify()
        elif moment < self._lookout_until:
            self._changed.notify_all()

    def _wait_for_the_pace(self) -> None:
        wait = self._pace.next_start() if self._pace else 0.0
        if wait > 0:
            self._stopping.wait(wait)


class Pace:
    """How many steps may begin in a second; less for a while after a ``slow_down``.

    Args:
        per_second: the pace when all is well.
        scale: of the time that a slow-down lasts.
        seconds: a clock that nobody can set.
    """

    def __init__(
        self,
        per_second: float,
        scale: float = 1.0,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._full = 1.0 / per_second  # seconds from one start to the next
        self._gap = self._full
        self._calm = CALM_SECONDS * scale
        self._slowed_at = -math.inf
        self._next_start = 0.0
        self._guard = threading.Lock()

    def slow_down(self) -> None:
        """Halve the pace, down to one start a second; it recovers by itself."""
        with self._guard:
            now = self._seconds()
            if now - self._slowed_at >= 1.0:  # one refusal seldom comes alone
                self._gap = min(max(1.0, self._full), self._gap * 2)
                self._slowed_at = now

    def next_start(self) -> float:
        """Return how many seconds to wait before the next step may begin."""
        with self._guard:
            now = self._seconds()
            if now - self._slowed_at >= self._calm:
                self._gap = max(self._full, self._gap / 2)
                self._slowed_at = now
            start = max(now, self._next_start)
            self._next_start = start + self._gap
            return start - now
