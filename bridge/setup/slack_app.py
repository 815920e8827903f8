"""Part 1: the Slack app and its two tokens."""

from __future__ import annotations

import os
import sys
import webbrowser

from bridge.doctor.findings import Finding, State
from bridge.doctor.slack import (
    PASSING,
    app_id,
    ask_bot,
    check_app_token,
    check_bot_token,
    check_scopes,
)
from bridge.parts import make_slack_client
from bridge.setup.create_app import link
from bridge.setup.dialogue import Dialogue
from bridge.setup.draft import Draft
from bridge.setup.pastes import APP_TOKEN, BOT_TOKEN

_WHAT = {
    BOT_TOKEN: "the bot token (xoxb-)",
    APP_TOKEN: "the app-level token (xapp-)",
}
_WHERE = {
    BOT_TOKEN: "bot token (xoxb-): OAuth & Permissions, Bot User OAuth Token",
    APP_TOKEN: "app-level token (xapp-): Basic Information, App-Level Tokens, "
    "Generate, with the scope connections:write",
}


def connect(dialogue: Dialogue, draft: Draft, *, may_open_browser: bool) -> str:
    """Get both tokens accepted by Slack; return the workspace's name."""
    names = [BOT_TOKEN] if draft.uses_http else [BOT_TOKEN, APP_TOKEN]
    if not any(name in draft.offers for name in names):
        _create(dialogue, may_open_browser=may_open_browser)
    is_told = False
    team = ""
    while True:
        if BOT_TOKEN in draft.offers:
            team = _try_bot(dialogue, draft) or team
        if APP_TOKEN in draft.offers and APP_TOKEN in names:
            _try_app(dialogue, draft)
        missing = [name for name in names if name not in draft.accepted]
        if not missing:
            return team
        if not is_told:
            _say_where(dialogue, missing)
            is_told = True
        draft.take(dialogue, dialogue.paste(_wanted(draft, missing)))


def _create(dialogue: Dialogue, *, may_open_browser: bool) -> None:
    dialogue.say(
        "Open this link, choose your workspace, then Next, Create, Install to "
        "Workspace, Allow. Where an admin has to approve the app first, run this again "
        "when that is done."
    )
    address = link()
    dialogue.gap()
    dialogue.verbatim(address)
    dialogue.gap()
    if may_open_browser and has_browser(dialogue.is_terminal) and _open(address):
        dialogue.say("It was opened in your browser.")


def has_browser(is_terminal: bool, environment: dict[str, str] | None = None) -> bool:
    """Whether a page that is opened here is seen by who sits at the terminal."""
    env = dict(os.environ) if environment is None else environment
    if not is_terminal or "SSH_CONNECTION" in env or "SSH_TTY" in env:
        return False
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return False  # a browser refuses to run as root, or should
    has_screen = bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY"))
    return has_screen or sys.platform in {"darwin", "win32"}


def _open(address: str) -> bool:
    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False


def _say_where(dialogue: Dialogue, missing: list[str]) -> None:
    what = "this" if len(missing) == 1 else "two tokens, in any order,"
    dialogue.say(f"Copy {what} from the app's pages. What you paste is not shown.")
    for name in missing:
        dialogue.item(_WHERE[name])
    dialogue.gap()


def _wanted(draft: Draft, missing: list[str]) -> str:
    if any(name in draft.offers for name in missing):
        return "another value, or press Enter to try again"
    return " and ".join(_WHAT[name] for name in missing)


def _try_bot(dialogue: Dialogue, draft: Draft) -> str | None:
    """Ask Slack about the bot token; return the workspace's name if it is taken."""
    settings = draft.settings({BOT_TOKEN: draft.offers[BOT_TOKEN]})
    app = app_id(draft.accepted.get(APP_TOKEN) or draft.offers.get(APP_TOKEN))
    bot = ask_bot(make_slack_client(settings))
    if bot.refusal is None:
        draft.accept(BOT_TOKEN)
        dialogue.say(f"Connected to {bot.team} as @{bot.user}.")
        _say_unless_fine(dialogue, check_scopes(bot, app))
        return bot.team
    tell(dialogue, check_bot_token(bot, app))
    if bot.refusal not in PASSING:
        del draft.offers[BOT_TOKEN]
    return None


def _try_app(dialogue: Dialogue, draft: Draft) -> None:
    token = draft.offers[APP_TOKEN]
    finding = check_app_token(make_slack_client(draft.settings()), token)
    if finding.state is State.OK:
        draft.accept(APP_TOKEN)
        dialogue.say("Socket Mode works: no public address is needed.")
        return
    tell(dialogue, finding)
    # A refusal names the page where it is mended; silence has none.
    if finding.link is not None:
        del draft.offers[APP_TOKEN]


def _say_unless_fine(dialogue: Dialogue, finding: Finding) -> None:
    if finding.state is State.PROBLEM:
        tell(dialogue, finding)


def tell(dialogue: Dialogue, finding: Finding) -> None:
    """Say what a check found, and what to do."""
    fact = finding.fact[:1].upper() + finding.fact[1:]
    dialogue.say(f"{fact.rstrip('.')}. {finding.fix or ''}".rstrip())
    if finding.link:
        dialogue.item(finding.link)
