"""The memory, on a real SQLite and a real PostgreSQL."""

from __future__ import annotations

import re
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, inspect, select

from bridge.errors import NotStored
from bridge.model import (
    Caller,
    ChatId,
    Delivery,
    MessageId,
    NewDelivery,
    Place,
    Receipt,
    ReceiptStatus,
    Sighting,
    Status,
    Step,
    ThreadRef,
)
from bridge.reasons import Reason
from bridge.store import Store
from bridge.store.outbox import Stored
from bridge.store.tables import attempts, metadata
from tests.fakes import FakeClock

ANN = ChatId("14155550100@c.us")
BOB = ChatId("14155550101@c.us")
DANA = Caller("U0DANA", "T1", "C1", "http://127.0.0.1/r")
TTL = timedelta(minutes=15)
# The tables named here hold open work only, or a handful of rows.
A_LONG_SCAN = r"SCAN (?!\w+ USING|lanes|replicas|accounts|facts|CONSTANT)"


def add(
    store: Store,
    clock: FakeClock,
    source: str = "s1",
    chat_id: ChatId = ANN,
    caller: Caller | None = DANA,
) -> Stored:
    return store.outbox.add(
        NewDelivery(source, chat_id, f"text of {source}", caller), clock(), TTL
    )


def begin(store: Store, clock: FakeClock, chat_id: ChatId = ANN) -> Delivery:
    head = store.outbox.head(chat_id)
    assert head is not None
    assert store.outbox.begin_attempt(head, head.text, clock())
    return head


def test_a_request_is_found_again_as_it_was_stored(
    any_store: Store, clock: FakeClock
) -> None:
    stored = add(any_store, clock)

    delivery = any_store.outbox.get(stored.id)

    assert delivery is not None
    assert delivery.status is Status.QUEUED
    assert delivery.caller == DANA
    assert delivery.text == "text of s1"
    assert delivery.created_at == clock()
    assert delivery.expires_at == clock() + TTL


def test_the_same_request_again_stores_nothing(
    any_store: Store, clock: FakeClock
) -> None:
    first = add(any_store, clock)

    again = add(any_store, clock)

    assert again == Stored(first.id, is_new=False)
    assert len(any_store.outbox.latest(10)) == 1


def test_five_copies_of_a_request_at_once_store_one_row(
    any_store: Store, clock: FakeClock
) -> None:
    barrier = threading.Barrier(5)
    results: list[Stored] = []

    def arrive() -> None:
        barrier.wait()
        results.append(add(any_store, clock))

    threads = [threading.Thread(target=arrive) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({stored.id for stored in results}) == 1
    assert [stored.is_new for stored in results].count(True) == 1


def test_a_request_past_its_deadline_leaves_no_trace(
    any_store: Store, clock: FakeClock
) -> None:
    new = NewDelivery("late", ANN, "text", DANA)

    with pytest.raises(NotStored):
        any_store.outbox.add(new, clock(), TTL, deadline=time.monotonic() - 1)

    assert any_store.outbox.latest(10) == []
    assert any_store.outbox.chats_due(clock(), 10) == []


def test_a_chat_is_due_as_long_as_something_waits_in_it(
    any_store: Store, clock: FakeClock
) -> None:
    add(any_store, clock, "s1")
    add(any_store, clock, "s2")

    for number in range(2):
        assert any_store.outbox.chats_due(clock(), 10) == [ANN]
        head = begin(any_store, clock)
        any_store.outbox.accept(head, MessageId(f"M{number}"), clock())

    assert any_store.outbox.chats_due(clock(), 10) == []


def test_a_chat_in_which_a_post_is_under_way_is_not_due(
    any_store: Store, clock: FakeClock
) -> None:
    add(any_store, clock, "s1")
    add(any_store, clock, "s2")
    begin(any_store, clock)

    assert any_store.outbox.chats_due(clock(), 10) == []
    second = any_store.outbox.head(ANN)
    assert second is not None
    assert not any_store.outbox.begin_attempt(second, second.text, clock())


def test_two_threads_that_begin_the_same_delivery_make_one_attempt(
    any_store: Store, clock: FakeClock
) -> None:
    add(any_store, clock)
    head = any_store.outbox.head(ANN)
    assert head is not None
    barrier = threading.Barrier(4)
    won: list[bool] = []

    def begin_it() -> None:
        barrier.wait()
        won.append(any_store.outbox.begin_attempt(head, "text", clock()))

    threads = [threading.Thread(target=begin_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert won.count(True) == 1
    with any_store.database.read() as connection:
        assert len(connection.execute(select(attempts)).all()) == 1


def test_the_chat_that_waited_longest_comes_first(
    any_store: Store, clock: FakeClock
) -> None:
    add(any_store, clock, "s1", BOB)
    clock.advance(1)
    add(any_store, clock, "s2", ANN)

    assert any_store.outbox.chats_due(clock(), 10) == [BOB, ANN]
    assert any_store.outbox.chats_due(clock(), 1) == [BOB]


def test_a_delivery_put_back_holds_its_chat_back_and_no_other(
    any_store: Store, clock: FakeClock
) -> None:
    for source, chat_id in (("s1", ANN), ("s2", ANN), ("s3", BOB)):
        add(any_store, clock, source, chat_id)
    head = begin(any_store, clock)
    later = clock() + timedelta(seconds=30)

    any_store.outbox.put_back(head, Status.QUEUED, "unreachable", later, clock())

    assert any_store.outbox.chats_due(clock(), 10) == [BOB]
    clock.advance(30)
    assert set(any_store.outbox.chats_due(clock(), 10)) == {ANN, BOB}
    first = any_store.outbox.head(ANN)
    assert first is not None
    assert (first.source, first.attempts, first.reason) == ("s1", 1, "unreachable")


def crash_and_start_again(store: Store, clock: FakeClock) -> int:
    """Leave as a killed copy does, and judge as the next one."""
    store.replicas.leave()
    store.replicas.join(clock())
    return store.replicas.judge(clock())


def test_what_was_being_sent_at_a_crash_is_unknown_and_keeps_its_chat_shut(
    any_store: Store, clock: FakeClock
) -> None:
    stored = add(any_store, clock, "s1")
    add(any_store, clock, "s2")
    add(any_store, clock, "s3", BOB)
    begin(any_store, clock)

    lost = crash_and_start_again(any_store, clock)

    assert lost == 1
    delivery = any_store.outbox.get(stored.id)
    assert delivery is not None
    assert (delivery.status, delivery.reason) == (Status.UNKNOWN, "crashed")
    assert any_store.outbox.chats_due(clock(), 10) == [BOB]
    second = any_store.outbox.head(ANN)
    assert second is not None
    assert second.source == "s2"
    assert not any_store.outbox.begin_attempt(second, second.text, clock())
    with any_store.database.read() as connection:
        assert connection.scalars(select(attempts.c.outcome)).all() == ["unknown"]


def test_judging_twice_changes_nothing(any_store: Store, clock: FakeClock) -> None:
    add(any_store, clock)
    begin(any_store, clock)
    crash_and_start_again(any_store, clock)
    before = any_store.outbox.latest(10)

    assert any_store.replicas.judge(clock()) == 0
    assert any_store.outbox.latest(10) == before


def test_a_refusal_after_the_judgement_changes_nothing(
    any_store: Store, clock: FakeClock
) -> None:
    stored = add(any_store, clock)
    head = begin(any_store, clock)
    crash_and_start_again(any_store, clock)

    any_store.outbox.put_back(head, Status.QUEUED, "x", clock(), clock())

    delivery = any_store.outbox.get(stored.id)
    assert delivery is not None
    assert delivery.status is Status.UNKNOWN
    assert any_store.outbox.chats_due(clock(), 10) == []


def test_an_answer_after_the_judgement_still_counts(
    any_store: Store, clock: FakeClock
) -> None:
    stored = add(any_store, clock)
    add(any_store, clock, "s2")
    head = begin(any_store, clock)
    crash_and_start_again(any_store, clock)

    assert any_store.outbox.accept(head, MessageId("M"), clock())

    delivery = any_store.outbox.get(stored.id)
    assert delivery is not None
    assert (delivery.status, delivery.id_message) == (Status.ACCEPTED, "M")
    assert any_store.outbox.chats_due(clock(), 10) == [ANN]
    with any_store.database.read() as connection:
        assert connection.scalars(select(attempts.c.outcome)).all() == ["accepted"]


def test_a_delivery_added_while_its_lane_closes_is_not_forgotten(
    any_store: Store, clock: FakeClock
) -> None:
    for round_ in range(20):
        add(any_store, clock, f"a{round_}")
        head = begin(any_store, clock)
        barrier = threading.Barrier(2)

        def close(head: Delivery = head, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            any_store.outbox.accept(head, MessageId(head.id), clock())

        closing = threading.Thread(target=close)
        closing.start()
        barrier.wait()
        add(any_store, clock, f"b{round_}")
        closing.join()

        assert any_store.outbox.chats_due(clock(), 10) == [ANN]
        second = begin(any_store, clock)
        any_store.outbox.accept(second, MessageId(f"B{round_}"), clock())


def test_slack_is_told_until_it_shows_the_truth(
    any_store: Store, clock: FakeClock
) -> None:
    add(any_store, clock)
    assert any_store.reports.channels_due(clock()) == ["C1"]
    report = any_store.reports.oldest("C1", clock())
    assert report is not None

    any_store.reports.opened(report, ThreadRef("C1", "1.1"), clock())
    assert any_store.reports.channels_due(clock()) == []

    head = begin(any_store, clock)
    any_store.outbox.accept(head, MessageId("M"), clock())
    report = any_store.reports.oldest("C1", clock())
    assert report is not None
    any_store.reports.replied(report, "1.2", clock())
    report = any_store.reports.oldest("C1", clock())
    assert report is not None
    any_store.reports.redrawn(report, clock())
    assert any_store.reports.channels_due(clock()) == []


def test_a_change_while_slack_is_being_told_is_told_next(
    any_store: Store, clock: FakeClock
) -> None:
    add(any_store, clock)
    report = any_store.reports.oldest("C1", clock())
    assert report is not None
    head = begin(any_store, clock)
    any_store.outbox.accept(head, MessageId("M"), clock())

    any_store.reports.opened(report, ThreadRef("C1", "1.1"), clock())

    assert any_store.reports.channels_due(clock()) == ["C1"]


def test_nobody_is_told_of_what_the_command_line_sent(
    any_store: Store, clock: FakeClock
) -> None:
    add(any_store, clock, caller=None)
    head = begin(any_store, clock)
    any_store.outbox.accept(head, MessageId("M"), clock())

    assert any_store.reports.channels_due(clock()) == []


def test_a_thread_moved_elsewhere_starts_anew(
    any_store: Store, clock: FakeClock
) -> None:
    add(any_store, clock)
    report = any_store.reports.oldest("C1", clock())
    assert report is not None
    any_store.reports.opened(report, ThreadRef("C1", "1.1"), clock())

    any_store.reports.move(report, Place.DIRECT, clock())

    moved = any_store.reports.oldest("direct:U0DANA", clock())
    assert moved is not None
    assert (moved.place, moved.thread) == (Place.DIRECT, None)


def test_only_ones_own_deliveries_are_found(any_store: Store, clock: FakeClock) -> None:
    stored = add(any_store, clock)

    assert len(any_store.outbox.find(stored.id[:8], "U0DANA")) == 1
    assert any_store.outbox.find(stored.id[:8], "U0SAM") == []
    assert any_store.outbox.find(stored.id[:7]) == []
    assert any_store.outbox.find("%" * 8) == []


def test_hostile_words_are_only_values(any_store: Store, clock: FakeClock) -> None:
    words = "'; DROP TABLE deliveries; -- \\ %s :x \U0001f468‍\U0001f469"
    new = NewDelivery("s1", ANN, words, DANA)

    stored = any_store.outbox.add(new, clock(), TTL)

    delivery = any_store.outbox.get(stored.id)
    assert delivery is not None
    assert delivery.text == words


def test_every_column_has_a_comment() -> None:
    bare = [
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if not column.comment
    ]

    assert bare == []


def test_the_migrations_make_the_tables_of_the_code(any_store: Store) -> None:
    with any_store.database.read() as connection:
        found = inspect(connection)
        for table in metadata.tables.values():
            columns = {column["name"] for column in found.get_columns(table.name)}
            indexes = {index["name"] for index in found.get_indexes(table.name)}
            assert columns == {column.name for column in table.columns}
            assert {index.name for index in table.indexes} <= indexes


def test_the_queries_of_the_lanes_use_their_partial_indexes(
    store: Store, clock: FakeClock
) -> None:
    # What the product really runs is explained, not a copy of it.
    plans: dict[str, str] = {}

    def explain(
        connection: Any, cursor: Any, query: str, values: Any, *_: object
    ) -> None:
        rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {query}", values)
        plans[query] = str(rows.fetchall())

    for engine in (store.database._reader, store.database._writer):
        event.listen(engine, "before_cursor_execute", explain)
    add(store, clock)
    store.outbox.chats_due(clock(), 10)
    head = begin(store, clock)
    store.outbox.accept(head, MessageId("M"), clock())
    run_what_runs_all_the_time(store, clock)

    for query, plan in plans.items():
        assert not re.search(A_LONG_SCAN, plan), query
    used = " ".join(plans.values())
    for index in (
        "lanes_due",
        "lanes_owned",
        "deliveries_waiting",
        "deliveries_sending_here",
        "deliveries_report",
        "deliveries_expiring",
        "deliveries_unknown",
        "deliveries_doubtful",
        "deliveries_doubtful_here",
        "deliveries_watched",
        "deliveries_telling",
        "deliveries_by_message",
        "sightings_by_text",
    ):
        assert index in used, index


def run_what_runs_all_the_time(store: Store, clock: FakeClock) -> None:
    """Run each query that a lane or a notification runs, on an outbox with work."""
    add(store, clock, "s2")
    second = begin(store, clock)
    store.outbox.lose(second, Reason.NO_ANSWER, clock())
    clock.advance(3)
    (search,) = store.evidence.due(clock(), 10)
    store.evidence.looked(search, clock(), clock(), counts=True)
    seen = Sighting(MessageId("E"), ANN, "another text", clock())
    store.evidence.add_sighting(seen, clock())
    store.evidence.bind_seen([ANN], [seen], clock())
    store.evidence.add_receipt(Receipt(MessageId("M"), ReceiptStatus.SENT), clock())
    store.evidence.note_silence(clock())
    store.evidence.prune(clock())
    store.outbox.expire(clock())
    store.replicas.judge(clock())
    store.outbox.waiting()
    store.reports.channels_due(clock())
    report = store.reports.oldest("C1", clock())
    assert report is not None
    store.reports.begin_post(report, Step.OPEN)
    store.evidence.give_up(search, Reason.NOT_FOUND, None, clock())
