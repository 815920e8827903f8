"""How the parts of the emulated Slack are put together, started and stopped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from bridge.sandbox.log import EventLog
from bridge.sandbox.slack.api import WebApi
from bridge.sandbox.slack.call import Grant
from bridge.sandbox.slack.chat import Chat
from bridge.sandbox.slack.clock import Clock, Pace, Threads
from bridge.sandbox.slack.commander import Commander
from bridge.sandbox.slack.courier import Courier
from bridge.sandbox.slack.delivery import Transport
from bridge.sandbox.slack.events import RETRY_DELAYS, Events
from bridge.sandbox.slack.pressing import Pressing
from bridge.sandbox.slack.request_url import RequestUrl
from bridge.sandbox.slack.response_url import ResponseUrls
from bridge.sandbox.slack.socket import SocketMode
from bridge.sandbox.slack.workspace import Workspace

_T = TypeVar("_T")

DEFAULT_SCOPES = (
    "commands",
    "chat:write",
    "channels:join",
    "channels:history",
    "groups:history",
    "im:history",
    "im:write",
    "users:read",
)


class SlackParts:
    """The parts of one emulated Slack, and its life with a server.

    Args:
        speed: How much faster than outside the three seconds, the half hour of a
            response URL, retries and rate limits pass.
        burst: How many messages per channel ``chat.postMessage`` takes at once.
        request_url: Where commands and events are POSTed; None for Socket Mode.
        retry_delays: Seconds in the sandbox before each retry of an event.
        log: The event log to write to, to share one with other parts.
    """

    def __init__(
        self,
        bot_token: str = "xoxb-sandbox",  # noqa: S107 it opens nothing
        app_token: str = "xapp-1-A0BRIDGE-sandbox",  # noqa: S107
        signing_secret: str = "sandbox-signing-secret",  # noqa: S107
        *,
        speed: float = 1.0,
        scopes: Iterable[str] = DEFAULT_SCOPES,
        burst: int = 1,
        request_url: str | None = None,
        retry_delays: Sequence[float] = RETRY_DELAYS,
        log: EventLog | None = None,
    ) -> None:
        self.bot_token = bot_token
        self.app_token = app_token
        self.signing_secret = signing_secret
        self.request_url = request_url
        self.clock = Clock(speed)
        self.log = log or EventLog()
        self.log.hide(bot_token, app_token, signing_secret)
        self.workspace = Workspace()
        self._threads = Threads()
        self._scopes = frozenset(scopes)
        self._pace = Pace(self.clock, burst)
        self.chat = Chat(self.workspace, self.log, self.clock, self._pace)
        self.socket_mode = SocketMode(self.clock, self.log, self._threads)
        self.api = WebApi(
            self.workspace, self.log, self.chat, self.socket_mode, self._threads
        )
        self.response_urls = ResponseUrls(self.workspace, self.chat, self.clock)
        courier = Courier(self._transport, self.log, self._threads)
        around = (self.workspace, self.log, self.response_urls, courier)
        self._commander = Commander(*around)
        self._pressing = Pressing(*around)
        self._events = Events(
            self._transport, self.clock, self.log, self._threads, retry_delays
        )
        self._grant_all()

    def started(self, url: str) -> None:
        """Take note that a server answers for us at ``url``."""
        self.response_urls.base = url
        self._threads.open()
        self.log.open()

    def stop(self) -> None:
        """End all sockets, waiting and background work."""
        self.log.close()
        self.socket_mode.stop()
        self._threads.stop()

    def _grant_all(self) -> None:
        self.api.grants = {
            self.bot_token: Grant(False, set(self._scopes)),
            self.app_token: Grant(True, {"connections:write"}),
        }

    def _transport(self) -> Transport:
        return self._request_url() if self.request_url else self.socket_mode

    def _request_url(self) -> RequestUrl:
        if not self.request_url:
            raise ValueError("the sandbox has no request_url: it is in Socket Mode")
        return RequestUrl(self.request_url, self.signing_secret, self.clock)
