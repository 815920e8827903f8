"""A person's decision on a delivery that may or may not have been sent."""

from __future__ import annotations

import threading

import pytest

from bridge.flows.decide import Decisions, decide
from bridge.flows.report import Reporting, report_next
from bridge.model import Caller, Choice, MessageId, NewDelivery, Status
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.store import Store
from bridge.wording.choices import DECIDED_ALREADY, NO_SUCH_DELIVERY, NOT_YOURS
from tests.fakes import FakeClock, FakeSlack
from tests.steps import (
    ANN,
    DANA,
    TTL,
    add_accepted,
    add_unconfirmed,
    add_unknown,
    begin,
    echo,
    get,
)

SAM = Caller("U0SAM", "T1", "C9")
ADMIN = Caller("U0ADMIN", "T1", "C9")


@pytest.fixture
def desk(any_store: Store, clock: FakeClock, schedule: Schedule) -> Decisions:
    return Decisions(any_store.outbox, clock, schedule, frozenset({"U0ADMIN"}))


@pytest.fixture
def light(store: Store, clock: FakeClock, schedule: Schedule) -> Decisions:
    """Return a desk on SQLite alone, for rules in which SQL has no part."""
    return Decisions(store.outbox, clock, schedule, frozenset({"U0ADMIN"}))


@pytest.mark.parametrize("choice", Choice)
def test_t38_only_the_sender_or_an_admin_decides(
    light: Decisions, store: Store, clock: FakeClock, choice: Choice
) -> None:
    lost = add_unconfirmed(store, clock())
    before = get(store, lost)

    assert decide(light, choice, lost, SAM) == NOT_YOURS

    assert get(store, lost) == before
    assert len(store.outbox.latest(10)) == 1


@pytest.mark.parametrize("by", [DANA, ADMIN])
def test_t38_the_sender_and_an_admin_may(
    light: Decisions, store: Store, clock: FakeClock, by: Caller
) -> None:
    lost = add_unconfirmed(store, clock())

    assert decide(light, Choice.MARK_NOT_SENT, lost, by) is None

    closed = get(store, lost)
    assert (closed.status, closed.reason) == (Status.CLOSED, Reason.MARKED_NOT_SENT)
    assert len(store.outbox.latest(10)) == 1


def test_send_again_makes_one_new_delivery_in_the_name_of_who_pressed(
    desk: Decisions, any_store: Store, clock: FakeClock
) -> None:
    lost = add_unconfirmed(any_store, clock(), "hello *there*")

    assert decide(desk, Choice.SEND_AGAIN, lost, ADMIN) is None

    again, first = any_store.outbox.latest(10)
    assert (first.status, first.reason) == (Status.CLOSED, Reason.SENT_AGAIN)
    assert (again.chat_id, again.text, again.retry_of) == (ANN, "hello *there*", lost)
    assert (again.status, again.attempts) == (Status.QUEUED, 0)
    assert again.expires_at == clock() + TTL
    assert again.caller == Caller("U0ADMIN", "T1", "C1")  # in the first one's channel
    assert any_store.outbox.chats_due(clock(), 10) == [ANN]


def test_send_again_keeps_the_markup_of_what_never_got_its_names(
    light: Decisions, store: Store, clock: FakeClock
) -> None:
    # An old version could lose an answer before the names were stored.
    new = NewDelivery("s", ANN, "ask @someone", DANA, markup="ask <@U0SAM>")
    stored = store.outbox.add(new, clock(), TTL)
    store.replicas.doubt_everything(clock(), 1)
    (search,) = store.evidence.due(clock(), 10)
    store.evidence.give_up(search, Reason.NOT_FOUND, None, clock())

    decide(light, Choice.SEND_AGAIN, stored.id, DANA)

    again = store.outbox.latest(1)[0]
    assert (again.text, again.markup) == ("ask @someone", "ask <@U0SAM>")


@pytest.mark.parametrize("first", [Choice.SEND_AGAIN, Choice.MARK_NOT_SENT])
@pytest.mark.parametrize("second", Choice)
def test_a_decision_is_made_once(
    light: Decisions, store: Store, clock: FakeClock, first: Choice, second: Choice
) -> None:
    lost = add_unconfirmed(store, clock())
    decide(light, first, lost, DANA)
    before = store.outbox.latest(10)

    assert decide(light, second, lost, ADMIN) == DECIDED_ALREADY

    assert store.outbox.latest(10) == before


def test_f59_of_fifty_presses_at_once_one_counts(
    desk: Decisions, any_store: Store, clock: FakeClock
) -> None:
    lost = add_unconfirmed(any_store, clock())
    barrier = threading.Barrier(50)
    said: list[str | None] = []

    def press() -> None:
        barrier.wait()
        said.append(decide(desk, Choice.SEND_AGAIN, lost, DANA))

    threads = [threading.Thread(target=press) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(str, said)) == sorted(["None"] + [DECIDED_ALREADY] * 49)
    assert len(any_store.outbox.latest(100)) == 2


def test_f59_different_decisions_at_once_leave_one(
    desk: Decisions, any_store: Store, clock: FakeClock
) -> None:
    lost = add_unconfirmed(any_store, clock())
    barrier = threading.Barrier(12)
    said: list[str | None] = []

    def press(choice: Choice) -> None:
        barrier.wait()
        said.append(decide(desk, choice, lost, DANA))

    threads = [
        threading.Thread(target=press, args=[choice])
        for choice in (Choice.SEND_AGAIN, Choice.MARK_NOT_SENT)
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    was_sent_again = get(any_store, lost).reason == Reason.SENT_AGAIN
    assert said.count(None) == 1
    assert len(any_store.outbox.latest(100)) == (2 if was_sent_again else 1)


@pytest.mark.parametrize("choice", Choice)
def test_f59_a_press_after_late_evidence_does_nothing(
    light: Decisions, store: Store, clock: FakeClock, choice: Choice
) -> None:
    lost = add_unconfirmed(store, clock())
    store.evidence.add_sighting(echo(clock()), clock())

    assert decide(light, choice, lost, DANA) == DECIDED_ALREADY

    assert get(store, lost).status is Status.ACCEPTED
    assert len(store.outbox.latest(10)) == 1


@pytest.mark.parametrize("choice", Choice)
def test_a_press_while_it_is_still_looked_for_does_nothing(
    light: Decisions, store: Store, clock: FakeClock, choice: Choice
) -> None:
    lost = add_unknown(store, clock())

    assert decide(light, choice, lost, DANA) == DECIDED_ALREADY

    assert len(store.outbox.latest(10)) == 1


def test_a_press_on_an_accepted_one_does_nothing(
    light: Decisions, store: Store, clock: FakeClock
) -> None:
    accepted = add_accepted(store, clock())

    assert decide(light, Choice.SEND_AGAIN, accepted, DANA) == DECIDED_ALREADY


def test_check_again_asks_for_a_look_and_decides_nothing(
    desk: Decisions, any_store: Store, clock: FakeClock
) -> None:
    lost = add_unconfirmed(any_store, clock())
    assert any_store.evidence.due(clock(), 10) == []

    assert decide(desk, Choice.CHECK_AGAIN, lost, DANA) is None
    assert decide(desk, Choice.CHECK_AGAIN, lost, DANA) is None

    (search,) = any_store.evidence.due(clock(), 10)
    assert search.is_asked
    assert get(any_store, lost).status is Status.UNCONFIRMED


@pytest.mark.parametrize("delivery_id", ["", "x", "f" * 32, "' OR 1=1 --", "%"])
def test_a_press_on_what_nobody_knows_does_nothing(
    light: Decisions, store: Store, clock: FakeClock, delivery_id: str
) -> None:
    add_unconfirmed(store, clock())

    assert decide(light, Choice.SEND_AGAIN, delivery_id, ADMIN) == NO_SUCH_DELIVERY


def test_what_the_command_line_sent_is_nobodys_to_press(
    light: Decisions, store: Store, clock: FakeClock
) -> None:
    lost = add_unconfirmed(store, clock(), caller=None)

    assert decide(light, Choice.SEND_AGAIN, lost, ADMIN) == NO_SUCH_DELIVERY
    assert store.reports.channels_due(clock()) == []


def test_the_copy_is_sent_as_any_other_and_both_stories_are_told(
    light: Decisions, store: Store, clock: FakeClock, slack: FakeSlack
) -> None:
    lost = add_unconfirmed(store, clock())
    decide(light, Choice.SEND_AGAIN, lost, DANA)
    copy = begin(store, clock())
    store.outbox.accept(copy, MessageId("M2"), clock())
    store.evidence.add_sighting(echo(clock(), "M1"), clock())

    desk = Reporting(store.reports, slack, clock, Schedule())
    for _ in range(10):
        report_next(desk, "C1")

    (_, _, (first,)), (_, _, (second,)) = slack.threads()
    assert "M1" in first
    assert "both copies went out" in first
    assert second == "Accepted by GREEN-API · idMessage `M2`"
