"""A slash command as a person types it and as the app receives it."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from bridge.sandbox.slack.delivery import Outcome
from bridge.sandbox.slack.workspace import (
    APP_ID,
    TEAM_DOMAIN,
    TEAM_ID,
    Channel,
    Json,
    Kind,
    User,
    Workspace,
)

_SPECIAL = frozenset({"here", "channel", "everyone"})
_TOKEN = re.compile(
    r"(?P<url>https?://[^\s<>]*[^\s<>.,;:!?)'\"])"
    r"|(?<!\w)@(?P<user>[\w-]+(?:\.[\w-]+)*)"
    r"|(?<!\w)#(?P<channel>[\w-]+)"
)


@dataclass(frozen=True, slots=True)
class Command:
    """A command that was run, and what its user saw at once.

    Attributes:
        ephemeral: The text of the app's message in the ack, if only the user sees
            it; later ones come by ``response_url`` and are in the event log.
        notice: What Slack itself told the user: a refusal or a failure.
    """

    id: str
    user: str
    channel: str
    text: str  # as the app received it
    trigger_id: str
    response_url: str
    outcome: Outcome
    ephemeral: str | None = None
    notice: str | None = None


def notice_of(outcome: Outcome, name: str) -> str | None:
    """Return what Slack tells the user of a command that came to no good."""
    match outcome:
        case Outcome.ACKED:
            return None
        case Outcome.REFUSED:
            return f"{name} is not supported in threads. Sorry!"
        case _:
            return f'{name} failed with the error "{outcome}"'


def new_trigger_id() -> str:
    """Return a ``trigger_id``: no two are the same."""
    number, team = secrets.randbelow(10**13), secrets.randbelow(10**12)
    return f"{number}.{team}.{secrets.token_hex(16)}"


def payload_of(
    name: str, text: str, user: User, channel: Channel, trigger_id: str, url: str
) -> Json:
    """Return the payload of a slash command; ``url`` is its response URL."""
    return {
        "token": "sandbox-verification",
        "team_id": TEAM_ID,
        "team_domain": TEAM_DOMAIN,
        "channel_id": channel.id,
        "channel_name": channel.payload_name,
        "user_id": user.id,
        "user_name": user.name,
        "command": name,
        "text": text,
        "api_app_id": APP_ID,
        "is_enterprise_install": "false",
        "response_url": url,
        "trigger_id": trigger_id,
    }


def escape(typed: str, workspace: Workspace) -> str:
    """Return typed text as ``should_escape: true`` sends it.

    Names, channels and URLs become tokens; ``& < >`` become entities everywhere.

    >>> escape("@dana & #support https://x.io/?a=1&b=2.", Workspace())
    '<@U0DANA|dana> &amp; <#C0SUPPORT|support> <https://x.io/?a=1&amp;b=2>.'
    """
    parts, end = [], 0
    for match in _TOKEN.finditer(typed):
        parts += [_entities(typed[end : match.start()]), _token(match, workspace)]
        end = match.end()
    return "".join(parts) + _entities(typed[end:])


def _token(match: re.Match[str], workspace: Workspace) -> str:
    if match["url"]:
        return f"<{_entities(match['url'])}>"
    if match["user"]:
        return _mention(match["user"]) or _user_token(match["user"], workspace)
    channel = workspace.find_channel(match["channel"])
    if channel is None:
        return match[0]
    label = channel.name if channel.kind is Kind.PUBLIC else ""
    return f"<#{channel.id}|{label}>"


def _mention(name: str) -> str | None:
    return f"<!{name}>" if name in _SPECIAL else None


def _user_token(name: str, workspace: Workspace) -> str:
    user = workspace.find_user(name)
    return f"<@{user.id}|{user.name}>" if user else f"@{name}"


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
