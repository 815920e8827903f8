"""From what a person typed to the one chat they meant, or to a refusal.

::

    text ─▶ plain, marked or linked part ─▶ chat id or phone number ─▶ ChatId

A message to the wrong person can't be called back, so whatever has a second
reading is refused. Only the start of the text is looked at, whatever its length.
This room is pure.
"""

from __future__ import annotations

import re
from typing import NoReturn

from bridge.errors import Code, CommandError
from bridge.model import ChatId
from bridge.phone import (
    NumberCheck,
    digits_of,
    e164,
    in_ascii,
    read_phone,
    refuse_ambiguous,
    refuse_format,
)
from bridge.wording import commands as wording

INVISIBLE = "\u00ad\u061c\u200b-\u200f\u202a-\u202c\u2060\u2066-\u2069\ufeff"
"""What comes along with a pasted number, as it stands in a regex class."""

_LOOK = 64  # characters of a recipient; a phone number needs far fewer

_MARKS = {"“": "”", "„": "“", "«": "»", "\u2018": "\u2019"}
_MARKS |= {c: c for c in "\"'*_~`"}
_AFTER_MARKS = re.compile(r"[:,;]?(?!\S)")
_LINK = re.compile(
    r"<(?P<scheme>tel|mailto):(?P<target>[^<>|\s]{1,80})(?:\|(?P<label>[^<>]{0,80}))?>"
    r"(?=[:,;]?(?!\S))",
    re.IGNORECASE,
)
_EDGE = re.compile(rf"[\s{INVISIBLE}]*")
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_JOINED = re.compile(  # one more token of digits and separators on the same line
    r"[^\S\n\r\v\f\x1c-\x1e\x85\u2028\u2029]{1,64}(?=[^\s\d]{0,64}\d)"
    rf"[\d().\-/\u2010-\u2015\u2212\ufe58\ufe63\uff0d{INVISIBLE}]{{1,64}}[:,;]?(?!\S)"
)
_CLOSED = re.compile(r"[:,;]|\S[\n\r]")  # here the recipient ends, if digits do
_WHOLE = re.compile(r"(?:\+|00)[0-9]{9,}[:,;]?")  # nobody adds a group after these
_INTERNATIONAL = re.compile(rf"[({INVISIBLE}]*(?:[+\uff0b]|00)")
_CHAT_ID = re.compile(
    r"[0-9]{7,15}@c\.us|[0-9]{7,15}-[0-9]{5,15}@g\.us|[0-9]{15,20}@g\.us"
)


def split_recipient(text: str, check: NumberCheck = e164) -> tuple[ChatId, str]:
    """Split a command into the chat it starts with and everything after that.

    Args:
        text: as Slack sends it: ``+79001234567 Hello``, ``<tel:+7…|…> Hello``,
            ``"+7 900 123-45-67" Hello``, ``120363…@g.us Hello``.
        check: knows which numbers exist; asked at most a few times.

    Raises:
        CommandError: the start names no chat, or could name two.

    >>> split_recipient("+7 900 123-45-67 5 apples")
    ('79001234567@c.us', ' 5 apples')
    """
    edge = _EDGE.match(text)
    text = text[edge.end() :] if edge else text
    if not text:
        raise CommandError(Code.EMPTY, wording.EMPTY)
    if text[0] in _MARKS:
        return _split_marked(text, check)
    if text[0] == "<":
        return _split_plain(_without_link(text), check, is_link=True)
    return _split_plain(text, check)


def _split_marked(text: str, check: NumberCheck) -> tuple[ChatId, str]:
    """Take what stands in quotes, or in ``*bold*`` and the like, as a whole."""
    end = text.find(_MARKS[text[0]], 1, 3 * _LOOK)
    after = _AFTER_MARKS.match(text, end + 1)
    if end < 0 or not after:
        refuse_format(_token(text))
    inside = text[1:end].strip()
    if inside[:1] not in {"<", *_MARKS}:
        return read_recipient(inside, check), text[after.end() :]
    chat_id, rest = split_recipient(inside, check)
    if rest:
        refuse_format(inside)
    return chat_id, text[after.end() :]


def _without_link(text: str) -> str:
    """Replace the link at the start by its target; its label must not differ."""
    if text[1:2] in {"@", "#", "!"}:
        raise CommandError(Code.RECIPIENT_MENTION, wording.RECIPIENT_MENTION)
    link = _LINK.match(text)
    if not link or ("@" in link["target"]) != (link["scheme"].lower() == "mailto"):
        raise CommandError(Code.NUMBER_FORMAT, wording.LINK_FORMAT)
    shown = digits_of(link["label"] or "")
    if shown and shown != digits_of(link["target"]):
        raise CommandError(Code.NUMBER_FORMAT, wording.LINK_SHOWS_ANOTHER)
    return link["target"] + text[link.end() :]


def _split_plain(
    text: str, check: NumberCheck, *, is_link: bool = False
) -> tuple[ChatId, str]:
    """Take the first token, or a number in groups if only one number fits."""
    first = _token(text)
    if len(first) > _LOOK:
        _refuse_long(first)
    ends = _ends(text, len(first))
    chats, problems = _read_each([text[:end] for end in ends], check)
    if not chats:
        raise problems[-1]
    part, chat_id = next(iter(chats.items()))
    is_whole = bool(_WHOLE.fullmatch(in_ascii(first)))
    if is_whole and part == first:
        return chat_id, text[len(part) :]
    # "+7900123456 2 boxes": one digit short, and the next number is a stranger's.
    is_grown = part != first and (is_whole or is_link)
    is_cut = len(part) < ends[-1] and bool(_CLOSED.match(text, ends[-1] - 1))
    doubts = any(err.code is Code.AMBIGUOUS_NUMBER for err in problems)
    if is_grown or is_cut or doubts or len(chats) > 1:
        refuse_ambiguous(text[: ends[-1]])
    return chat_id, text[len(part) :]


def _read_each(
    parts: list[str], check: NumberCheck
) -> tuple[dict[str, ChatId], list[CommandError]]:
    chats: dict[str, ChatId] = {}
    problems: list[CommandError] = []
    for part in parts:
        try:
            chats[part] = read_recipient(part, check)
        except CommandError as err:
            problems.append(err)
    return chats, problems


def _token(text: str) -> str:
    return text[: _LOOK + 1].split(maxsplit=1)[0]


def _ends(text: str, end: int) -> list[int]:
    """Return where the recipient may end: after the first token or a later group."""
    ends = [end]
    if _INTERNATIONAL.match(text):
        while text[ends[-1] - 1] not in ":,;":
            group = _JOINED.match(text, ends[-1])
            if not group or group.end() > _LOOK:
                break
            ends.append(group.end())
    return ends


def read_recipient(part: str, check: NumberCheck = e164) -> ChatId:
    """Return the chat that the whole of ``part`` names: ``+44 (0)20 …``, ``…@c.us``.

    Raises:
        CommandError: it names none, or could name two.
    """
    if len(part := part.strip()) > _LOOK:
        _refuse_long(part)
    part = _INVISIBLE.sub("", part).strip()
    if part.endswith((":", ",", ";")):
        part = part[:-1].rstrip()
    if part.startswith(("@", "#")):
        raise CommandError(Code.RECIPIENT_MENTION, wording.RECIPIENT_MENTION)
    if "@" not in part:
        return read_phone(part, check)
    if not _CHAT_ID.fullmatch(part.lower()):
        raise CommandError(Code.CHAT_ID_FORMAT, wording.chat_id_format(part))
    return ChatId(part.lower())


def _refuse_long(token: str) -> NoReturn:
    if token.strip("+0123456789"):
        refuse_format(token)
    raise CommandError(Code.NUMBER_LENGTH, wording.number_too_long(token))
