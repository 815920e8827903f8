"""The tour of the demo: six claims about the bridge, each played and checked.

The steps know the product from outside only, so the sentences they look for are those
that people read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.sandbox.demo.stage import Differs, Stage


@dataclass(frozen=True, slots=True)
class Step:
    """One claim; ``play`` raises Differs when it is not true."""

    claim: str
    play: Callable[[Stage], None]


def run(stage: Stage, steps: Sequence[Step]) -> bool:
    """Play the steps and print the verdict; return whether all went as expected.

    It ends with the first step that differs: what comes later stands on it.
    """
    say = stage.screen.say
    for number, step in enumerate(steps, 1):
        say()
        say(f"{number} of {len(steps)}: {step.claim}")
        try:
            step.play(stage)
        except Differs as err:
            say()
            say(f"Step {number} went another way, so the tour ends here.")
            stage.screen.line("expected", err.expected)
            stage.screen.line("seen", err.seen)
            return False
    say()
    say(f"{len(steps)} of {len(steps)} as expected. Nothing left this machine.")
    return True


def _good_message(stage: Stage) -> None:
    asked = stage.queue("+1 415 555 0100", "Your order ships today :tada:")
    stage.read(asked)
    stage.phone(asked, "Your order ships today 🎉")


def _bad_number(stage: Stage) -> None:
    asked = stage.ask("12ab", "Hello")
    if "“12ab” as a phone number" not in asked.answer:
        raise Differs("that “12ab” is refused as a phone number", asked.answer)
    stage.nothing(asked)


def _too_many_requests(stage: Stage) -> None:
    asked = stage.queue("+1 415 555 0129", "Your table is booked for 7 p.m.")
    stage.statuses(asked, 429, 429, 200)
    stage.read(asked)
    stage.phone(asked, "Your table is booked for 7 p.m.")


def _logged_out(stage: Stage) -> None:
    stage.sandbox.status("notAuthorized")
    stage.screen.line("account", "logged out")
    asked = stage.queue("+1 415 555 0101", "See you at noon")
    stage.card(asked, "on hold", is_whole=True)
    stage.sandbox.status("authorized")
    stage.screen.line("account", "linked again")
    stage.read(asked)
    stage.phone(asked, "See you at noon")


def _group(stage: Stage) -> None:
    asked = stage.queue("120363043968066561@g.us", "The office is closed on Friday")
    stage.read(asked)
    stage.phone(asked, "The office is closed on Friday")


def _unclear_answer(stage: Stage) -> None:
    asked = stage.queue("+1 415 555 0151", "Your refund is on its way")
    stage.statuses(asked, 502)
    stage.read(asked)
    stage.phone(asked, "Your refund is on its way")


STEPS = (
    Step(
        "a message arrives, and its thread shows GREEN-API's idMessage.",
        _good_message,
    ),
    Step("a bad number is refused at once, and nothing is sent.", _bad_number),
    Step(
        "GREEN-API says “too many requests”, so the bridge tries again later.",
        _too_many_requests,
    ),
    Step(
        "the WhatsApp account is logged out. The message waits, and leaves by itself.",
        _logged_out,
    ),
    Step("a group gets a message like anybody else.", _group),
    Step(
        "GREEN-API takes a message but answers with an error. The bridge finds that "
        "out, and does not send it twice.",
        _unclear_answer,
    ),
)
