"""What GREEN-API's methods return, of all eras of its formats: pure, no I/O.

Unknown keys are ignored and missing ones tolerated: GREEN-API changes both without
notice. An object too odd to be of use becomes None, and its list goes on without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.model import ChatId, MessageId

_RECEIPT_ID = re.compile(rb'\s*\{\s*"receiptId"\s*:\s*([0-9]{1,18})\s*,')


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A text or file that waits in GREEN-API's own queue."""

    id_message: MessageId | None  # None: until 2023 the queue did not tell
    chat_id: ChatId
    text: str  # empty for what is not a text
    kind: str  # "sendMessage", …; until 2023 "textMessage", …


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A message in GREEN-API's journal of the last days."""

    id_message: MessageId
    chat_id: ChatId  # may be ``…@lid`` for a person we know as ``…@c.us``
    text: str  # empty for what is not a text
    sent_at: datetime  # aware UTC, whole seconds
    is_outgoing: bool
    by_api: bool | None  # False: written on the phone; None: not told
    status: str  # "pending", "sent", "delivered", "read", …; "" when not told


@dataclass(frozen=True, slots=True)
class Notification:
    """The head of the notification queue; it stays there until deleted."""

    receipt_id: int  # for the deletion only: may differ when it comes again
    body: object  # the notification; normally a JSON object


def queued_message(item: object) -> QueuedMessage | None:
    """Return an item of showMessagesQueue.

    Source: https://green-api.com/en/docs/api/queues/ShowMessagesQueue/

    Args:
        item: ``{"messageID": str, "type": str, "body": {"chatId": str,
            "message"?: str, …}}``; until 2023 ``{"typeMessage": str, "chatId": str,
            "message"?: str}``. The seed's ``phoneNumber: int`` may replace chatId.
    """
    if not isinstance(item, Mapping):
        return None
    body = item.get("body")
    fields = body if isinstance(body, Mapping) else item
    chat_id = _text(fields, "chatId") or _chat_of(fields.get("phoneNumber"))
    if not chat_id:
        return None
    id_message = _text(item, "messageID", "idMessage")
    return QueuedMessage(
        id_message=MessageId(id_message) if id_message else None,
        chat_id=ChatId(chat_id),
        text=_text(fields, "message"),
        kind=_text(item, "type", "typeMessage"),
    )


def _chat_of(number: object) -> str:
    is_number = isinstance(number, int) and not isinstance(number, bool)
    return f"{number}@c.us" if is_number else ""


def journal_entry(item: object) -> JournalEntry | None:
    """Return an item of lastOutgoingMessages or the answer of getMessage.

    Source: https://green-api.com/en/docs/api/journals/LastOutgoingMessages/

    Args:
        item: ``{"type"?: "outgoing" | "incoming", "idMessage": str, "chatId": str,
            "timestamp": int (Unix seconds), "statusMessage"?: str,
            "sendByApi"?: bool, "textMessage"?: str,
            "extendedTextMessage"?: {"text": str}}``, or that under ``message``.

    Returns:
        None also for the stub without ``chatId`` that getMessage gives for what
        was not delivered.
    """
    if not isinstance(item, Mapping):
        return None
    inner = item.get("message")
    fields = inner if isinstance(inner, Mapping) else item
    id_message, chat_id = _text(fields, "idMessage"), _text(fields, "chatId")
    sent_at = _moment(fields.get("timestamp"))
    if not id_message or not chat_id or sent_at is None:
        return None
    by_api = fields.get("sendByApi")
    return JournalEntry(
        id_message=MessageId(id_message),
        chat_id=ChatId(chat_id),
        text=_text(fields, "textMessage") or _extended_text(fields),
        sent_at=sent_at,
        is_outgoing=_is_outgoing(fields),
        by_api=by_api if isinstance(by_api, bool) else None,
        status=_text(fields, "statusMessage"),
    )


def _is_outgoing(fields: Mapping[str, object]) -> bool:
    kind = _text(fields, "type")  # not told until 2023, but then senderId tells
    return kind == "outgoing" if kind else "senderId" not in fields


def _extended_text(fields: Mapping[str, object]) -> str:
    extended = fields.get("extendedTextMessage")
    return _text(extended, "text") if isinstance(extended, Mapping) else ""


def _moment(value: object) -> datetime | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def notification(item: object) -> Notification | None:
    """Return the answer of receiveNotification.

    Source: https://green-api.com/en/docs/api/receiving/technology-http-api/ReceiveNotification/

    Args:
        item: ``{"receiptId": int, "body": {…}}``; any body is kept, for
            the odd ones must be deleted too.
    """
    if not isinstance(item, Mapping):
        return None
    receipt_id = item.get("receiptId")
    if not isinstance(receipt_id, int) or isinstance(receipt_id, bool):
        return None
    return Notification(receipt_id, item.get("body"))


def unreadable_notification(answer: bytes) -> Notification | None:
    """Return an answer of receiveNotification that is no JSON we can read.

    Too deep, a number of thousands of digits, a broken character: it comes again until
    it is deleted, and its receipt id stands at its beginning. None for what is only
    half there, or is not GREEN-API's at all.
    """
    found = _RECEIPT_ID.match(answer)
    if found is None or not answer.rstrip().endswith(b"}"):
        return None
    return Notification(int(found[1]), answer.decode("utf-8", "replace"))


def _text(fields: Mapping[str, object], *keys: str) -> str:
    for key in keys:
        value = fields.get(key)
        if isinstance(value, str) and value:
            return value
    return ""
