"""Answers that the database can't take, and what a full disk does at each commit."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from bridge.errors import StoreError
from bridge.flows.outbound import Outbound, deliver_next
from bridge.model import DeliveryId, Member, MessageId, NewDelivery, Status
from bridge.schedule import Schedule
from bridge.store import Store, open_store
from bridge.store.outbox import Outbox
from bridge.store.spool import ROOM, Spool
from bridge.store.tables import attempts
from tests.fakes import FakeClock, FakeSlack, FakeWhatsApp
from tests.steps import ANN, DANA, TTL, add, add_sending, begin, get

BIG = "x" * 100_000  # what fits into no page that is there already


class Killed(BaseException):
    """The process ends here."""


class LastWords(Spool):
    """A spool whose process is killed as soon as it was written to."""

    def add(self, delivery_id: DeliveryId, id_message: MessageId) -> None:
        super().add(delivery_id, id_message)
        raise Killed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "answers.spool"


def fill_the_disk(store: Store) -> None:
    limit_pages(store, 1)  # as few as there are


def make_room(store: Store) -> None:
    limit_pages(store, 1_000_000)


def limit_pages(store: Store, pages: int) -> None:
    with store.database._writer.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


# --- the file ---------------------------------------------------------------------


def kept(path: Path) -> list[tuple[str, str]]:
    return [(str(name), str(message)) for name, message in Spool(path).entries()]


def test_its_room_is_taken_when_it_is_made(path: Path) -> None:
    spool = Spool(path)
    before = path.stat().st_size

    for number in range(100):
        spool.add(DeliveryId(f"d{number}"), MessageId(f"M{number}"))

    assert before == ROOM
    assert path.stat().st_size == ROOM
    assert path.stat().st_mode & 0o077 == 0


def test_what_was_kept_is_read_by_the_next_process_in_its_order(path: Path) -> None:
    spool = Spool(path)
    words = ["M1", "äöü \U0001f468", 'a "quoted" one', "line\nbreak"]

    for number, word in enumerate(words):
        spool.add(DeliveryId(f"d{number}"), MessageId(word))

    assert kept(path) == [(f"d{number}", word) for number, word in enumerate(words)]


@pytest.mark.parametrize("cut", range(1, 32, 5))
def test_a_line_cut_short_by_a_crash_costs_no_other(path: Path, cut: int) -> None:
    spool = Spool(path)
    spool.add(DeliveryId("d1"), MessageId("M1"))
    spool.add(DeliveryId("d2"), MessageId("M2"))
    content = path.read_bytes().rstrip(b"\0")

    path.write_bytes(content[:-cut].ljust(ROOM, b"\0"))

    assert kept(path)[0] == ("d1", "M1")
    assert len(kept(path)) == (2 if cut == 1 else 1)  # a line end alone is no loss


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 99, b"{}", b"[]\n7\n", b'{"id": 1}\n', b"\xff\n"]
)
def test_a_file_that_makes_no_sense_is_nothing(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)

    assert kept(path) == []


def test_a_cleared_spool_is_empty_and_can_be_used_again(path: Path) -> None:
    spool = Spool(path)
    for number in range(3):
        spool.add(DeliveryId(f"d{number}"), MessageId("M"))

    assert len(spool.entries()) == 3
    spool.clear()
    assert kept(path) == []
    spool.add(DeliveryId("d9"), MessageId("M9"))

    assert kept(path) == [("d9", "M9")]
    assert path.stat().st_size == ROOM


def test_what_another_copy_adds_meanwhile_is_not_forgotten(path: Path) -> None:
    mine, other = Spool(path), Spool(path)
    other.add(DeliveryId("d1"), MessageId("M1"))
    assert mine.entries() == [(DeliveryId("d1"), MessageId("M1"))]

    other.add(DeliveryId("d2"), MessageId("M2"))
    mine.clear()

    assert kept(path) == [("d2", "M2")]


def test_a_line_after_one_cut_short_is_whole(path: Path) -> None:
    spool = Spool(path)
    spool.add(DeliveryId("d1"), MessageId("M1"))
    path.write_bytes(path.read_bytes().rstrip(b"\0")[:-3].ljust(ROOM, b"\0"))

    spool.add(DeliveryId("d2"), MessageId("M2"))

    assert kept(path) == [("d2", "M2")]


def test_without_a_file_nothing_is_spooled() -> None:
    spool = Spool(None)

    spool.add(DeliveryId("d"), MessageId("M"))
    spool.clear()

    assert list(spool.entries()) == []


def test_a_spool_that_can_not_be_made_is_only_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()

    with caplog.at_level(logging.WARNING):
        spool = Spool(tmp_path / "file" / "answers.spool")
        spool.add(DeliveryId("d"), MessageId("M1"))
        spool.clear()

    assert list(spool.entries()) == []
    assert "could not be spooled" in caplog.text
    assert "M1" not in caplog.text


# --- back from the spool ----------------------------------------------------------


@pytest.fixture
def opened(sqlite_url: str, path: Path, clock: FakeClock) -> Iterator[Store]:
    """Return a store with a spool."""
    store = open_store(sqlite_url, Schedule(), path)
    store.replicas.join(clock())
    yield store
    store.database.close()


def test_a_spooled_answer_is_accepted_once(
    opened: Store, path: Path, clock: FakeClock
) -> None:
    head = add_sending(opened, clock())
    second = add(opened, clock(), "second")
    Spool(path).add(head.id, MessageId("M1"))
    line = path.read_bytes()
    opened.replicas.join(clock())  # the next life

    assert opened.outbox.accept_spooled(clock()) == 1
    opened.replicas.judge(clock())
    path.write_bytes(line)  # as if the process had died before it was cleared
    assert opened.outbox.accept_spooled(clock()) == 0

    found = get(opened, head.id)
    assert (found.status, found.id_message) == (Status.ACCEPTED, "M1")
    assert kept(path) == []
    assert begin(opened, clock()).id == second
    with opened.database.read() as connection:
        query = select(attempts.c.outcome).where(attempts.c.delivery_id == head.id)
        assert connection.scalars(query).all() == ["accepted"]


def test_a_spooled_answer_ends_a_search(
    opened: Store, path: Path, clock: FakeClock
) -> None:
    head = add_sending(opened, clock())
    opened.replicas.join(clock())
    opened.replicas.judge(clock())
    assert get(opened, head.id).status is Status.UNKNOWN
    Spool(path).add(head.id, MessageId("M1"))

    assert opened.outbox.accept_spooled(clock()) == 1

    assert get(opened, head.id).status is Status.ACCEPTED


def test_a_spooled_answer_for_nobody_is_dropped(
    opened: Store, path: Path, clock: FakeClock
) -> None:
    Spool(path).add(DeliveryId("f" * 32), MessageId("M1"))

    assert opened.outbox.accept_spooled(clock()) == 0

    assert kept(path) == []


# --- a full disk ------------------------------------------------------------------


def test_f38_a_full_disk_at_the_first_commit_refuses_the_request(
    opened: Store, clock: FakeClock
) -> None:
    fill_the_disk(opened)
    new = NewDelivery("s1", ANN, BIG, DANA)

    with pytest.raises(StoreError, match="full"):
        opened.outbox.add(new, clock(), TTL)

    assert opened.outbox.latest(10) == []
    make_room(opened)
    assert opened.outbox.add(new, clock(), TTL).is_new


def test_f38_a_full_disk_before_the_post_makes_no_post(
    opened: Store, clock: FakeClock, slack: FakeSlack, whatsapp: FakeWhatsApp
) -> None:
    way = Outbound(opened.outbox, whatsapp, slack, clock, Schedule(), 1_000_000)
    # With the name its words need pages that are not there.
    slack.members["U0SAM"] = Member("S" * 500_000, may_send=True)
    new = NewDelivery("s1", ANN, "hi @someone", DANA, markup="hi <@U0SAM>")
    stored = opened.outbox.add(new, clock(), TTL)
    fill_the_disk(opened)

    with pytest.raises(StoreError, match="full"):
        deliver_next(way, ANN)

    assert whatsapp.sent == []
    delivery = get(opened, stored.id)
    assert (delivery.status, delivery.attempts) == (Status.QUEUED, 0)
    make_room(opened)
    deliver_next(way, ANN)
    assert len(whatsapp.sent) == 1


def test_f38_an_answer_that_a_full_disk_refuses_outlives_the_process(
    opened: Store, sqlite_url: str, path: Path, clock: FakeClock
) -> None:
    head = add_sending(opened, clock())
    outbox = Outbox(opened.database, Schedule(), LastWords(path))
    fill_the_disk(opened)
    with pytest.raises(Killed):
        outbox.accept(head, MessageId(BIG), clock())
    assert get(opened, head.id).status is Status.SENDING
    opened.database.close()

    store = open_store(sqlite_url, Schedule(), path)
    store.replicas.join(clock())
    saved = store.outbox.accept_spooled(clock())

    assert saved == 1
    assert get(store, head.id).id_message == BIG
    assert kept(path) == []
    store.database.close()


def test_f38_an_answer_is_stored_as_soon_as_there_is_room(
    opened: Store, path: Path, clock: FakeClock
) -> None:
    class Relief(Spool):
        def add(self, delivery_id: DeliveryId, id_message: MessageId) -> None:
            super().add(delivery_id, id_message)
            make_room(opened)

    head = add_sending(opened, clock())
    outbox = Outbox(opened.database, Schedule(), Relief(path))
    fill_the_disk(opened)

    assert outbox.accept(head, MessageId(BIG), clock())

    assert get(opened, head.id).status is Status.ACCEPTED
    assert opened.outbox.accept_spooled(clock()) == 0


def test_no_text_and_no_number_is_spooled(
    opened: Store, path: Path, clock: FakeClock
) -> None:
    head = add_sending(opened, clock(), "a secret")

    Spool(path).add(head.id, MessageId("M1"))

    line = json.loads(path.read_bytes().rstrip(b"\0"))
    assert line == {"id": head.id, "idMessage": "M1"}
