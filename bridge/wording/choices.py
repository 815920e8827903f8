"""What people read of the buttons that let them decide on a delivery."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.model import Choice


@dataclass(frozen=True, slots=True)
class Question:
    """What Slack asks before it lets a button do anything."""

    title: str
    text: str
    yes: str
    no: str


@dataclass(frozen=True, slots=True)
class Button:
    """One choice; ``question`` is for those that can't be undone."""

    label: str
    question: Question | None = None


BUTTONS = {
    Choice.CHECK_AGAIN: Button("Check again"),
    Choice.SEND_AGAIN: Button(
        "Send again",
        Question(
            title="Send it again?",
            text="The first one may have arrived. Then the customer gets it twice.",
            yes="Send again",
            no="Cancel",
        ),
    ),
    Choice.MARK_NOT_SENT: Button("Mark as not sent"),
}

# What only the one who pressed reads.
NO_SUCH_DELIVERY = "Nothing was done: I don't know that message any more."
NOT_YOURS = (
    "Nothing was done: only the one who sent the message, or an admin of the bridge, "
    "can decide that. Ask them."
)
DECIDED_ALREADY = (
    "Nothing was done: this was decided already, or the message was found meanwhile. "
    "The thread shows how it stands."
)
