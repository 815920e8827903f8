"""One request too many is refused, says so, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from bridge.errors import Crowd, SameAgain, TooMany
from bridge.model import Caller, ChatId, DeliveryId, NewDelivery, Status
from bridge.reasons import Reason
from bridge.store import Store, open_store
from bridge.store.crowd import Limits
from bridge.wording import deliveries as wording
from tests.conftest import NOW
from tests.fakes import FakeClock
from tests.harness import in_parallel

ANN, BOB = ChatId("14155550100@c.us"), ChatId("14155550101@c.us")
TTL = timedelta(minutes=15)
Open = Callable[..., Store]


@pytest.fixture
def opened(database_url: str) -> Iterator[Open]:
    stores: list[Store] = []

    def open_limited(**limits: Any) -> Store:
        nothing = {"waiting": 0, "waiting_per_chat": 0, "per_minute": 0}
        store = open_store(database_url, limits=Limits(**{**nothing, **limits}))
        store.replicas.join(NOW)
        stores.append(store)
        return store

    yield open_limited
    for store in stores:
        store.database.close()


def ask(store: Store, clock: FakeClock, n: int, chat_id: ChatId = ANN) -> None:
    caller = Caller(f"U{n % 2}", "T1", "C1")
    new = NewDelivery(f"s{n}", chat_id, f"text {n}", caller)
    store.outbox.add(new, clock(), TTL)


def refused(store: Store, clock: FakeClock, n: int, chat_id: ChatId = ANN) -> Crowd:
    before = store.outbox.waiting()
    with pytest.raises(TooMany) as caught:
        ask(store, clock, n, chat_id)
    assert store.outbox.waiting() == before
    assert "Nothing was sent." in wording.not_stored(caught.value)
    return caught.value.crowd


def test_no_more_may_wait_than_is_allowed(opened: Open, clock: FakeClock) -> None:
    store = opened(waiting=2)
    ask(store, clock, 1)
    ask(store, clock, 2, BOB)

    assert refused(store, clock, 3) is Crowd.BRIDGE


def test_a_full_chat_is_no_other_chats_trouble(opened: Open, clock: FakeClock) -> None:
    store = opened(waiting_per_chat=2)
    ask(store, clock, 1)
    ask(store, clock, 2)

    assert refused(store, clock, 3) is Crowd.CHAT
    ask(store, clock, 4, BOB)


def test_what_has_left_makes_room(opened: Open, clock: FakeClock) -> None:
    store = opened(waiting=1)
    ask(store, clock, 1)
    head = store.outbox.head(ANN)
    assert head is not None
    assert store.outbox.begin_attempt(head, head.text, clock())

    ask(store, clock, 2, BOB)


def test_one_person_may_send_so_many_a_minute(opened: Open, clock: FakeClock) -> None:
    store = opened(per_minute=2)
    ask(store, clock, 2)
    clock.advance(30)
    ask(store, clock, 4)

    assert refused(store, clock, 6) is Crowd.PERSON
    ask(store, clock, 7)  # somebody else
    clock.advance(30)
    ask(store, clock, 8)


def test_the_same_command_again_is_not_one_more(opened: Open, clock: FakeClock) -> None:
    store = opened(waiting=1, waiting_per_chat=1, per_minute=1)
    ask(store, clock, 1)

    ask(store, clock, 1)

    assert store.outbox.waiting()[0] == 1


def test_without_limits_everything_is_taken(opened: Open, clock: FakeClock) -> None:
    store = opened()
    for n in range(30):
        ask(store, clock, n)

    assert store.outbox.waiting()[0] == 30


# --- the same again -------------------------------------------------------------------

MINUTE = timedelta(minutes=1)


def say(
    store: Store,
    clock: FakeClock,
    source: str,
    *,
    chat_id: ChatId = ANN,
    text: str = "Hello",
    user: str | None = "U1",
) -> str:
    caller = Caller(user, "T1", "C1") if user else None
    new = NewDelivery(source, chat_id, text, caller)
    return store.outbox.add(new, clock(), TTL).id


def test_the_same_typed_again_within_a_minute_is_refused_and_names_the_first(
    opened: Open, clock: FakeClock
) -> None:
    store = opened(between_same=MINUTE)
    first = say(store, clock, "one")
    clock.advance(12)

    with pytest.raises(SameAgain) as caught:
        say(store, clock, "two")

    said = wording.not_stored(caught.value)
    assert "12 s ago" in said
    assert f"/whatsapp status {first[:8]}" in said
    assert store.outbox.waiting()[0] == 1


def test_it_is_the_same_for_a_minute(opened: Open, clock: FakeClock) -> None:
    store = opened(between_same=MINUTE)
    say(store, clock, "one")
    clock.advance(60)

    say(store, clock, "two")

    assert store.outbox.waiting()[0] == 2


@pytest.mark.parametrize(
    "other",
    [{"chat_id": BOB}, {"text": "hello"}, {"user": "U2"}, {"user": None}],
    ids=str,
)
def test_what_differs_is_not_the_same(
    opened: Open, clock: FakeClock, other: dict[str, Any]
) -> None:
    store = opened(between_same=MINUTE)
    say(store, clock, "one")

    say(store, clock, "two", **other)

    assert store.outbox.waiting()[0] == 2


def test_the_command_line_may_say_it_twice(opened: Open, clock: FakeClock) -> None:
    store = opened(between_same=MINUTE)
    say(store, clock, "one", user=None)

    say(store, clock, "two", user=None)

    assert store.outbox.waiting()[0] == 2


@pytest.mark.parametrize("status", [Status.FAILED, Status.EXPIRED])
def test_what_certainly_was_not_sent_may_be_asked_for_again(
    opened: Open, clock: FakeClock, status: Status
) -> None:
    store = opened(between_same=MINUTE)
    first = store.outbox.get(DeliveryId(say(store, clock, "one")))
    assert first is not None
    store.outbox.drop(first, status, Reason.BAD_REQUEST, clock())

    say(store, clock, "two")

    assert store.outbox.waiting()[0] == 1


def test_of_two_copies_that_hear_the_same_at_once_one_takes_it(
    opened: Open, clock: FakeClock
) -> None:
    stores = [opened(between_same=MINUTE), opened(between_same=MINUTE)]

    def outcome(n: int) -> bool:
        try:
            say(stores[n], clock, f"copy {n}")
        except SameAgain:
            return False
        return True

    taken = in_parallel(lambda: outcome(0), lambda: outcome(1))

    assert sorted(taken) == [False, True]
    assert stores[0].outbox.waiting()[0] == 1
