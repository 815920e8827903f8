"""The one WhatsApp account: its state, and whether anything may be sent."""

from __future__ import annotations

from datetime import timedelta

from bridge.model import Status, ThreadRef
from bridge.reasons import Reason
from bridge.store import Store
from bridge.store.accounts import Account
from tests.fakes import FakeClock
from tests.steps import ANN, BOB, add, add_accepted, add_sending, get

NOTHING = Account(None, None, None, None, None, None, None)


def test_before_anybody_asked_nothing_is_known(any_store: Store) -> None:
    assert any_store.accounts.get() == NOTHING
    any_store.accounts.use("1101")
    assert any_store.accounts.get() == NOTHING
    assert not any_store.accounts.get().is_usable


def test_what_is_known_of_another_instance_is_forgotten(
    any_store: Store, clock: FakeClock
) -> None:
    any_store.accounts.use("1101")
    any_store.accounts.hold(Reason.BLOCKED, clock())
    any_store.accounts.use("1101")
    assert any_store.accounts.get().hold is Reason.BLOCKED

    any_store.accounts.use("1102")

    assert any_store.accounts.get() == NOTHING


def test_a_hold_stops_what_waits_and_nothing_else(
    any_store: Store, clock: FakeClock
) -> None:
    any_store.accounts.use("1101")
    accepted = add_accepted(any_store, clock())
    sending = add_sending(any_store, clock(), chat_id=BOB)
    waiting = [add(any_store, clock()) for _ in range(2)]

    any_store.accounts.hold(Reason.NOT_AUTHORIZED, clock())

    for each in waiting:
        held = get(any_store, each)
        assert (held.status, held.reason) == (Status.HELD, Reason.NOT_AUTHORIZED)
    assert get(any_store, accepted).status is Status.ACCEPTED
    assert get(any_store, sending.id).status is Status.SENDING
    assert any_store.outbox.chats_due(clock() + timedelta(days=1), 10) == []


def test_the_same_hold_again_changes_nothing(
    any_store: Store, clock: FakeClock
) -> None:
    any_store.accounts.use("1101")
    waiting = add(any_store, clock())
    any_store.accounts.hold(Reason.STARTING, clock())
    before = any_store.accounts.get(), get(any_store, waiting)
    clock.advance(60)

    any_store.accounts.hold(Reason.STARTING, clock())

    assert (any_store.accounts.get(), get(any_store, waiting)) == before


def test_a_release_makes_all_that_was_held_due_at_once(
    any_store: Store, clock: FakeClock
) -> None:
    any_store.accounts.use("1101")
    for chat_id in (ANN, BOB):
        add(any_store, clock(), chat_id=chat_id)
    head = any_store.outbox.head(ANN)
    assert head is not None
    later = clock() + timedelta(minutes=10)
    any_store.outbox.postpone(head, Reason.SLACK_UNREACHABLE, later, clock())
    any_store.accounts.hold(Reason.STARTING, clock())

    any_store.accounts.release("79001234567@c.us", clock())

    assert set(any_store.outbox.chats_due(clock(), 10)) == {ANN, BOB}
    released = get(any_store, head.id)
    assert (released.status, released.reason) == (Status.QUEUED, None)
    account = any_store.accounts.get()
    assert (account.hold, account.hold_at) == (None, None)
    assert account.wid == "79001234567@c.us"


def test_what_is_held_too_long_expires_and_says_why(
    any_store: Store, clock: FakeClock
) -> None:
    any_store.accounts.use("1101")
    waiting = add(any_store, clock())
    any_store.accounts.hold(Reason.BLOCKED, clock())
    clock.advance(15 * 60)

    assert any_store.outbox.expire(clock()) == 1

    expired = get(any_store, waiting)
    assert (expired.status, expired.reason) == (Status.EXPIRED, Reason.BLOCKED)


def test_what_the_admins_were_told_is_remembered(any_store: Store) -> None:
    any_store.accounts.use("1101")
    line = ThreadRef("C0ADMIN", "1.1")

    any_store.accounts.told(Reason.BLOCKED, line)
    told = any_store.accounts.get()
    any_store.accounts.told(None, None)

    assert (told.told, told.line) == (Reason.BLOCKED, line)
    assert any_store.accounts.get() == NOTHING


def test_a_word_of_any_length_is_taken(any_store: Store, clock: FakeClock) -> None:
    any_store.accounts.use("1101")

    any_store.accounts.hear("x" * 5000, clock())

    assert any_store.accounts.get().state == "x" * 32
