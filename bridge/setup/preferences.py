"""Part 2: the instance's settings, changed only after they were shown."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.doctor.green_api import CONSOLE
from bridge.doctor.wishes import Difference, Wishes, changes, differences
from bridge.errors import SendError
from bridge.settings import Settings
from bridge.setup.dialogue import Dialogue
from bridge.setup.waits import Waits, clock
from bridge.whatsapp.console import Console
from bridge.wording.doctor import what_happened

RESTART_SECONDS = 300.0
LOOK_SECONDS = 5.0
_ADDRESS = "webhookUrl"


def settle(
    dialogue: Dialogue, console: Console, settings: Settings, waits: Waits
) -> None:
    """Compare the instance's settings with what the bridge needs; offer to change."""
    if settings.green_api_receive == "off":
        return
    found = waits.ask(console.get_settings)
    if isinstance(found, SendError):
        dialogue.say(f"Its settings could not be read: {what_happened(found.reason)}.")
        return
    wishes = Wishes(settings.green_api_receive, settings.green_api_webhook_token)
    wanted = differences(found, wishes)
    if not wanted:
        dialogue.say("Its settings are as the bridge needs them.")
        return
    agreed = changes(_agreed(dialogue, wanted))
    if agreed:
        _change(dialogue, console, agreed, waits)


def _agreed(dialogue: Dialogue, wanted: list[Difference]) -> list[Difference]:
    """Show the differences; return those that shall be changed."""
    dialogue.say("Its settings are not yet as the bridge needs them:")
    for each in wanted:
        dialogue.item(str(each))
    ours = [each for each in wanted if each.wanted is not None]
    plain = [each for each in ours if each.key != _ADDRESS]
    address = [each for each in ours if each.key == _ADDRESS]
    if ours:
        dialogue.say(
            "A change restarts the instance and takes up to five minutes to hold."
        )
    agreed = []
    if plain:
        question = "Change this now?" if len(plain) == 1 else "Change these now?"
        if address:
            question = f"Change these now, but for {_ADDRESS}?"
        if dialogue.confirm(question, default=True):
            agreed += plain
    # Another program's: a yes to everything does not mean that one.
    if address and dialogue.confirm(
        f"Clear {_ADDRESS}? The program that has it gets nothing any more.",
        default=False,
        even_with_yes=False,
    ):
        agreed += address
    if len(agreed) < len(wanted):
        dialogue.say(f"The rest stays as it is. You can change it in {CONSOLE}.")
    return agreed


def _change(
    dialogue: Dialogue, console: Console, agreed: dict[str, object], waits: Waits
) -> None:
    told = waits.ask(lambda: console.set_settings(agreed))
    if isinstance(told, SendError):
        dialogue.say(
            f"They could not be changed: {what_happened(told.reason)}. Change them in "
            f"{CONSOLE}, or run bridge init again."
        )
        return
    dialogue.say("Changed. The instance restarts.")
    for left in waits.beats(LOOK_SECONDS, RESTART_SECONDS):
        dialogue.progress(f"{clock(left)} left at most")
        if _holds(console, agreed, waits):
            dialogue.say("It is back, with the new settings.")
            return
    dialogue.say("It is not back yet. Messages wait until it is.")


def _holds(console: Console, agreed: Mapping[str, object], waits: Waits) -> bool:
    found = waits.ask(console.get_settings)
    if isinstance(found, SendError):
        return False
    if any(found.get(key) != value for key, value in agreed.items()):
        return False
    state = waits.ask(console.get_state_instance)
    return not isinstance(state, SendError) and state != "starting"
