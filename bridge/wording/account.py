"""What admins read about the WhatsApp account. This room is pure."""

from __future__ import annotations

from bridge.model import Card
from bridge.reasons import Reason
from bridge.wording.deliveries import REASONS


def on_hold(reason: Reason) -> Card:
    """The one line about a hold."""
    text = (
        f"✋  WhatsApp messages are on hold. {REASONS[reason]} Messages that wait "
        "leave by themselves when that is over; those that waited too long are "
        "dropped, and their senders are told."
    )
    return Card(summary="WhatsApp messages are on hold", headline=text)


def released() -> Card:
    """The reply under it when it is over."""
    text = "✓  That is over: messages leave again."
    return Card(summary=text, headline=text)
