"""What the bridge's sentences claim: the one place that knows their wording."""

from __future__ import annotations

import re
from enum import Enum


class Claim(Enum):
    """What a sentence in Slack says about WhatsApp."""

    SENT = "accepted"  # GREEN-API has it
    NOT_SENT = "not sent"  # it certainly has not
    UNSURE = "may or may not"
    OPEN = "not known yet"


# In this order: "may or may not have been sent" also contains "sent".
_CLAIMS = (
    (re.compile(r"may or may not", re.I), Claim.UNSURE),
    (re.compile(r"\bnot sent\b", re.I), Claim.NOT_SENT),
    (re.compile(r"\bidMessage\b|accepted by GREEN-API", re.I), Claim.SENT),
    (re.compile(r"\b(sent|delivered|read)\b", re.I), Claim.SENT),
)
_ID_MESSAGE = re.compile(r"idMessage `([^`]+)`")
_OPEN_ACK = re.compile(r"can't tell whether", re.I)
_QUEUED = re.compile(r"\b(Already )?queued for\b", re.I)


def claim_of(text: str) -> Claim:
    """Return what a reply or a card claims.

    >>> claim_of("⚠️  <@U1> It may or may not have been sent. GREEN-API did not answer.")
    <Claim.UNSURE: 'may or may not'>
    >>> claim_of("WhatsApp message: queued"), claim_of("WhatsApp message: checking")
    (<Claim.OPEN: 'not known yet'>, <Claim.OPEN: 'not known yet'>)
    >>> claim_of("WhatsApp message: not delivered")  # GREEN-API had accepted it
    <Claim.SENT: 'accepted'>
    """
    found = (claim for pattern, claim in _CLAIMS if pattern.search(text))
    return next(found, Claim.OPEN)


def id_in(text: str) -> str | None:
    """Return the ``idMessage`` that a reply names, if it names one.

    >>> id_in("Accepted by GREEN-API · idMessage `3EB0C7`")
    '3EB0C7'
    """
    found = _ID_MESSAGE.search(text)
    return found[1] if found else None


def says_no(ack: str | None) -> bool:
    """Whether an ack says that nothing was stored.

    >>> says_no("Not accepted: the bridge could not save it in time.")
    True
    >>> says_no("I can't tell whether this was saved: the database was lost.")
    False
    """
    is_clear = ack is not None and _OPEN_ACK.search(ack) is None
    return is_clear and not says_queued(ack)


def says_queued(ack: str | None) -> bool:
    """Whether an ack promises one final answer in the thread.

    >>> says_queued("Queued for +49 ••••• 1234. Follow it in the thread.")
    True
    >>> says_queued("Not accepted: the bridge could not save it in time.")
    False
    """
    return ack is not None and _QUEUED.search(ack) is not None
