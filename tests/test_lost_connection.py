"""The connection to PostgreSQL is lost at the worst moments: at the three commits."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text

from bridge.errors import CommitUnknown, NotStored, StoreError
from bridge.flows.outbound import Outbound, deliver_next
from bridge.model import ChatId, Delivery, MessageId, NewDelivery, Status
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.store import Store, open_store
from bridge.store.outbox import Stored
from tests.cable import Cable, Moment
from tests.conftest import NOW
from tests.fakes import FakeClock, FakeSlack, FakeWhatsApp
from tests.orphans import orphans

ANN = ChatId("14155550100@c.us")
TTL = timedelta(minutes=15)
PATIENCE = 20.0
MOMENTS: list[Moment] = ["before", "during", "after"]
COMMIT = b"COMMIT\0"
LATCH = 4711


@pytest.fixture
def cable(postgres_url: str) -> Iterator[Cable]:
    with Cable(postgres_url) as made:
        yield made


@pytest.fixture
def far(cable: Cable) -> Iterator[Store]:
    """An outbox at the end of the cable."""
    opened = open_store(cable.url)
    opened.replicas.join(NOW)
    yield opened
    opened.database.close()


@contextmanager
def beside(url: str) -> Iterator[Connection]:
    """Yield a connection that no cable can cut."""
    address = url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(address, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


@contextmanager
def slow_commits(url: str, table: str) -> Iterator[threading.Event]:
    """Let a commit that adds to a table wait on the server for the event."""
    go_on = threading.Event()
    with beside(url) as connection:
        connection.execute(
            text(
                "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"PERFORM pg_advisory_xact_lock_shared({LATCH}); RETURN NULL; END $$"
            )
        )
        connection.execute(
            text(
                f"CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON {table} DEFERRABLE "
                "INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()"
            )
        )
        connection.execute(text(f"SELECT pg_advisory_lock({LATCH})"))

        def let_go() -> None:
            go_on.wait(PATIENCE)
            connection.execute(text(f"SELECT pg_advisory_unlock({LATCH})"))

        latch = threading.Thread(target=let_go)
        latch.start()
        yield go_on
        go_on.set()
        latch.join()


def let_go_when_two_wait(url: str, go_on: threading.Event) -> None:
    """Let the commit go on when somebody waits for its end."""
    query = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    ends_at = time.monotonic() + PATIENCE
    with beside(url) as connection:
        while connection.execute(query).scalar_one() < 2:
            assert time.monotonic() < ends_at
    go_on.set()


def add(
    store: Store,
    source: str = "s1",
    deadline: float | None = None,
    chat_id: ChatId = ANN,
) -> Stored:
    new = NewDelivery(source, chat_id, f"text of {source}")
    return store.outbox.add(new, NOW, TTL, deadline)


def add_head(store: Store, name: str = "s1") -> Delivery:
    """Add a text to a chat of its own; return it as the one whose turn it is."""
    chat_id = ChatId(f"{name}@g.us")
    add(store, name, chat_id=chat_id)
    found = store.outbox.head(chat_id)
    assert found is not None
    return found


def now(store: Store, delivery: Delivery) -> Delivery:
    found = store.outbox.get(delivery.id)
    assert found is not None
    return found


def check_nobody_waits_in_vain(store: Store) -> None:
    with store.database.read() as connection:
        assert orphans(connection) == []


# --- A: a command is stored -----------------------------------------------------------


def test_a_command_whose_commit_was_cut_off_is_stored_once(
    far: Store, cable: Cable
) -> None:
    for moment in MOMENTS:
        cable.cut_at(COMMIT, moment)

        stored = add(far, moment)

        assert stored.is_new
        assert far.outbox.latest(1)[0].id == stored.id
    assert cable.cuts == len(far.outbox.latest(10)) == 3
    assert far.outbox.chats_due(NOW, 10) == [ANN]


def test_i1_a_commit_that_the_server_still_works_on_is_waited_for(
    far: Store, cable: Cable, postgres_url: str
) -> None:
    with slow_commits(postgres_url, "deliveries") as go_on:
        cable.cut_at(COMMIT, "during")
        watcher = threading.Thread(
            target=let_go_when_two_wait, args=(postgres_url, go_on)
        )
        watcher.start()

        stored = add(far)

        watcher.join()
    assert cable.cuts == 1
    assert [delivery.id for delivery in far.outbox.latest(10)] == [stored.id]


def test_nobody_is_told_what_nobody_knows(far: Store, cable: Cable) -> None:
    def go_down() -> None:
        cable.is_down = True

    cable.on_cut = go_down
    for moment in MOMENTS:
        cable.cut_at(COMMIT, moment)

        with pytest.raises(CommitUnknown):
            add(far, moment)

        cable.is_down = False
        was_stored = not add(far, moment).is_new
        assert was_stored or moment != "after"
    assert len(far.outbox.latest(10)) == 3


def test_f36_what_was_cut_off_and_comes_too_late_is_certainly_not_stored(
    far: Store, cable: Cable
) -> None:
    deadline = time.monotonic() + 0.2

    def wait_for_the_deadline() -> None:
        while time.monotonic() <= deadline:
            pass

    cable.on_cut = wait_for_the_deadline
    cable.cut_at(COMMIT, "before")

    with pytest.raises(NotStored):
        add(far, deadline=deadline)

    assert far.outbox.latest(10) == []


def test_what_was_stored_before_the_cut_is_found_even_after_the_deadline(
    far: Store, cable: Cable
) -> None:
    deadline = time.monotonic() + 0.2

    def wait_for_the_deadline() -> None:
        while time.monotonic() <= deadline:
            pass

    cable.on_cut = wait_for_the_deadline
    cable.cut_at(COMMIT, "after")

    stored = add(far, deadline=deadline)

    assert [delivery.id for delivery in far.outbox.latest(10)] == [stored.id]


# --- B: an attempt begins -------------------------------------------------------------


def test_an_attempt_whose_commit_was_cut_off_has_begun_or_not(
    far: Store, cable: Cable
) -> None:
    moments: list[Moment] = ["before", "after"]
    for moment in moments:
        first = add_head(far, moment)
        cable.cut_at(COMMIT, moment)

        has_begun = far.outbox.begin_attempt(first, first.text, NOW)

        assert has_begun == (moment == "after")
        assert (now(far, first).status is Status.SENDING) == has_begun
        assert now(far, first).attempts == int(has_begun)
    assert far.outbox.chats_due(NOW, 10) == ["before@g.us"]
    check_nobody_waits_in_vain(far)


def test_i6_an_attempt_that_the_server_still_works_on_is_waited_for(
    far: Store, cable: Cable, postgres_url: str
) -> None:
    first = add_head(far)
    with slow_commits(postgres_url, "attempts") as go_on:
        cable.cut_at(COMMIT, "during")
        watcher = threading.Thread(
            target=let_go_when_two_wait, args=(postgres_url, go_on)
        )
        watcher.start()

        assert far.outbox.begin_attempt(first, first.text, NOW)

        watcher.join()
    assert (now(far, first).status, now(far, first).attempts) == (Status.SENDING, 1)


def test_i2_an_attempt_that_another_copy_makes_meanwhile_is_not_taken_for_ones_own(
    far: Store, cable: Cable, postgres_url: str
) -> None:
    other = open_store(postgres_url)
    other.replicas.join(NOW)
    first = add_head(far)

    def go_down() -> None:
        cable.is_down = True

    cable.on_cut = go_down
    cable.cut_at(COMMIT, "before")
    answers: list[bool] = []
    asking = threading.Thread(
        target=lambda: answers.append(far.outbox.begin_attempt(first, "x", NOW))
    )
    asking.start()
    ends_at = time.monotonic() + PATIENCE
    while not (cable.is_down and other.outbox.begin_attempt(first, "x", NOW)):
        assert time.monotonic() < ends_at
    cable.is_down = False
    asking.join()
    other.database.close()

    assert answers == [False]
    assert now(far, first).attempts == 1


# --- C: an answer is stored -----------------------------------------------------------


def test_f37_an_answer_whose_commit_was_cut_off_is_stored_once(
    far: Store, cable: Cable
) -> None:
    outbox = far.outbox
    ends: dict[Status, Callable[[Delivery], object]] = {
        Status.ACCEPTED: lambda d: outbox.accept(d, MessageId(f"M{d.id}"), NOW),
        Status.UNKNOWN: lambda d: outbox.lose(d, Reason.NO_ANSWER, NOW),
        Status.FAILED: lambda d: outbox.fail(d, Reason.BAD_REQUEST, NOW),
        Status.HELD: lambda d: outbox.put_back(d, Status.HELD, "starting", NOW, NOW),
    }
    for moment, (status, end) in itertools.product(MOMENTS, ends.items()):
        first = add_head(far, f"{moment}-{status}")
        assert outbox.begin_attempt(first, first.text, NOW)
        cable.cut_at(COMMIT, moment)

        end(first)

        assert (now(far, first).status, now(far, first).attempts) == (status, 1)
    assert cable.cuts == 12
    check_nobody_waits_in_vain(far)


class OneAtATime(FakeWhatsApp):
    """Gives every text an id of its own, whoever asks."""

    lock = threading.Lock()

    def send_message(
        self, chat_id: ChatId, text: str, since: datetime | None = None
    ) -> MessageId:
        with self.lock:
            return super().send_message(chat_id, text, since)


# --- all of them ----------------------------------------------------------------------


class Storm:
    """Two copies send while the server ends all connections again and again."""

    def __init__(self, stores: list[Store], url: str) -> None:
        self.whatsapp = OneAtATime()
        self._stores = stores
        self._url = url
        self._is_over = threading.Event()
        works: list[Callable[[], None]] = [partial(self._send, s) for s in stores]
        works.append(self._end_connections)
        self._threads = [threading.Thread(target=work) for work in works]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _send(self, store: Store) -> None:
        slack, schedule = FakeSlack(), Schedule(0.0)
        clock = FakeClock(NOW)
        way = Outbound(store.outbox, self.whatsapp, slack, clock, schedule, 4096)
        while not self._is_over.is_set():
            with suppress(StoreError):
                for chat_id in store.outbox.chats_due(NOW, 10):
                    deliver_next(way, chat_id)

    def _end_connections(self) -> None:
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
            "datname = current_database() AND pid <> pg_backend_pid()"
        )
        with beside(self._url) as connection:
            while not self._is_over.wait(0.1):
                connection.execute(text(query))


def add_and_note(store: Store, number: int) -> bool | None:
    """Add a command; return whether it is stored, None if that is not known."""
    try:
        return add(store, f"s{number}").is_new
    except CommitUnknown:
        return None
    except (NotStored, StoreError):
        return False


def wait_until_all_left(store: Store) -> None:
    ends_at = time.monotonic() + PATIENCE
    while time.monotonic() < ends_at:
        with suppress(StoreError):
            if store.outbox.waiting()[0] == 0:
                return


def test_a_server_that_ends_all_connections_again_and_again_loses_and_doubles_nothing(
    far: Store, postgres_url: str
) -> None:
    other = open_store(postgres_url)
    other.replicas.join(NOW)
    storm = Storm([far, other], postgres_url)
    told = [add_and_note(far, number) for number in range(60)]
    wait_until_all_left(far)
    storm.end()
    other.database.close()

    texts = [words for _, words in storm.whatsapp.sent]
    assert len(set(texts)) == len(texts)
    stored = {delivery.text: delivery for delivery in far.outbox.latest(1000)}
    assert set(texts) == set(stored)
    assert {delivery.status for delivery in stored.values()} == {Status.ACCEPTED}
    for number, is_told in enumerate(told):
        assert is_told in (None, f"text of s{number}" in stored)
    numbers = [int(words.removeprefix("text of s")) for words in texts]
    assert numbers == sorted(numbers)
    check_nobody_waits_in_vain(far)
