"""The running copies, and what becomes of a dead one's work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from bridge.model import Card, MessageId, Status, Step
from bridge.reasons import Reason
from bridge.store import Store, open_store
from bridge.store.tables import attempts, lanes
from tests.fakes import FakeClock
from tests.steps import (
    ANN,
    BOB,
    add,
    add_accepted,
    add_sending,
    add_unconfirmed,
    add_unknown,
    begin,
    echo,
    get,
)

CARD = Card("card", "card")


@pytest.fixture
def other(any_store: Store, database_url: str) -> Iterator[Store]:
    """Another copy on the same database; it has not joined yet."""
    opened = open_store(database_url)
    yield opened
    opened.database.close()


@pytest.fixture
def two(postgres_url: str, clock: FakeClock) -> Iterator[tuple[Store, Store]]:
    """Two living copies; only a server can have them."""
    stores = open_store(postgres_url), open_store(postgres_url)
    for each in stores:
        each.replicas.join(clock())
    yield stores
    for each in stores:
        each.database.close()


def fall_silent(store: Store) -> None:
    """Let a copy not have beaten for years, by whatever clock."""
    with store.database.write() as connection:
        query = text("UPDATE replicas SET beat_at = 0 WHERE id = :me")
        connection.execute(query, {"me": store.database.owner})


def take_over(dead: Store, living: Store, clock: FakeClock) -> int:
    fall_silent(dead)
    living.replicas.join(clock())
    return living.replicas.judge(clock())


def test_f22_what_a_dead_copy_was_sending_is_unknown(
    any_store: Store, other: Store, clock: FakeClock
) -> None:
    dead = any_store
    sending = add_sending(dead, clock())
    add(dead, clock(), "second")
    waiting = add(dead, clock(), chat_id=BOB)

    assert take_over(dead, other, clock) == 1

    lost = get(other, sending.id)
    assert (lost.status, lost.reason) == (Status.UNKNOWN, Reason.CRASHED)
    assert get(other, waiting).status is Status.QUEUED
    assert other.outbox.chats_due(clock(), 10) == [BOB]
    with other.database.read() as connection:
        ends = connection.execute(select(attempts.c.outcome, attempts.c.reason)).all()
        owners = connection.scalars(select(lanes.c.owner)).all()
    assert [tuple(end) for end in ends] == [("unknown", Reason.CRASHED)]
    assert set(owners) == {None}
    assert [s.delivery.id for s in other.evidence.due(clock() + timedelta(3), 9)] == [
        sending.id
    ]


def test_f24_what_waits_between_two_commits_is_sent_by_the_next_copy(
    any_store: Store, other: Store, clock: FakeClock
) -> None:
    waiting = add(any_store, clock())

    assert take_over(any_store, other, clock) == 0

    assert begin(other, clock()).id == waiting


def test_what_a_dead_copy_found_out_is_no_matter_of_doubt(
    any_store: Store, other: Store, clock: FakeClock
) -> None:
    accepted = add_accepted(any_store, clock())

    assert take_over(any_store, other, clock) == 0

    assert get(other, accepted).status is Status.ACCEPTED


def test_judging_twice_judges_once(
    any_store: Store, other: Store, clock: FakeClock
) -> None:
    add_sending(any_store, clock())
    take_over(any_store, other, clock)

    assert other.replicas.judge(clock()) == 0


def test_f56_a_copy_taken_for_dead_can_take_no_lane(
    any_store: Store, other: Store, clock: FakeClock
) -> None:
    frozen = any_store
    waiting = add(frozen, clock())
    head = frozen.outbox.head(ANN)
    assert head is not None
    take_over(frozen, other, clock)

    assert not frozen.outbox.begin_attempt(head, head.text, clock())

    assert get(other, waiting).status is Status.QUEUED
    assert begin(other, clock()).id == waiting


def test_f56_what_a_copy_taken_for_dead_still_learns_counts(
    any_store: Store, other: Store, clock: FakeClock
) -> None:
    frozen = any_store
    sending = add_sending(frozen, clock())
    second = add(frozen, clock(), "second")
    take_over(frozen, other, clock)

    assert frozen.outbox.accept(sending, MessageId("M1"), clock())

    found = get(other, sending.id)
    assert (found.status, found.id_message) == (Status.ACCEPTED, "M1")
    assert begin(other, clock()).id == second


def test_f56_a_late_answer_does_not_take_the_lane_from_who_has_it_now(
    any_store: Store, other: Store, clock: FakeClock
) -> None:
    frozen = any_store
    sending = add_sending(frozen, clock())
    add(frozen, clock(), "second")
    add(frozen, clock(), "third")
    take_over(frozen, other, clock)
    (search,) = other.evidence.due(clock() + timedelta(seconds=3), 10)
    other.evidence.give_up(search, Reason.NOT_FOUND, None, clock())
    second = begin(other, clock())

    frozen.outbox.accept(sending, MessageId("M1"), clock())

    assert other.outbox.chats_due(clock(), 10) == []
    other.outbox.accept(second, MessageId("M2"), clock())
    assert other.outbox.chats_due(clock(), 10) == [ANN]


@pytest.mark.parametrize("end", ["fail", "put_back", "lose"])
def test_f56_any_other_late_end_changes_nothing(
    any_store: Store, other: Store, clock: FakeClock, end: str
) -> None:
    frozen = any_store
    sending = add_sending(frozen, clock())
    take_over(frozen, other, clock)
    before = get(other, sending.id)

    if end == "fail":
        frozen.outbox.fail(sending, Reason.QUOTA, clock())
    elif end == "lose":
        frozen.outbox.lose(sending, Reason.NO_ANSWER, clock())
    else:
        later = clock() + timedelta(seconds=9)
        frozen.outbox.put_back(sending, Status.QUEUED, "x", later, clock())

    assert get(other, sending.id) == before
    assert other.outbox.chats_due(later if end == "put_back" else clock(), 10) == []


def test_a_copy_taken_for_dead_learns_it_at_its_next_beat_and_joins_anew(
    any_store: Store, other: Store, clock: FakeClock
) -> None:
    frozen = any_store
    assert frozen.replicas.beat(clock())
    add(frozen, clock())
    first_life = frozen.database.owner
    take_over(frozen, other, clock)

    assert not frozen.replicas.beat(clock())
    frozen.replicas.join(clock())

    assert frozen.database.owner != first_life
    assert frozen.replicas.beat(clock())
    begin(frozen, clock())


def test_f26_a_post_that_a_dead_copy_was_making_is_looked_for_by_the_next(
    any_store: Store, other: Store, clock: FakeClock
) -> None:
    add(any_store, clock())
    report = any_store.reports.oldest("C1", clock())
    assert report is not None
    assert any_store.reports.begin_post(report, Step.OPEN)
    other.database.owner = "another living copy"
    assert other.reports.oldest("C1", clock()) is None
    assert not other.reports.begin_post(report, Step.OPEN)

    take_over(any_store, other, clock)

    left = other.reports.oldest("C1", clock())
    assert left is not None
    assert left.doubt is Step.OPEN
    assert other.reports.begin_post(left, Step.OPEN)


def test_f57_copies_that_live_are_left_alone(
    two: tuple[Store, Store], clock: FakeClock
) -> None:
    first, second = two
    sending = add_sending(first, clock())

    assert second.replicas.judge(clock()) == 0

    assert get(second, sending.id).status is Status.SENDING
    assert [each.replicas.others(clock()) for each in two] == [1, 1]


def test_f57_a_lane_is_in_one_copys_hands(
    two: tuple[Store, Store], clock: FakeClock
) -> None:
    heads = []
    for number in range(10):
        add(two[0], clock(), f"{number}")
    for store in two:
        head = store.outbox.head(ANN)
        assert head is not None
        heads.append(head)
    barrier = threading.Barrier(2)
    won: list[bool] = []

    def take(store: Store, index: int) -> None:
        barrier.wait()
        won.append(store.outbox.begin_attempt(heads[index], "0", clock()))

    threads = [
        threading.Thread(target=take, args=[store, index])
        for index, store in enumerate(two)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(won) == [False, True]


def test_f57_of_two_copies_that_would_lead_one_does(
    two: tuple[Store, Store],
) -> None:
    barrier = threading.Barrier(2)
    leads: list[bool] = []

    def lead(store: Store) -> None:
        barrier.wait()
        leads.append(store.replicas.lead())

    threads = [threading.Thread(target=lead, args=[store]) for store in two]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(leads) == [False, True]


def test_f57_the_lead_stays_where_it_is_until_its_copy_is_gone(
    two: tuple[Store, Store], clock: FakeClock
) -> None:
    first, second = two
    assert first.replicas.lead()
    assert first.replicas.lead()
    assert not second.replicas.lead()
    fall_silent(first)
    assert not second.replicas.lead()

    second.replicas.judge(clock())

    assert second.replicas.lead()
    assert not first.replicas.lead()


def test_a_copy_that_leaves_hands_everything_over_at_once(
    two: tuple[Store, Store], clock: FakeClock
) -> None:
    first, second = two
    first.replicas.lead()
    sending = add_sending(first, clock())

    first.replicas.leave()

    assert second.replicas.lead()
    assert second.replicas.judge(clock()) == 1
    assert get(second, sending.id).status is Status.UNKNOWN
    assert second.replicas.others(clock()) == 0


def test_a_copys_own_clock_does_not_make_others_dead(
    two: tuple[Store, Store], clock: FakeClock
) -> None:
    first, second = two
    sending = add_sending(first, clock())

    second.replicas.judge(clock() + timedelta(minutes=4))

    assert get(second, sending.id).status is Status.SENDING


def test_on_sqlite_a_new_copy_is_the_only_one(store: Store, clock: FakeClock) -> None:
    store.replicas.join(clock())

    assert store.replicas.others(clock()) == 0
    assert store.replicas.lead()


# --- a database that went back in time --------------------------------------------


def test_beats_only_ever_grow(any_store: Store, clock: FakeClock) -> None:
    counted = [any_store.replicas.beats()]

    for _ in range(3):
        any_store.replicas.beat(clock())
        any_store.replicas.leave()
        any_store.replicas.join(clock())
        counted.append(any_store.replicas.beats())

    assert counted == sorted(set(counted))


def test_f40_what_waits_in_a_restored_database_may_have_been_sent(
    any_store: Store, clock: FakeClock
) -> None:
    store = any_store
    left_alone = [add_accepted(store, clock()), add_unconfirmed(store, clock(), "u")]
    sending = add_sending(store, clock(), "sending").id
    queued = [add(store, clock(), "queued"), add(store, clock(), "b", BOB)]
    before = [get(store, each) for each in left_alone]
    clock.advance(3600)

    assert store.replicas.doubt_everything(clock(), 77) == 3

    doubtful = [get(store, each) for each in (sending, *queued)]
    assert {d.status for d in doubtful} == {Status.UNKNOWN}
    assert {d.reason for d in doubtful} == {Reason.RESTORED}
    assert [get(store, each) for each in left_alone] == before
    assert store.outbox.chats_due(clock(), 10) == []
    assert store.replicas.beats() > 77  # the same restore is noticed once
    due = {search.delivery.id for search in store.evidence.due(clock(), 10)}
    assert {sending, *queued} <= due


def test_f40_what_was_sent_after_the_backup_is_found(
    any_store: Store, clock: FakeClock
) -> None:
    queued = add(any_store, clock())
    sent_at = clock() + timedelta(minutes=1)
    clock.advance(3600)
    any_store.replicas.doubt_everything(clock(), 1)

    found = any_store.evidence.bind_seen([ANN], [echo(sent_at)], clock())

    assert found == [queued]


def test_f40_a_restored_chat_is_open_again_when_all_of_it_is_decided(
    any_store: Store, clock: FakeClock
) -> None:
    for text_ in ("a", "b"):
        add(any_store, clock(), text_)
    any_store.replicas.doubt_everything(clock(), 1)
    fresh = add(any_store, clock(), "fresh")
    first, second = any_store.evidence.due(clock(), 10)
    any_store.evidence.give_up(first, Reason.NOT_FOUND, None, clock())
    assert any_store.outbox.chats_due(clock(), 10) == []

    any_store.evidence.give_up(second, Reason.NOT_FOUND, None, clock())

    assert begin(any_store, clock()).id == fresh


def test_a_chat_that_only_an_unknown_one_shut_takes_new_texts_in_order(
    any_store: Store, clock: FakeClock
) -> None:
    add_unknown(any_store, clock(), "a")
    texts = ["b", "c"]
    for text_ in texts:
        add(any_store, clock(), text_)
    any_store.evidence.add_sighting(echo(clock(), "M1", "a"), clock())

    for number, text_ in enumerate(texts):
        head = begin(any_store, clock())
        assert head.text == text_
        any_store.outbox.accept(head, MessageId(f"N{number}"), clock())
