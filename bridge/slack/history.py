"""Looks for a message of ours that may or may not have been posted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.web import SlackResponse

from bridge.errors import SlackRefused
from bridge.slack import cards

PAGE = 200  # messages; Slack advises no more
MOST_PAGES = 10
# Slack's clock and ours may differ, and ours was read before the post.
MARGIN = timedelta(seconds=60)


def find(
    page_of: Callable[..., SlackResponse], key: str, since: datetime
) -> str | None:
    """Return the ``ts`` of our message with this key, None if it is not there.

    Sources: https://docs.slack.dev/reference/methods/conversations.history and
    https://docs.slack.dev/reference/methods/conversations.replies

    Args:
        page_of: one request for a page, ``{"messages": [{"ts": str, "metadata":
            {"event_type": str, "event_payload": dict}?, …}], "response_metadata":
            {"next_cursor": str}?}``.
        key: ``Card.key``.
        since: a moment before it was posted.

    Raises:
        SlackRefused: the pages went on, so nobody knows whether it is there.
    """
    asked = {
        "oldest": f"{(since - MARGIN).timestamp():.6f}",
        "limit": PAGE,
        "include_all_metadata": True,
    }
    cursor = None
    for _ in range(MOST_PAGES):
        page = page_of(**asked, cursor=cursor)
        for message in page.get("messages") or []:
            if cards.key_of(message) == key:
                return str(message["ts"])
        cursor = _next_cursor(page)
        if cursor is None:
            return None
    raise SlackRefused("too_many_pages")


def _next_cursor(page: SlackResponse) -> str | None:
    more: dict[str, Any] = page.get("response_metadata") or {}
    return more.get("next_cursor") or None
