"""What whoever looks after the bridge reads, and nobody else. This room is pure.

``REASONS`` has the words for everybody: what happened is the same for all.
"""

from __future__ import annotations

from bridge.reasons import Reason
from bridge.wording.deliveries import REASONS

DISK_IS_LOW = (
    "The disk of the database is nearly full, so new messages are refused. Make room; "
    "nothing stored is lost."
)

_ACTIONS = {
    Reason.NOT_AUTHORIZED: "Link the phone again: bridge init, or scan the QR code in "
    "the console.",
    Reason.STARTING: "Wait: it may take 5 minutes. If it lasts longer, reboot it in "
    "the console, once.",
    Reason.RESTRICTED: "Send less and to fewer strangers; the console says until when "
    "it lasts. What waits leaves by itself.",
    Reason.BLOCKED: "Appeal in the WhatsApp app on the phone, or link another number.",
    Reason.UNREACHABLE: "Look at the network, the proxy and GREEN_API_URL.",
    Reason.NO_ANSWER: "Look at the network and the proxy, and run this again.",
    Reason.RATE_LIMITED: "Run this again in a minute.",
    Reason.REFUSED_TOKEN: "Copy apiTokenInstance from the console into "
    "GREEN_API_TOKEN_INSTANCE. If it was renewed there, the old one is dead.",
    Reason.REFUSED_INSTANCE: "Compare GREEN_API_ID_INSTANCE and GREEN_API_URL with "
    "idInstance and apiUrl in the console.",
    Reason.WRONG_ADDRESS: "Copy apiUrl from the console into GREEN_API_URL.",
    Reason.OTHER_NUMBER: "If the new number is right: bridge resume",
}


def what_happened(reason: str) -> str:
    """The first sentence for why nothing is sent, without its full stop.

    >>> what_happened(Reason.NOT_AUTHORIZED)
    'The WhatsApp account is logged out'
    """
    known = {str(each): sentence for each, sentence in REASONS.items()}
    sentence = known.get(reason, "The WhatsApp account can't send at the moment.")
    return sentence.partition(". ")[0].removesuffix(".")


def what_to_do(reason: str) -> str:
    """What whoever looks after the bridge can do about it."""
    known = {str(each): sentence for each, sentence in _ACTIONS.items()}
    return known.get(reason, "Look at the instance in the GREEN-API console.")
