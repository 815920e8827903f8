"""The rules that order the states of a delivery."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import (
    Caller,
    ChatId,
    Delivery,
    DeliveryId,
    Note,
    Place,
    ReceiptStatus,
    Report,
    Status,
    Step,
    ThreadRef,
    standing,
)
from bridge.reasons import Reason

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DELIVERY = Delivery(
    id=DeliveryId("d" * 32),
    source="s",
    chat_id=ChatId("14155550100@c.us"),
    text="hello",
    markup=None,
    caller=Caller("U0DANA", "T1", "C1"),
    status=Status.ACCEPTED,
    attempts=1,
    reason=None,
    id_message=None,
    created_at=NOW,
    updated_at=NOW,
    due_at=NOW,
    expires_at=NOW,
)
REPORT = Report(
    delivery=DELIVERY,
    place=Place.CHANNEL,
    thread=ThreadRef("C1", "1.1"),
    reply_ts="1.2",
    shown=DELIVERY.face,
    replied=DELIVERY.face,
    failures=0,
)

UPWARDS = [
    Status.ACCEPTED,
    Status.SENT,
    Status.UNDELIVERED,
    Status.DELIVERED,
    Status.READ,
]
words = st.lists(st.sampled_from(ReceiptStatus), max_size=12)


@given(words, st.randoms(use_true_random=False))
def test_f45_neither_order_nor_repetition_of_receipts_counts(
    receipts: list[ReceiptStatus], random: Random
) -> None:
    shuffled = receipts * 2
    random.shuffle(shuffled)

    assert standing(shuffled) == standing(set(receipts))


@given(words, st.sampled_from(ReceiptStatus))
def test_f45_a_further_receipt_never_takes_good_news_back(
    receipts: list[ReceiptStatus], late: ReceiptStatus
) -> None:
    before, _ = standing(receipts)
    after, _ = standing([*receipts, late])

    assert UPWARDS.index(after) >= UPWARDS.index(before)


@given(words)
def test_bad_news_has_a_reason_and_good_news_has_none(
    receipts: list[ReceiptStatus],
) -> None:
    status, reason = standing(receipts)

    assert (reason is not None) == (status is Status.UNDELIVERED)


@pytest.mark.parametrize(
    ("receipts", "expected"),
    [
        ("read delivered sent", (Status.READ, None)),
        ("failed delivered", (Status.DELIVERED, None)),
        ("sent failed", (Status.UNDELIVERED, Reason.WHATSAPP_FAILED)),
        ("failed no_account", (Status.UNDELIVERED, Reason.NO_ACCOUNT)),
        ("not_in_group failed", (Status.UNDELIVERED, Reason.NOT_IN_GROUP)),
        ("restricted sent", (Status.UNDELIVERED, Reason.RESTRICTED)),
        ("sent", (Status.SENT, None)),
        ("", (Status.ACCEPTED, None)),
    ],
)
def test_f45_where_a_delivery_stands_by_all_its_receipts(
    receipts: str, expected: tuple[Status, Reason | None]
) -> None:
    assert standing([ReceiptStatus(word) for word in receipts.split()]) == expected


def test_each_status_has_a_face_but_sending_looks_like_queued() -> None:
    faces = {status: replace(DELIVERY, status=status).face for status in Status}

    assert faces.pop(Status.SENDING) == faces[Status.QUEUED]
    assert len(set(faces.values())) == len(faces)


def test_a_reason_and_a_look_on_request_change_the_face() -> None:
    delivery = replace(DELIVERY, status=Status.UNCONFIRMED)
    looks = [None, NOW, NOW + timedelta(seconds=1)]

    faces = {
        replace(delivery, reason=reason, looked_at=looked_at).face
        for reason in (None, Reason.NOT_FOUND)
        for looked_at in looks
    }

    assert len(faces) == 6
    assert max(map(len, faces)) <= 64  # the column's width


@pytest.mark.parametrize("reason", Reason)
def test_no_face_is_wider_than_its_column(reason: Reason) -> None:
    for status in Status:
        delivery = replace(DELIVERY, status=status, reason=reason, looked_at=NOW)

        assert len(delivery.face) <= 64


@pytest.mark.parametrize("status", Status)
def test_a_status_waits_is_under_way_or_is_final(status: Status) -> None:
    assert not (status.is_waiting and status.is_final)
    assert not (status.is_accepted and status.is_doubtful)
    assert status.is_final or not status.is_accepted


@pytest.mark.parametrize(
    ("report", "step"),
    [
        (REPORT, None),
        (replace(REPORT, thread=None), Step.OPEN),
        (replace(REPORT, reply_ts=None), Step.REPLY),
        (replace(REPORT, note=Note.STUCK), Step.NOTE),
        (replace(REPORT, note=Note.STUCK, noted=Note.STUCK), None),
        (replace(REPORT, note=Note.UNDELIVERED, noted=Note.STUCK), Step.NOTE),
        (replace(REPORT, note=Note.STUCK, shown="old"), Step.NOTE),
        (replace(REPORT, shown="old", replied="old"), Step.REDRAW),
        (replace(REPORT, replied="old"), Step.REWRITE),
        (replace(REPORT, place=Place.NOWHERE, thread=None), None),
        (replace(REPORT, place=Place.RESPONSE, replied=None), Step.RESPOND),
        (replace(REPORT, place=Place.RESPONSE), None),
    ],
)
def test_what_slack_is_to_be_told_next(report: Report, step: Step | None) -> None:
    assert report.step is step
