"""Opening the database: never an empty one where an outbox was."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from bridge.errors import NotStored, StoreError
from bridge.store import open_store
from bridge.store.database import Database
from bridge.store.migrations import HEAD


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bridge.db"


def make(path: Path) -> None:
    open_store(f"sqlite:///{path}").database.close()


def refusal(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        open_store(f"sqlite:///{path}")
    return str(caught.value)


def test_the_first_start_makes_the_file_for_its_owner_only(path: Path) -> None:
    make(path)

    assert path.stat().st_mode & 0o077 == 0


def test_a_folder_that_can_not_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "BRIDGE_DATA_DIR" in refusal(tmp_path / "file" / "bridge.db")


def test_a_start_on_an_existing_file_keeps_it(path: Path) -> None:
    make(path)
    make(path)

    assert path.stat().st_size > 0


def test_a_missing_file_is_not_replaced_by_an_empty_one(path: Path) -> None:
    make(path)
    path.unlink()

    said = refusal(path)

    assert "used before" in said
    assert "backup" in said
    assert not path.exists()


def test_an_emptied_file_is_not_filled_anew(path: Path) -> None:
    make(path)
    path.write_bytes(b"")

    assert "used before" in refusal(path)
    assert path.read_bytes() == b""


def test_a_leftover_journal_shows_that_a_file_is_missing(path: Path) -> None:
    Path(f"{path}-wal").write_bytes(b"x" * 4096)

    assert "bridge.db-wal" in refusal(path)


def test_a_start_anew_on_purpose_is_possible(path: Path) -> None:
    make(path)
    path.unlink()
    Path(f"{path}.used").unlink()

    make(path)


def test_a_damaged_page_stops_the_start_and_the_file_is_kept(path: Path) -> None:
    make(path)
    content = bytearray(path.read_bytes())
    content[4096:8192] = os.urandom(4096)
    path.write_bytes(content)

    assert "damaged" in refusal(path)
    assert path.read_bytes() == bytes(content)


def test_a_file_that_is_no_database_is_kept(path: Path) -> None:
    path.write_bytes(b"my holiday pictures" * 1000)

    assert "damaged" in refusal(path)
    assert path.read_bytes().startswith(b"my holiday")


def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    make(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    assert "newer version" in refusal(path)


def test_the_code_knows_its_newest_migration() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    import bridge.store.migrations as migrations

    config = Config()
    folder = Path(migrations.__file__).parent
    config.set_main_option("script_location", str(folder))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_migration_killed_half_way_leaves_nothing(database_url: str) -> None:
    database = Database(database_url)

    class Killed(BaseException):
        pass

    from bridge.store.migrations import upgrade

    def die_at_the_end() -> None:
        with database.write() as connection:
            upgrade(connection, None)
            raise Killed

    with pytest.raises(Killed):
        die_at_the_end()

    database.prepare()
    with database.read() as connection:
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    database.close()
    assert found == HEAD


def test_two_starts_at_once_migrate_once(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(2)]
    errors: list[BaseException] = []

    def prepare(database: Database) -> None:
        try:
            database.prepare()
        except BaseException as err:  # noqa: BLE001 - shown by the assertion
            errors.append(err)

    threads = [threading.Thread(target=prepare, args=[d]) for d in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in databases:
        database.close()

    assert errors == []


def test_only_one_copy_has_a_sqlite_file(sqlite_url: str) -> None:
    first, second = Database(sqlite_url), Database(sqlite_url)

    assert first.claim_sole_use()
    assert not second.claim_sole_use()
    first.close()
    assert second.claim_sole_use()
    second.close()


def test_on_a_server_copies_are_equals(postgres_url: str) -> None:
    first, second = Database(postgres_url), Database(postgres_url)

    assert first.claim_sole_use()
    assert second.claim_sole_use()
    first.close()
    second.close()


def test_the_second_copy_learns_who_the_first_one_is(path: Path) -> None:
    first, second = (Database(f"sqlite:///{path}") for _ in range(2))
    first.claim_sole_use()
    second.claim_sole_use()

    assert second.sole_user() == f"process {os.getpid()}"
    first.close()
    second.close()


def test_a_killed_copy_leaves_no_claim(path: Path) -> None:
    make(path)
    script = (
        "import sys, time\n"
        "from bridge.store.database import Database\n"
        f"database = Database('sqlite:///{path}')\n"
        "print(database.claim_sole_use(), flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "True\n"
        child.kill()

    database = Database(f"sqlite:///{path}")
    assert database.claim_sole_use()
    database.close()


def test_a_write_is_on_the_disk_when_it_returns(path: Path) -> None:
    make(path)
    database = Database(f"sqlite:///{path}")

    with database.read() as connection:
        journal = connection.scalar(text("PRAGMA journal_mode"))
        synchronous = connection.scalar(text("PRAGMA synchronous"))
    database.close()

    assert (journal, synchronous) == ("wal", 2)


def test_who_waits_for_an_ack_writes_before_those_who_do_not(path: Path) -> None:
    make(path)
    database = Database(f"sqlite:///{path}")
    order: list[str] = []
    started = threading.Barrier(3)

    def write(name: str, deadline: float | None) -> None:
        started.wait()
        with database.write(deadline):
            order.append(name)

    with database.write():
        patient = threading.Thread(target=write, args=["lane", None])
        hurried = threading.Thread(target=write, args=["ack", time.monotonic() + 10])
        patient.start()
        hurried.start()
        started.wait()
        turn = database._turn
        while not (turn._hurried_count and turn._patient._waiters):  # type: ignore[attr-defined]
            pass
    patient.join()
    hurried.join()
    database.close()

    assert order == ["ack", "lane"]


def test_a_turn_that_comes_too_late_is_given_up(path: Path) -> None:
    make(path)
    database = Database(f"sqlite:///{path}")
    said: list[str] = []

    def write_in_time() -> None:
        try:
            with database.write(time.monotonic() + 0.01):
                said.append("stored")
        except NotStored:
            said.append("not stored")

    with database.write():
        late = threading.Thread(target=write_in_time)
        late.start()
        late.join()
    with database.write():
        said.append("goes on")
    database.close()

    assert said == ["not stored", "goes on"]


def test_a_database_locked_by_another_program_says_so(path: Path) -> None:
    make(path)
    database = Database(f"sqlite:///{path}")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StoreError, match="locked"), database.write():
        pass

    other.execute("ROLLBACK")
    other.close()
    database.close()


def test_a_full_disk_says_so(path: Path) -> None:
    make(path)
    database = Database(f"sqlite:///{path}")

    def fill() -> None:
        with database.write() as connection:
            pages = connection.scalar(text("PRAGMA page_count"))
            connection.execute(text(f"PRAGMA max_page_count = {pages}"))
            big = text("INSERT INTO lanes (chat_id) VALUES (:filler)")
            connection.execute(big, {"filler": "x" * 1_000_000})

    with pytest.raises(StoreError, match="full"):
        fill()

    database.close()


def test_a_server_that_is_not_there_says_so() -> None:
    with pytest.raises(StoreError, match="reached"):
        open_store("postgresql://nobody@127.0.0.1:9/nothing")
