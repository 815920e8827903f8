"""What GREEN-API accepts in ``sendMessage`` and ``checkWhatsapp``, in its words.

Two profiles:

- ``seed``: ``chatId`` or ``phoneNumber`` (integer, 11 or 12 digits), 4096 characters.
- ``now``: ``chatId`` only, unknown keys refused, 20 000 characters, ``@lid`` allowed.

Source: https://green-api.com/en/docs/api/sending/SendMessage/ and, for the wording,
published answers of the live service. The wordings marked "guess" have no source.
"""

from __future__ import annotations

import re
from typing import Final

from bridge.sandbox.green_api.answers import Json, Refused, invalid

MAX_LENGTH: Final = {"seed": 4096, "now": 20_000}
NOW_KEYS: Final = frozenset(
    {
        "chatId",
        "message",
        "quotedMessageId",
        "linkPreview",
        "typePreview",
        "customPreview",
        "typingTime",
        "archiveChat",
    }
)
CHAT_ID: Final = {
    "seed": re.compile(r"[0-9]{7,16}@c\.us|[0-9]+(-[0-9]+)?@g\.us"),
    "now": re.compile(r"[0-9]{7,16}@c\.us|[0-9]+(-[0-9]+)?@g\.us|[0-9]+@lid"),
}
FORMATS: Final = {
    "seed": "'phone_number@c.us' or 'group_id@g.us'",
    "now": "'phone_number@c.us', 'chat_id@lid' or 'group_id@g.us'",
}
TYPING_MS: Final = range(1000, 20_001)


def check_message(body: Json, profile: str) -> tuple[str, str]:
    """Return the chat id and the text of a ``sendMessage`` body.

    Raises:
        Refused: the body breaks a rule of the profile.
    """
    chat_id = _recipient(body, profile)
    text = _text(body, MAX_LENGTH[profile])
    _check_options(body)
    if profile == "now":
        _refuse_unknown_keys(body)
    return chat_id, text


def _recipient(body: Json, profile: str) -> str:
    if profile == "seed" and "chatId" not in body and "phoneNumber" in body:
        return f"{phone_number(body['phoneNumber'])}@c.us"
    chat_id = _string(body, "chatId")
    if not CHAT_ID[profile].fullmatch(chat_id):
        raise invalid(f"'chatId' must be one of the next formats: {FORMATS[profile]}")
    return chat_id


def phone_number(value: object) -> int:
    """Return a ``phoneNumber``: an integer of 11 or 12 digits.

    Raises:
        Refused: it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid("'phoneNumber' must be a number")  # guess
    if not 11 <= len(str(abs(value))) <= 12 or value < 0:
        raise Refused(400, "bad phone number, valid 11 or 12 digits")
    return value


def _string(body: Json, key: str) -> str:
    if key not in body:
        raise invalid(f"'{key}' is required")
    value = body[key]
    if not isinstance(value, str):
        raise invalid(f"'{key}' must be a string")
    if not value:
        raise invalid(f"'{key}' is not allowed to be empty")
    return value


def _text(body: Json, limit: int) -> str:
    text = _string(body, "message")
    if utf16_length(text) > limit:
        raise invalid(
            f"'message' length must be less than or equal to {limit} characters long"
        )
    return text


def utf16_length(text: str) -> int:
    """Return the length in UTF-16 units, the stricter of the two possible readings.

    >>> utf16_length("hi"), utf16_length("😃")
    (2, 2)
    """
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _check_options(body: Json) -> None:
    if not isinstance(body.get("linkPreview", True), bool):
        raise invalid("'linkPreview' must be a boolean")
    if "quotedMessageId" in body and len(_string(body, "quotedMessageId")) < 16:
        raise invalid("'message id' must be at least 16 symbols")
    if "typingTime" in body and body["typingTime"] not in TYPING_MS:
        raise invalid("'typingTime' must be between 1000 and 20000")  # guess


def _refuse_unknown_keys(body: Json) -> None:
    for key in body:
        if key not in NOW_KEYS:
            raise invalid(f"'{key}' is not allowed")


def check_lookup(body: Json) -> str:
    """Return the chat id a ``checkWhatsapp`` body asks about.

    Source: https://green-api.com/en/docs/api/service/CheckWhatsapp/

    Raises:
        Refused: neither ``chatId`` nor a good ``phoneNumber``.
    """
    if not {"chatId", "phoneNumber"} & body.keys():
        raise invalid("'value' must have at least 1 key")
    if "chatId" in body:
        return _recipient({"chatId": body["chatId"]}, "now")
    if not re.fullmatch("[0-9]+", str(body["phoneNumber"])):
        raise invalid("Wrong format. 'phoneNumber' must contain only digits")
    return f"{phone_number(int(str(body['phoneNumber'])))}@c.us"


def check_reference(body: Json) -> tuple[str, str]:
    """Return the chat id and the message id of a ``getMessage`` body.

    Raises:
        Refused: one of them is missing or not a string.
    """
    return _string(body, "chatId"), _string(body, "idMessage")
