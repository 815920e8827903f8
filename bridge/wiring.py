"""Putting it together: the only room that knows everybody."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from slack_sdk.errors import SlackClientError

from bridge.errors import SettingsError, StoreError
from bridge.flows.decide import Decisions
from bridge.flows.poll import Poller
from bridge.flows.receive import Receiving, receive_text
from bridge.flows.report import Reporting, report_next
from bridge.flows.watch import look_soon, on_trouble
from bridge.intake import Intake
from bridge.metrics import Metrics, add_metrics
from bridge.model import ChatId
from bridge.parts import (
    deliver_lanes,
    make_outbound,
    make_schedule,
    make_searching,
    make_slack_client,
    make_upkeep,
    make_watch,
    make_whatsapp,
    utc_now,
)
from bridge.readiness import Facts, reasons, warnings
from bridge.settings import Settings
from bridge.settings_table import LOOPBACK
from bridge.slack.app import SocketConnection, make_app
from bridge.slack.listeners import ACK_SECONDS, Desk
from bridge.slack.poster import Poster
from bridge.slack.whisper import Whisper
from bridge.store import Store
from bridge.store.room import disk_of
from bridge.store.wakeup import Wakeup
from bridge.upkeep import upkeep_lanes
from bridge.web import Condition, WebServer, make_web
from bridge.whatsapp import notifications
from bridge.wording.doctor import DISK_IS_LOW
from bridge.worker import Lanes

log = logging.getLogger(__name__)

SLACK_WORKERS = 8  # channels that are told at the same moment
CONNECTIONS = 2  # Socket Mode: one serves while the other one is being replaced
POLL_SECONDS = 1.0  # that a stop waits for a poll under way
CARD_SECONDS = 0.02  # after the ack: then the request to GREEN-API is under way
STOP_SECONDS = 45.0  # longer than the longest request to GREEN-API


class Bridge:
    """The running service."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._schedule = make_schedule(settings)
        self._metrics = Metrics(store.figures.now_standing, store.accounts.get, utc_now)
        self._whatsapp = make_whatsapp(settings, self._metrics.answered)
        client = make_slack_client(settings)
        self._slack = Poster(client)
        self._whisper = Whisper(self._slack)
        self._intake = Intake(self._after_ack, self._metrics.acked)
        self._reports = self._make_reports()
        self._watch = make_watch(settings, store, self._whatsapp, self._slack)
        self._deliveries = self._make_deliveries()
        self._upkeep = make_upkeep(settings, store, self._watch)
        self._upkeep.clock_ahead = self._whatsapp.clock_ahead
        self._receiving = self._make_receiving()
        self._keepers = self._make_keepers()
        self._wakeup = self._make_wakeup()
        self._app = make_app(client, self._desk())
        self._sockets = self._make_sockets()
        self._web = self._make_web()
        self._stopping = threading.Event()

    def _make_reports(self) -> Lanes[str]:
        store = self._store
        desk = Reporting(store.reports, self._slack, utc_now, self._schedule)
        return Lanes(
            "slack",
            lambda: store.reports.channels_due(utc_now()),
            lambda channel_id: report_next(desk, channel_id),
            workers=SLACK_WORKERS,
            poll=self._settings.time_scale,
            give_way=self._intake.give_way,
        )

    def _make_deliveries(self) -> Lanes[ChatId]:
        way = replace(
            make_outbound(self._settings, self._store, self._whatsapp, self._slack),
            trouble=lambda err: on_trouble(self._watch, err),
            accepted=self._metrics.accepted,
        )
        return deliver_lanes(way, self._settings, self._intake, self._reports.wake)

    def _make_receiving(self) -> Receiving:
        return Receiving(
            parse=notifications.parse,
            evidence=self._store.evidence,
            inbox=self._store.inbox,
            clock=utc_now,
            id_instance=self._settings.green_api_id_instance,
            counted=self._metrics.ticked,
            on_receipt=self._wake,
            on_sighting=self._wake,
            on_state=lambda: look_soon(self._watch),
        )

    def _make_keepers(self) -> list[Lanes[str]]:
        settings = self._settings
        searching = make_searching(settings, self._store, self._whatsapp)
        poller = None
        if settings.green_api_receive == "polling":
            poller = Poller(self._receiving, self._whatsapp, self._schedule)
        scale = settings.time_scale
        return upkeep_lanes(self._upkeep, searching, poller, self._wake, scale)

    def _make_wakeup(self) -> Wakeup | None:
        if self._store.database.is_sqlite:
            return None
        return Wakeup(self._settings.store_url, self._wake)

    def _wake(self) -> None:
        self._deliveries.wake()
        self._reports.wake()

    def _desk(self) -> Desk:
        outbox = self._store.outbox
        admins = frozenset(self._settings.admins)
        return Desk(
            outbox=outbox,
            clock=utc_now,
            schedule=self._schedule,
            max_text=self._settings.max_text,
            known_member=self._slack.known_member,
            decisions=Decisions(outbox, utc_now, self._schedule, admins),
            whisper=self._whisper,
            account=self._store.accounts.get,
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
        by_webhook = settings.green_api_receive == "webhook"
        web = make_web(
            self.condition,
            slack,
            secret,
            self._intake,
            receive=partial(receive_text, self._receiving) if by_webhook else None,
            webhook_token=settings.green_api_webhook_token,
        )
        add_metrics(web, self._metrics)
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
        self._upkeep.begin()
        self._whisper.start()
        for lanes in self._lanes():
            lanes.start()
        if self._wakeup is not None:
            self._wakeup.start()
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
        if self._wakeup is not None:
            self._wakeup.stop()
        for lanes in self._lanes():
            lanes.ask_to_stop()
        limit = STOP_SECONDS * self._settings.time_scale
        done = self._deliveries.stop(limit)
        done &= self._reports.stop(limit)
        for lanes in self._keepers:
            # A poll may last long; what it has not stored comes again.
            lanes.stop(POLL_SECONDS)
        self._whisper.stop()
        self._whatsapp.close()
        self._upkeep.end()
        return done

    def _lanes(self) -> list[Lanes[ChatId] | Lanes[str]]:
        return [self._deliveries, self._reports, *self._keepers]

    def condition(self) -> Condition:
        """Return what is not ready to serve, and what makes messages wait."""
        facts = self._facts()
        return Condition(reasons(facts), warnings(facts))

    def _facts(self) -> Facts:
        connections = None
        if self._sockets:
            connections = sum(each.is_connected() for each in self._sockets)
        try:
            hold = self._store.accounts.get().hold
        except StoreError as err:
            return Facts(slack_connections=connections, store_trouble=str(err))
        polled_at = self._upkeep.polled_at if self._upkeep.is_leader else None
        return Facts(
            slack_connections=connections,
            store_trouble=self._no_room(),
            hold=hold,
            polled_ago=utc_now() - polled_at if polled_at else None,
            silent_for=self._metrics.silent_for(),
        )

    def _no_room(self) -> str | None:
        path = self._store.database.path
        disk = disk_of(path.parent) if path else None
        return DISK_IS_LOW if disk and disk.is_low else None
