"""The journal: messages that have left or come in, newest first.

Source: https://green-api.com/en/docs/api/journals/LastOutgoingMessages/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bridge.sandbox.green_api.timeline import Timeline

Body = dict[str, object]


@dataclass(slots=True)
class Entry:
    """A message in the journal."""

    id: str
    chat_id: str
    text: str
    timestamp: int
    since: float  # emulated seconds
    sender_name: str | None = None  # None for an outgoing message
    sender: str = ""
    status: str = ""


class Journal:
    """What WhatsApp has told the instance, a little late.

    Attributes:
        lag: Emulated seconds until an outgoing message shows; None means never.
        rewrite: Changes an item on its way out, for answers with ``@lid`` ids,
            shifted times or trimmed texts.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.lag: float | None = 0.0
        self.rewrite: Callable[[Body], Body] | None = None
        self._timeline = timeline
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Note a message."""
        self._entries.append(entry)

    def set_status(self, id_message: str, status: str) -> None:
        """Note how far an outgoing message got."""
        for entry in self._entries:
            if entry.id == id_message:
                entry.status = status

    def items(self, outgoing: bool, minutes: float) -> list[Body]:
        """Return the visible items of the last ``minutes``, newest first."""
        oldest = self._timeline.timestamp() - minutes * 60
        return [
            self._item(entry)
            for entry in reversed(self._entries)
            if (entry.sender_name is None) is outgoing
            and entry.timestamp >= oldest
            and self._shows(entry)
        ]

    def find(self, chat_id: str, id_message: str) -> Body | None:
        """Return one visible message, or None."""
        for entry in self._entries:
            if (entry.chat_id, entry.id) == (chat_id, id_message) and self._shows(
                entry
            ):
                return self._item(entry)
        return None

    def _shows(self, entry: Entry) -> bool:
        if entry.sender_name is not None:
            return True
        if self.lag is None:
            return False
        return self._timeline.seconds() >= entry.since + self.lag

    def _item(self, entry: Entry) -> Body:
        item = _outgoing(entry) if entry.sender_name is None else _incoming(entry)
        return self.rewrite(item) if self.rewrite is not None else item

    def clear(self) -> None:
        """Forget every message."""
        self._entries.clear()


def _outgoing(entry: Entry) -> Body:
    return {
        "type": "outgoing",
        "idMessage": entry.id,
        "timestamp": entry.timestamp,
        "statusMessage": entry.status,
        "sendByApi": True,
        "typeMessage": "extendedTextMessage",
        "chatId": entry.chat_id,
        "isForwarded": False,
        "forwardingScore": 0,
        "textMessage": entry.text,
        "extendedTextMessage": extended_text(entry.text),
        "isEdited": False,
        "editedMessageId": "",
        "isDeleted": False,
        "deletedMessageId": "",
    }


def _incoming(entry: Entry) -> Body:
    return {
        "type": "incoming",
        "idMessage": entry.id,
        "timestamp": entry.timestamp,
        "typeMessage": "textMessage",
        "chatId": entry.chat_id,
        "senderId": entry.sender,
        "senderName": entry.sender_name,
        "senderContactName": "",
        "textMessage": entry.text,
    }


def extended_text(text: str) -> Body:
    """Return the extended-text object used in echoes and in the journal."""
    return {
        "text": text,
        "description": "",
        "title": "",
        "previewType": "",
        "jpegThumbnail": "",
        "forwardingScore": 0,
        "isForwarded": False,
    }
