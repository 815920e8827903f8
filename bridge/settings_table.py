"""The table of settings: name, default, meaning, and how its text is read.

``.env.example`` and ``bridge config`` are made from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Wrong(ValueError):
    """A value that can't be used; the text completes "NAME ..." as a sentence."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table."""

    name: str
    default: str | None  # None: no value, which some settings may not stay
    help: str
    parse: Callable[[str], Any]
    secret: bool = False
    group: str = "Bridge"
    example: str = ""


def _text(value: str) -> str:
    return value


def _token(prefix: str, kind: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.startswith(prefix) and not re.search(r"\s", value):
            return value
        raise Wrong(f"is not {kind}: that one begins with {prefix}{_looks_like(value)}")

    return parse


def _looks_like(value: str) -> str:
    """Say what a value in the wrong place is, from its beginning."""
    kinds = {
        "xoxb-": "a bot token: put it in SLACK_BOT_TOKEN",
        "xapp-": "an app-level token: put it in SLACK_APP_TOKEN",
        "xoxp-": "a user token, which the bridge never needs",
        "xoxe": "a configuration or rotating token, which the bridge can't use",
    }
    for prefix, kind in kinds.items():
        if value.startswith(prefix):
            return f". This is {kind}"
    return ""


def _signing_secret(value: str) -> str:
    if value.startswith(("xoxb-", "xapp-", "xoxp-")):
        raise Wrong(f"is not a signing secret{_looks_like(value)}")
    if re.search(r"\s", value):
        raise Wrong("must not contain blanks")
    return value


def _id_instance(value: str) -> str:
    if re.fullmatch(r"[0-9]{1,12}", value):
        return value
    hint = ""
    if re.fullmatch(r"[0-9a-f]{30,64}", value):
        hint = ". This looks like the token: put it in GREEN_API_TOKEN_INSTANCE"
    raise Wrong(f"must be the instance's number, 10 digits as a rule{hint}")


def _token_instance(value: str) -> str:
    if re.fullmatch(r"[0-9]{1,12}", value):
        raise Wrong(
            "must be the instance's token, 50 letters and digits. This looks like the "
            "instance's number: put it in GREEN_API_ID_INSTANCE"
        )
    if not re.fullmatch(r"[A-Za-z0-9._~-]+", value):
        raise Wrong("must be letters and digits only, without blanks or slashes")
    return value


def _webhook_token(value: str) -> str:
    if re.fullmatch(r"[!-~]{32,}", value):
        return value
    raise Wrong(
        "must be at least 32 letters, digits or signs without blanks. Make one, e.g. "
        "with: openssl rand -hex 32"
    )


def _users(value: str) -> tuple[str, ...]:
    """Read Slack user ids.

    >>> _users("U012AB3CD, W0AB"), _users("")
    (('U012AB3CD', 'W0AB'), ())
    """
    users = tuple(user for user in re.split(r"[\s,]+", value) if user)
    if all(re.fullmatch(r"[UW][A-Z0-9]{1,30}", user) for user in users):
        return users
    raise Wrong(
        "must be Slack user ids such as U012AB3CD, separated by commas. In Slack: the "
        "user's profile, the three dots, Copy member ID"
    )


def _channel(value: str) -> str:
    if re.fullmatch(r"[CGD][A-Z0-9]{1,30}", value):
        return value
    raise Wrong(
        "must be the id of a Slack channel, such as C012AB3CD. It stands at the end of "
        "the channel's details"
    )


def _url(value: str) -> str:
    try:
        address = urlsplit(value)
        host = address.hostname
    except ValueError:
        raise Wrong("is not a URL") from None
    if address.scheme not in {"https", "http"} or not host or address.query:
        raise Wrong("must be a URL such as https://example.com")
    if address.username or address.password:
        raise Wrong("must not contain a user name or a password")
    if address.scheme == "http" and host not in LOOPBACK:
        raise Wrong("must begin with https:// (plain http only goes to this machine)")
    return value.rstrip("/") + "/"


def _database_url(value: str) -> str:
    scheme = value.partition(":")[0]
    if scheme.partition("+")[0] in {"sqlite", "postgresql", "postgres"}:
        return value
    raise Wrong("must begin with sqlite:/// or postgresql://")


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        for choice in choices:
            if value.casefold() == choice.casefold():
                return choice
        raise Wrong(f"must be one of: {', '.join(choices)}")

    return parse


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if re.fullmatch(r"[0-9]{1,9}", value) and least <= int(value) <= most:
            return int(value)
        raise Wrong(f"must be a whole number from {least} to {most}")

    return parse


def _number(least: float, most: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not least <= number <= most:  # also false for NaN
            raise Wrong(f"must be a number from {least:g} to {most:g}")
        return number

    return parse


def _duration(value: str) -> timedelta:
    """Read a span of time.

    >>> _duration("90s"), _duration("15m") == _duration("900")
    (datetime.timedelta(seconds=90), True)
    """
    units = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
    match = re.fullmatch(r"([0-9]{1,6})\s*([smhd]?)", value)
    if match is None or int(match[1]) == 0:
        raise Wrong("must be a time such as 30s, 15m or 24h")
    return timedelta(seconds=int(match[1]) * units[match[2]])


TABLE = (
    Setting(
        "SLACK_BOT_TOKEN",
        None,
        "The app's bot token, from OAuth & Permissions.",
        _token("xoxb-", "a bot token"),
        secret=True,
        group="Slack",
        example="xoxb-…",
    ),
    Setting(
        "SLACK_APP_TOKEN",
        None,
        "App-level token with the scope connections:write. With it the bridge uses "
        "Socket Mode and needs no public address.",
        _token("xapp-", "an app-level token"),
        secret=True,
        group="Slack",
        example="xapp-…",
    ),
    Setting(
        "SLACK_SIGNING_SECRET",
        None,
        "For HTTP mode instead of Socket Mode: from Basic Information.",
        _signing_secret,
        secret=True,
        group="Slack",
    ),
    Setting(
        "SLACK_API_URL",
        "https://slack.com/api/",
        "Slack's Web API.",
        _url,
        group="Slack",
    ),
    Setting(
        "GREEN_API_ID_INSTANCE",
        None,
        "The instance's number, from the GREEN-API console.",
        _id_instance,
        group="GREEN-API",
        example="1101000001",
    ),
    Setting(
        "GREEN_API_TOKEN_INSTANCE",
        None,
        "The instance's token, from the same place.",
        _token_instance,
        secret=True,
        group="GREEN-API",
    ),
    Setting(
        "GREEN_API_URL",
        "https://api.green-api.com",
        "The instance's apiUrl, from the same place.",
        _url,
        group="GREEN-API",
    ),
    Setting(
        "GREEN_API_ADDRESS_BY",
        "chatId",
        "How personal chats are addressed: chatId, or phoneNumber for numbers of 11 "
        "or 12 digits.",
        _one_of("chatId", "phoneNumber"),
        group="GREEN-API",
    ),
    Setting(
        "GREEN_API_RECEIVE",
        "polling",
        "How ticks and answers come: polling needs no public address; webhook takes "
        "them at /green-api/webhook; off leaves messages at accepted.",
        _one_of("polling", "webhook", "off"),
        group="GREEN-API",
    ),
    Setting(
        "GREEN_API_WEBHOOK_TOKEN",
        None,
        "For webhook: what is entered as webhookUrlToken in the console, at least 32 "
        "characters.",
        _webhook_token,
        secret=True,
        group="GREEN-API",
    ),
    Setting("HOST", "127.0.0.1", "Address the web server listens on.", _text),
    Setting(
        "PORT",
        "3000",
        "Port of the web server: /slack/events, /green-api/webhook, /livez, /readyz. "
        "0 turns it off in Socket Mode.",
        _whole(0, 65535),
    ),
    Setting(
        "DATABASE_URL",
        None,
        "postgresql://… for PostgreSQL; without it a SQLite file in BRIDGE_DATA_DIR.",
        _database_url,
        secret=True,
    ),
    Setting("BRIDGE_DATA_DIR", "data", "Folder of the SQLite file.", Path),
    Setting(
        "BRIDGE_MAX_TEXT",
        "4096",
        "Longest message, in characters. GREEN-API takes up to 20000 today.",
        _whole(1, 20000),
    ),
    Setting(
        "BRIDGE_TTL",
        "15m",
        "How long a message may wait to be sent. An older one is dropped and its "
        "sender told.",
        _duration,
    ),
    Setting(
        "BRIDGE_ADMINS",
        "",
        "Slack user ids, separated by commas, who may decide on everybody's messages.",
        _users,
    ),
    Setting(
        "BRIDGE_ADMIN_CHANNEL",
        None,
        "Slack channel that is told when the WhatsApp account needs somebody.",
        _channel,
    ),
    Setting(
        "BRIDGE_MAX_WAITING",
        "2000",
        "How many messages may wait in all; more are refused. 0 lifts the limit.",
        _whole(0, 1_000_000),
    ),
    Setting(
        "BRIDGE_MAX_WAITING_PER_CHAT",
        "200",
        "How many may wait for one chat; more are refused. 0 lifts the limit.",
        _whole(0, 1_000_000),
    ),
    Setting(
        "BRIDGE_MAX_PER_MINUTE",
        "0",
        "How many one person may send in a minute; 0 lifts the limit.",
        _whole(0, 1_000_000),
    ),
    Setting(
        "BRIDGE_SENDERS",
        "32",
        "How many chats may be sent to at the same moment.",
        _whole(1, 64),
    ),
    Setting(
        "BRIDGE_PACE",
        "50",
        "Most messages a second to GREEN-API, which takes 50. 0 lifts the limit.",
        _number(0, 10000),
    ),
    Setting(
        "BRIDGE_TIME_SCALE",
        "1",
        "For tests: multiplies every wait, time-out and life time of the bridge.",
        _number(0.001, 1000),
    ),
    Setting(
        "BRIDGE_LOG_LEVEL",
        "INFO",
        "How much is logged: INFO, WARNING or ERROR.",
        _one_of("INFO", "WARNING", "ERROR"),
    ),
    Setting(
        "BRIDGE_LOG_FORMAT",
        "auto",
        "text, json, or auto: text on a terminal, JSON lines elsewhere.",
        _one_of("auto", "text", "json"),
    ),
)
