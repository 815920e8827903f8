"""Putting it together: the only room that knows everybody."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bridge.errors import SettingsError, StoreError
from bridge.flows.outbound import Outbound, deliver_next
from bridge.flows.report import Reporting, report_next
from bridge.intake import Intake
from bridge.model import ChatId
from bridge.schedule import Schedule
from bridge.settings import Settings
from bridge.settings_table import LOOPBACK
from bridge.slack.app import SocketConnection, make_app
from bridge.slack.listeners import ACK_SECONDS, Desk
from bridge.slack.poster import Poster
from bridge.store import Store
from bridge.web import WebServer, make_web
from bridge.whatsapp.client import GreenApi
from bridge.worker import Lanes

log = logging.getLogger(__name__)

SLACK_TIMEOUT = 10  # seconds; slack_sdk's own 30 would hold a stop up
SLACK_WORKERS = 8  # channels that are told at the same moment
CONNECTIONS = 2  # Socket Mode: one serves while the other one is being replaced
CHATS_AT_A_LOOK = 256
CARD_SECONDS = 0.02  # after the ack: then the request to GREEN-API is under way
STOP_SECONDS = 45.0  # longer than the longest request to GREEN-API


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def make_schedule(settings: Settings) -> Schedule:
    """Return the waits that the settings ask for."""
    return Schedule(settings.time_scale, settings.ttl)


def make_whatsapp(settings: Settings) -> GreenApi:
    """Return the client of the GREEN-API instance."""
    scale = settings.time_scale
    return GreenApi(
        settings.green_api_id_instance,
        settings.green_api_token_instance,
        settings.green_api_url,
        address_by=_address_by(settings),
        connect_timeout=5.0 * scale,
        read_timeout=30.0 * scale,
        wall_guard=40.0 * scale,
        pool=settings.senders,
    )


def _address_by(settings: Settings) -> Literal["chatId", "phoneNumber"]:
    return "chatId" if settings.green_api_address_by == "chatId" else "phoneNumber"


def make_slack_client(settings: Settings) -> WebClient:
    """Return the Web API client; it makes exactly one request a call."""
    is_https = settings.slack_api_url.startswith("https:")
    return WebClient(
        token=settings.slack_bot_token,
        base_url=settings.slack_api_url,
        timeout=SLACK_TIMEOUT,
        # One context for all: every new one reads the CA bundle again, 27 ms of CPU.
        ssl=ssl.create_default_context() if is_https else None,
        retry_handlers=[],  # slack_sdk's default posts a message twice
        logger=logging.getLogger("slack_sdk.bridge"),
    )


def make_outbound(
    settings: Settings, store: Store, whatsapp: GreenApi, slack: Poster
) -> Outbound:
    """Return the way out to WhatsApp."""
    schedule = make_schedule(settings)
    return Outbound(store.outbox, whatsapp, slack, utc_now, schedule, settings.max_text)


def deliver_lanes(
    store: Store,
    whatsapp: GreenApi,
    slack: Poster,
    settings: Settings,
    intake: Intake,
    after: Callable[[], None],
) -> Lanes[ChatId]:
    """Return the lanes to WhatsApp: one chat at a time each, chats in parallel."""
    way = make_outbound(settings, store, whatsapp, slack)

    def step(chat_id: ChatId) -> float:
        rest = deliver_next(way, chat_id)
        after()
        return rest

    return Lanes(
        "whatsapp",
        lambda: store.outbox.chats_due(utc_now(), CHATS_AT_A_LOOK),
        step,
        workers=settings.senders,
        pace=settings.pace or None,
        poll=settings.time_scale,
        give_way=intake.give_way,
    )


class Bridge:
    """The running service."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._whatsapp = make_whatsapp(settings)
        client = make_slack_client(settings)
        self._slack = Poster(client)
        self._intake = Intake(self._after_ack)
        reporting = Reporting(
            store.reports, self._slack, utc_now, make_schedule(settings)
        )
        self._reports = Lanes(
            "slack",
            lambda: store.reports.channels_due(utc_now()),
            lambda channel_id: report_next(reporting, channel_id),
            workers=SLACK_WORKERS,
            poll=settings.time_scale,
            give_way=self._intake.give_way,
        )
        self._deliveries = deliver_lanes(
            store,
            self._whatsapp,
            self._slack,
            settings,
            self._intake,
            self._reports.wake,
        )
        self._app = make_app(client, self._desk())
        self._sockets = self._make_sockets()
        self._web = self._make_web()
        self._stopping = threading.Event()

    def _desk(self) -> Desk:
        return Desk(
            outbox=self._store.outbox,
            clock=utc_now,
            schedule=make_schedule(self._settings),
            max_text=self._settings.max_text,
            known_member=self._slack.known_member,
        )

    def _after_ack(self) -> None:
        """Start the lanes: WhatsApp's at once, Slack's when the POST is on its way.

        Not earlier: they would take the processor from the ack that somebody waits for.
        """
        self._deliveries.wake()
        self._reports.wake_in(CARD_SECONDS)

    def _make_sockets(self) -> list[SocketConnection]:
        token = self._settings.slack_app_token
        if token is None:
            return []
        connections = [
            SocketConnection(self._app, token, self._intake) for _ in range(CONNECTIONS)
        ]
        if urlsplit(self._settings.slack_api_url).hostname in LOOPBACK:
            for connection in connections:
                connection.proxy = None  # slack_sdk does not honour NO_PROXY here
        return connections

    def _make_web(self) -> WebServer | None:
        settings = self._settings
        if settings.uses_socket_mode and settings.port == 0:
            return None
        slack = None if settings.uses_socket_mode else self._app
        secret = settings.slack_signing_secret
        web = make_web(self.not_ready, slack, secret, self._intake)
        try:
            return WebServer(web, settings.host, settings.port)
        except OSError as err:
            raise SettingsError(
                [
                    f"HOST {settings.host} and PORT {settings.port} can't be used "
                    f"({err.strerror}). Choose another port, or end the program that "
                    "has it; in Socket Mode PORT=0 turns the web server off."
                ]
            ) from None

    def start(self) -> None:
        """Start the lanes, then the ways in."""
        lost = self._store.outbox.recover(utc_now())
        if lost:
            log.error("%d deliveries are unknown: the bridge died sending them", lost)
        self._deliveries.start()
        self._reports.start()
        if self._web is not None:
            self._web.start()
            log.info("listening on %s:%d", self._settings.host, self._web.port)
        for number, connection in enumerate(self._sockets, 1):
            threading.Thread(
                target=self._connect,
                args=(connection, number),
                name=f"connect-{number}",
                daemon=True,
            ).start()

    def _connect(self, connection: SocketConnection, number: int) -> None:
        wait = 1.0
        while not self._stopping.is_set():
            try:
                connection.connect()
            except (SlackClientError, OSError) as err:
                log.warning("Slack can't be reached yet: %s", type(err).__name__)
            if connection.is_connected():
                log.info("connected to Slack (%d of %d)", number, CONNECTIONS)
                return
            self._stopping.wait(wait * self._settings.time_scale)
            wait = min(30.0, wait * 2)

    def stop(self) -> bool:
        """End: no new commands, requests under way are waited for.

        Returns:
            False when a request outlasted the wait; its delivery becomes unknown.
        """
        self._stopping.set()
        self._intake.drain(ACK_SECONDS)
        for connection in self._sockets:
            connection.close()
        if self._web is not None:
            self._web.stop()
        done = self._deliveries.stop(STOP_SECONDS * self._settings.time_scale)
        done &= self._reports.stop(STOP_SECONDS * self._settings.time_scale)
        self._whatsapp.close()
        return done

    def not_ready(self) -> dict[str, str]:
        """Return what is not ready to serve, each with a reason."""
        reasons = {}
        if self._sockets and not any(c.is_connected() for c in self._sockets):
            reasons["slack"] = "no Socket Mode connection to Slack"
        try:
            self._store.outbox.waiting()
        except StoreError as err:
            reasons["store"] = str(err)
        return reasons


def check_slack(settings: Settings) -> list[str]:
    """Ask Slack about the tokens; return a sentence for each that it refuses.

    No answer is no refusal: the bridge starts, and goes on when Slack is back.
    """
    client = make_slack_client(settings)
    problems = []
    try:
        client.auth_test()
    except SlackApiError as err:
        problems += _refused("SLACK_BOT_TOKEN", err)
    except (SlackClientError, OSError) as err:
        log.warning("Slack can't be reached yet: %s", type(err).__name__)
    return problems


_TOKEN_ERRORS = {
    "invalid_auth": "Slack does not know it. Copy it again from your app's pages",
    "account_inactive": "the app was removed from the workspace. Install it again",
    "token_revoked": "it was revoked. Install the app again and copy the new one",
    "token_expired": "it has expired. Turn token rotation off and install again",
    "not_allowed_token_type": "it is a token of another kind",
}


def _refused(name: str, err: SlackApiError) -> list[str]:
    code = str(err.response.get("error", ""))
    if code not in _TOKEN_ERRORS:
        return []
    return [f"{name} was refused by Slack ({code}): {_TOKEN_ERRORS[code]}."]
