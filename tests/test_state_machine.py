"""Whatever people and networks do, in any order: the invariants hold.

Hypothesis tells the stories; each ends at rest, where everything must be true.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from bridge.model import ChatId, Choice
from tests.payloads import POISON
from tests.truth.green_api import Post
from tests.truth.invariants import violations, violations_so_far
from tests.truth.life import ADMIN, Life
from tests.truth.world import ANN, BEN, CHANNEL, DANA, GROUP, World

MOST_ASKS = 6
CHATS = st.sampled_from([ANN, BEN, GROUP])
WORDS = st.sampled_from(["sent", "delivered", "read", "failed", "noAccount"])
STATES = st.sampled_from(["authorized", "notAuthorized", "starting", "yellowCard"])
PEOPLE = st.sampled_from([DANA, ADMIN, "U0STRANGER"])
POINTS = st.integers(1, 40)


class Story(RuleBasedStateMachine):
    """One world and everything that can happen in it."""

    life: type[Life] = Life

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.world = World(Path(self.folder.name), self.life)

    # --- people -------------------------------------------------------------------

    @precondition(lambda self: len(self.world.asks) < MOST_ASKS)
    @rule(chat_id=CHATS, becomes=st.none() | st.sampled_from(Post))
    def command(self, chat_id: ChatId, becomes: Post | None) -> None:
        self.world.command(f"text {len(self.world.asks)}", chat_id)
        if becomes is not None:
            self.world.green.posts.append(becomes)

    @precondition(lambda self: self.world.asks)
    @rule(which=st.integers(0, MOST_ASKS))
    def the_same_command(self, which: int) -> None:
        ask = self.world.asks[which % len(self.world.asks)]
        self.world.command(ask.text, ask.chat_id, source=ask.source)

    @precondition(lambda self: self.world.asks)
    @rule(
        which=st.integers(0, MOST_ASKS),
        choice=st.sampled_from(Choice),
        by=PEOPLE,
        stale=st.booleans(),
    )
    def press(self, which: int, choice: Choice, by: str, *, stale: bool) -> None:
        ask = self.world.asks[which % len(self.world.asks)]
        self.world.press(ask.text, choice, by, stale=stale)

    # --- WhatsApp -----------------------------------------------------------------

    @rule(becomes=st.lists(st.sampled_from(Post), min_size=1, max_size=3))
    def next_posts(self, becomes: list[Post]) -> None:
        self.world.green.posts.extend(becomes)

    @rule(
        journal_lag=st.sampled_from([1.0, 60.0, 120.0, 600.0, None]),
        echo_after=st.sampled_from([None, 0.1, 50.0]),
        late=st.sampled_from([45.0, 170.0, 400.0]),
        queue_seconds=st.sampled_from([0.0, 30.0]),
        skew=st.sampled_from([0.0, -45.0, 45.0]),
    )
    def other_habits(self, **habits: float | None) -> None:
        for name, value in habits.items():
            setattr(self.world.green, name, value)

    @rule(
        ticks=st.lists(
            st.tuples(st.sampled_from([0.1, 1.0, 300.0]), WORDS, st.integers(1, 2)),
            max_size=3,
        )
    )
    def other_receipts(self, ticks: list[tuple[float, str, int]]) -> None:
        self.world.green.receipts = tuple(ticks)

    @precondition(lambda self: self.world.green.ledger)
    @rule(which=st.integers(0, MOST_ASKS), word=WORDS, times=st.integers(1, 3))
    def receipt(self, which: int, word: str, times: int) -> None:
        ledger = self.world.green.ledger
        self.world.green.receipt(ledger[which % len(ledger)], word, times)

    @precondition(lambda self: self.world.green.ledger)
    @rule(which=st.integers(0, MOST_ASKS))
    def echo(self, which: int) -> None:
        ledger = self.world.green.ledger
        self.world.green.echo(ledger[which % len(ledger)])

    @rule(body=st.sampled_from(list(POISON.values())))
    def poison(self, body: object) -> None:
        self.world.green.notify(body)

    @rule(state=STATES)
    def state(self, state: str) -> None:
        self.world.green.become(state)

    @rule()
    def a_turn_while_the_next_post_is_under_way(self) -> None:
        self.world.green.during = lambda: self.world.life.do_what_is_due()

    @rule(count=st.integers(1, 2))
    def answers_to_deletions_lost(self, count: int) -> None:
        self.world.green.lost_answers = count

    # --- Slack --------------------------------------------------------------------

    @rule(count=st.integers(1, 2))
    def answers_of_slack_lost(self, count: int) -> None:
        self.world.slack.lose_answers = count

    @rule(count=st.integers(1, 3))
    def slack_limits(self, count: int) -> None:
        self.world.slack.limited = count

    @rule(seconds=st.sampled_from([10, 600]))
    def slack_is_down(self, seconds: int) -> None:
        self.world.slack.down_until = self.world.clock() + timedelta(seconds=seconds)

    @rule(is_closed=st.booleans())
    def channel(self, *, is_closed: bool) -> None:
        self.world.slack.closed = {CHANNEL: "is_archived"} if is_closed else {}

    # --- time and death -------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.5, 3.0, 40.0, 200.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.survive(lambda: self.world.run(seconds))

    @rule(points=st.lists(POINTS, min_size=1, max_size=2))
    def death_comes_soon(self, points: list[int]) -> None:
        self.world.doom.at = points
        self.world.doom.passed = 0

    @rule(
        what=st.sampled_from(
            [
                "before the POST",
                "after the POST",
                "after post",
                "after reply",
                "after update",
                "after deleteNotification",
                "before lastOutgoingMessages",
                "before the ack",
            ]
        )
    )
    def death_comes_at_the_next(self, what: str) -> None:
        self.world.doom.at_next = what

    @rule()
    def restart(self) -> None:
        self.world.restart()

    @invariant()
    def nothing_is_wrong_so_far(self) -> None:
        if hasattr(self, "world"):
            assert violations_so_far(self.world) == []

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.come_to_rest()
        finally:
            self.world.close()
            self.folder.cleanup()

    def come_to_rest(self) -> None:
        self.world.green.become("authorized")
        self.world.doom.at, self.world.doom.at_next = [], None
        self.world.run_to_rest()
        assert violations(self.world) == [], self.world.describe()


QUICK = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestStory(Story.TestCase):
    settings = QUICK


@pytest.mark.chaos
class TestLongStory(Story.TestCase):
    settings = settings(QUICK, max_examples=2000, stateful_step_count=50)
