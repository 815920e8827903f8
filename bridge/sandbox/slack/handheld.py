"""What a phone makes of typed text: its own quotes and dashes, links to numbers."""

from __future__ import annotations

import re
from typing import Final

# Long enough for a phone to think that it may be a telephone number. A phone takes
# dates and order numbers for one, too.
_NUMBER: Final = re.compile(r"(?<![\w+@<])\+?\d(?:[ ().-]{0,2}\d){6,14}(?![\w@])")
_OPENING: Final = re.compile(r"(^|[\s(\[{])\"")


def as_a_phone_types(text: str) -> str:
    """Return text with the punctuation that phones put in by themselves.

    >>> as_a_phone_types('Is it "here" -- at last...')
    'Is it “here” — at last…'
    """
    text = _OPENING.sub(r"\1“", text).replace('"', "”")
    text = text.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")
    return text.replace("--", "—").replace("...", "…")


def link_numbers(sent: str) -> str:
    """Return text with everything like a telephone number as a link.

    Args:
        sent: the text as Slack sends it, ``& < >`` already escaped.

    >>> link_numbers("+1 415-555-0100 hi")
    '<tel:+14155550100|+1 415-555-0100> hi'
    >>> link_numbers("120363043968066561@g.us hi")
    '120363043968066561@g.us hi'
    """
    return _NUMBER.sub(lambda m: f"<tel:{_dialled(m[0])}|{m[0]}>", sent)


def _dialled(number: str) -> str:
    return re.sub(r"[^\d+]", "", number)
