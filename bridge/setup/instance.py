"""Part 2: the GREEN-API instance: its id, its token, its address."""

from __future__ import annotations

from bridge.doctor.green_api import CONSOLE, mask_instance
from bridge.errors import SendError
from bridge.parts import make_console
from bridge.reasons import Reason
from bridge.setup.dialogue import Dialogue
from bridge.setup.draft import Draft
from bridge.setup.pastes import API_URL, ID_INSTANCE, TOKEN_INSTANCE, likely_urls
from bridge.setup.waits import Waits
from bridge.whatsapp.console import Console
from bridge.wording.doctor import what_happened, what_to_do

_WHAT = {
    ID_INSTANCE: "idInstance",
    TOKEN_INSTANCE: "apiTokenInstance",
    API_URL: "apiUrl",
}
_ELSEWHERE = {Reason.UNREACHABLE, Reason.WRONG_ADDRESS}


def connect(dialogue: Dialogue, draft: Draft, waits: Waits) -> tuple[Console, str]:
    """Get the instance's values accepted; return its client and its state."""
    needed = (ID_INSTANCE, TOKEN_INSTANCE)
    is_told = False
    wanted: list[str] = []
    while True:
        if all(name in draft.offers for name in needed):
            found = _try(dialogue, draft, waits)
            if isinstance(found, tuple):
                return found
            wanted = [found] if found else []
        missing = [n for n in needed if n not in draft.offers] or wanted
        if not is_told:
            _say_where(dialogue)
            is_told = True
        what = " and ".join(_WHAT[name] for name in missing)
        retry = "" if set(missing) & set(needed) else ", or press Enter to try again"
        draft.take(dialogue, dialogue.paste(f"{what}{retry}" if what else "again"))


def _say_where(dialogue: Dialogue) -> None:
    dialogue.say(
        f"In {CONSOLE} create an instance, or open the one you have. The "
        "plan Developer is free and allows three chats a month. Copy from its page, in "
        "any order, idInstance and apiTokenInstance; apiUrl too, if you like."
    )
    dialogue.gap()


def _try(
    dialogue: Dialogue, draft: Draft, waits: Waits
) -> tuple[Console, str] | str | None:
    """Ask the instance for its state, at the address it probably has.

    Returns:
        Its client and its state; else which value has to be pasted again, if any.
    """
    id_instance = draft.offers[ID_INSTANCE]
    given = draft.offers.get(API_URL)
    error: SendError | None = None
    for url in [given] if given else likely_urls(id_instance):
        draft.offers[API_URL] = url
        console = make_console(draft.settings(draft.offers))
        told = waits.ask(console.get_state_instance)
        if not isinstance(told, SendError):
            draft.accept(ID_INSTANCE, TOKEN_INSTANCE, API_URL)
            dialogue.say(f"Instance {mask_instance(id_instance)} answers at {url}.")
            return console, told
        console.close()
        error = told
        if error.reason not in _ELSEWHERE:
            break
    if not given:
        del draft.offers[API_URL]
    assert error is not None  # noqa: S101 - there is always one address to ask
    return _say_why(dialogue, draft, error)


def _say_why(dialogue: Dialogue, draft: Draft, error: SendError) -> str | None:
    """Say what went wrong; drop the value that is probably to blame and name it."""
    name = mask_instance(draft.offers[ID_INSTANCE])
    if error.reason == Reason.REFUSED_TOKEN:
        dialogue.say(
            f"GREEN-API refused this token for instance {name}. Copy both values from "
            "the page of one instance, and paste what was wrong."
        )
        del draft.offers[TOKEN_INSTANCE]
        return None
    if error.reason == Reason.REFUSED_INSTANCE:
        dialogue.say(
            f"GREEN-API refused instance {name}. Copy idInstance again; if it is the "
            "same, paste apiUrl as well."
        )
        del draft.offers[ID_INSTANCE]
        return None
    if error.reason in _ELSEWHERE:
        at = f" at {draft.offers[API_URL]}" if API_URL in draft.offers else ""
        dialogue.say(
            f"Instance {name} was not found{at}. Copy apiUrl from its page; if it is "
            "the same, look at the network or the proxy of this machine."
        )
        draft.offers.pop(API_URL, None)
        return API_URL
    dialogue.say(f"{what_happened(error.reason)}. {what_to_do(error.reason)}")
    return API_URL
