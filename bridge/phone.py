"""From a phone number as people write it to the digits that name one person.

The library never sees what was typed, only a plus and ASCII digits: raw text makes it
find strangers. This room is pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import NoReturn

import phonenumbers
from phonenumbers import PhoneNumberType

from bridge.errors import Code, CommandError
from bridge.model import ChatId
from bridge.wording import commands as wording

NumberCheck = Callable[[str], str | None]
"""From ASCII digits to those of the number they stand for; None: there is none."""

_DIGITS = range(7, 17)  # of a number in E.164, and one for the 0 of "+44 (0)20 …"

_PHONE = re.compile(r"(?=[(+0-9])\(?(?P<prefix>\+|00)?(?P<number>[ 0-9().\-/]*)")
_LONE_END = re.compile(r"[ .\-/()]\d\)?$|^[^/]*/\d\d$")  # "…67.0", "…67/8", "…6/78"
_NOBODYS = {
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.UAN,
    PhoneNumberType.PAGER,
}


def e164(digits: str) -> str | None:
    """Return the E.164 digits that ``digits``, country code first, stand for.

    They are the same digits, less one 0 after the country code if that country drops
    it. None when nobody can be reached under them.

    >>> e164("442079460958"), e164("4402079460958"), e164("390612345678")
    ('442079460958', '442079460958', '390612345678')
    >>> e164("7900123456")
    """
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return None
    country = str(number.country_code)
    national = phonenumbers.national_significant_number(number)
    # The library also rewrites digits, e.g. Argentina's 15 into a 9: somebody else.
    if digits not in (country + national, f"{country}0{national}"):
        return None
    if phonenumbers.region_code_for_country_code(int(country)) == "001":
        return None  # satellites, worldwide freephone and the like
    if phonenumbers.number_type(number) in _NOBODYS:
        return None
    return country + national if phonenumbers.is_valid_number(number) else None


def read_phone(part: str, check: NumberCheck = e164) -> ChatId:
    """Return the chat of the person with this number.

    Raises:
        CommandError: nobody has it, or it could be two people's.
    """
    shape = _PHONE.fullmatch(in_ascii(part))
    if not shape or not (digits := digits_of(shape["number"])):
        refuse_format(part)
    if not shape["prefix"] and len(digits) not in {11, 12}:
        raise CommandError(Code.NUMBER_LENGTH, wording.number_length(part))
    found = check(digits) if len(digits) in _DIGITS else None
    if _is_doubtful(shape["number"], digits, found, check):
        refuse_ambiguous(part)
    if not found or (not shape["prefix"] and found != digits):
        raise CommandError(Code.NUMBER_INVALID, wording.number_invalid(part))
    return ChatId(f"{found}@c.us")


def _is_doubtful(
    number: str, digits: str, found: str | None, check: NumberCheck
) -> bool:
    """Whether the number, as written, could also be somebody else's."""
    if "(0)" in number:
        # The 0 that is dialled only at home; Italy and San Marino dial it always.
        if found == digits and not found.startswith(("39", "378")):
            return True
        without = check(digits_of(number.replace("(0)", "", 1)))
        if without and without != found:
            return True
    return found is not None and bool(_LONE_END.search(number))


def in_ascii(part: str) -> str:
    """Write digits of any script, blanks, dashes and the wide plus in ASCII."""
    return "".join(map(_ascii_of, part))


def _ascii_of(c: str) -> str:
    if c.isdecimal():
        return str(unicodedata.decimal(c))
    if c.isspace():
        return " "
    if c == "\N{MINUS SIGN}" or unicodedata.category(c) == "Pd":
        return "-"
    return "+" if c == "\N{FULLWIDTH PLUS SIGN}" else c


def digits_of(text: str) -> str:
    """Return only the digits, in ASCII."""
    return "".join(c for c in in_ascii(text) if c in "0123456789")


def refuse_format(part: str) -> NoReturn:
    """Say that this is not written like a number."""
    raise CommandError(Code.NUMBER_FORMAT, wording.number_format(part))


def refuse_ambiguous(part: str) -> NoReturn:
    """Say that this could be two numbers."""
    raise CommandError(Code.AMBIGUOUS_NUMBER, wording.ambiguous_number(part))
