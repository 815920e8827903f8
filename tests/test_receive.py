"""The way in from GREEN-API: stored before it is let go, and nothing in the way."""

from __future__ import annotations

import itertools
import json
import logging
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.schema import Table

from bridge.errors import Permanent, Retryable, SendError, StoreError, Unknown
from bridge.flows.poll import Poller
from bridge.flows.receive import Outcome, Receiving, receive, receive_text
from bridge.model import Notice
from bridge.reasons import Reason
from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.server import SandboxServer
from bridge.schedule import Schedule
from bridge.store import Store, open_store, tables
from bridge.store.database import Database
from bridge.whatsapp.client import GreenApi
from bridge.whatsapp.notifications import parse
from bridge.whatsapp.records import Notification
from tests.fakes import FakeClock
from tests.payloads import ANN, INSTANCE, NOW, POISON, echo, incoming, status

TOKEN = "d75b3a66374942c5b3c019c698abc2067e151558acbd412345"


class Killed(BaseException):
    """The process dies here."""


@dataclass
class Queue:
    """GREEN-API's queue in memory; ``errors`` come once each, before the effect."""

    waiting: deque[object] = field(default_factory=deque)
    receive_errors: list[BaseException] = field(default_factory=list)
    delete_errors: list[BaseException] = field(default_factory=list)
    deletes_nothing: int = 0
    calls: list[str] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _head: int = 0

    def receive_notification(self, timeout_seconds: int) -> Notification | None:
        self.calls.append("receive")
        if self.receive_errors:
            raise self.receive_errors.pop(0)
        if not self.waiting:
            return None
        self._head = next(self._ids)
        return Notification(self._head, self.waiting[0])

    def delete_notification(self, receipt_id: int) -> bool:
        self.calls.append("delete")
        if self.delete_errors:
            raise self.delete_errors.pop(0)
        if self.deletes_nothing or receipt_id != self._head:
            self.deletes_nothing = max(0, self.deletes_nothing - 1)
            return False
        self.waiting.popleft()
        return True


@pytest.fixture
def database(any_store: Store) -> Database:
    return any_store.database


@pytest.fixture
def desk(any_store: Store) -> Receiving:
    return desk_of(any_store)


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def poller(desk: Receiving, queue: Queue, schedule: Schedule) -> Poller:
    return Poller(desk, queue, schedule)


def desk_of(store: Store) -> Receiving:
    clock = FakeClock(NOW)
    return Receiving(parse, store.evidence, store.inbox, clock, INSTANCE)


def count(database: Database, table: Table) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def drain(poller: Poller, queue: Queue) -> list[float]:
    """Poll until the queue is empty; return the rests that were asked for."""
    rests = []
    most = 10 * len(queue.waiting)
    while queue.waiting:
        rests.append(poller.poll_once())
        assert len(rests) <= most
    return rests


# --- receive ------------------------------------------------------------------


def test_each_kind_is_stored_in_its_place(desk: Receiving, database: Database) -> None:
    assert receive(desk, status("read")) is Outcome.TAKEN
    assert receive(desk, echo(id_message="B")) is Outcome.TAKEN
    assert receive(desk, incoming()) is Outcome.TAKEN
    assert receive(desk, status("pending")) is Outcome.IGNORED
    assert receive(desk, []) is Outcome.BURIED

    assert [
        count(database, table)
        for table in (
            tables.receipts,
            tables.sightings,
            tables.inbox,
            tables.dead_letters,
        )
    ] == [1, 1, 1, 1]


def test_the_lanes_that_have_news_are_woken(desk: Receiving) -> None:
    woken: list[str] = []
    desk = replace(
        desk,
        on_receipt=lambda: woken.append("receipt"),
        on_sighting=lambda: woken.append("sighting"),
        on_state=lambda: woken.append("state"),
    )
    state = {**status(), "typeWebhook": "stateInstanceChanged", "stateInstance": "x"}

    for body in (status("read"), echo(), state, incoming(), 5):
        receive(desk, body)

    assert woken == ["receipt", "sighting", "state"]


def test_t5_a_notification_of_another_instance_is_not_stored(
    desk: Receiving, database: Database
) -> None:
    body = {**incoming(), "instanceData": {"idInstance": 1101000002}}

    assert receive(desk, body) is Outcome.FOREIGN

    assert count(database, tables.inbox) == count(database, tables.dead_letters) == 0


def test_t6_a_replayed_notification_is_stored_once(
    desk: Receiving, database: Database
) -> None:
    for _ in range(5):
        assert receive(desk, incoming()) is Outcome.TAKEN

    assert count(database, tables.inbox) == 1


def test_t6_a_notification_from_another_time_is_put_aside(
    desk: Receiving, database: Database
) -> None:
    body = {**incoming(), "timestamp": int(NOW.timestamp()) - 27 * 3600}

    assert receive(desk, body) is Outcome.BURIED

    assert count(database, tables.inbox) == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"\x00",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
        b"\xef\xbb\xbf{}",
        b"<html>login</html>",
    ],
    ids=range(8),
)
def test_f44_bytes_that_are_no_json_are_put_aside(
    desk: Receiving, database: Database, raw: bytes
) -> None:
    assert receive_text(desk, raw) is Outcome.BURIED

    assert count(database, tables.dead_letters) == 1


def test_f44_what_breaks_the_parser_is_put_aside_after_three_strikes(
    desk: Receiving, database: Database
) -> None:
    strikes = []

    def broken(_body: object, _id_instance: str, _now: datetime) -> Notice:
        strikes.append(1)
        raise RecursionError

    assert receive(replace(desk, parse=broken), incoming()) is Outcome.BURIED

    assert len(strikes) == 3
    assert count(database, tables.dead_letters) == 1


def test_what_could_not_be_stored_has_to_come_again(
    desk: Receiving, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with database.write() as connection:
        tables.inbox.drop(connection)
        tables.dead_letters.drop(connection)

    with pytest.raises(StoreError) as caught:
        receive(desk, incoming(text="the secret words"))

    assert "secret words" not in f"{caught.value} {caplog.text}"


def test_f44_what_postgres_refuses_for_its_own_sake_is_put_aside(
    postgres_url: str,
) -> None:
    store = open_store(postgres_url)
    with store.database.write() as connection:
        tables.inbox.drop(connection)

    assert receive(desk_of(store), incoming()) is Outcome.BURIED

    assert count(store.database, tables.dead_letters) == 1
    store.database.close()


def test_t32_nul_and_half_an_emoji_never_reach_the_database(
    desk: Receiving, database: Database
) -> None:
    body = json.loads(json.dumps(incoming(text="a\0b\ud83d")))

    assert receive(desk, body) is Outcome.TAKEN
    assert receive(desk, echo("a\0b\ud83d", "B")) is Outcome.TAKEN
    assert receive(desk, {**status(), "idMessage": "A\0"}) is Outcome.BURIED
    assert receive_text(desk, b"a\0\xed\xa0\x80") is Outcome.BURIED

    with database.read() as connection:
        kept = connection.scalar(select(tables.inbox.c.body))
    assert '"ab"' in kept


def test_no_log_line_holds_a_number_or_a_text(
    desk: Receiving, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def talkative(body: object, _id_instance: str, _now: datetime) -> Notice:
        raise ValueError(str(body))

    for body in [*POISON.values(), incoming(text="the secret words")]:
        receive(desk, body)
        receive(replace(desk, parse=talkative), body)

    assert caplog.records
    assert ANN.split("@")[0] not in caplog.text
    assert "secret words" not in caplog.text


# --- polling ------------------------------------------------------------------


def test_a_notification_is_deleted_once_it_is_stored(
    poller: Poller, queue: Queue, database: Database
) -> None:
    queue.waiting.append(incoming())

    assert poller.poll_once() == 0.0

    assert queue.calls == ["receive", "delete"]
    assert not queue.waiting
    assert count(database, tables.inbox) == 1


def test_when_none_comes_the_next_poll_begins_at_once(
    poller: Poller, queue: Queue
) -> None:
    assert poller.poll_once() == 0.0
    assert queue.calls == ["receive"]


def test_f41_duplicates_in_any_order_are_stored_once(
    poller: Poller, queue: Queue, database: Database
) -> None:
    bodies = [
        body
        for n in range(5)
        for body in (
            incoming(id_message=f"IN{n}"),
            echo(id_message=f"OUT{n}"),
            status("sent", f"OUT{n}"),
            status("read", f"OUT{n}"),
        )
    ] * 4
    random.Random(41).shuffle(bodies)  # noqa: S311
    queue.waiting.extend(bodies)

    drain(poller, queue)

    assert count(database, tables.inbox) == 5
    assert count(database, tables.sightings) == 5
    assert count(database, tables.receipts) == 10


def test_f42_killed_between_commit_and_delete_it_comes_again_and_is_one_row(
    desk: Receiving,
    poller: Poller,
    queue: Queue,
    schedule: Schedule,
    database: Database,
) -> None:
    queue.waiting.append(incoming())
    queue.delete_errors.append(Killed())
    with pytest.raises(Killed):
        poller.poll_once()
    assert count(database, tables.inbox) == 1  # before the deletion

    restarted = Poller(desk, queue, schedule)
    drain(restarted, queue)

    assert queue.calls == ["receive", "delete", "receive", "delete"]
    assert count(database, tables.inbox) == 1


def test_i5_nothing_is_deleted_that_was_not_stored(
    desk: Receiving, queue: Queue, schedule: Schedule
) -> None:
    def unreachable(_body: object, _id_instance: str, _now: datetime) -> Notice:
        raise StoreError("the disk is full")

    queue.waiting.append(incoming())
    poller = Poller(replace(desk, parse=unreachable), queue, schedule)

    with pytest.raises(StoreError):
        poller.poll_once()

    assert queue.calls == ["receive"]
    assert len(queue.waiting) == 1


@pytest.mark.parametrize(
    "error",
    [
        Unknown(Reason.SERVER_ERROR),
        Unknown(Reason.NO_ANSWER),
        Retryable(Reason.RATE_LIMITED),
        Permanent(Reason.BAD_REQUEST),
    ],
    ids=lambda error: error.reason,
)
def test_f43_a_deletion_that_failed_is_repeated_after_a_rest(
    poller: Poller, queue: Queue, database: Database, error: SendError
) -> None:
    queue.waiting.append(incoming(id_message="A"))
    queue.waiting.append(incoming(id_message="B"))
    queue.delete_errors += [error, error]

    rests = drain(poller, queue)

    assert [rest > 0 for rest in rests] == [True, True, False, False]
    assert count(database, tables.inbox) == 2


def test_f43_a_poison_one_that_is_hard_to_delete_is_buried_once(
    poller: Poller, queue: Queue, database: Database
) -> None:
    queue.waiting.append([])
    queue.delete_errors += [Unknown(Reason.SERVER_ERROR)] * 5

    drain(poller, queue)

    assert count(database, tables.dead_letters) == 1


def test_f43_gone_already_is_no_reason_to_stop(
    poller: Poller, queue: Queue, database: Database
) -> None:
    queue.waiting.append(incoming(id_message="A"))
    queue.waiting.append(incoming(id_message="B"))
    queue.deletes_nothing = 1

    rests = drain(poller, queue)

    assert rests[0] > 0  # or it would run hot on a head that can't be deleted
    assert rests[1:] == [0.0, 0.0]
    assert count(database, tables.inbox) == 2


def test_the_rests_grow_while_green_api_fails_and_no_further_than_a_minute(
    poller: Poller, queue: Queue
) -> None:
    queue.receive_errors += [Unknown(Reason.SERVER_ERROR)] * 20

    rests = [poller.poll_once() for _ in range(20)]

    assert 0.5 <= rests[0] <= 1.5
    assert rests[-1] >= 30
    assert max(rests) <= 90
    assert poller.poll_once() == 0.0


def test_a_pause_that_green_api_asks_for_is_kept(poller: Poller, queue: Queue) -> None:
    queue.receive_errors.append(Retryable(Reason.RATE_LIMITED, retry_after=30))

    assert poller.poll_once() >= 30


def test_f44_a_foreign_notification_in_our_own_queue_is_put_aside(
    poller: Poller, queue: Queue, database: Database
) -> None:
    queue.waiting.append({**incoming(), "instanceData": {"idInstance": 5}})

    drain(poller, queue)

    assert count(database, tables.dead_letters) == 1


def test_f44_a_hundred_behind_all_the_poison_get_through(
    poller: Poller, queue: Queue, database: Database
) -> None:
    queue.waiting.extend(POISON.values())
    queue.waiting.extend(incoming(id_message=f"A{n}") for n in range(100))

    rests = drain(poller, queue)

    assert sum(rests) == 0
    assert count(database, tables.inbox) == 100
    assert count(database, tables.dead_letters) == len(POISON)


# --- polling the emulator -----------------------------------------------------


@pytest.fixture
def green() -> Iterator[GreenApiSandbox]:
    sandbox = GreenApiSandbox(id_instance=INSTANCE, token=TOKEN)
    with SandboxServer([sandbox.blueprint()]) as server:
        sandbox.url = server.url  # type: ignore[attr-defined]
        yield sandbox
    sandbox.close()


@pytest.fixture
def api(green: GreenApiSandbox) -> Iterator[GreenApi]:
    client = GreenApi(INSTANCE, TOKEN, green.url, read_timeout=2, wall_guard=5)  # type: ignore[attr-defined]
    yield client
    client.close()


def empty(green: GreenApiSandbox, poller: Poller) -> list[float]:
    rests = []
    most = 3 * len(green.notifications())
    while green.notifications():
        green.rate_limit.clear()  # a hundred a second: the emulator keeps count
        rests.append(poller.poll_once())
        assert len(rests) <= most
    return rests


def test_f44_poison_in_green_apis_own_queue_holds_nobody_up(
    desk: Receiving,
    api: GreenApi,
    green: GreenApiSandbox,
    schedule: Schedule,
    database: Database,
) -> None:
    for body in [*POISON.values(), *(incoming(id_message=f"A{n}") for n in range(20))]:
        green.notify(body)

    empty(green, Poller(desk, api, schedule))

    assert count(database, tables.inbox) == 20
    assert count(database, tables.dead_letters) == len(POISON)


@pytest.mark.parametrize(
    "body", [b"[" * 5000 + b"]" * 5000, b"9" * 5000, b'"\xff"'], ids=range(3)
)
def test_f44_what_json_can_not_be_read_is_deleted_by_its_receipt_id(
    desk: Receiving,
    api: GreenApi,
    green: GreenApiSandbox,
    schedule: Schedule,
    database: Database,
    body: bytes,
) -> None:
    green.notify(incoming())
    green.fault(
        "receiveNotification",
        body=b'{"receiptId":1,"body":' + body + b"}",
        executes=True,
    )
    poller = Poller(desk, api, schedule)

    assert poller.poll_once() == 0.0

    assert count(database, tables.dead_letters) == 1
    assert green.notifications() == []


def test_f44_half_a_notification_is_not_deleted(
    desk: Receiving, api: GreenApi, green: GreenApiSandbox, schedule: Schedule
) -> None:
    green.notify(incoming())
    green.fault("receiveNotification", body=b'{"receiptId":1,"body":{"typeWeb')
    poller = Poller(desk, api, schedule)

    assert poller.poll_once() > 0
    assert len(green.notifications()) == 1


@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"drop": "before"}, {"drop": "after"}, {"hold": True}],
    ids=str,
)
def test_f43_deletions_that_fail_on_the_wire_double_nothing(
    desk: Receiving,
    api: GreenApi,
    green: GreenApiSandbox,
    schedule: Schedule,
    database: Database,
    fault: dict[str, object],
) -> None:
    green.notify(incoming(id_message="A"))
    green.notify(incoming(id_message="B"))
    green.fault("deleteNotification", **fault)  # type: ignore[arg-type]

    empty(green, Poller(desk, api, schedule))

    assert count(database, tables.inbox) == 2


def test_a_webhook_that_is_set_is_told_of_once(
    desk: Receiving,
    api: GreenApi,
    green: GreenApiSandbox,
    schedule: Schedule,
    caplog: pytest.LogCaptureFixture,
) -> None:
    green.apply_settings(webhookUrl="http://127.0.0.1:1/")
    poller = Poller(desk, api, schedule)

    rests = [poller.poll_once() for _ in range(3)]

    assert min(rests) >= 60
    (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "GREEN_API_RECEIVE=webhook" in line.getMessage()
    assert INSTANCE not in caplog.text


@pytest.mark.parametrize("messages", [125, pytest.param(1250, marks=pytest.mark.chaos)])
def test_f46_a_storm_is_stored(
    messages: int,
    store: Store,
    api: GreenApi,
    green: GreenApiSandbox,
    schedule: Schedule,
) -> None:
    for n in range(messages):
        for word in ("read", "sent", "delivered"):
            green.notify(status(word, f"OUT{n}"))
        green.notify(echo(id_message=f"OUT{n}"))
    poller = Poller(desk_of(store), api, schedule)

    for _ in range(4 * messages):
        green.rate_limit.clear()  # a hundred a second: the emulator keeps count
        assert poller.poll_once() == 0.0

    assert green.notifications() == []
    assert count(store.database, tables.receipts) == 3 * messages
    assert count(store.database, tables.sightings) == messages
