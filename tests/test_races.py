"""Several copies of the bridge on one PostgreSQL, in each other's way all the time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import NullPool, create_engine, text

from bridge.errors import Permanent, Retryable, StoreError, Unknown
from bridge.flows.outbound import Outbound, deliver_next
from bridge.model import (
    Caller,
    ChatId,
    Delivery,
    MessageId,
    NewDelivery,
    Sighting,
    Status,
    Step,
    ThreadRef,
)
from bridge.reasons import Reason
from bridge.schedule import LOOKS, Schedule
from bridge.store import Store, database, open_store
from tests.conftest import NOW
from tests.fakes import FakeClock, FakeSlack
from tests.orphans import orphans

ANN = ChatId("14155550100@c.us")
TTL = timedelta(minutes=15)
PATIENCE = 20.0  # real seconds until a test gives up: a limit, no measure
DANA = Caller("U0DANA", "T1", "C1", None)


@contextmanager
def copies(
    url: str, count: int, schedule: Schedule | None = None
) -> Iterator[list[Store]]:
    """Yield so many copies on one database, each a replica of its own."""
    with ExitStack() as stack:
        stores = [open_store(url, schedule) for _ in range(count)]
        for store in stores:
            stack.callback(store.database.close)
            store.replicas.join(datetime.now(UTC))
        yield stores


def add(store: Store, source: str, chat_id: ChatId = ANN) -> None:
    store.outbox.add(NewDelivery(source, chat_id, source, DANA), NOW, TTL)


def head(store: Store, chat_id: ChatId = ANN) -> Delivery:
    found = store.outbox.head(chat_id)
    assert found is not None
    return found


def begin(store: Store, delivery: Delivery, now: datetime = NOW) -> bool:
    return store.outbox.begin_attempt(delivery, delivery.text, now)


# --- one race at a time ---------------------------------------------------------------


def test_i4_what_was_put_back_is_not_overtaken_by_what_another_copy_looked_up_before(
    postgres_url: str, clock: FakeClock
) -> None:
    with copies(postgres_url, 2) as (one, other):
        add(one, "first")
        add(one, "second")
        first = head(one)
        assert begin(one, first)
        second = head(other)  # for the first one is just being sent
        one.outbox.put_back(first, Status.QUEUED, "rate_limited", NOW, NOW)

        assert not begin(other, second)

        assert begin(other, head(other))
        assert [d.text for d in one.outbox.latest(2) if d.status == "sending"] == [
            "first"
        ]


def test_an_attempt_that_another_copy_made_meanwhile_is_not_made_again(
    postgres_url: str,
) -> None:
    with copies(postgres_url, 2) as (one, other):
        add(one, "text")
        seen_before = head(other)
        assert begin(one, head(one))
        one.outbox.put_back(seen_before, Status.QUEUED, "rate_limited", NOW, NOW)

        assert not begin(other, seen_before)

        assert head(other).attempts == 1
        assert begin(other, head(other))


def test_a_pause_that_another_copy_was_asked_for_is_kept(postgres_url: str) -> None:
    with copies(postgres_url, 2) as (one, other):
        add(one, "text")
        first = head(one)
        assert begin(one, first)
        later = NOW + timedelta(seconds=30)
        one.outbox.put_back(first, Status.QUEUED, "rate_limited", later, NOW)

        assert not begin(other, head(other))
        assert begin(other, head(other), later)


def test_a_card_that_another_copy_has_posted_meanwhile_is_not_posted_again(
    postgres_url: str,
) -> None:
    with copies(postgres_url, 2) as (one, other):
        add(one, "text")
        mine, yours = (store.reports.oldest("C1", NOW) for store in (one, other))
        assert mine is not None
        assert yours is not None
        assert one.reports.begin_post(mine, Step.OPEN)
        one.reports.opened(mine, ThreadRef("C1", "1.1"), NOW)

        assert not other.reports.begin_post(yours, Step.OPEN)


def test_a_channel_is_not_due_for_one_copy_while_another_posts_there(
    postgres_url: str,
) -> None:
    with copies(postgres_url, 2) as (one, other):
        add(one, "text")
        report = one.reports.oldest("C1", NOW)
        assert report is not None
        assert one.reports.begin_post(report, Step.OPEN)

        assert other.reports.channels_due(NOW) == []
        assert one.reports.channels_due(NOW) == ["C1"]


def test_f56_a_copy_frozen_in_a_transaction_does_not_stop_the_others(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "-c lock_timeout=20 -c idle_in_transaction_session_timeout=50"
    monkeypatch.setitem(database._SERVER_OPTIONS, "options", options)
    with copies(postgres_url, 2) as (frozen, other):
        add(frozen, "first")

        def freeze_and_go_on() -> None:
            with frozen.database.write() as connection:
                connection.execute(text("SELECT * FROM lanes FOR UPDATE"))
                until_it_works(lambda: add(other, "second"))
                connection.execute(text("UPDATE lanes SET due_at = NULL"))

        with pytest.raises(StoreError):
            freeze_and_go_on()

        assert other.outbox.chats_due(NOW, 10) == [ANN]
        assert len(other.outbox.latest(10)) == 2


def until_it_works(step: Callable[[], None]) -> None:
    ends_at = time.monotonic() + PATIENCE
    while time.monotonic() < ends_at:
        try:
            return step()
        except StoreError:
            continue
    raise AssertionError("it never worked")


# --- what goes wrong all the same -----------------------------------------------------


@pytest.mark.parametrize(
    "harm", ["DELETE FROM lanes", "UPDATE lanes SET due_at = NULL"], ids=str
)
def test_i6_a_chat_that_stands_still_for_no_reason_goes_on(
    any_store: Store, harm: str
) -> None:
    add(any_store, "text")
    with any_store.database.write() as connection:
        connection.execute(text(harm))
        assert len(orphans(connection)) == 1

    assert any_store.replicas.mend(NOW) == 1

    assert any_store.outbox.chats_due(NOW, 10) == [ANN]
    assert any_store.replicas.mend(NOW) == 0


def test_a_chat_that_waits_for_evidence_is_left_alone(any_store: Store) -> None:
    add(any_store, "first")
    add(any_store, "second")
    first = head(any_store)
    assert begin(any_store, first)
    any_store.outbox.lose(first, Reason.NO_ANSWER, NOW)

    assert any_store.replicas.mend(NOW) == 0

    assert any_store.outbox.chats_due(NOW, 10) == []


def test_i6_a_request_that_nobody_waits_for_any_more_is_unknown(
    any_store: Store,
) -> None:
    add(any_store, "text")
    assert begin(any_store, head(any_store))
    assert any_store.replicas.judge(NOW) == 0

    assert any_store.replicas.judge(NOW + timedelta(minutes=6)) == 1

    assert any_store.outbox.latest(1)[0].status is Status.UNKNOWN
    with any_store.database.read() as connection:
        assert orphans(connection) == []


# --- everything at once ---------------------------------------------------------------

SCALE = 0.004
CHATS = [ChatId(f"1415555010{n}@c.us") for n in range(5)]
EACH = 16


Entry = tuple[MessageId, ChatId, str]


@dataclass
class Moody:
    """A WhatsApp that fails in every way, and keeps a ledger of what it took."""

    clock: Callable[[], datetime]
    seed: int
    guard: timedelta = timedelta(seconds=40) * SCALE
    ledger: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - no secret
        self._lock = threading.Lock()

    def send_message(
        self, chat_id: ChatId, text: str, since: datetime | None = None
    ) -> MessageId:
        with self._lock:
            if since is None or self.clock() - since > self.guard:
                raise Retryable(Reason.UNREACHABLE)
            mood = self._random.random()
            if mood < 0.1:
                raise Retryable(Reason.RATE_LIMITED)
            if mood < 0.15:
                raise Permanent(Reason.BAD_REQUEST)
            if mood < 0.2:
                raise Unknown(Reason.NO_ANSWER)
            id_message = MessageId(f"M{len(self.ledger)}")
            self.ledger.append((id_message, chat_id, text))
            if mood < 0.3:
                raise Unknown(Reason.NO_ANSWER)
        return id_message


class Crowd:
    """Copies that send, judge each other, search, hold and release, all at once."""

    def __init__(self, stores: list[Store], seed: int) -> None:
        self.stores = stores
        self.over = threading.Event()
        self.failures: list[BaseException] = []
        self._began = time.monotonic()
        self.whatsapp = Moody(self.clock, seed)
        self._threads: list[threading.Thread] = []

    def clock(self) -> datetime:
        return NOW + timedelta(seconds=time.monotonic() - self._began)

    def run(self) -> None:
        for number, store in enumerate(self.stores):
            self._start(self._send, store)
            self._start(self._send, store)
            self._start(self._keep, store, random.Random(number))  # noqa: S311 - no secret
        for chat_id in CHATS:
            self._start_once(self._type, self.stores[0], chat_id)
        self._start(self._search, self.stores[-1])

    def wait_for_the_end(self) -> list[Delivery]:
        """Return all deliveries once each has its last word, or time is over."""
        outbox, found = self.stores[0].outbox, list[Delivery]()
        ends_at = time.monotonic() + PATIENCE
        while time.monotonic() < ends_at and not self.over.wait(0.02):
            found = outbox.latest(1000)
            is_whole = len(found) == EACH * len(CHATS)
            if is_whole and all(each.status.is_final for each in found):
                break
        return found

    def end(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _start(self, step: Callable[..., None], *args: object) -> None:
        def repeat() -> None:
            while not self.over.wait(0.001):
                step(*args)

        self._start_once(repeat)

    def _start_once(self, work: Callable[..., None], *args: object) -> None:
        def run() -> None:
            try:
                work(*args)
            except BaseException as err:  # noqa: BLE001 - shown by the test
                self.failures.append(err)
                self.over.set()

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _type(self, store: Store, chat_id: ChatId) -> None:
        for number in range(EACH):
            new = NewDelivery(f"{chat_id}:{number}", chat_id, f"{number}")
            store.outbox.add(new, self.clock(), TTL)

    def _send(self, store: Store) -> None:
        schedule = Schedule(SCALE)
        way = Outbound(
            store.outbox, self.whatsapp, FakeSlack(), self.clock, schedule, 4096
        )
        for chat_id in store.outbox.chats_due(self.clock(), 3):
            deliver_next(way, chat_id)

    def _keep(self, store: Store, moods: random.Random) -> None:
        now = self.clock()
        if not store.replicas.beat(now):
            store.replicas.join(now)
        store.replicas.judge(now)
        if store.replicas.lead():
            store.outbox.expire(now)
        mood = moods.random()
        if mood < 0.1:
            store.accounts.hold(Reason.STARTING, now)
        elif mood < 0.5:
            store.accounts.release(None, now)

    def _search(self, store: Store) -> None:
        """Find what was taken, and give the rest up."""
        now = self.clock()
        for each in store.evidence.due(now, 100):
            delivery = each.delivery
            seen = [
                Sighting(id_message, chat_id, words, now)
                for id_message, chat_id, words in list(self.whatsapp.ledger)
                if (chat_id, words) == (delivery.chat_id, delivery.text)
            ]
            if store.evidence.bind_seen([delivery.chat_id], seen, now):
                continue
            if each.looks < len(LOOKS):
                wait = Schedule(SCALE).next_look(each.looks)
                assert wait is not None
                store.evidence.looked(each, now + wait, now, counts=True)
            else:
                store.evidence.give_up(each, Reason.NOT_FOUND, None, now)


def deadlocks(url: str) -> int:
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool
    )
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    with engine.connect() as connection:
        found: int = connection.execute(text(query)).scalar_one()
    return found


def test_f57_copies_in_each_others_way_lose_nothing_double_nothing_and_keep_the_order(
    postgres_url: str,
) -> None:
    with copies(postgres_url, 3, Schedule(SCALE)) as stores:
        stores[0].accounts.use("1101000001")
        crowd = Crowd(stores, seed=1)
        crowd.run()
        everything = crowd.wait_for_the_end()
        crowd.end()

        assert crowd.failures == []
        with stores[0].database.read() as connection:
            assert orphans(connection) == []
    assert len(everything) == EACH * len(CHATS)
    assert [each for each in everything if not each.status.is_final] == []
    check_the_ledger(crowd.whatsapp.ledger, everything)
    assert deadlocks(postgres_url) == 0


def check_the_ledger(ledger: list[Entry], everything: list[Delivery]) -> None:
    for chat_id in CHATS:
        sent = [int(words) for _, chat, words in ledger if chat == chat_id]
        assert sent == sorted(set(sent))
    id_of = {(chat_id, words): id_message for id_message, chat_id, words in ledger}
    for each in everything:
        taken = id_of.get((each.chat_id, each.text))
        if each.status.is_accepted:
            assert each.id_message == taken
        if each.status in {Status.FAILED, Status.EXPIRED}:
            assert taken is None
