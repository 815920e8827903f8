"""One process of the bridge, from its start to its death, in one thread."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, event

from bridge.clock import SteadyClock
from bridge.flows.decide import Decisions, decide
from bridge.flows.outbound import Outbound, deliver_next, request_delivery
from bridge.flows.poll import Poller
from bridge.flows.receive import Receiving
from bridge.flows.report import Reporting, report_next
from bridge.flows.search import Searching, search
from bridge.flows.watch import Watch, look_soon, on_trouble
from bridge.model import Caller, ChatId, Choice, NewDelivery
from bridge.schedule import Schedule
from bridge.store import Store
from bridge.store.accounts import Accounts
from bridge.store.database import Database
from bridge.store.evidence import Evidence
from bridge.store.figures import Figures
from bridge.store.inbox import Inbox
from bridge.store.marker import Marker
from bridge.store.outbox import Outbox, Stored
from bridge.store.replicas import Replicas
from bridge.store.reports import Reports
from bridge.store.spool import Spool
from bridge.store.tables import EPOCH
from bridge.upkeep import Upkeep
from bridge.whatsapp import notifications
from tests.truth.doom import Doom
from tests.truth.green_api import INSTANCE

if TYPE_CHECKING:
    from tests.truth.world import World

ADMIN_CHANNEL = "C0ADMINS"
ADMIN = "U0ADMIN"


MICROSECOND = timedelta(microseconds=1)
_HOUSE = """SELECT
    EXISTS (SELECT 1 FROM deliveries WHERE watch_at > ?1 AND watch_at <= ?2)
    OR EXISTS (SELECT 1 FROM deliveries WHERE expires_at <= ?2
        AND status IN ('queued', 'held'))
    OR EXISTS (SELECT 1 FROM accounts WHERE hold IS NOT told)
    OR EXISTS (SELECT 1 FROM deliveries, accounts WHERE hold IS NOT NULL
        AND status = 'queued')"""


class SimulatedClock(SteadyClock):
    """Stands still until the world moves it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def drift(self) -> timedelta:
        return timedelta(0)


class MortalDatabase(Database):
    """A database whose process may die before or after each commit."""

    def __init__(self, path: Path, doom: Doom) -> None:
        super().__init__(f"sqlite:///{path}")
        self._writer, self._reader = _engines_like(self)
        _point_at(path)
        self._doom = doom

    @contextmanager
    def write(self, deadline: float | None = None) -> Iterator[Connection]:
        with super().write(deadline) as connection:
            yield connection
            self._doom.reach("before a commit")
        self._doom.reach("after a commit")


_PATH: list[Path] = [Path()]
_ENGINES: dict[int, tuple[Engine, Engine]] = {}


def _point_at(path: Path) -> None:
    for engine in _ENGINES[os.getpid()]:
        engine.dispose()
    _PATH[0] = path


def _engines_like(first: Database) -> tuple[Engine, Engine]:
    """Return the engines of all lives: each keeps the statements it has compiled."""
    if os.getpid() not in _ENGINES:
        pair = (first._writer, first._reader)
        for engine in pair:
            event.listen(engine, "do_connect", _to_the_file_of_this_life)
            event.listen(engine, "connect", _without_waiting_for_the_disk)
        _ENGINES[os.getpid()] = pair
    return _ENGINES[os.getpid()]


def _to_the_file_of_this_life(
    _dialect: Any, _record: Any, args: list[Any], _options: Any
) -> None:
    args[0] = str(_PATH[0])


def _without_waiting_for_the_disk(connection: Any, _record: Any) -> None:
    # It is the process that dies here, not the system.
    connection.execute("PRAGMA synchronous=OFF")


class Life:
    """One life of the bridge: everything that a crash takes away.

    The broken protocols override single methods.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = world.clock
        self.schedule = Schedule()
        self.rests: dict[str, datetime] = {}
        self.stepped_at: datetime | None = None
        self.store = self.make_store(MortalDatabase(world.path, world.doom))
        self.store.database.prepare()
        store, clock, schedule = self.store, world.clock, self.schedule
        self.watch = Watch(
            store.accounts, world.green, world.slack, clock, schedule, ADMIN_CHANNEL
        )
        self.upkeep = Upkeep(
            store=store,
            marker=Marker(world.marker),
            clock=clock,
            schedule=schedule,
            watching=self.watch,
            id_instance=INSTANCE,
        )
        self.searching = Searching(
            store.evidence, store.accounts, world.green, clock, schedule
        )
        self.receiving = Receiving(
            parse=notifications.parse,
            evidence=store.evidence,
            inbox=store.inbox,
            clock=clock,
            id_instance=INSTANCE,
            on_state=lambda: look_soon(self.watch),
        )
        self.poller = self.make_poller()
        self.reporting = Reporting(store.reports, world.slack, clock, schedule)
        self.way = replace(
            Outbound(store.outbox, world.green, world.slack, clock, schedule, 4096),
            trouble=lambda err: on_trouble(self.watch, err),
        )
        self.decisions = Decisions(store.outbox, clock, schedule, frozenset({ADMIN}))

    def make_store(self, database: Database) -> Store:
        return Store(
            database=database,
            outbox=Outbox(database, self.schedule, Spool(None)),
            reports=Reports(database),
            evidence=Evidence(database, self.schedule),
            accounts=Accounts(database),
            replicas=Replicas(database, self.schedule),
            inbox=Inbox(database),
            figures=Figures(database),
        )

    def make_poller(self) -> Poller:
        return Poller(self.receiving, self.world.green, self.schedule, 0)

    def begin(self) -> None:
        self.upkeep.begin()

    def end(self) -> None:
        """Close what the system would close for a dead process."""
        self.store.database.close()

    # --- what comes in ------------------------------------------------------------

    def request(self, new: NewDelivery, repeats: int = 0) -> Stored | None:
        """Store a command; ``repeats`` is Slack's count of its deliveries before."""
        return request_delivery(self.store.outbox, new, self.clock, self.schedule)

    def press(self, choice: Choice, delivery_id: str, by: Caller) -> str | None:
        return decide(self.decisions, choice, delivery_id, by)

    # --- the lanes, one step each --------------------------------------------------

    def do_what_is_due(self) -> bool:
        """Give each lane its turn; False if none had anything to do."""
        steps = [self.keep(), self.poll(), self.look(), self.deliver(), self.report()]
        return any(steps)

    def keep(self) -> bool:
        now = self.clock()
        if self.stepped_at is not None and now < self.next_keeping(self.stepped_at):
            return False
        self.stepped_at = now
        self.upkeep.step()
        return False  # it is never done; what it changes is seen by the others

    def next_keeping(self, last: datetime) -> datetime:
        """Return when the house is kept again: in time for what it has to do."""
        if self.clock() == last:
            return last + timedelta(seconds=1)
        if self.watch.next_at is None or self.watch.next_at <= self.clock():
            return last
        span = [(moment - EPOCH) // MICROSECOND for moment in (last, self.clock())]
        if self.world.rows(_HOUSE, *span)[0][0]:
            return last
        return last + timedelta(seconds=30)

    def poll(self) -> bool:
        has_some = self.world.green.notifications or self.poller._stored is not None
        if not has_some or self.is_resting("poll"):
            return False
        self.rest("poll", self.poller.poll_once())
        return True

    def look(self) -> bool:
        if self.is_resting("search"):
            return False
        if not self.store.evidence.due(self.clock(), 1):
            return False
        self.rest("search", search(self.searching))
        return True

    def deliver(self) -> bool:
        chats = self.store.outbox.chats_due(self.clock(), 256)
        chats = [chat for chat in chats if not self.is_resting(chat)]
        for chat_id in chats:
            self.rest(chat_id, self.deliver_in(chat_id))
        return bool(chats)

    def deliver_in(self, chat_id: ChatId) -> float:
        return deliver_next(self.way, chat_id)

    def report(self) -> bool:
        channels = self.store.reports.channels_due(self.clock())
        channels = [each for each in channels if not self.is_resting(each)]
        for channel_id in channels:
            self.rest(channel_id, report_next(self.reporting, channel_id))
        return bool(channels)

    def is_resting(self, key: str) -> bool:
        return key in self.rests and self.clock() < self.rests[key]

    def rest(self, key: str, seconds: float) -> None:
        self.rests.pop(key, None)
        if seconds > 0:
            self.rests[key] = self.clock() + timedelta(seconds=seconds)
