"""Notifications as GREEN-API documents them, and some that no page shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
INSTANCE = "1101000001"
ANN = "14155550100@c.us"
ID = "3EB0608D6A2901063D63"


def envelope(kind: str) -> dict[str, Any]:
    return {
        "typeWebhook": kind,
        "instanceData": {
            "idInstance": int(INSTANCE),
            "wid": "79876543210@c.us",
            "typeInstance": "whatsapp",
        },
        "timestamp": int(NOW.timestamp()),
    }


def status(word: str = "delivered", id_message: str = ID) -> dict[str, Any]:
    return {
        **envelope("outgoingMessageStatus"),
        "chatId": ANN,
        "idMessage": id_message,
        "status": word,
        "sendByApi": True,
    }


def echo(text: str = "Hello", id_message: str = ID) -> dict[str, Any]:
    return {
        **envelope("outgoingAPIMessageReceived"),
        "idMessage": id_message,
        "senderData": {"chatId": ANN, "sender": "79876543210@c.us", "chatName": ""},
        "messageData": {
            "typeMessage": "extendedTextMessage",
            "extendedTextMessageData": {"text": text, "description": "", "title": ""},
        },
    }


def incoming(
    kind: str = "incomingMessageReceived", id_message: str = ID, text: str = "Hi"
) -> dict[str, Any]:
    return {
        **envelope(kind),
        "idMessage": id_message,
        "senderData": {"chatId": ANN, "sender": ANN, "senderName": "Ann"},
        "messageData": {
            "typeMessage": "textMessage",
            "textMessageData": {"textMessage": text},
        },
    }


def _without(body: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in keys}


def _deep(levels: int) -> object:
    body: object = 1
    for _ in range(levels):
        body = [body]
    return body


POISON: dict[str, object] = {
    "null": None,
    "true": True,
    "a number": 7,
    "not a number": float("nan"),
    "a text": "incomingMessageReceived",
    "an empty list": [],
    "a list of notifications": [status(), status()],
    "an empty object": {},
    "a deep list": _deep(200),
    "an answer of receiveNotification": {"receiptId": 1, "body": status()},
    "no kind": _without(status(), "typeWebhook"),
    "a kind that is null": {**status(), "typeWebhook": None},
    "a kind that is a list": {**status(), "typeWebhook": ["a"]},
    "an unknown kind": envelope("somethingNew"),
    "no instance": _without(status(), "instanceData"),
    "an instance that is a text": {**status(), "instanceData": INSTANCE},
    "an instance that is true": {**status(), "instanceData": {"idInstance": True}},
    "another instance": {**status(), "instanceData": {"idInstance": 1}},
    "a time that is a text": {**status(), "timestamp": "1790000000"},
    "a time that is true": {**status(), "timestamp": True},
    "a time that is a fraction": {**status(), "timestamp": 1790000000.5},
    "a time out of range": {**status(), "timestamp": 10**20},
    "a time before 1970": {**echo(), "timestamp": -1},
    "milliseconds": {**status(), "timestamp": int(NOW.timestamp()) * 1000},
    "no id": _without(status(), "idMessage"),
    "an id that is null": {**status(), "idMessage": None},
    "an empty id": {**status(), "idMessage": ""},
    "a blank id": {**incoming(), "idMessage": "  "},
    "an id that is a number": {**incoming(), "idMessage": 5},
    "an id with NUL": {**incoming(), "idMessage": "3EB0\0"},
    "an id with half an emoji": {**status(), "idMessage": "3EB0\ud83d"},
    "an id with a line break": {**status(), "idMessage": "3EB0\nERROR"},
    "an endless id": {**incoming(), "idMessage": "A" * 257},
    "a chat that is an object": {**status(), "chatId": {}, "status": 3},
    "an endless chat": {**status(), "chatId": "1" * 65},
    "a status that is a list": {**status(), "status": ["read"]},
    "a status nobody knows": status("teleported"),
    "an echo without a sender": _without(echo(), "senderData"),
    "an echo without a message": _without(echo(), "messageData"),
    "an echo without a time": _without(echo(), "timestamp"),
    "an echo whose text is a number": {
        **echo(),
        "messageData": {
            "typeMessage": "textMessage",
            "textMessageData": {"textMessage": 5},
        },
    },
    "an echo without a text": {
        **echo(),
        "messageData": {"typeMessage": "extendedTextMessage"},
    },
    "a state that is null": {**envelope("stateInstanceChanged"), "stateInstance": None},
    "a call of nobody": envelope("incomingCall"),
    "a block without a time": {
        **_without(envelope("incomingBlock"), "timestamp"),
        "chatId": ANN,
    },
}
"""Nothing here can be understood, by the name of what is odd about it."""
