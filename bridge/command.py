"""What somebody wants from ``/whatsapp …`` or ``bridge send …``.

::

    text ─▶ help | status [id] | recipient, message ─▶ Command

This room is pure.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import NoReturn

from bridge.errors import Code, CommandError
from bridge.markup import clean, mentioned_ids, to_whatsapp
from bridge.model import ChatId
from bridge.recipient import read_recipient, split_recipient
from bridge.wording import commands as wording

MAX_TEXT = 4096  # code points
MAX_INPUT = 65_536  # characters of a whole command; more is not even converted


@dataclass(frozen=True, slots=True)
class SendText:
    """Send ``text`` to the chat.

    ``markup`` is the Slack text if it mentions people whose names are still to be
    asked for; ``text`` then says "@someone" in their place.
    """

    chat_id: ChatId
    text: str
    markup: str | None = None


@dataclass(frozen=True, slots=True)
class Help:
    """Explain the command."""


@dataclass(frozen=True, slots=True)
class Status:
    """Show one delivery, or how things are if ``delivery_id`` is None."""

    delivery_id: str | None = None


Command = SendText | Help | Status


def parse_command(text: str, max_text: int = MAX_TEXT) -> Command:
    """Return what the text after ``/whatsapp`` asks for.

    Args:
        text: as Slack sends it, with its entities and ``<…>`` tokens.
        max_text: code points that the text for WhatsApp may have.

    Raises:
        CommandError: it can't be carried out. The recipient is judged first, so that
            nobody adds a text to a wrong number.

    >>> parse_command("79001234567 Fish &amp; chips")
    SendText(chat_id='79001234567@c.us', text='Fish & chips', markup=None)
    >>> parse_command("HELP"), parse_command("status 3f9a")
    (Help(), Status(delivery_id='3f9a'))
    """
    match text[:MAX_INPUT].split(maxsplit=2):
        case [word, *_] if word.lower() == "help":
            return Help()
        case [word, *more] if word.lower() == "status":
            return Status(clean(more[0]) or None if more else None)
    chat_id, rest = split_recipient(text)
    raw = _storable(rest, max_text)
    message = _message(chat_id, to_whatsapp(raw, {}), max_text)
    return SendText(chat_id, message, raw if mentioned_ids(raw) else None)


def parse_plain(target: str, text: str, max_text: int = MAX_TEXT) -> SendText:
    """Return the same for the command line: a whole target and a text as it is.

    Raises:
        CommandError: as ``parse_command``.

    >>> parse_plain("+7 900 123-45-67", "Fish &amp; chips").text
    'Fish &amp; chips'
    """
    chat_id = read_recipient(target)
    return SendText(chat_id, _message(chat_id, _storable(text, max_text), max_text))


def _storable(text: str, limit: int) -> str:
    text = text.strip()
    if len(text) > MAX_INPUT:
        _refuse_long(text, limit)
    return clean(text)


def _message(chat_id: ChatId, text: str, limit: int) -> str:
    text = text.strip()
    if not text:
        raise CommandError(Code.MESSAGE_REQUIRED, wording.message_required(chat_id))
    if len(text) > limit:
        _refuse_long(text, limit)
    if not any(map(_is_visible, text)):
        raise CommandError(Code.MESSAGE_REQUIRED, wording.NO_TEXT_LEFT)
    return text


def _refuse_long(text: str, limit: int) -> NoReturn:
    say = wording.message_too_long(len(text), limit)
    raise CommandError(Code.MESSAGE_TOO_LONG, say)


def _is_visible(c: str) -> bool:
    # Unassigned characters count: Python knows no emoji newer than itself.
    return unicodedata.category(c) not in {"Cc", "Cf", "Zs", "Zl", "Zp"}
