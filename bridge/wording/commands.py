"""What people read when a command can't be carried out.

All of it is plain text. No sentence starts with somebody else's words: Bolt takes an
answer that starts with ``{`` for JSON. This room is pure.
"""

from __future__ import annotations

import re

from bridge.model import ChatId
from bridge.wording.masks import mask_chat

EMPTY = (
    "Tell me who and what: /whatsapp +14155550123 Your order is ready. "
    "More: /whatsapp help"
)
RECIPIENT_MENTION = (
    "I can't send to a Slack name, group or channel. WhatsApp knows only numbers and "
    "its own groups. Start with +country code, or with a group id."
)
LINK_FORMAT = (
    "I can't read the link at the start as a number. Only telephone links name a "
    "recipient. Type the number itself, like +14155550123."
)
LINK_SHOWS_ANOTHER = (
    "The telephone link at the start shows one number and dials another. I do not "
    "guess which one you mean. Type the number itself, like +14155550123."
)
NO_TEXT_LEFT = (
    "There is no visible text left to send. The message holds only blanks or "
    "invisible characters. Add some text after the number."
)


def number_format(token: str) -> str:
    """The token is not written like a phone number."""
    if not any(map(str.isdigit, token)):
        return (
            f"I could not find a number at the start, only {_quoted(token)}. "
            "I send to phone numbers and WhatsApp groups. Start with +country code, "
            "like +14155550123, or with a group id."
        )
    return (
        f"I can't read {_quoted(token)} as a phone number. I do not guess digits. "
        "Write it with + and country code, like +14155550123, and a blank after it."
    )


def number_length(token: str) -> str:
    """The number has no plus, and not the 11 or 12 digits that go without one."""
    return (
        f"I can't tell the country of {_quoted(token)}. Without a + a number needs "
        "its country code and 11 or 12 digits in all, with no blanks. Write it with "
        "+ and country code, like +14155550123."
    )


def number_too_long(token: str) -> str:
    """More digits than any number has."""
    return (
        f"I can't call {_quoted(token)} a phone number. It is too long: numbers have "
        "7 to 15 digits after the +. Check the digits, and put a blank after them."
    )


def number_invalid(token: str) -> str:
    """Nobody can have this number."""
    return (
        f"I can't send to {_quoted(token)}. There is no such number, or it is a paid "
        "service. Check the digits; a local number needs + and country code instead "
        "of its first 0 or 8."
    )


def ambiguous_number(token: str) -> str:
    """The digits fit several numbers, or run into the text."""
    return (
        f"I can't tell which number you mean by {_quoted(token)}. It can be read in "
        "more than one way. Write only digits after the +, and put quotes around "
        'them: /whatsapp "+14155550123" 2 boxes arrived'
    )


def chat_id_format(token: str) -> str:
    """The token has an @ but is no WhatsApp chat."""
    return (
        f"I can't read {_quoted(token)} as a WhatsApp chat. Groups look like "
        "120363…@g.us, people like 14155550123@c.us. Check it, or write the number "
        "with + and country code."
    )


def message_required(chat_id: ChatId) -> str:
    """The recipient is known, the text is missing."""
    kind = "" if chat_id.endswith("@g.us") else "number "
    return (
        f"I have the {kind}{mask_chat(chat_id)} but no message. "
        "A text can't be empty. Add it after the recipient."
    )


def message_too_long(length: int, limit: int) -> str:
    """The text, as WhatsApp would get it, is longer than allowed."""
    return (
        f"The message has {length:,} characters; the limit is {limit:,}. "
        "Nothing is cut off silently. Shorten it, or send it in parts."
    )


_SLACK_MARKUP = re.compile(r"&(?:lt|gt|amp);|[<>&]")
_BROADCAST = re.compile(r"@(?=here|channel|everyone|group)", re.IGNORECASE)


def _quoted(token: str) -> str:
    """Return the token in quotes, short, visible, harmless and with digits masked.

    >>> _quoted("+1 555 12345 CALL <!here>")
    '“+1 5•• •2345 CALL !here”'
    """
    text = _SLACK_MARKUP.sub("", token[:200])
    text = "".join(c for c in text if c.isprintable())
    text = _masked(_BROADCAST.sub("@ ", text))
    return f"“{text[:39]}…”" if len(text) > 40 else f"“{text}”"


def _masked(text: str) -> str:
    """Hide all but up to three leading and the last four digits of a number."""
    digits = [at for at, c in enumerate(text) if c.isdigit()]
    if len(digits) < 7:
        return text
    hidden = set(digits[min(3, len(digits) - 7) : -4])
    return "".join("•" if at in hidden else c for at, c in enumerate(text))
