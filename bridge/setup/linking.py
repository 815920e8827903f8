"""Part 2: a phone is linked to the instance, by a code to type or one to scan."""

from __future__ import annotations

from bridge.doctor.green_api import CONSOLE, Instance, check_instance
from bridge.errors import CommandError, SendError
from bridge.model import ChatId
from bridge.recipient import read_recipient
from bridge.setup.dialogue import Dialogue
from bridge.setup.qr import show_qr
from bridge.setup.slack_app import tell
from bridge.setup.waits import Waits, clock
from bridge.whatsapp.console import Console
from bridge.wording.masks import mask_chat

CODE_SECONDS = 150.0  # that GREEN-API's code is good for
START_SECONDS = 300.0  # that a start takes at most
LOOK_SECONDS = 2.0

_STUCK = (
    "The instance is still starting. Log it out in the console, wait a minute, and go "
    "on with: bridge init --qr"
)


def link(
    dialogue: Dialogue,
    console: Console,
    state: str,
    waits: Waits,
    *,
    id_instance: str,
    by_qr: bool,
) -> bool:
    """See to it that a phone is linked; return whether the account is usable or nearly.

    Args:
        dialogue: the terminal.
        console: the instance.
        state: as GREEN-API just told it.
        waits: how long a second is.
        id_instance: of the instance.
        by_qr: do not offer a code to type.
    """
    if state == "starting":
        dialogue.say("The instance is starting; that takes up to five minutes.")
        state = _await_start(dialogue, console, waits)
    if state == "notAuthorized":
        state = _link(dialogue, console, waits, by_qr=by_qr)
    if state == "authorized":
        _say_number(dialogue, console, waits)
        return True
    if state == "starting":
        dialogue.say(_STUCK)
        return False
    if state == "notAuthorized":
        dialogue.say(
            "No phone is linked yet. Run bridge init again when you have it at hand; "
            f"{CONSOLE} can show a QR code as well."
        )
        return False
    finding = check_instance(Instance(state), id_instance)
    tell(dialogue, finding)
    return state != "blocked"


def _await_start(dialogue: Dialogue, console: Console, waits: Waits) -> str:
    for left in waits.beats(LOOK_SECONDS, START_SECONDS):
        dialogue.progress(f"{clock(left)} left at most")
        told = waits.ask(console.get_state_instance)
        if not isinstance(told, SendError) and told != "starting":
            return told
    return "starting"


def _link(dialogue: Dialogue, console: Console, waits: Waits, *, by_qr: bool) -> str:
    phone = None if by_qr else _ask_number(dialogue)
    if phone is not None:
        state = _by_code(dialogue, console, waits, phone)
        if state != "notAuthorized":
            return state
        if not dialogue.confirm("Show a QR code to scan instead?", default=True):
            return "notAuthorized"
    if not show_qr(dialogue, console, waits):
        return "notAuthorized"
    return _await_start(dialogue, console, waits)


def _ask_number(dialogue: Dialogue) -> ChatId | None:
    """Return the chat of the number to link; None for a QR code."""
    dialogue.say(
        "No phone is linked to it. Which number shall the messages come from? Write it "
        "with its country code, like +49 151 23456789."
    )
    while True:
        text = dialogue.ask("Number (Enter for a QR code):", "the number")
        if not text:
            return None
        try:
            chat_id = read_recipient(text)
        except CommandError as err:
            dialogue.say(str(err))
            continue
        if chat_id.endswith("@c.us"):
            return chat_id
        dialogue.say("That is a group. A number is needed.")


def _by_code(dialogue: Dialogue, console: Console, waits: Waits, phone: ChatId) -> str:
    """Show a code to type on the phone; return the state in the end.

    It is asked for once: a second request can leave the instance at ``starting``.
    """
    try:
        code = console.get_authorization_code(int(phone.partition("@")[0]))
    except SendError:
        code = None
    if code is None:
        dialogue.say(
            "GREEN-API gave no code. It is not asked again: that can leave an instance "
            "stuck."
        )
        return "notAuthorized"
    dialogue.say(
        f"On the phone with {mask_chat(phone)}: WhatsApp, Settings, Linked devices, "
        "Link a device, Link with phone number instead. Then type this code:"
    )
    dialogue.gap()
    dialogue.verbatim(f"    {code[:4]}-{code[4:]}")
    dialogue.gap()
    state = _await_phone(dialogue, console, waits)
    if state == "notAuthorized":
        dialogue.say(
            "The code has expired. No second one is asked for: that can leave "
            "an instance stuck."
        )
    return state


def _await_phone(dialogue: Dialogue, console: Console, waits: Waits) -> str:
    for left in waits.beats(LOOK_SECONDS, CODE_SECONDS):
        dialogue.progress(f"{clock(left)} left. Waiting for the phone")
        told = waits.ask(console.get_state_instance)
        if told == "starting":
            return _await_start(dialogue, console, waits)
        if not isinstance(told, SendError) and told != "notAuthorized":
            return told
    return "notAuthorized"


def _say_number(dialogue: Dialogue, console: Console, waits: Waits) -> None:
    told = waits.ask(console.wid)
    if isinstance(told, str) and told.endswith("@c.us"):
        dialogue.say(f"It is linked to {mask_chat(ChatId(told))}.")
    else:
        dialogue.say("It is linked to a phone.")
