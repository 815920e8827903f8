"""What a pasted text is, by its form alone. This module is pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from bridge.settings_table import LOOPBACK

BOT_TOKEN = "SLACK_BOT_TOKEN"  # noqa: S105 - the name of a setting
APP_TOKEN = "SLACK_APP_TOKEN"  # noqa: S105 - likewise
ID_INSTANCE = "GREEN_API_ID_INSTANCE"
TOKEN_INSTANCE = "GREEN_API_TOKEN_INSTANCE"  # noqa: S105 - likewise
API_URL = "GREEN_API_URL"

_LABEL = re.compile(r"[A-Za-z_]+[:=](?!//)(?=.)")  # "idInstance: 7105…", "NAME=value"
_WORDS = frozenset({"idinstance", "apitokeninstance", "apiurl", "mediaurl"})
_WRONG_KIND = {
    "xoxp-": "That is a user token (xoxp-), which the bridge never needs. The bot "
    "token begins with xoxb-; it is on the same page.",
    "xoxe": "That is a configuration token, or a token of an app with token rotation "
    "(xoxe). The bridge needs the bot token (xoxb-) of an app without rotation.",
    "xoxa-": "That is a token of an old kind (xoxa-). The bot token begins with xoxb-.",
    "xwfp-": "That is a workflow's token (xwfp-). The bot token begins with xoxb-.",
    "gac.": "That is a partner token of GREEN-API. The bridge needs the "
    "apiTokenInstance of one instance.",
}
_NOT_WHATSAPP = {
    "31": "MAX",
    "35": "MAX",
    "41": "Telegram",
    "45": "Telegram",
}
_NOT_SIGNED = (
    "That looks like Slack's signing secret. The bridge does not need it: with an "
    "app-level token (xapp-) nothing is signed."
)
_UNKNOWN = (
    "I don't recognise that. A bot token begins with xoxb-, an app-level token with "
    "xapp-; idInstance has 10 digits, apiTokenInstance 50 letters and digits, and "
    "apiUrl begins with https://."
)


@dataclass(frozen=True, slots=True)
class Paste:
    """One recognised value, and the setting that it belongs to."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A text that is none of what is asked for; ``say`` never quotes it."""

    say: str


def recognise(text: str) -> list[Paste | Refusal]:
    """Return what stands in a pasted text, in its order.

    >>> recognise("7105000001 xoxb-12-34-abcd")[0]
    Paste(name='GREEN_API_ID_INSTANCE', value='7105000001')
    >>> [type(each).__name__ for each in recognise("apiUrl: https://7105.x.example")]
    ['Paste']
    """
    return list(_recognised(text))


def _recognised(text: str) -> Iterator[Paste | Refusal]:
    for word in text.split():
        bare = _LABEL.sub("", word, count=1).strip("\"'`,;<>")
        if bare.rstrip(":=").lower() in _WORDS or _is_media_url(bare):
            continue
        if bare:
            yield _one(bare)


def _one(word: str) -> Paste | Refusal:
    for prefix, say in _WRONG_KIND.items():
        if word.startswith(prefix):
            return Refusal(say)
    for form, read in _FORMS:
        if form.fullmatch(word):
            return read(word)
    return Refusal(_UNKNOWN)


def _instance(digits: str) -> Paste | Refusal:
    product = _NOT_WHATSAPP.get(digits[:2])
    if product is None:
        return Paste(ID_INSTANCE, digits)
    return Refusal(
        f"That is an instance for {product}. The bridge needs one for WhatsApp: "
        "create it in the GREEN-API console."
    )


def _address(url: str) -> Paste | Refusal:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return Refusal(_UNKNOWN)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
    is_slack = host == "slack.com" or host.endswith(".slack.com")
    if not host or not is_safe or is_slack or parts.query or parts.username:
        return Refusal(
            "That is not the address of an instance. Copy apiUrl from the GREEN-API "
            "console; it looks like https://7105.api.greenapi.com."
        )
    # The console also shows addresses with a method, and with the token, behind them.
    path = parts.path.partition("/waInstance")[0].rstrip("/")
    return Paste(API_URL, f"{parts.scheme}://{parts.netloc}{path}")


_FORMS: tuple[tuple[re.Pattern[str], Callable[[str], Paste | Refusal]], ...] = (
    (re.compile(r"xoxb-[A-Za-z0-9-]{5,300}"), partial(Paste, BOT_TOKEN)),
    (re.compile(r"xapp-[A-Za-z0-9-]{5,300}"), partial(Paste, APP_TOKEN)),
    (re.compile(r"[0-9]{10,12}"), _instance),
    (re.compile(r"[0-9a-f]{32}"), lambda _: Refusal(_NOT_SIGNED)),
    (re.compile(r"[0-9a-z]{40,64}"), partial(Paste, TOKEN_INSTANCE)),
    (re.compile(r".*://.*"), _address),
)


def _is_media_url(word: str) -> bool:
    return bool(re.match(r"https://[\w.-]*\bmedia\.", word))


def likely_urls(id_instance: str) -> list[str]:
    """Return where an instance probably answers, most likely first.

    The first four digits name its pool; two domains are in use, and the address
    without a pool serves many as well.

    >>> likely_urls("7105123456")[0]
    'https://7105.api.greenapi.com'
    >>> likely_urls("1103123456")[0]
    'https://1103.api.green-api.com'
    """
    pool = id_instance[:4]
    special = {
        "99": "https://api.p03.green-api.com",
        "77": "https://7700.api.greenapi.com",
        "57": "https://5700.api.green-api.com",
    }
    usual = [f"https://{pool}.api.greenapi.com", f"https://{pool}.api.green-api.com"]
    if pool.startswith("1"):
        usual.reverse()
    first = [special[pool[:2]]] if pool[:2] in special else usual
    return [*first, "https://api.green-api.com"]
