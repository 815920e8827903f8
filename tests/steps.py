"""The first steps of a delivery's life, where many tests begin."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

from bridge.model import (
    Caller,
    ChatId,
    Delivery,
    DeliveryId,
    MessageId,
    NewDelivery,
    Receipt,
    ReceiptStatus,
    Sighting,
)
from bridge.reasons import Reason
from bridge.store import Store

ANN = ChatId("14155550100@c.us")
BOB = ChatId("14155550101@c.us")
LID = ChatId("77770001@lid")
DANA = Caller("U0DANA", "T1", "C1", "http://127.0.0.1/r")
TTL = timedelta(minutes=15)

_numbers = itertools.count(1)


def add(
    store: Store,
    now: datetime,
    text: str = "hello",
    chat_id: ChatId = ANN,
    caller: Caller | None = DANA,
) -> DeliveryId:
    new = NewDelivery(f"step:{next(_numbers)}", chat_id, text, caller)
    return store.outbox.add(new, now, TTL).id


def begin(store: Store, now: datetime, chat_id: ChatId = ANN) -> Delivery:
    """Begin the next attempt of a chat; return the delivery as it was before."""
    head = store.outbox.head(chat_id)
    assert head is not None
    assert store.outbox.begin_attempt(head, head.text, now)
    return head


def add_sending(
    store: Store,
    now: datetime,
    text: str = "hello",
    chat_id: ChatId = ANN,
    caller: Caller | None = DANA,
) -> Delivery:
    add(store, now, text, chat_id, caller)
    return begin(store, now, chat_id)


def add_unknown(
    store: Store,
    now: datetime,
    text: str = "hello",
    chat_id: ChatId = ANN,
    caller: Caller | None = DANA,
) -> DeliveryId:
    head = add_sending(store, now, text, chat_id, caller)
    store.outbox.lose(head, Reason.NO_ANSWER, now)
    return head.id


def add_unconfirmed(
    store: Store,
    now: datetime,
    text: str = "hello",
    chat_id: ChatId = ANN,
    caller: Caller | None = DANA,
) -> DeliveryId:
    delivery_id = add_unknown(store, now, text, chat_id, caller)
    due = store.evidence.due(now + timedelta(minutes=1), 100)
    (search,) = [each for each in due if each.delivery.id == delivery_id]
    later = now + timedelta(minutes=5)
    store.evidence.give_up(search, Reason.NOT_FOUND, later, now)
    return delivery_id


def add_accepted(
    store: Store,
    now: datetime,
    id_message: str = "M1",
    text: str = "hello",
    chat_id: ChatId = ANN,
) -> DeliveryId:
    head = add_sending(store, now, text, chat_id)
    assert store.outbox.accept(head, MessageId(id_message), now)
    return head.id


def get(store: Store, delivery_id: str) -> Delivery:
    delivery = store.outbox.get(delivery_id)
    assert delivery is not None
    return delivery


def echo(
    now: datetime | None,
    id_message: str = "M1",
    text: str = "hello",
    chat_id: ChatId = ANN,
) -> Sighting:
    return Sighting(MessageId(id_message), chat_id, text, now)


def receipt(
    status: ReceiptStatus, id_message: str = "M1", chat_id: ChatId | None = None
) -> Receipt:
    return Receipt(MessageId(id_message), status, chat_id)
