"""The parts that the service and the command line are made of, from the settings."""

from __future__ import annotations

import logging
import os
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from slack_sdk import WebClient

from bridge.clock import SteadyClock
from bridge.errors import Retryable
from bridge.flows.outbound import Outbound, deliver_next, give_up_after_bugs
from bridge.flows.search import Searching
from bridge.flows.watch import Watch
from bridge.intake import Intake
from bridge.model import ChatId, DeliveryId
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.settings import Settings
from bridge.settings_table import LOOPBACK
from bridge.slack.poster import Poster
from bridge.store import Store, open_store
from bridge.store.crowd import Limits
from bridge.store.database import marker_beside
from bridge.store.marker import Marker
from bridge.upkeep import Upkeep
from bridge.whatsapp.client import GreenApi
from bridge.whatsapp.console import Console
from bridge.whatsapp.sightings import Records
from bridge.whatsapp.transport import Observer, unobserved
from bridge.worker import Lanes, Pace

SLACK_TIMEOUT = 10  # seconds; slack_sdk's own 30 would hold a stop up
CHATS_AT_A_LOOK = 256

Client = TypeVar("Client", bound=GreenApi)

utc_now = SteadyClock()


def make_schedule(settings: Settings) -> Schedule:
    """Return the waits that the settings ask for."""
    return Schedule(settings.time_scale, settings.ttl)


def open_outbox(settings: Settings) -> Store:
    """Open the database that the settings name.

    Raises:
        StoreError: it can't be used.
    """
    spool = settings.data_dir / "answers.spool"
    schedule = make_schedule(settings)
    limits = Limits(
        settings.max_waiting,
        settings.max_waiting_per_chat,
        settings.max_per_minute,
        schedule.between_same(),
    )
    return open_store(settings.store_url, schedule, spool, limits)


def make_marker(settings: Settings, store: Store) -> Marker:
    """Return what remembers, outside the database, how far it had come."""
    path = store.database.path
    beside = marker_beside(path) if path else settings.data_dir / "postgresql.used"
    return Marker(beside)


def make_whatsapp(settings: Settings, observe: Observer = unobserved) -> GreenApi:
    """Return the client of the GREEN-API instance."""
    return _make_client(GreenApi, settings, observe)


def make_console(settings: Settings) -> Console:
    """Return the same with the methods that look after the instance."""
    return _make_client(Console, settings, unobserved)


def _make_client(kind: type[Client], settings: Settings, observe: Observer) -> Client:
    scale = settings.time_scale
    return kind(
        settings.green_api_id_instance,
        settings.green_api_token_instance,
        settings.green_api_url,
        address_by=_address_by(settings),
        connect_timeout=5.0 * scale,
        read_timeout=30.0 * scale,
        wall_guard=40.0 * scale,
        pool=settings.senders + 4,  # search, watch, poll, delete
        observe=observe,
        now=utc_now,
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


def keep_off_proxies(url: str) -> None:
    """Let nobody's proxy stand between the bridge and a Slack on this machine."""
    host = urlsplit(url).hostname
    if host in LOOPBACK:
        for name in ("NO_PROXY", "no_proxy"):
            os.environ[name] = ",".join(filter(None, [os.environ.get(name), host]))


def make_outbound(
    settings: Settings, store: Store, whatsapp: GreenApi, slack: Poster
) -> Outbound:
    """Return the way out to WhatsApp."""
    schedule = make_schedule(settings)
    return Outbound(store.outbox, whatsapp, slack, utc_now, schedule, settings.max_text)


def make_searching(settings: Settings, store: Store, whatsapp: GreenApi) -> Searching:
    """Return what looks for lost answers."""
    schedule = make_schedule(settings)
    records = Records(whatsapp)
    return Searching(store.evidence, store.accounts, records, utc_now, schedule)


def make_watch(
    settings: Settings, store: Store, whatsapp: GreenApi, slack: Poster
) -> Watch:
    """Return what watches the WhatsApp account."""
    admins = settings.admin_channel or next(iter(settings.admins), None)
    schedule = make_schedule(settings)
    return Watch(store.accounts, whatsapp, slack, utc_now, schedule, admins)


def make_upkeep(settings: Settings, store: Store, watching: Watch) -> Upkeep:
    """Return this copy's part in keeping the outbox in order."""
    marker = make_marker(settings, store)
    return Upkeep(
        store=store,
        marker=marker,
        clock=utc_now,
        schedule=make_schedule(settings),
        watching=watching,
        id_instance=settings.green_api_id_instance,
    )


def deliver_lanes(
    way: Outbound, settings: Settings, intake: Intake, after: Callable[[], None]
) -> Lanes[ChatId]:
    """Return the lanes to WhatsApp: one chat at a time each, chats in parallel."""
    strikes: Counter[DeliveryId] = Counter()
    pace = Pace(settings.pace, settings.time_scale) if settings.pace else None

    def step(chat_id: ChatId) -> float:
        rest = deliver_next(way_with_pace, chat_id)
        after()
        return rest

    def trouble(err: Retryable | None) -> None:
        if pace and err is not None and err.reason == Reason.RATE_LIMITED:
            pace.slow_down()
        way.trouble(err)

    way_with_pace = replace(way, trouble=trouble)
    return Lanes(
        "whatsapp",
        lambda: way.outbox.chats_due(utc_now(), CHATS_AT_A_LOOK),
        step,
        workers=settings.senders,
        pace=pace,
        poll=settings.time_scale,
        give_way=intake.give_way,
        on_bug=lambda chat_id: give_up_after_bugs(way, chat_id, strikes),
    )
