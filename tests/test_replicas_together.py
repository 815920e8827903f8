"""Three copies of the bridge, each in a process of its own, on one PostgreSQL."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import request
from sqlalchemy import NullPool, create_engine, text

from bridge.flows.outbound import Outbound, deliver_next
from bridge.model import ChatId, Delivery, NewDelivery, Status
from bridge.sandbox.server import SandboxServer
from bridge.schedule import Schedule
from bridge.store import Store, open_store, wakeup
from bridge.store.outbox import Outbox
from bridge.store.wakeup import Wakeup
from bridge.whatsapp.client import GreenApi
from tests.conftest import NOW
from tests.fakes import FakeClock, FakeSlack
from tests.harness import (
    GREEN_TOKEN,
    RunningBridge,
    World,
    free_port,
    in_parallel,
    make_green,
)
from tests.orphans import orphans

SCALE = 0.05
COPIES = 3
ARRIVED = {"accepted", "sent", "delivered", "read"}


class Company:
    """A world with several copies; GREEN-API can tell which of them is asking."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.world = World(
            folder / "0",
            database_url=database_url,
            transport="socket",
            scale=SCALE,
            notifications=True,
        )
        self._doors = [self.world.server]
        self.copies = [self.world.bridge]
        for number in range(1, COPIES):
            door = SandboxServer([self.world.green.blueprint()]).start()
            self._doors.append(door)
            settings = {"GREEN_API_URL": door.url, "PORT": str(free_port())}
            settings["BRIDGE_DATA_DIR"] = str(folder / str(number) / "data")
            self.copies.append(
                RunningBridge(
                    folder / str(number), {**self.world.bridge.settings, **settings}
                )
            )

    def start(self) -> None:
        """Start every copy that does not run."""
        for copy in self.copies:
            if not copy.is_running:
                copy.start()

    def caller(self) -> RunningBridge:
        """Return the copy whose request to GREEN-API is being served."""
        hosts = [door.url.partition("//")[2] for door in self._doors]
        return self.copies[hosts.index(request.host)]

    def leader(self) -> RunningBridge | None:
        """Return the copy that polls and searches, if it is alive."""
        query = (
            "SELECT name FROM replicas WHERE id ="
            " (SELECT value FROM facts WHERE name = 'leader')"
        )
        names = [row.name for row in self.world.rows(query)]
        for copy in self.copies:
            if copy.is_running and names and names[0].endswith(f" {copy.pid}"):
                return copy
        return None

    def alive(self) -> int:
        count: int = self.world.rows("SELECT count(*) AS n FROM replicas")[0].n
        return count

    def close(self) -> None:
        for copy in self.copies[1:]:
            copy.kill()
        self.world.close()
        for door in self._doors[1:]:
            door.stop()

    def check(self) -> None:
        """Check what must hold of the lanes at rest."""
        self.world.wait_for_rest()
        address = self.world.database_url.replace("postgresql:", "postgresql+psycopg:")
        engine = create_engine(address, poolclass=NullPool)
        with engine.connect() as connection:
            assert orphans(connection) == []


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> Iterator[Company]:
    with new_database(postgres_server) as url:
        company = Company(tmp_path_factory.mktemp("company"), url)
        try:
            company.start()
            yield company
        finally:
            company.close()


@pytest.fixture
def company(shared: Company) -> Iterator[Company]:
    shared.start()
    shared.world.wait_for(lambda: shared.alive() == COPIES and shared.leader())
    yield shared
    shared.world.heal()


@contextmanager
def new_database(server: str) -> Iterator[str]:
    address = server.replace("postgresql://", "postgresql+psycopg://")
    admin = create_engine(address, isolation_level="AUTOCOMMIT")
    name = f"t{os.urandom(6).hex()}"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    base, _, query = server.partition("?")
    yield f"{base.rsplit('/', 1)[0]}/{name}?{query}"
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def at_a_post(
    company: Company, number: int, action: Callable[[RunningBridge], None]
) -> threading.Event:
    """Do something to the copy whose so-and-so-many-th ``sendMessage`` was taken."""
    posts, done, guard = [0], threading.Event(), threading.Lock()

    def hook(method: str, _body: Any) -> None:
        if method != "sendMessage":
            return
        with guard:
            posts[0] += 1
            if posts[0] != number:
                return
        action(company.caller())
        done.set()

    company.world.green.on_executed = hook
    return done


@pytest.mark.parametrize(
    "chat_count", [6, pytest.param(20, marks=pytest.mark.chaos)], ids="{} chats".format
)
def test_f57_each_command_leaves_once_and_in_order_though_a_copy_is_killed(
    company: Company, chat_count: int
) -> None:
    world = company.world
    killed = at_a_post(company, chat_count * 2, RunningBridge.kill)
    chats = [(world.number(), world.room()) for _ in range(chat_count)]

    def type_ten(number: str, room: str) -> list[bool]:
        acks = [world.type(room, f"{number} {number[-2:]}/{n}.") for n in range(10)]
        return ["Queued" in (ack.ephemeral or "") for ack in acks]

    acked = in_parallel(*(lambda c=chat: type_ten(*c) for chat in chats))
    assert killed.wait(20)
    for _, room in chats:
        world.settle(room)

    ledger = [(entry.chat_id, entry.text) for entry in world.green.ledger]
    assert len(set(ledger)) == len(ledger)
    rows = world.rows("SELECT chat_id, text, status FROM deliveries")
    status_of = {(row.chat_id, row.text): row.status for row in rows}
    for (number, _), told in zip(chats, acked, strict=True):
        chat_id = f"{number[1:]}@c.us"
        sent = [words for chat, words in ledger if chat == chat_id]
        assert sent == sorted(sent)
        for n in (n for n, is_queued in enumerate(told) if is_queued):
            words = f"{number[-2:]}/{n}."
            # Begun by the killed copy, and never arrived: only a person can tell.
            is_honest = status_of[chat_id, words] == "unconfirmed"
            assert is_honest != (words in sent)
    # One copy died once, and a chat's texts leave one at a time.
    assert len(rows) - len(ledger) <= chat_count
    company.check()


def test_f57_t39_one_copy_polls_and_when_it_is_killed_another_one_does(
    company: Company,
) -> None:
    world, callers = company.world, list[RunningBridge]()

    def note(method: str, _body: Any) -> None:
        if method == "receiveNotification":
            callers.append(company.caller())

    first = company.leader()
    assert first is not None
    world.green.on_request = note
    world.green.receive("79001234567@c.us", "one")
    world.wait_for(lambda: len(callers) >= 2)
    assert set(callers) == {first}

    first.kill()
    callers.clear()
    world.wait_for(lambda: company.leader() not in (None, first))
    second = company.leader()
    assert second is not None
    world.green.receive("79001234567@c.us", "two")
    world.wait_for(lambda: len(callers) >= 2)

    assert set(callers) == {second}


def test_f56_a_copy_frozen_in_a_request_sends_nothing_again_and_its_answer_counts(
    company: Company,
) -> None:
    world = company.world
    world.green.apply_settings(outgoingAPIMessageWebhook="no")
    world.green.journal.lag = 1e6  # no evidence but the answer itself
    frozen: list[RunningBridge] = []

    def freeze(copy: RunningBridge) -> None:
        os.kill(copy.pid, signal.SIGSTOP)
        frozen.append(copy)

    at_a_post(company, 1, freeze)
    room, number = world.room(), world.number()
    world.type(room, f"{number} before the frost")
    world.wait_for(lambda: world.status_of("before the frost") == "unknown")
    world.wait_for(company.leader)
    world.type(room, f"{number} after the frost")

    os.kill(frozen[0].pid, signal.SIGCONT)
    world.settle(room)

    for when in ("before", "after"):
        assert len(world.posts(f"{when} the frost")) == 1
        assert world.status_of(f"{when} the frost") in ARRIVED
    assert world.green.ledger[-1].text == "after the frost"
    world.wait_for(lambda: company.alive() == COPIES)
    assert "this copy was taken for dead" in frozen[0].output
    assert frozen[0].is_running
    world.green.apply_settings(outgoingAPIMessageWebhook="yes")
    company.check()


# --- the moment between the commit and the request ------------------------------------


class FrozenAfterTheCommit(Outbox):
    """An outbox whose process stands still for ten minutes after COMMIT B."""

    clock: FakeClock
    meanwhile: Callable[[], None]

    def begin_attempt(self, delivery: Delivery, words: str, now: Any) -> bool:
        began = super().begin_attempt(delivery, words, now)
        self.clock.advance(600)
        self.meanwhile()
        return began


@pytest.fixture
def way(any_store: Store, clock: FakeClock) -> Iterator[Outbound]:
    green = make_green()
    with SandboxServer([green.blueprint()]) as server:
        outbox = any_store.outbox
        outbox.__class__ = FrozenAfterTheCommit
        assert isinstance(outbox, FrozenAfterTheCommit)
        outbox.clock, outbox.meanwhile = clock, lambda: None
        api = GreenApi(green.id_instance, GREEN_TOKEN, server.url, now=clock)
        outbox.add(
            NewDelivery("s", ChatId("14155550100@c.us"), "hi"), NOW, timedelta(1)
        )
        yield Outbound(outbox, api, FakeSlack(), clock, Schedule(), 4096)
        api.close()
        assert green.posts == []
    green.close()


def test_f56_what_was_begun_long_ago_is_not_sent_but_waits_again(
    way: Outbound,
) -> None:
    deliver_next(way, ChatId("14155550100@c.us"))

    (delivery,) = way.outbox.latest(1)
    assert (delivery.status, delivery.attempts) == (Status.QUEUED, 1)


def test_f56_what_others_have_given_up_is_never_sent(
    way: Outbound, any_store: Store, clock: FakeClock
) -> None:
    def be_judged() -> None:
        any_store.replicas.leave()
        any_store.replicas.join(clock())
        any_store.replicas.judge(clock())

    assert isinstance(way.outbox, FrozenAfterTheCommit)
    way.outbox.meanwhile = be_judged

    deliver_next(way, ChatId("14155550100@c.us"))

    (delivery,) = way.outbox.latest(1)
    assert delivery.status is Status.UNKNOWN
    assert way.outbox.chats_due(clock(), 10) == []


# --- news from other copies -----------------------------------------------------------


def test_a_command_stored_by_one_copy_wakes_the_others(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeup, "PAUSE_SECONDS", 0.01)
    store, news = open_store(postgres_url), threading.Event()
    listening = Wakeup(postgres_url, news.set)
    listening.start()
    numbers = iter(range(10_000))

    def add_until_there_is_news() -> None:
        news.clear()
        for number in numbers:
            new = NewDelivery(f"s{number}", ChatId("14155550100@c.us"), "hi")
            store.outbox.add(new, NOW, timedelta(1))
            if news.wait(0.02):
                return

    add_until_there_is_news()
    with store.database.write() as connection, suppress(Exception):
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            )
        )
    add_until_there_is_news()
    listening.stop()
    store.database.close()
