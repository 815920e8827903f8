"""A database that went back in time, or is gone, or has no room left."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.clock import SteadyClock
from bridge.errors import NoRoom, StoreError
from bridge.flows.watch import Watch
from bridge.model import ChatId, MessageId, NewDelivery, Status
from bridge.schedule import Schedule
from bridge.slack.listeners import Desk, answer
from bridge.store import Store, open_store
from bridge.store.database import marker_beside
from bridge.store.marker import Marker
from bridge.store.outbox import Outbox
from bridge.store.room import Room
from bridge.store.spool import Spool
from bridge.upkeep import Upkeep
from bridge.wording import deliveries as wording
from tests.conftest import NOW
from tests.fakes import FakeClock, FakeGreenApi, FakeSlack
from tests.harness import World, at_the_post, open_world
from tests.orphans import orphans

ANN = ChatId("14155550100@c.us")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path / "bridge", notifications=True) as opened:
        yield opened


def database_of(world: World) -> Path:
    return world.bridge.folder / "data" / "bridge.db"


def back_up(world: World, target: Path) -> None:
    """Copy the database as ``sqlite3 … .backup`` does, while the bridge runs."""
    with (
        closing(sqlite3.connect(database_of(world))) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy)


def put_back(world: World, backup: Path) -> None:
    for leftover in database_of(world).parent.glob("bridge.db-*"):
        leftover.unlink()
    database_of(world).write_bytes(backup.read_bytes())


def test_f40_what_waits_in_a_backup_and_left_since_is_found_and_never_sent_again(
    world: World, tmp_path: Path
) -> None:
    backup, room = tmp_path / "backup.db", world.room()
    chats = [world.number() for _ in range(3)]
    world.slack.fault("users.info", delay=1, times=1)  # so that something waits
    for number in chats:
        world.type(room, f"{number} before the backup, to {number[-2:]}")
    back_up(world, backup)
    with closing(sqlite3.connect(backup)) as copy:
        waiting = copy.execute("SELECT status FROM deliveries").fetchall()
    assert ("queued",) in waiting
    world.settle(room)
    world.type(room, f"{chats[0]} after the backup")
    world.settle(room)
    assert world.bridge.terminate() == 0

    put_back(world, backup)
    world.bridge.start()
    world.settle(room)

    assert "was restored from a backup" in world.bridge.output
    assert len(world.ledger("before the backup")) == 3
    assert len(world.posts("before the backup")) == 3
    assert len(world.posts("after the backup")) == 1
    found = world.rows("SELECT status FROM deliveries")
    assert {row.status for row in found} <= {"accepted", "sent", "delivered", "read"}
    assert len(found) == 3
    world.type(room, f"{chats[0]} after the restore")
    world.settle(room)
    assert len(world.ledger("after the restore")) == 1
    world.wait_for_rest()


def test_f40_a_backup_made_after_a_kill_and_put_back_forgets_nothing(
    world: World, tmp_path: Path
) -> None:
    backup, room = tmp_path / "backup.db", world.room()
    world.green.on_executed = at_the_post(world.bridge.kill)
    world.type(room, f"{world.number()} killed")
    world.wait_for(lambda: not world.bridge.is_running)
    back_up(world, backup)
    put_back(world, backup)

    world.heal()
    world.bridge.start()
    world.settle(room)

    assert len(world.posts("killed")) == 1


# --- the marker -----------------------------------------------------------------------


def make_upkeep(store: Store, marker: Path, clock: FakeClock) -> Upkeep:
    schedule = Schedule()
    watching = Watch(store.accounts, FakeGreenApi(), FakeSlack(), clock, schedule, None)
    return Upkeep(
        store=store,
        marker=Marker(marker),
        clock=SteadyClock(time_of_day=clock, seconds=lambda: 0.0),
        schedule=schedule,
        watching=watching,
        id_instance="1101000001",
    )


def test_f40_a_stop_is_later_than_any_backup_made_before_it(
    any_store: Store, tmp_path: Path, clock: FakeClock
) -> None:
    upkeep = make_upkeep(any_store, tmp_path / "marker", clock)
    upkeep.begin()
    in_the_backup = any_store.replicas.beats()

    upkeep.end()

    assert upkeep.marker.read() > in_the_backup


def test_f40_the_same_restore_is_noticed_once_by_all_copies(
    any_store: Store, tmp_path: Path, clock: FakeClock
) -> None:
    markers = [tmp_path / "one", tmp_path / "two"]
    markers[0].write_text("1000")
    markers[1].write_text("70000")  # this copy went on alone for a while
    any_store.outbox.add(NewDelivery("s1", ANN, "old"), NOW, timedelta(1))
    make_upkeep(any_store, markers[0], clock).begin()
    assert any_store.outbox.latest(1)[0].status is Status.UNKNOWN
    other = ChatId("14155550101@c.us")
    any_store.outbox.add(NewDelivery("s2", other, "new"), NOW, timedelta(1))

    make_upkeep(any_store, markers[1], clock).begin()

    assert any_store.outbox.latest(1)[0].status is Status.QUEUED
    with any_store.database.read() as connection:
        assert orphans(connection) == []


def test_an_old_marker_beside_a_new_empty_database_is_no_dead_end(
    any_store: Store, tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "marker").write_text("123456")

    make_upkeep(any_store, tmp_path / "marker", clock).begin()

    any_store.outbox.add(NewDelivery("s1", ANN, "hi"), NOW, timedelta(1))
    assert any_store.outbox.chats_due(NOW, 10) == [ANN]


def test_f39_a_missing_file_says_what_to_do(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    store.database.close()
    path = store.database.path
    assert path is not None
    for file in path.parent.glob(f"{path.name}*"):
        if file != marker_beside(path):
            file.unlink()

    with pytest.raises(StoreError, match="Put the file back from a backup") as caught:
        open_store(sqlite_url)

    assert f"remove {marker_beside(path).name}" in str(caught.value)
    marker_beside(path).unlink()
    open_store(sqlite_url).database.close()


# --- room -----------------------------------------------------------------------------

MB = 1024 * 1024


def disk(total: int, free: int) -> Callable[[Path], tuple[int, int, int]]:
    return lambda _path: (total, total - free, free)


@pytest.mark.parametrize(
    ("total", "free"), [(100_000 * MB, 199 * MB), (1000 * MB, 49 * MB)]
)
def test_f38_a_command_is_refused_before_the_disk_is_full(
    store: Store, tmp_path: Path, total: int, free: int
) -> None:
    room = Room(tmp_path, disk(total, free))
    outbox = Outbox(store.database, Schedule(), Spool(None), room)
    desk = Desk(
        outbox=outbox,
        clock=lambda: NOW,
        schedule=Schedule(),
        max_text=4096,
        known_member=lambda _user: None,
        decisions=None,  # type: ignore[arg-type]  # nobody presses anything
        whisper=lambda _url, _text: None,
        account=store.accounts.get,
    )
    command = {"user_id": "U1", "team_id": "T1", "channel_id": "C1"}

    said = answer(desk, {**command, "text": "+14155550100 hi"}, 1e12)

    assert said == wording.NO_ROOM
    assert outbox.latest(1) == []


@pytest.mark.parametrize(
    ("total", "free"), [(100_000 * MB, 201 * MB), (1000 * MB, 51 * MB)]
)
def test_a_command_is_stored_while_there_is_room(
    store: Store, tmp_path: Path, total: int, free: int
) -> None:
    room = Room(tmp_path, disk(total, free))
    outbox = Outbox(store.database, Schedule(), Spool(None), room)

    assert outbox.add(NewDelivery("s", ANN, "hi"), NOW, timedelta(1)).is_new


def test_f38_what_is_under_way_is_stored_though_the_disk_is_nearly_full(
    store: Store, tmp_path: Path
) -> None:
    store.outbox.add(NewDelivery("s", ANN, "hi"), NOW, timedelta(1))
    outbox = Outbox(
        store.database, Schedule(), Spool(None), Room(tmp_path, disk(1000 * MB, 0))
    )
    head = outbox.head(ANN)
    assert head is not None
    assert outbox.begin_attempt(head, head.text, NOW)

    assert outbox.accept(head, MessageId("M"), NOW)

    with pytest.raises(NoRoom):
        outbox.add(NewDelivery("s2", ANN, "hi"), NOW, timedelta(1))


def test_the_disk_is_not_asked_at_every_command(tmp_path: Path) -> None:
    asked = []

    def usage(path: Path) -> tuple[int, int, int]:
        asked.append(path)
        return (1000 * MB, 0, 1000 * MB)

    room = Room(tmp_path, usage)
    for _ in range(100):
        room.check()

    assert asked == [tmp_path]
