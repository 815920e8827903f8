"""Part 3: the bridge runs until the first ``/whatsapp`` has come and gone.

Only that proves that the command in Slack belongs to this app.
"""

from __future__ import annotations

import time
from dataclasses import replace

from bridge import logs
from bridge.doctor.findings import State
from bridge.doctor.slack import app_id, app_page, check_socket
from bridge.model import Delivery, DeliveryId, Status
from bridge.parts import make_slack_client, open_outbox
from bridge.settings import Settings
from bridge.setup.dialogue import Dialogue
from bridge.setup.slack_app import tell
from bridge.setup.waits import Waits
from bridge.store import Store
from bridge.wiring import CONNECTIONS, Bridge
from bridge.wording.deliveries import outcome
from bridge.wording.figures import why
from bridge.wording.masks import mask_chat

SILENCE_SECONDS = 60.0  # until it looks as if something were wrong
CONNECT_SECONDS = 20.0
TELL_SECONDS = 15.0  # that Slack is given to show the last word
LOOK_SECONDS = 0.2
LATEST = 50


def await_first(
    dialogue: Dialogue, settings: Settings, team: str, waits: Waits
) -> None:
    """Run the bridge until a message from Slack was accepted by GREEN-API.

    Args:
        dialogue: the terminal.
        settings: of the bridge.
        team: the workspace that the app is installed in.
        waits: how long a second is.

    Raises:
        StoreError: the database can't be used.
        SettingsError: the web server of HTTP mode can't listen.
    """
    logs.configure("ERROR", "text", settings.secrets())
    if settings.uses_socket_mode:
        settings = replace(settings, port=0)  # for a minute nobody asks for its health
    store = open_outbox(settings)
    try:
        if not store.database.claim_sole_use():
            dialogue.say(
                "A copy of the bridge runs here already. Start it anew, so that it "
                "takes the new values, then type in Slack: /whatsapp status"
            )
            return
        before = {each.id for each in store.outbox.latest(LATEST)}
        bridge = Bridge(settings, store)
        bridge.start()
        try:
            _wait(dialogue, settings, bridge, _Arrivals(store, before), team, waits)
        finally:
            bridge.stop()
    finally:
        store.database.close()


class _Arrivals:
    """The deliveries that came from Slack since we began."""

    def __init__(self, store: Store, before: set[DeliveryId]) -> None:
        self._store = store
        self._before = before

    def look(self) -> list[Delivery]:
        """Return them, oldest first."""
        latest = self._store.outbox.latest(LATEST)
        new = [d for d in latest if d.caller is not None and d.id not in self._before]
        return new[::-1]

    def is_told(self) -> bool:
        """Whether Slack shows everything."""
        return self._store.figures.now_standing().slack_untold == 0


def _wait(
    dialogue: Dialogue,
    settings: Settings,
    bridge: Bridge,
    arrivals: _Arrivals,
    team: str,
    waits: Waits,
) -> None:
    for _ in waits.beats(LOOK_SECONDS, CONNECT_SECONDS):
        if not bridge.condition().reasons:
            break
    for sentence in bridge.condition().reasons.values():
        dialogue.say(f"{sentence} I go on trying.")
    dialogue.say(
        "Type in Slack now, in any public channel: /whatsapp <your other number> hello"
    )
    dialogue.say("I am waiting for it. Ctrl-C ends this; everything is saved.")
    accepted = _accepted(dialogue, settings, arrivals, team, waits)
    dialogue.say(_without_markup(outcome(accepted)))
    dialogue.say("It works: look at the phone, and at the thread in Slack.")
    for _ in waits.beats(LOOK_SECONDS, TELL_SECONDS):
        if arrivals.is_told():
            break


def _accepted(
    dialogue: Dialogue,
    settings: Settings,
    arrivals: _Arrivals,
    team: str,
    waits: Waits,
) -> Delivery:
    """Follow what comes; return the first delivery that GREEN-API accepted."""
    said: set[tuple[str, str]] = set()
    began = time.monotonic()
    while True:
        found = arrivals.look()
        for each in found:
            if each.status.is_accepted:
                return each
            for text in _news(each):
                if (each.id, text) not in said:
                    said.add((each.id, text))
                    dialogue.say(text)
        silent_for = (time.monotonic() - began) / waits.scale
        if not said and silent_for >= SILENCE_SECONDS:
            said.add(("", ""))
            _explain_silence(dialogue, settings, team)
        waits.rest(LOOK_SECONDS)


def _news(delivery: Delivery) -> list[str]:
    """Return what there is to say of a delivery that is not accepted."""
    news = [f"It has come: a message to {mask_chat(delivery.chat_id)}."]
    if delivery.status is Status.HELD and delivery.reason:
        news.append(f"It waits. {why(delivery.reason)}")
    elif delivery.status.is_final:
        word = _without_markup(outcome(delivery)).removesuffix(", then decide:")
        news.append(f"{word.rstrip('.')}. I am waiting for another one.")
    return news


def _without_markup(text: str) -> str:
    return text.replace("`", "")


def _explain_silence(dialogue: Dialogue, settings: Settings, team: str) -> None:
    token = settings.slack_app_token
    dialogue.say(
        "Nothing has come yet. If Slack answered with a sentence about the number, "
        "correct that and type it again. Else it is one of three things:"
    )
    dialogue.item("Another copy of the bridge runs and took it. End that one.")
    dialogue.item(
        "The app was changed after it was installed. Install it again: "
        f"{app_page(app_id(token), 'install-on-team')}"
    )
    dialogue.item(f"You typed it in another workspace. This app is in {team}.")
    if token is not None:
        others = check_socket(make_slack_client(settings), token, CONNECTIONS)
        if others.state is State.WARNING:
            tell(dialogue, others)
    dialogue.say("I go on waiting.")
