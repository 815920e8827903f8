"""Receipts, echoes, and what they make of a delivery."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from bridge.model import ChatId, MessageId, Note, Receipt, ReceiptStatus, Status
from bridge.reasons import Reason
from bridge.store import Store
from bridge.store.tables import attempts, deliveries, receipts, sightings
from tests.fakes import FakeClock
from tests.steps import (
    ANN,
    BOB,
    LID,
    add,
    add_accepted,
    add_sending,
    add_unconfirmed,
    add_unknown,
    begin,
    echo,
    get,
    receipt,
)

GROUP = ChatId("120363043968066561@g.us")
SENT, DELIVERED = ReceiptStatus.SENT, ReceiptStatus.DELIVERED
READ, FAILED = ReceiptStatus.READ, ReceiptStatus.FAILED
SOMEBODY_ELSES = Receipt(MessageId("ELSE"), ReceiptStatus.READ)


def count(store: Store, table: object) -> int:
    with store.database.read() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)  # type: ignore[arg-type]


def note_of(store: Store, delivery_id: str) -> str | None:
    query = select(deliveries.c.note).where(deliveries.c.id == delivery_id)
    with store.database.read() as connection:
        found: str | None = connection.scalar(query)
    return found


def report_at(store: Store, delivery_id: str) -> datetime | None:
    query = select(deliveries.c.report_at).where(deliveries.c.id == delivery_id)
    with store.database.read() as connection:
        found: datetime | None = connection.scalar(query)
    return found


# --- receipts ---------------------------------------------------------------------


def test_f45_receipts_that_come_before_the_answer_count_with_it(
    any_store: Store, clock: FakeClock
) -> None:
    head = add_sending(any_store, clock())
    any_store.evidence.add_receipt(receipt(DELIVERED), clock())
    any_store.evidence.add_receipt(receipt(SENT), clock())
    assert get(any_store, head.id).status is Status.SENDING

    any_store.outbox.accept(head, MessageId("M1"), clock())

    assert get(any_store, head.id).status is Status.DELIVERED


def test_f46_only_news_of_a_known_delivery_tell_its_age(
    any_store: Store, clock: FakeClock
) -> None:
    add_accepted(any_store, clock(), "M1")
    clock.advance(7)
    evidence = any_store.evidence

    told = [
        evidence.add_receipt(each, clock())
        for each in (receipt(SENT), receipt(SENT), receipt(READ), receipt(READ, "M2"))
    ]

    age = timedelta(seconds=7)
    assert told == [age, None, age, None]


@pytest.mark.parametrize("order", list(itertools.permutations([SENT, FAILED, READ])))
def test_f45_receipts_in_any_order_and_doubled_end_alike(
    store: Store, clock: FakeClock, order: tuple[ReceiptStatus, ...]
) -> None:
    delivery_id = add_accepted(store, clock())

    for status in order * 2:
        store.evidence.add_receipt(receipt(status), clock())

    read = get(store, delivery_id)
    assert (read.status, read.reason, read.id_message) == (Status.READ, None, "M1")


def test_f46_a_receipt_come_again_changes_nothing(
    any_store: Store, clock: FakeClock
) -> None:
    delivery_id = add_accepted(any_store, clock())
    any_store.evidence.add_receipt(receipt(SENT), clock())
    before = get(any_store, delivery_id)
    clock.advance(599)

    any_store.evidence.add_receipt(receipt(SENT), clock())

    assert get(any_store, delivery_id) == before
    assert count(any_store, receipts) == 1
    clock.advance(1)
    assert any_store.evidence.note_silence(clock()) == 1


def test_a_receipt_of_nobodys_message_is_only_kept(
    store: Store, clock: FakeClock
) -> None:
    delivery_id = add_accepted(store, clock(), "M1")

    store.evidence.add_receipt(receipt(READ, "M2"), clock())

    assert get(store, delivery_id).status is Status.ACCEPTED
    assert count(store, receipts) == 1


def test_receipts_close_together_are_told_together(
    store: Store, clock: FakeClock
) -> None:
    delivery_id = add_accepted(store, clock())

    store.evidence.add_receipt(receipt(SENT), clock())

    assert report_at(store, delivery_id) == clock() + timedelta(seconds=1)


def test_f45_an_answer_and_its_receipts_stored_at_once_find_each_other(
    any_store: Store, clock: FakeClock
) -> None:
    for round_ in range(5):
        head = add_sending(any_store, clock())
        name = f"M{round_}"
        barrier = threading.Barrier(3)

        def at_once(step: Callable[[], object], barrier: threading.Barrier) -> None:
            barrier.wait()
            step()

        steps: list[Callable[[], object]] = [
            lambda head=head, name=name: any_store.outbox.accept(  # type: ignore[misc]
                head, MessageId(name), clock()
            ),
            lambda name=name: any_store.evidence.add_receipt(  # type: ignore[misc]
                receipt(READ, name), clock()
            ),
            lambda name=name: any_store.evidence.add_sighting(  # type: ignore[misc]
                echo(clock(), name), clock()
            ),
        ]
        threads = [
            threading.Thread(target=at_once, args=[step, barrier]) for step in steps
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert get(any_store, head.id).status is Status.READ


# --- echoes -----------------------------------------------------------------------


def test_f5_an_echo_after_a_lost_answer_is_the_answer(
    any_store: Store, clock: FakeClock
) -> None:
    delivery_id = add_unknown(any_store, clock())
    second = add(any_store, clock(), "second")
    assert any_store.outbox.chats_due(clock(), 10) == []

    any_store.evidence.add_sighting(echo(clock()), clock())

    found = get(any_store, delivery_id)
    assert (found.status, found.id_message) == (Status.ACCEPTED, "M1")
    assert found.reason is None
    assert any_store.outbox.chats_due(clock(), 10) == [ANN]
    assert begin(any_store, clock()).id == second


def test_an_echo_before_a_lost_answer_is_found_by_the_first_look(
    any_store: Store, clock: FakeClock
) -> None:
    head = add_sending(any_store, clock())
    any_store.evidence.add_sighting(echo(clock()), clock())
    assert get(any_store, head.id).status is Status.SENDING
    any_store.outbox.lose(head, Reason.NO_ANSWER, clock())

    found = any_store.evidence.bind_seen([ANN], [], clock())

    assert found == [head.id]
    assert get(any_store, head.id).id_message == "M1"
    assert count(any_store, sightings) == 0


def test_an_echo_before_the_answer_is_used_up_by_it(
    any_store: Store, clock: FakeClock
) -> None:
    head = add_sending(any_store, clock())
    any_store.evidence.add_sighting(echo(clock()), clock())

    any_store.outbox.accept(head, MessageId("M1"), clock())

    assert get(any_store, head.id).id_message == "M1"
    assert count(any_store, sightings) == 0


def test_an_echo_of_what_is_known_already_is_not_kept(
    store: Store, clock: FakeClock
) -> None:
    first = add_accepted(store, clock())
    twin = add_unknown(store, clock())

    store.evidence.add_sighting(echo(clock()), clock())

    assert get(store, first).id_message == "M1"
    assert get(store, twin).status is Status.UNKNOWN
    assert count(store, sightings) == 0


@pytest.mark.parametrize(
    ("text", "chat_id"), [("hello", BOB), ("Hello", ANN), ("hello", LID)]
)
def test_an_echo_of_another_message_binds_nothing(
    store: Store, clock: FakeClock, text: str, chat_id: ChatId
) -> None:
    delivery_id = add_unknown(store, clock())

    store.evidence.add_sighting(echo(clock(), "M1", text, chat_id), clock())

    assert get(store, delivery_id).status is Status.UNKNOWN


def test_f31_of_twins_one_lost_the_accepted_ones_echo_is_no_evidence(
    any_store: Store, clock: FakeClock
) -> None:
    lost = add_unconfirmed(any_store, clock())
    accepted = add_accepted(any_store, clock(), "M2")

    found = any_store.evidence.bind_seen([ANN], [echo(clock(), "M2")], clock())

    assert found == []
    assert get(any_store, lost).status is Status.UNCONFIRMED
    assert get(any_store, accepted).id_message == "M2"


def test_f31_nothing_is_bound_while_a_twin_is_under_way(
    any_store: Store, clock: FakeClock
) -> None:
    lost = add_unconfirmed(any_store, clock())
    twin = add_sending(any_store, clock())

    any_store.evidence.add_sighting(echo(clock(), "M2"), clock())
    assert get(any_store, lost).status is Status.UNCONFIRMED
    any_store.outbox.accept(twin, MessageId("M2"), clock())

    assert any_store.evidence.bind_seen([ANN], [], clock()) == []
    assert get(any_store, twin.id).id_message == "M2"


def test_a_receipt_parked_for_an_echo_counts_when_it_is_bound(
    store: Store, clock: FakeClock
) -> None:
    delivery_id = add_unknown(store, clock())
    store.evidence.add_receipt(receipt(READ), clock())

    store.evidence.add_sighting(echo(clock()), clock())

    assert get(store, delivery_id).status is Status.READ


# --- conflicts --------------------------------------------------------------------


def test_an_id_that_another_delivery_has_makes_the_second_one_unknown(
    any_store: Store, clock: FakeClock
) -> None:
    first = add_accepted(any_store, clock(), "M1")
    second = add_sending(any_store, clock(), "another text")

    assert not any_store.outbox.accept(second, MessageId("M1"), clock())

    unknown = get(any_store, second.id)
    assert (unknown.status, unknown.reason) == (Status.UNKNOWN, Reason.GARBLED)
    assert unknown.id_message is None
    assert get(any_store, first).status is Status.ACCEPTED
    with any_store.database.read() as connection:
        outcomes = connection.scalars(select(attempts.c.outcome)).all()
    assert sorted(map(str, outcomes)) == ["accepted", "unknown"]


def test_an_answer_told_twice_is_one_answer(store: Store, clock: FakeClock) -> None:
    head = add_sending(store, clock())

    assert store.outbox.accept(head, MessageId("M1"), clock())
    assert store.outbox.accept(head, MessageId("M1"), clock())

    assert get(store, head.id).id_message == "M1"


def test_a_second_id_for_a_delivery_changes_nothing(
    store: Store, clock: FakeClock
) -> None:
    head = add_sending(store, clock())
    store.outbox.accept(head, MessageId("M1"), clock())

    assert not store.outbox.accept(head, MessageId("M2"), clock())

    kept = get(store, head.id)
    assert (kept.status, kept.id_message) == (Status.ACCEPTED, "M1")


def test_two_threads_that_find_the_same_id_bind_it_once(
    any_store: Store, clock: FakeClock
) -> None:
    twins = [add_unconfirmed(any_store, clock()) for _ in range(2)]
    barrier = threading.Barrier(4)
    found: list[str] = []

    def look() -> None:
        barrier.wait()
        found.extend(any_store.evidence.bind_seen([ANN], [echo(clock())], clock()))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [twins[0]]
    assert get(any_store, twins[1]).status is Status.UNCONFIRMED


# --- aliases ----------------------------------------------------------------------


def test_f30_an_alias_learned_from_a_receipt_finds_the_next_lost_text(
    any_store: Store, clock: FakeClock
) -> None:
    add_accepted(any_store, clock(), "M1")
    any_store.evidence.add_receipt(receipt(SENT, "M1", LID), clock())
    lost = add_unknown(any_store, clock(), "second")

    any_store.evidence.add_sighting(echo(clock(), "M2", "second", LID), clock())

    assert get(any_store, lost).id_message == "M2"


def test_f30_an_alias_learned_from_an_echo_finds_the_next_lost_text(
    any_store: Store, clock: FakeClock
) -> None:
    add_accepted(any_store, clock(), "M1")
    any_store.evidence.add_sighting(echo(clock(), "M1", "hello", LID), clock())
    lost = add_unknown(any_store, clock(), "second")
    seen = [echo(clock(), "M2", "second", LID)]

    assert any_store.evidence.bind_seen([ANN], seen, clock()) == [lost]


def test_f30_an_alias_is_learned_even_from_a_receipt_come_again(
    store: Store, clock: FakeClock
) -> None:
    add_accepted(store, clock(), "M1")
    store.evidence.add_receipt(receipt(SENT, "M1", ANN), clock())
    store.evidence.add_receipt(receipt(SENT, "M1", LID), clock())
    lost = add_unknown(store, clock(), "second")

    store.evidence.add_sighting(echo(clock(), "M2", "second", LID), clock())

    assert get(store, lost).id_message == "M2"


def test_f30_an_alias_of_one_person_is_no_evidence_for_another(
    store: Store, clock: FakeClock
) -> None:
    add_accepted(store, clock(), "M1")
    store.evidence.add_receipt(receipt(SENT, "M1", LID), clock())
    lost = add_unknown(store, clock(), "second", BOB)

    store.evidence.add_sighting(echo(clock(), "M2", "second", LID), clock())

    assert get(store, lost).status is Status.UNKNOWN


def test_f30_a_number_that_whatsapp_writes_otherwise_is_found(
    any_store: Store, clock: FakeClock
) -> None:
    typed, shown = ChatId("5511987654321@c.us"), ChatId("551187654321@c.us")
    lost = add_unknown(any_store, clock(), "hello", typed)

    any_store.evidence.add_sighting(echo(clock(), "M1", "hello", shown), clock())

    assert get(any_store, lost).id_message == "M1"


# --- the end of a search, and what comes after ------------------------------------


def test_an_unknown_delivery_keeps_its_lane_shut_whoever_asks(
    any_store: Store, clock: FakeClock
) -> None:
    add_unknown(any_store, clock())
    add(any_store, clock(), "second")

    any_store.outbox.tidy(ANN)
    any_store.outbox.expire(clock())

    assert any_store.outbox.chats_due(clock(), 10) == []
    head = any_store.outbox.head(ANN)
    assert head is not None
    assert not any_store.outbox.begin_attempt(head, "second", clock())


def test_what_expires_behind_an_unknown_one_does_not_open_the_lane(
    any_store: Store, clock: FakeClock
) -> None:
    add_unknown(any_store, clock())
    second = add(any_store, clock(), "second")
    clock.advance(15 * 60)
    third = add(any_store, clock(), "third")

    assert any_store.outbox.expire(clock()) == 1

    assert get(any_store, second).status is Status.EXPIRED
    assert get(any_store, third).status is Status.QUEUED
    assert any_store.outbox.chats_due(clock(), 10) == []


def test_giving_up_leaves_it_to_a_person_and_frees_the_lane(
    any_store: Store, clock: FakeClock
) -> None:
    lost = add_unknown(any_store, clock())
    second = add(any_store, clock(), "second")
    clock.advance(3)
    (search,) = any_store.evidence.due(clock(), 10)

    any_store.evidence.give_up(search, Reason.NOT_FOUND, None, clock())

    delivery = get(any_store, lost)
    assert (delivery.status, delivery.reason) == (Status.UNCONFIRMED, Reason.NOT_FOUND)
    assert any_store.outbox.chats_due(clock(), 10) == [ANN]
    assert begin(any_store, clock()).id == second


def test_what_was_found_meanwhile_is_not_given_up(
    store: Store, clock: FakeClock
) -> None:
    lost = add_unknown(store, clock())
    clock.advance(3)
    (search,) = store.evidence.due(clock(), 10)
    store.evidence.add_sighting(echo(clock()), clock())

    store.evidence.give_up(search, Reason.NOT_FOUND, None, clock())
    store.evidence.looked(search, clock(), clock(), counts=True)

    assert get(store, lost).status is Status.ACCEPTED
    assert store.evidence.due(clock() + timedelta(days=2), 10) == []


def test_f28_late_evidence_turns_an_unconfirmed_one_around(
    any_store: Store, clock: FakeClock
) -> None:
    lost = add_unconfirmed(any_store, clock())

    any_store.evidence.add_sighting(echo(clock()), clock())

    found = get(any_store, lost)
    assert (found.status, found.id_message) == (Status.ACCEPTED, "M1")
    assert found.reason is None


def test_late_evidence_does_not_disturb_what_is_being_sent_there(
    any_store: Store, clock: FakeClock
) -> None:
    add_unconfirmed(any_store, clock())
    add(any_store, clock(), "third")
    second = add_sending(any_store, clock(), "second")
    assert second.text == "third"

    any_store.evidence.add_sighting(echo(clock()), clock())

    assert any_store.outbox.chats_due(clock(), 10) == []
    any_store.outbox.accept(second, MessageId("M2"), clock())
    assert any_store.outbox.chats_due(clock(), 10) == [ANN]


def test_late_evidence_corrects_a_decision(store: Store, clock: FakeClock) -> None:
    lost = add_unconfirmed(store, clock())
    delivery = get(store, lost)
    store.outbox.close_unconfirmed(delivery, Reason.MARKED_NOT_SENT, clock())

    store.evidence.add_sighting(echo(clock()), clock())

    found = get(store, lost)
    assert (found.status, found.reason) == (Status.ACCEPTED, None)


def test_that_a_second_copy_was_sent_stays_part_of_the_story(
    any_store: Store, clock: FakeClock
) -> None:
    lost = add_unconfirmed(any_store, clock())
    delivery = get(any_store, lost)
    any_store.outbox.close_unconfirmed(delivery, Reason.SENT_AGAIN, clock())

    any_store.evidence.add_sighting(echo(clock()), clock())
    any_store.evidence.add_receipt(receipt(READ), clock())

    found = get(any_store, lost)
    assert (found.status, found.reason) == (Status.READ, Reason.SENT_AGAIN)


def test_evidence_for_what_certainly_was_not_sent_changes_nothing(
    store: Store, clock: FakeClock
) -> None:
    head = add_sending(store, clock())
    store.outbox.fail(head, Reason.QUOTA, clock())

    store.evidence.add_sighting(echo(clock()), clock())

    assert get(store, head.id).status is Status.FAILED


# --- notes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (ReceiptStatus.FAILED, Reason.WHATSAPP_FAILED),
        (ReceiptStatus.NO_ACCOUNT, Reason.NO_ACCOUNT),
        (ReceiptStatus.NOT_IN_GROUP, Reason.NOT_IN_GROUP),
        (ReceiptStatus.RESTRICTED, Reason.RESTRICTED),
    ],
)
def test_bad_news_is_worth_a_reply_of_its_own(
    store: Store, clock: FakeClock, status: ReceiptStatus, reason: Reason
) -> None:
    delivery_id = add_accepted(store, clock())

    store.evidence.add_receipt(receipt(status), clock())

    delivery = get(store, delivery_id)
    assert (delivery.status, delivery.reason) == (Status.UNDELIVERED, reason)
    assert note_of(store, delivery_id) == Note.UNDELIVERED


def test_f45_bad_news_that_nobody_has_read_yet_gives_way_to_good_news(
    store: Store, clock: FakeClock
) -> None:
    delivery_id = add_accepted(store, clock())
    store.evidence.add_receipt(receipt(FAILED), clock())

    store.evidence.add_receipt(receipt(DELIVERED), clock())

    assert get(store, delivery_id).status is Status.DELIVERED
    assert note_of(store, delivery_id) is None


@pytest.mark.parametrize(
    ("receipts_before", "wait", "note"),
    [([], 5, Note.NO_RECEIPT), ([SENT], 10, Note.STUCK)],
)
def test_a_long_silence_is_worth_one_note(
    any_store: Store,
    clock: FakeClock,
    receipts_before: list[ReceiptStatus],
    wait: int,
    note: Note,
) -> None:
    delivery_id = add_accepted(any_store, clock())
    any_store.evidence.add_receipt(SOMEBODY_ELSES, clock())
    for status in receipts_before:
        any_store.evidence.add_receipt(receipt(status), clock())
    clock.advance(wait * 60 - 1)
    assert any_store.evidence.note_silence(clock()) == 0
    clock.advance(1)

    assert any_store.evidence.note_silence(clock()) == 1

    assert note_of(any_store, delivery_id) == note
    assert report_at(any_store, delivery_id) == clock()
    assert any_store.evidence.note_silence(clock() + timedelta(minutes=30)) == 0


def test_where_no_receipts_ever_come_their_absence_says_nothing(
    store: Store, clock: FakeClock
) -> None:
    add_accepted(store, clock())
    failed = Receipt(MessageId("ELSE"), ReceiptStatus.FAILED)  # comes even then
    store.evidence.add_receipt(failed, clock())
    clock.advance(300)

    assert store.evidence.note_silence(clock()) == 0


def test_a_silence_is_no_news_after_an_hour(store: Store, clock: FakeClock) -> None:
    delivery_id = add_accepted(store, clock())
    clock.advance(300 + 3600)
    store.evidence.add_receipt(SOMEBODY_ELSES, clock())

    assert store.evidence.note_silence(clock()) == 0
    store.evidence.prune(clock())

    assert note_of(store, delivery_id) is None


def test_a_group_gets_no_second_tick_and_no_note_about_it(
    store: Store, clock: FakeClock
) -> None:
    delivery_id = add_accepted(store, clock(), "M1", "hello", GROUP)

    store.evidence.add_receipt(receipt(SENT), clock())

    clock.advance(600)
    assert store.evidence.note_silence(clock()) == 0
    assert note_of(store, delivery_id) is None


def test_what_is_on_the_phone_is_watched_no_more(
    store: Store, clock: FakeClock
) -> None:
    add_accepted(store, clock())
    store.evidence.add_receipt(receipt(SENT), clock())

    store.evidence.add_receipt(receipt(DELIVERED), clock())

    clock.advance(600)
    assert store.evidence.note_silence(clock()) == 0


def test_a_note_about_silence_that_nobody_has_read_yet_is_dropped_with_a_word(
    store: Store, clock: FakeClock
) -> None:
    delivery_id = add_accepted(store, clock())
    store.evidence.add_receipt(SOMEBODY_ELSES, clock())
    clock.advance(300)
    assert store.evidence.note_silence(clock()) == 1

    store.evidence.add_receipt(receipt(SENT), clock())

    assert note_of(store, delivery_id) is None


# --- housekeeping -----------------------------------------------------------------


def test_receipts_are_kept_for_a_month_and_echoes_for_two_days(
    any_store: Store, clock: FakeClock
) -> None:
    any_store.evidence.add_receipt(receipt(SENT, "old"), clock())
    any_store.evidence.add_sighting(echo(clock(), "old"), clock())
    clock.advance(2 * 86_400)
    any_store.evidence.prune(clock())
    assert (count(any_store, receipts), count(any_store, sightings)) == (1, 1)
    clock.advance(1)
    any_store.evidence.prune(clock())
    assert (count(any_store, receipts), count(any_store, sightings)) == (1, 0)
    clock.advance(28 * 86_400)

    any_store.evidence.prune(clock())

    assert count(any_store, receipts) == 0


def test_no_text_of_an_echo_is_kept(store: Store, clock: FakeClock) -> None:
    store.evidence.add_sighting(echo(clock(), "M1", "a secret of somebody"), clock())

    with store.database.read() as connection:
        row = connection.execute(select(sightings)).one()
    assert "secret" not in str(row)


def test_hostile_ids_are_only_values(any_store: Store, clock: FakeClock) -> None:
    name = "'; DROP TABLE receipts; -- %s :x \\ \U0001f468"
    delivery_id = add_accepted(any_store, clock(), name)

    any_store.evidence.add_receipt(Receipt(MessageId(name), READ), clock())

    assert get(any_store, delivery_id).status is Status.READ
