"""Sending without Slack: ``bridge send`` and ``bridge retry``, by the same door."""

from __future__ import annotations

import secrets
import time

from bridge.command import SendText
from bridge.errors import BridgeError
from bridge.flows.outbound import deliver_next, request_delivery
from bridge.flows.search import search
from bridge.model import Delivery, NewDelivery, Status
from bridge.parts import (
    make_outbound,
    make_schedule,
    make_searching,
    make_slack_client,
    make_upkeep,
    make_watch,
    make_whatsapp,
    utc_now,
)
from bridge.reasons import Reason
from bridge.settings import Settings
from bridge.slack.poster import Poster
from bridge.store import Store
from bridge.whatsapp.client import GreenApi

LOOK_SECONDS = 0.05


class NotAgain(BridgeError):
    """The delivery is not one that may be sent again."""


def send_and_wait(
    settings: Settings, store: Store, asked: SendText, *, wait: bool
) -> Delivery:
    """Store a text; wait for its end unless told not to.

    While ``bridge run`` works on the same database it does the sending; else, or as
    soon as it is dead, this process does it.
    """
    new = NewDelivery(
        source=f"cli:{secrets.token_hex(16)}", chat_id=asked.chat_id, text=asked.text
    )
    stored = request_delivery(store.outbox, new, utc_now, make_schedule(settings))
    if not wait:
        return _get(store, stored.id)
    if (delivery := _wait(settings, store, stored.id)).status.is_final:
        return delivery
    whatsapp = make_whatsapp(settings)
    slack = Poster(make_slack_client(settings))
    try:
        return _send_here(settings, store, stored.id, whatsapp, slack)
    finally:
        store.replicas.leave()
        whatsapp.close()


def _send_here(
    settings: Settings,
    store: Store,
    delivery_id: str,
    whatsapp: GreenApi,
    slack: Poster,
) -> Delivery:
    """Do what the service would do, for one chat."""
    way = make_outbound(settings, store, whatsapp, slack)
    watching = make_watch(settings, store, whatsapp, slack)
    upkeep = make_upkeep(settings, store, watching)
    searching = make_searching(settings, store, whatsapp)
    upkeep.begin()
    while not (delivery := _get(store, delivery_id)).status.is_final:
        upkeep.step()
        # Only this chat: what waits for others is the service's business.
        head = store.outbox.head(delivery.chat_id)
        if delivery.status is Status.UNKNOWN:
            search(searching)
        elif head is not None and head.due_at <= utc_now():
            deliver_next(way, delivery.chat_id)
        time.sleep(LOOK_SECONDS * settings.time_scale)
    return delivery


def send_again(
    settings: Settings, store: Store, word: str, even_if_doubled: bool
) -> Delivery:
    """Store a delivery's text once more, as a new delivery; return the new one.

    Raises:
        NotAgain: there is no such delivery, or its text may still arrive.
    """
    found = store.outbox.find(word)
    if len(found) != 1:
        raise NotAgain(
            f"{len(found) or 'No'} deliveries match that id. List them with: "
            "bridge outbox"
        )
    old = found[0]
    if old.status is Status.UNKNOWN:
        raise NotAgain("Whether it was sent is just being found out. Wait for that.")
    if not old.status.is_final:
        raise NotAgain("It has not been sent yet and still leaves by itself.")
    if old.status.is_accepted and old.status is not Status.UNDELIVERED:
        raise NotAgain("GREEN-API accepted it. Sending it again would double it.")
    if old.status.is_doubtful and not even_if_doubled:
        raise NotAgain(
            "It may have been sent already. Look into the chat on the phone; if it is "
            "not there, repeat this with --even-if-doubled."
        )
    new = NewDelivery(
        source=f"retry:{old.id}",  # a delivery is repeated once; then its repetition
        chat_id=old.chat_id,
        text=old.text,
        markup=old.markup,
        caller=old.caller,
        retry_of=old.id,
    )
    if old.status is Status.UNCONFIRMED:
        # The same decision as the button's: whoever comes second changes nothing.
        ttl = make_schedule(settings).expiry()
        if not store.outbox.close_unconfirmed(
            old, Reason.SENT_AGAIN, utc_now(), again=new, time_to_live=ttl
        ):
            raise NotAgain("It was decided, or found, a moment ago.")
    stored = request_delivery(store.outbox, new, utc_now, make_schedule(settings))
    return _get(store, stored.id)


def _wait(settings: Settings, store: Store, delivery_id: str) -> Delivery:
    """Wait for the end of a delivery, or until no copy runs that could bring it."""
    while not (delivery := _get(store, delivery_id)).status.is_final:
        is_sole = store.database.claim_sole_use()
        if is_sole and (
            store.database.is_sqlite or not store.replicas.others(utc_now())
        ):
            break
        time.sleep(LOOK_SECONDS * settings.time_scale)
    return delivery


def _get(store: Store, delivery_id: str) -> Delivery:
    delivery = store.outbox.get(delivery_id)
    assert delivery is not None  # noqa: S101 - rows are never deleted
    return delivery
