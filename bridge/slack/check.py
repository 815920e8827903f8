"""What Slack says of our tokens before anything starts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

log = logging.getLogger(__name__)

WORST_CLOCK = 240.0  # seconds

# What the bot token must be allowed to do, and what for; the same as in manifest.yml.
SCOPES = {
    "commands": "/whatsapp itself",
    "chat:write": "the cards and the replies",
    "channels:join": "to report in public channels it was not invited to",
    "channels:history": "not to post twice in a public channel",
    "groups:history": "not to post twice in a private channel",
    "im:history": "not to post twice in direct messages",
    "im:write": "to report in direct messages where a channel is closed to it",
    "users:read": "to tell members from guests; without it nobody may send",
}


def refusals(client: WebClient, *, signs_requests: bool) -> list[str]:
    """Ask Slack about the bot token; return a sentence for each thing it refuses.

    No answer is no refusal: the bridge starts, and goes on when Slack is back.

    Args:
        client: with the token.
        signs_requests: whether Slack's signatures will have to be checked.
    """
    problems = []
    try:
        headers = client.auth_test().headers
        if signs_requests:
            problems += _clock_problems(headers)
    except SlackApiError as err:
        problems += _refused("SLACK_BOT_TOKEN", err)
    except (SlackClientError, OSError) as err:
        log.warning("Slack can't be reached yet: %s", type(err).__name__)
    return problems


def _clock_problems(headers: Mapping[str, str]) -> list[str]:
    """Return a sentence if Slack's signatures could not be checked by our clock."""
    off = clock_off(headers)
    if off is None or off < WORST_CLOCK:
        return []
    return [
        f"The clock of this machine is {off:.0f} s off Slack's. Slack's signatures are "
        "good for 300 s: set the clock, e.g. with NTP."
    ]


def clock_off(headers: Mapping[str, str]) -> float | None:
    """Return by how many seconds our clock differs from that of an answer's sender.

    None if the answer does not tell the time.
    """
    try:
        date = parsedate_to_datetime(headers.get("Date") or headers.get("date") or "")
    except (ValueError, TypeError):
        return None
    return abs((datetime.now(UTC) - date).total_seconds())


# What is wrong with a token, and what to do.
TOKEN_ERRORS = {
    "invalid_auth": "Slack does not know it. Copy it again from your app's pages",
    "account_inactive": "the app was removed from the workspace. Install it again",
    "token_revoked": "it was revoked. Install the app again and copy the new one",
    "token_expired": "it has expired. Turn token rotation off and install again",
    "not_allowed_token_type": "it is a token of another kind",
}


def _refused(name: str, err: SlackApiError) -> list[str]:
    code = str(err.response.get("error", ""))
    if code not in TOKEN_ERRORS:
        return []
    return [f"{name} was refused by Slack ({code}): {TOKEN_ERRORS[code]}."]
