"""What a running copy does besides sending and telling, and which copy does it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.clock import SteadyClock
from bridge.errors import SendError
from bridge.flows.poll import Poller
from bridge.flows.search import Searching
from bridge.flows.watch import Watch
from bridge.model import MessageId, Note, ReceiptStatus, Status
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.store import Store, open_store
from bridge.store.marker import Marker
from bridge.store.spool import Spool
from bridge.upkeep import Upkeep, upkeep_lanes
from tests.fakes import FakeClock, FakeGreenApi, FakeSlack
from tests.steps import add, add_accepted, add_sending, begin, echo, get, receipt

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Time:
    """Both clocks of a machine: one that can be set, and one that can't."""

    def __init__(self) -> None:
        self.wall = FakeClock(NOON)
        self.seconds = 0.0

    def pass_by(self, seconds: float) -> None:
        self.wall.advance(seconds)
        self.seconds += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def green_api() -> FakeGreenApi:
    return FakeGreenApi()


@pytest.fixture
def start(
    tmp_path: Path, time: Time, green_api: FakeGreenApi, slack: FakeSlack
) -> Iterator[Callable[[str], Upkeep]]:
    """Start a copy on a database; each copy has a marker of its own on a server."""
    stores: list[Store] = []

    def start_copy(url: str, marker: str = "used") -> Upkeep:
        schedule = Schedule()
        store = open_store(url, schedule, tmp_path / "answers.spool")
        stores.append(store)
        clock = SteadyClock(time.wall, lambda: time.seconds)
        watching = Watch(store.accounts, green_api, slack, clock, schedule, "C0ADMIN")
        mark = Marker(tmp_path / marker)
        upkeep = Upkeep(store, mark, clock, schedule, watching, "1101000001")
        upkeep.begin()
        return upkeep

    yield start_copy
    for store in stores:
        store.database.close()


@pytest.fixture
def upkeep(start: Callable[[str], Upkeep], sqlite_url: str) -> Upkeep:
    return start(sqlite_url)


def run(upkeep: Upkeep, time: Time, seconds: int) -> None:
    for _ in range(seconds):
        time.pass_by(1)
        upkeep.step()


def test_a_start_leads_at_once_and_marks_how_far_it_came(
    upkeep: Upkeep, tmp_path: Path
) -> None:
    assert upkeep.is_leader
    assert Marker(tmp_path / "used").read() == upkeep.store.replicas.beats()


def test_f22_a_start_judges_what_the_last_one_left(
    start: Callable[[str], Upkeep], sqlite_url: str, time: Time
) -> None:
    killed = start(sqlite_url)
    sending = add_sending(killed.store, time.wall())
    killed.store.database.close()

    next_one = start(sqlite_url)

    lost = get(next_one.store, sending.id)
    assert (lost.status, lost.reason) == (Status.UNKNOWN, Reason.CRASHED)


def test_f38_a_start_takes_in_what_could_only_be_spooled(
    start: Callable[[str], Upkeep], sqlite_url: str, tmp_path: Path, time: Time
) -> None:
    killed = start(sqlite_url)
    sending = add_sending(killed.store, time.wall())
    Spool(tmp_path / "answers.spool").add(sending.id, MessageId("M1"))
    killed.store.database.close()

    next_one = start(sqlite_url)

    assert get(next_one.store, sending.id).status is Status.ACCEPTED


@pytest.mark.parametrize("beats_between", [1, 5])
def test_f40_a_restored_backup_sends_nothing_by_itself(
    start: Callable[[str], Upkeep],
    sqlite_url: str,
    tmp_path: Path,
    time: Time,
    beats_between: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "outbox" / "bridge.db"
    first = start(sqlite_url)
    gap = add(first.store, time.wall())
    first.end()
    first.store.database.close()
    shutil.copy(path, tmp_path / "backup.db")
    after = start(sqlite_url)
    for _ in range(beats_between - 1):  # the start was one
        after.beat()
    time.pass_by(60)
    sent_at = time.wall()
    head = begin(after.store, time.wall())
    after.store.outbox.accept(head, MessageId("M1"), time.wall())
    after.store.database.close()
    shutil.copy(tmp_path / "backup.db", path)

    with caplog.at_level(logging.ERROR):
        restored = start(sqlite_url)

    assert "restored" in caplog.text
    doubtful = get(restored.store, gap)
    assert (doubtful.status, doubtful.reason) == (Status.UNKNOWN, Reason.RESTORED)
    assert restored.store.outbox.chats_due(time.wall(), 10) == []
    restored.store.evidence.add_sighting(echo(sent_at), time.wall())
    assert get(restored.store, gap).status is Status.ACCEPTED


def test_f40_a_restore_is_noticed_once(
    start: Callable[[str], Upkeep], sqlite_url: str, tmp_path: Path, time: Time
) -> None:
    Marker(tmp_path / "used").write(4711)
    start(sqlite_url).store.database.close()

    again = start(sqlite_url)
    waiting = add(again.store, time.wall())
    again.store.database.close()
    third = start(sqlite_url)

    assert get(third.store, waiting).status is Status.QUEUED


def test_an_ordinary_start_again_doubts_nothing(
    start: Callable[[str], Upkeep], sqlite_url: str, time: Time
) -> None:
    for number in range(5):
        upkeep = start(sqlite_url)
        waiting = add(upkeep.store, time.wall(), f"{number}")
        run(upkeep, time, 7 * (number % 2))
        assert get(upkeep.store, waiting).status is Status.QUEUED
        if number % 3:
            upkeep.end()
        upkeep.store.database.close()


def test_a_copy_beats_often_enough_to_count_as_alive(
    upkeep: Upkeep, time: Time
) -> None:
    before = upkeep.store.replicas.beats()

    run(upkeep, time, 60)

    beats = upkeep.store.replicas.beats() - before
    assert beats >= 60 / (upkeep.schedule.beat_life().total_seconds() / 2)
    assert beats < 60


def test_a_copy_taken_for_dead_goes_on_as_a_new_one(
    upkeep: Upkeep, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    upkeep.store.replicas.leave()
    add(upkeep.store, time.wall())

    with caplog.at_level(logging.ERROR):
        run(upkeep, time, 20)

    assert "taken for dead" in caplog.text
    assert upkeep.is_leader
    begin(upkeep.store, time.wall())


def test_a_copy_that_was_frozen_does_not_lead_before_it_has_beaten(
    upkeep: Upkeep, time: Time
) -> None:
    time.pass_by(60)
    assert not upkeep.is_leader

    upkeep.beat()

    assert upkeep.is_leader


def test_f57_of_two_copies_one_keeps_house_and_the_other_takes_over(
    start: Callable[..., Upkeep],
    postgres_url: str,
    time: Time,
    green_api: FakeGreenApi,
) -> None:
    first = start(postgres_url, "first")
    second = start(postgres_url, "second")
    run(second, time, 5)
    assert (first.has_lead, second.has_lead) == (True, False)
    assert green_api.asked == []  # the second one leaves that to the first

    first.end()
    run(second, time, 5)

    assert second.is_leader
    assert "state" in green_api.asked


def test_the_leader_keeps_house(
    upkeep: Upkeep, time: Time, green_api: FakeGreenApi
) -> None:
    store, now = upkeep.store, time.wall()
    stuck = add_accepted(store, now)
    store.evidence.add_receipt(receipt(ReceiptStatus.SENT), now)
    green_api.state = "starting"
    run(upkeep, time, 1)
    waiting = add(store, time.wall(), "late")
    run(upkeep, time, 1)
    assert get(store, waiting).reason == Reason.STARTING

    time.pass_by(15 * 60)
    upkeep.beat()
    upkeep.step()

    assert get(store, waiting).status is Status.EXPIRED
    green_api.state = "authorized"  # a silence is only news while all is well
    run(upkeep, time, 20)
    oldest = store.reports.oldest("C1", time.wall())
    assert oldest is not None
    assert (oldest.delivery.id, oldest.note) == (stuck, Note.STUCK)


@pytest.mark.parametrize("hours", [1, -1])
def test_f55_a_clock_that_is_set_expires_nothing_and_is_told_once(
    upkeep: Upkeep, time: Time, caplog: pytest.LogCaptureFixture, hours: int
) -> None:
    waiting = add(upkeep.store, upkeep.clock())
    time.wall.advance(3600 * hours)

    with caplog.at_level(logging.WARNING):
        run(upkeep, time, 60)

    assert get(upkeep.store, waiting).status is Status.QUEUED
    assert upkeep.store.outbox.chats_due(upkeep.clock(), 10) != []
    assert len([r for r in caplog.records if "clock" in r.getMessage()]) == 1
    time.pass_by(15 * 60)
    upkeep.beat()
    upkeep.step()
    assert get(upkeep.store, waiting).status is Status.EXPIRED


class EmptySource:
    """A queue of notifications in which nothing ever is."""

    def __init__(self, error: SendError | None = None) -> None:
        self.error = error

    def receive_notification(self, timeout_seconds: int) -> None:
        if self.error is not None:
            raise self.error

    def delete_notification(self, receipt_id: int) -> bool:
        return True


def test_only_the_leader_searches_and_polls(
    upkeep: Upkeep, green_api: FakeGreenApi, time: Time
) -> None:
    store = upkeep.store
    head = add_sending(store, time.wall())
    store.outbox.lose(head, Reason.NO_ANSWER, time.wall())
    time.pass_by(3)
    searching = Searching(
        store.evidence, store.accounts, green_api, upkeep.clock, upkeep.schedule
    )
    poller = Poller.__new__(Poller)  # never asked here

    lanes = upkeep_lanes(upkeep, searching, poller, lambda: None, 1.0)
    due_for_the_leader = [lane._find_due() for lane in lanes]
    upkeep.has_lead = False
    due_for_others = [lane._find_due() for lane in lanes]

    assert due_for_the_leader == [["beat"], ["upkeep"], ["search"], ["poll"]]
    assert due_for_others == [["beat"], ["upkeep"], [], []]


def test_marks_and_beats_never_stand_still_for_longer_than_a_copy_counts_as_alive(
    upkeep: Upkeep, tmp_path: Path, time: Time
) -> None:
    life = upkeep.schedule.beat_life()
    assert upkeep.schedule.between_beats() * 2 < life
    before = Marker(tmp_path / "used").read()

    run(upkeep, time, int(life / timedelta(seconds=1)))

    assert Marker(tmp_path / "used").read() > before
