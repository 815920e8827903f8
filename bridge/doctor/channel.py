"""The channel that admins are told in."""

from __future__ import annotations

import http.client

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bridge.doctor.findings import Area, Finding, Row
from bridge.doctor.slack import NO_WAY, error_code


def check_channel(client: WebClient, channel_id: str) -> Finding:
    """See whether the app is in the channel that admins are told in.

    It looks into the channel's history, which the app may do anyway:
    ``conversations.info`` would need a scope more. What it reads is not kept.

    Source: https://docs.slack.dev/reference/methods/conversations.history
    """
    row = Row("channel", Area.SLACK)
    try:
        client.conversations_history(channel=channel_id, limit=1)
    except SlackApiError as err:
        return _refused_channel(row, channel_id, error_code(err))
    except (SlackClientError, OSError, http.client.HTTPException):
        return row.skipped(NO_WAY)
    return row.ok(f"the app is in {channel_id}")


def _refused_channel(row: Row, channel_id: str, code: str) -> Finding:
    told = "nobody is told when the WhatsApp account needs somebody"
    if code == "not_in_channel":
        return row.warning(
            f"the app is not in {channel_id}: {told}",
            "In that channel: /invite @bridge",
        )
    if code == "channel_not_found":
        return row.warning(
            f"{channel_id} does not exist, or is private and the app is not in it: "
            f"{told}",
            "Correct BRIDGE_ADMIN_CHANNEL, or in that channel: /invite @bridge",
        )
    return row.skipped(f"Slack does not say ({code})")
