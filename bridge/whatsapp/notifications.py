"""What GREEN-API notifies about: any JSON value → one noun. Pure, no I/O.

The bodies of polling and webhook are the same. Those of all eras are read; what is odd
becomes ``Odd``, because a notification that is refused would block all behind it.

Source: https://green-api.com/en/docs/api/receiving/notifications-format/
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from bridge.model import (
    ChatId,
    Incoming,
    Irrelevant,
    MessageId,
    Notice,
    Odd,
    Receipt,
    ReceiptStatus,
    Sighting,
    StateHint,
)
from bridge.whatsapp.fields import (
    MAX_CHAT,
    MAX_ID,
    Body,
    Wrong,
    id_of,
    inner,
    moment_of,
    seconds_of,
    text_of,
)

OF_ANOTHER_INSTANCE = "of another instance"
# These say what holds whenever they come, and come again without harm. GREEN-API does
# not tell whether a receipt's time is its own or that of its message.
_TIMELESS = frozenset({"outgoingMessageStatus", "stateInstanceChanged"})
OLDEST = timedelta(hours=26)  # GREEN-API keeps a notification for 24
NEWEST = timedelta(minutes=10)  # how far our clock and theirs may differ
MAX_KEY = 200

_STATUSES = {
    "sent": ReceiptStatus.SENT,
    "delivered": ReceiptStatus.DELIVERED,
    "read": ReceiptStatus.READ,
    "failed": ReceiptStatus.FAILED,
    "fail": ReceiptStatus.FAILED,  # until 2021
    "noAccount": ReceiptStatus.NO_ACCOUNT,
    "notInGroup": ReceiptStatus.NOT_IN_GROUP,
    "yellowCard": ReceiptStatus.RESTRICTED,  # until 2026
    "suspended": ReceiptStatus.RESTRICTED,
}
_NO_NEWS = {"pending", "unknown", "noActiveSession"}
_TEXTS = {"textMessage", "extendedTextMessage"}


def parse(body: object, id_instance: str, now: datetime) -> Notice:
    """Return what a notification says; never raises.

    Args:
        body: ``{"typeWebhook": str, "instanceData": {"idInstance": int, …},
            "timestamp"?: int (Unix seconds), …}``, or any other JSON value.
        id_instance: the instance whose notifications we want.
        now: the present moment; a notification from another time is a replay.
    """
    try:
        return _parse(body, id_instance, now)
    except Wrong as err:
        return Odd(str(err))


def _parse(body: object, id_instance: str, now: datetime) -> Notice:
    if not isinstance(body, Mapping):
        raise Wrong("not an object")
    kind = body.get("typeWebhook")
    if not isinstance(kind, str) or not kind:
        raise Wrong("without a kind")
    reader = _READERS.get(kind)
    if not _is_ours(body, id_instance):
        raise Wrong(OF_ANOTHER_INSTANCE)
    if reader is None:
        raise Wrong("of an unknown kind")
    _check_time(moment_of(body), now, may_be_old=kind in _TIMELESS)
    return reader(body, now)


def _is_ours(body: Body, id_instance: str) -> bool:
    instance = body.get("instanceData")
    found = instance.get("idInstance") if isinstance(instance, Mapping) else None
    if isinstance(found, bool) or not isinstance(found, int | str):
        raise Wrong("without an instance")
    if isinstance(found, int) and abs(found) >= 10**12:
        return False  # str() of a number with 5,000 digits raises
    return str(found) == id_instance


def _check_time(moment: datetime | None, now: datetime, *, may_be_old: bool) -> None:
    if moment is None:
        return
    if now - moment > OLDEST and not may_be_old:
        raise Wrong("its time is more than 26 hours ago")
    if moment - now > NEWEST:
        raise Wrong("its time is more than 10 minutes ahead")


def _receipt(body: Body, _now: datetime) -> Notice:
    """Return the receipt in an ``outgoingMessageStatus``.

    Source: https://green-api.com/en/docs/api/receiving/notifications-format/outgoing-message/OutgoingMessageStatus/

    Args:
        body: ``{"idMessage": str, "status": str, "chatId"?: str,
            "description"?: str, "sendByApi"?: bool, …}``.
    """
    id_message = id_of(body, "idMessage", MAX_ID)
    status = body.get("status")
    if not isinstance(status, str):
        raise Wrong("its status is no word")
    if status in _NO_NEWS:
        return Irrelevant()
    if status not in _STATUSES:
        raise Wrong("its status is an unknown word")
    chat_id = id_of(body, "chatId", MAX_CHAT) if body.get("chatId") else None
    return Receipt(
        MessageId(id_message),
        _STATUSES[status],
        ChatId(chat_id) if chat_id else None,
    )


def _sighting(body: Body, _now: datetime) -> Notice:
    """Return the text in an ``outgoingAPIMessageReceived``, the echo of a send.

    Source: https://green-api.com/en/docs/api/receiving/notifications-format/outgoing-message/OutgoingApiMessageReceived/

    Args:
        body: ``{"idMessage": str, "timestamp": int, "senderData": {"chatId": str},
            "messageData": {"typeMessage": str, "textMessageData"?:
            {"textMessage": str}, "extendedTextMessageData"?: {"text": str}}}``;
            ``chatId`` is the recipient. Plain text comes as either of the two.
    """
    id_message = id_of(body, "idMessage", MAX_ID)
    chat_id = id_of(inner(body, "senderData"), "chatId", MAX_CHAT)
    message = inner(body, "messageData")
    kind = message.get("typeMessage")
    if not isinstance(kind, str):
        raise Wrong("its message has no kind")
    if kind not in _TEXTS:
        return Irrelevant()  # a file or a reaction: never ours
    sent_at = moment_of(body)
    if sent_at is None:
        raise Wrong("without a time")
    return Sighting(MessageId(id_message), ChatId(chat_id), text_of(message), sent_at)


def _state(body: Body, _now: datetime) -> Notice:
    """Return the state in a ``stateInstanceChanged``: ``{"stateInstance": str}``.

    Source: https://green-api.com/en/docs/api/receiving/notifications-format/StateInstanceChanged/
    """
    return StateHint(id_of(body, "stateInstance", MAX_CHAT))


def _message(body: Body, _now: datetime) -> Notice:
    return _incoming(body, id_of(body, "idMessage", MAX_ID))


def _call(body: Body, _now: datetime) -> Notice:
    """Return a call: each of its states, from ``offer`` to ``hangUp``, is another.

    Source: https://green-api.com/en/docs/api/receiving/notifications-format/incoming-call/IncomingCall/

    Args:
        body: ``{"from": str, "idMessage"?: str, "status"?: str, …}``.
    """
    status = id_of(body, "status", MAX_CHAT) if body.get("status") else ""
    if body.get("idMessage") is not None:
        return _incoming(body, id_of(body, "idMessage", MAX_ID), status)
    return _incoming(body, seconds_of(body), id_of(body, "from", MAX_CHAT), status)


def _block(body: Body, _now: datetime) -> Notice:
    return _incoming(body, seconds_of(body), id_of(body, "chatId", MAX_CHAT))


def _quota(body: Body, now: datetime) -> Notice:
    # It comes without a time; one a day tells enough of a monthly limit.
    return _incoming(body, f"{now:%Y-%m-%d}")


def _incoming(body: Body, *parts: str) -> Incoming:
    key = ":".join([str(body["typeWebhook"]), *(part for part in parts if part)])
    if len(key) > MAX_KEY:
        key = hashlib.sha256(key.encode()).hexdigest()
    return Incoming(key)


def _irrelevant(_body: Body, _now: datetime) -> Notice:
    return Irrelevant()


_READERS: dict[str, Callable[[Body, datetime], Notice]] = {
    "outgoingMessageStatus": _receipt,
    "outgoingAPIMessageReceived": _sighting,
    "stateInstanceChanged": _state,
    "incomingMessageReceived": _message,
    "outgoingMessageReceived": _message,  # typed on the phone
    "incomingCall": _call,
    "outgoingCall": _call,
    "incomingBlock": _block,
    "quotaExceeded": _quota,
    "deviceInfo": _irrelevant,
    "statusInstanceChanged": _irrelevant,
    "avatarInfo": _irrelevant,
}
