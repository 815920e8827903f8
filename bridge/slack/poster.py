"""The port to Slack on slack_sdk's ``WebClient``."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse
from slack_sdk.webhook import WebhookClient

from bridge.errors import SlackRefused, SlackUnavailable
from bridge.model import Card, Member, ThreadRef
from bridge.slack import cards, history

MEMBER_SECONDS = 300.0  # how long Slack's word on a member is believed

# Errors of the app or of Slack as a whole: the same call works when they are over.
_PASSING = frozenset(
    {
        "account_inactive",
        "fatal_error",
        "internal_error",
        "invalid_auth",
        "not_authed",
        "ratelimited",
        "rate_limited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
        "token_expired",
        "token_revoked",
    }
)
_BAD_BLOCKS = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}
)


class Poster:
    """Implements ``ports.Slack``, errors sorted; a change is exactly one request.

    Args:
        client: with ``retry_handlers=[]``: slack_sdk's own would post twice.
        clock: seconds, for remembering members.
    """

    def __init__(
        self, client: WebClient, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._clock = clock
        self._members: dict[str, tuple[float, Member]] = {}
        self._members_lock = threading.Lock()

    def post(self, channel_id: str, card: Card) -> ThreadRef:
        """Post a root card and return the thread it opens.

        Source: https://docs.slack.dev/reference/methods/chat.postMessage
        """
        answer = self._post_card(card, channel=channel_id)
        return ThreadRef(str(answer["channel"]), str(answer["ts"]))

    def reply(self, thread: ThreadRef, card: Card) -> str:
        """Post into a thread and return the reply's ``ts``."""
        answer = self._post_card(
            card, channel=thread.channel_id, thread_ts=thread.thread_ts
        )
        return str(answer["ts"])

    def update(self, channel_id: str, ts: str, card: Card) -> None:
        """Rewrite one of our messages.

        Source: https://docs.slack.dev/reference/methods/chat.update
        """
        arguments = cards.message(card)
        del arguments["unfurl_links"], arguments["unfurl_media"]  # only for new ones
        self._call(self._client.chat_update, channel=channel_id, ts=ts, **arguments)

    def find(
        self,
        channel_id: str,
        key: str,
        since: datetime,
        thread_ts: str | None = None,
    ) -> str | None:
        """Return the ``ts`` of our message with this key, None if it is not there."""
        page_of = partial(
            self._call, self._client.conversations_history, channel=channel_id
        )
        if thread_ts is not None:
            page_of = partial(
                self._call,
                self._client.conversations_replies,
                channel=channel_id,
                ts=thread_ts,
            )
        return history.find(page_of, key, since)

    def join(self, channel_id: str) -> None:
        """Join a public channel.

        Source: https://docs.slack.dev/reference/methods/conversations.join
        """
        self._call(self._client.conversations_join, channel=channel_id)

    def open_direct(self, user_id: str) -> str:
        """Return the id of the app's direct-message channel with a user.

        Source: https://docs.slack.dev/reference/methods/conversations.open
        """
        answer = self._call(self._client.conversations_open, users=user_id)
        return str(answer["channel"]["id"])

    def respond(self, response_url: str, text: str) -> None:
        """Show a text to the one who typed the command; five times in 30 minutes."""
        webhook = WebhookClient(
            response_url,
            ssl=self._client.ssl,
            timeout=self._client.timeout,
            retry_handlers=[],
        )
        try:
            answer = webhook.send(text=text, response_type="ephemeral")
        except (SlackClientError, OSError, http.client.HTTPException) as err:
            raise SlackUnavailable(type(err).__name__) from None
        if answer.status_code >= 500 or answer.status_code == 429:
            raise SlackUnavailable(f"HTTP {answer.status_code}")
        if answer.status_code != 200:
            raise SlackRefused(f"HTTP {answer.status_code}")

    def member(self, user_id: str) -> Member:
        """Return what Slack knows of a user, asked at most every five minutes.

        Source: https://docs.slack.dev/reference/methods/users.info
        """
        if (known := self.known_member(user_id)) is not None:
            return known
        answer = self._call(self._client.users_info, user=user_id)
        member = _member(answer.get("user") or {})
        with self._members_lock:
            self._members[user_id] = (self._clock(), member)
        return member

    def known_member(self, user_id: str) -> Member | None:
        """Return what was learned lately, without asking; None if nothing was."""
        with self._members_lock:
            at, member = self._members.get(user_id, (0.0, None))
        if member is None or self._clock() - at > MEMBER_SECONDS:
            return None
        return member

    def _post_card(self, card: Card, **where: str) -> SlackResponse:
        arguments = cards.message(card)
        try:
            return self._call(self._client.chat_postMessage, **where, **arguments)
        except SlackRefused as err:
            if err.code not in _BAD_BLOCKS:
                raise
        # Refused means not posted, so this is not a second copy.
        del arguments["blocks"]
        return self._call(self._client.chat_postMessage, **where, **arguments)

    def _call(
        self, method: Callable[..., SlackResponse], **arguments: Any
    ) -> SlackResponse:
        try:
            return method(**arguments)
        except SlackApiError as err:
            raise _sorted(err) from None
        except (SlackClientError, OSError, http.client.HTTPException) as err:
            # Slack may have done it all the same: at least once towards Slack.
            raise SlackUnavailable(type(err).__name__) from None


def _sorted(err: SlackApiError) -> SlackUnavailable | SlackRefused:
    response = err.response
    if not isinstance(response, SlackResponse):  # not JSON: an outage page
        return SlackUnavailable("no JSON")
    code = str(response.get("error", "unknown"))
    if response.status_code == 429 or code in {"ratelimited", "rate_limited"}:
        return SlackUnavailable("ratelimited", _retry_after(response))
    if response.status_code >= 500 or code in _PASSING:
        return SlackUnavailable(code)
    return SlackRefused(code)


def _retry_after(response: SlackResponse) -> float:
    value = str(response.headers.get("Retry-After", "1"))
    return min(300.0, max(1.0, float(value))) if value.isdecimal() else 1.0


def _member(user: dict[str, Any]) -> Member:
    profile = user.get("profile") or {}
    name = profile.get("display_name") or profile.get("real_name") or user.get("name")
    outsider = any(
        user.get(flag)
        for flag in (
            "is_restricted",  # a guest of several channels
            "is_ultra_restricted",  # a guest of one channel
            "is_stranger",  # of another company, through Slack Connect
            "is_bot",
            "deleted",
        )
    )
    return Member(name=str(name or "someone"), may_send=not outsider)
