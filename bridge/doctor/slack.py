"""What Slack says of the app: its tokens, its scopes, its connections."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from bridge.doctor.findings import Area, Finding, Row
from bridge.slack.check import SCOPES, TOKEN_ERRORS, WORST_CLOCK, clock_off
from bridge.slack.hello import NoHello, count_connections

APPS = "https://api.slack.com/apps"
RIGHT_CLOCK = 3.0  # seconds; an answer tells whole ones, and takes some time
DOUBTFUL_CLOCK = 60.0
UNREACHABLE = "unreachable"
PASSING = frozenset({UNREACHABLE, "ratelimited", "internal_error", "fatal_error"})

NO_WAY = "Slack can't be reached"
_NO_WAY_FIX = (
    "Look at the network, the proxy and the firewall: https://slack.com and "
    "wss://*.slack.com must be open. Slack's own state: https://slack-status.com"
)
_BUSY = "Slack does not answer this at the moment"
_BUSY_FIX = "Run this again in a minute. Slack's own state: https://slack-status.com"


@dataclass(frozen=True, slots=True)
class Bot:
    """What Slack answered to the bot token."""

    user: str = ""
    team: str = ""
    team_id: str = ""
    scopes: frozenset[str] | None = None  # None: Slack did not tell them
    clock_off: float | None = None  # seconds between Slack's clock and ours
    refusal: str | None = None  # Slack's word for why not; or one of PASSING

    @property
    def is_silent(self) -> bool:
        """Whether Slack did not judge the token, because it can't at the moment."""
        return self.refusal in PASSING

    @property
    def is_known(self) -> bool:
        """Whether Slack takes the token."""
        return self.refusal is None


def ask_bot(client: WebClient) -> Bot:
    """Ask Slack about the client's token, once.

    Source: https://docs.slack.dev/reference/methods/auth.test
    """
    try:
        answer = client.auth_test()
    except SlackApiError as err:
        return Bot(refusal=error_code(err), clock_off=clock_off(_headers(err)))
    except (SlackClientError, OSError, http.client.HTTPException):
        return Bot(refusal=UNREACHABLE)
    scopes = _lower(answer.headers).get("x-oauth-scopes")
    return Bot(
        user=str(answer.get("user", "")),
        team=str(answer.get("team", "")),
        team_id=str(answer.get("team_id", "")),
        scopes=None if scopes is None else frozenset(scopes.replace(",", " ").split()),
        clock_off=clock_off(answer.headers),
    )


def check_bot_token(bot: Bot, app_id: str | None = None) -> Finding:
    """Say whose token it is, or why Slack refuses it."""
    row = Row("bot-token", Area.SLACK)
    if bot.refusal is None:
        return row.ok(f"@{bot.user} in {bot.team} ({bot.team_id})")
    if bot.is_silent:
        return _silence(row, bot.refusal)
    why = TOKEN_ERRORS.get(bot.refusal, "Slack refused it. Copy it again")
    fact, _, to_do = why.partition(". ")
    return row.problem(
        f"SLACK_BOT_TOKEN was refused ({bot.refusal}): {fact}",
        f"{to_do or 'Copy the Bot User OAuth Token, which begins with xoxb-'}.",
        app_page(app_id, "oauth"),
    )


def check_scopes(bot: Bot, app_id: str | None = None) -> Finding:
    """Compare what the token may do with what the bridge needs."""
    row = Row("scopes", Area.SLACK)
    if not bot.is_known:
        return row.skipped("not asked: see bot token")
    if bot.scopes is None:
        return row.skipped("Slack did not say which the token has")
    missing = [f"{s} ({why})" for s, why in SCOPES.items() if s not in bot.scopes]
    if not missing:
        return row.ok(f"all {len(SCOPES)} that are needed")
    return row.problem(
        f"missing: {', '.join(missing)}",
        "Add what is missing under Bot Token Scopes, then press Reinstall to "
        "Workspace: a scope counts from then on.",
        app_page(app_id, "oauth"),
    )


def check_clock(bot: Bot, *, signs_requests: bool) -> Finding:
    """Compare our clock with Slack's.

    Args:
        bot: what Slack answered.
        signs_requests: whether Slack comes over HTTP, with signatures that age.
    """
    row = Row("clock", Area.SLACK)
    if bot.clock_off is None:
        return row.skipped("Slack did not tell the time")
    fact = f"{bot.clock_off:.0f} s off Slack's"
    fix = "Set the clock of this machine, e.g. with: timedatectl set-ntp true"
    if bot.clock_off < RIGHT_CLOCK:
        return row.ok("the same as Slack's")
    if bot.clock_off < DOUBTFUL_CLOCK:
        return row.ok(fact)
    if signs_requests and bot.clock_off >= WORST_CLOCK:
        return row.problem(f"{fact}; Slack's signatures are good for 300 s", fix)
    return row.warning(f"{fact}; at 300 s signed requests are refused", fix)


def check_app_token(client: WebClient, app_token: str) -> Finding:
    """Ask for an address to connect to, and do not connect.

    Source: https://docs.slack.dev/reference/methods/apps.connections.open
    """
    row = Row("app-token", Area.SLACK)
    number = app_id(app_token)
    try:
        client.apps_connections_open(app_token=app_token)
    except SlackApiError as err:
        return _refused_app_token(row, error_code(err), number)
    except (SlackClientError, OSError, http.client.HTTPException):
        return row.problem(NO_WAY, _NO_WAY_FIX)
    return row.ok(f"Socket Mode for app {number or 'of unknown id'}")


def check_socket(client: WebClient, app_token: str, expected: int) -> Finding:
    """Connect, read how many connections there are, and hang up.

    Args:
        client: of the Web API.
        app_token: with the scope connections:write.
        expected: how many connections our own running copies have.
    """
    row = Row("socket", Area.SLACK)
    try:
        others = count_connections(client, app_token) - 1 - expected
    except SlackApiError as err:
        return row.skipped(
            f"no address to connect to ({error_code(err)}): see app token"
        )
    except (NoHello, SlackClientError, OSError, http.client.HTTPException) as err:
        why = str(err) if isinstance(err, NoHello) else type(err).__name__
        return _no_socket(row, why, app_id(app_token))
    if others <= 0:
        return row.ok("a connection opens; no other program uses this app token")
    noun = "1 other connection uses" if others == 1 else f"{others} others use"
    return row.warning(
        f"{noun} this app token; Slack gives each only part of the commands",
        "End the other copy, or make a second Slack app for it. One that was killed "
        "counts for a minute or two.",
    )


def _no_socket(row: Row, why: str, number: str | None) -> Finding:
    if why == "too_many_websockets":
        return row.problem(
            "10 connections use this app token; Slack allows no more",
            "End the other copies. Those that were killed count for a minute or two.",
        )
    if why == "link_disabled":
        return row.problem(
            "Socket Mode is off for this app",
            "Turn it on.",
            app_page(number, "socket-mode"),
        )
    return row.problem(
        f"Slack's Web API answers, but no WebSocket opens ({why})",
        "Let the firewall and the proxy pass WebSockets to wss://*.slack.com; a proxy "
        "that opens TLS often breaks them.",
    )


def app_id(app_token: str | None) -> str | None:
    """Return the id of the app that an app-level token belongs to.

    >>> app_id("xapp-1-A0B1C2-12345-abcdef"), app_id("xapp-abc"), app_id(None)
    ('A0B1C2', None, None)
    """
    parts = (app_token or "").split("-")
    is_whole = len(parts) >= 4 and parts[0] == "xapp" and parts[2][:1] == "A"
    return parts[2] if is_whole and parts[2].isalnum() else None


def app_page(number: str | None, page: str) -> str:
    """Return the address of one of the app's pages, or of the list of apps.

    >>> app_page("A0B1C2", "oauth"), app_page(None, "oauth")
    ('https://api.slack.com/apps/A0B1C2/oauth', 'https://api.slack.com/apps')
    """
    return f"{APPS}/{number}/{page}" if number else APPS


def _refused_app_token(row: Row, code: str, number: str | None) -> Finding:
    if code in PASSING:
        return _silence(row, code)
    if code == "missing_scope":
        return row.problem(
            "SLACK_APP_TOKEN may not open connections (missing_scope)",
            "Under Basic Information → App-Level Tokens make a new one with the scope "
            "connections:write, and put it in SLACK_APP_TOKEN.",
            app_page(number, "general"),
        )
    if code not in TOKEN_ERRORS:
        return row.problem(
            f"Slack opens no connection for this app ({code})",
            "Turn Socket Mode on; if it is on, install the app again.",
            app_page(number, "socket-mode"),
        )
    why = TOKEN_ERRORS[code].partition(". ")[0]
    return row.problem(
        f"SLACK_APP_TOKEN was refused ({code}): {why}",
        "Copy the App-Level Token again, or make a new one with the scope "
        "connections:write. It begins with xapp-.",
        app_page(number, "general"),
    )


def _silence(row: Row, code: str) -> Finding:
    if code == UNREACHABLE:
        return row.problem(NO_WAY, _NO_WAY_FIX)
    return row.warning(f"{_BUSY} ({code})", _BUSY_FIX)


def error_code(err: SlackApiError) -> str:
    """Return Slack's word for an error; an outage page has none."""
    response = err.response
    if not isinstance(response, SlackResponse):
        return UNREACHABLE
    if response.status_code >= 500:
        return "internal_error"
    return str(response.get("error", "unknown"))[:40]


def _headers(err: SlackApiError) -> Mapping[str, str]:
    headers = getattr(err.response, "headers", None)
    return headers if isinstance(headers, Mapping) else {}


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
