"""Notifications: their queue, and the bodies GREEN-API writes.

Source: https://green-api.com/en/docs/api/receiving/technology-http-api/
        https://green-api.com/en/docs/api/receiving/notifications-format/
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass
from typing import Final

from bridge.sandbox.green_api.journal import Body, Entry, extended_text
from bridge.sandbox.green_api.magic import Step
from bridge.sandbox.green_api.timeline import Timeline

DAY: Final = 24 * 60 * 60.0


@dataclass(slots=True)
class Waiting:
    """A notification nobody has taken for good yet."""

    body: object
    since: float  # emulated seconds
    receipt_id: int | None = None  # of its last delivery


class NotificationQueue:
    """First in, first out; the head stays until it is deleted or 24 hours old.

    Not locked by itself, except for ``receive``, which waits.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.keeps_receipt_ids = False
        self._timeline = timeline
        self._waiting: deque[Waiting] = deque()
        self._receipts = itertools.count(1)

    def put(self, body: object) -> None:
        """Put a notification at the end."""
        self._waiting.append(Waiting(body, self._timeline.seconds()))
        self._timeline.changed.notify_all()

    def receive(self, seconds: float) -> Waiting | None:
        """Wait for a head and deliver it under a new receipt id; it stays the head."""
        with self._timeline.changed:
            self._timeline.wait_for(lambda: self.head() is not None, seconds)
            head = self.head()
            if head is not None and not (head.receipt_id and self.keeps_receipt_ids):
                head.receipt_id = next(self._receipts)
            return head

    def head(self) -> Waiting | None:
        """Return the oldest notification, after dropping those over 24 hours old."""
        limit = self._timeline.seconds() - DAY
        while self._waiting and self._waiting[0].since < limit:
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None

    def delete(self, receipt_id: int) -> bool:
        """Delete the head if this is the id of its last delivery."""
        head = self.head()
        if head is None or head.receipt_id != receipt_id:
            return False
        self._waiting.popleft()
        self._timeline.changed.notify_all()
        return True

    def remove(self, notification: Waiting) -> None:
        """Remove a notification a webhook took, if it is still there."""
        if notification in self._waiting:
            self._waiting.remove(notification)
            self._timeline.changed.notify_all()

    def clear(self) -> None:
        """Drop every notification; receipt ids go on."""
        self._waiting.clear()

    def bodies(self) -> list[object]:
        """Return what waits, oldest first."""
        self.head()
        return [notification.body for notification in self._waiting]


class Writer:
    """Writes the notification bodies of one instance."""

    def __init__(self, id_instance: str, timeline: Timeline) -> None:
        self.wid = ""
        self._id_instance = int(id_instance)
        self._timeline = timeline

    def _envelope(self, kind: str) -> Body:
        return {
            "typeWebhook": kind,
            "instanceData": {
                "idInstance": self._id_instance,
                "wid": self.wid,
                "typeInstance": "whatsapp",
            },
            "timestamp": self._timeline.timestamp(),
        }

    def incoming_text(self, entry: Entry) -> Body:
        """Return ``incomingMessageReceived`` for a text."""
        return {
            **self._envelope("incomingMessageReceived"),
            "idMessage": entry.id,
            "senderData": {
                "chatId": entry.chat_id,
                "sender": entry.sender,
                "chatName": entry.sender_name,
                "senderName": entry.sender_name,
                "senderContactName": "",
            },
            "messageData": {
                "typeMessage": "textMessage",
                "textMessageData": {"textMessage": entry.text},
            },
        }

    def echo(self, id_message: str, chat_id: str, text: str) -> Body:
        """Return ``outgoingAPIMessageReceived``: plain text comes as extended text."""
        return {
            **self._envelope("outgoingAPIMessageReceived"),
            "idMessage": id_message,
            "senderData": {
                "chatId": chat_id,
                "sender": self.wid,
                "chatName": "",
                "senderName": "",
                "senderContactName": "",
            },
            "messageData": {
                "typeMessage": "extendedTextMessage",
                "extendedTextMessageData": extended_text(text),
            },
        }

    def status(self, id_message: str, chat_id: str, step: Step) -> Body:
        """Return ``outgoingMessageStatus``."""
        body = {
            **self._envelope("outgoingMessageStatus"),
            "chatId": chat_id,
            "idMessage": id_message,
            "status": step.status,
            "sendByApi": True,
        }
        if step.description is not None:
            body["description"] = step.description
        return body

    def state(self, state: str) -> Body:
        """Return ``stateInstanceChanged``."""
        return {**self._envelope("stateInstanceChanged"), "stateInstance": state}

    def quota_exceeded(self, limit: int) -> Body:
        """Return ``quotaExceeded``, which comes without a timestamp."""
        body = self._envelope("quotaExceeded")
        del body["timestamp"]
        body["quotaData"] = {
            "method": "correspondents",
            "used": limit,
            "total": limit,
            "status": "CORRESPONDENTS_QUOTA_EXCEEDED",
            "description": "Monthly quota has been exceeded.",
        }
        return body
