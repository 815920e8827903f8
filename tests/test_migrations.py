"""From the first version's tables to today's, with work in them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import column, event, inspect, select, text
from sqlalchemy import table as sql_table

import bridge.store.migrations as migrations
from bridge.model import Choice, Status, Step
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.store import Store, open_store
from bridge.store.database import Database
from bridge.store.tables import EPOCH, metadata
from bridge.wording.deliveries import reply
from tests.steps import echo

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SHOWN = {  # what Slack showed of each status of the first version
    "queued": None,
    "held": None,
    "sending": None,
    "accepted": "accepted:",
    "failed": "failed:quota",
    "expired": "expired:",
    "unknown": "unknown:no_answer",
}


class Killed(BaseException):
    """The process ends here."""


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@pytest.fixture
def old(database_url: str) -> Iterator[Database]:
    """A database of the first version, with a row of every status."""
    database = Database(database_url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for number, status in enumerate(SHOWN, start=1):
            add_old(connection, number, status)
        add_old(connection, 8, "unknown", place="nowhere")
    yield database
    database.close()


def add_old(connection: Any, number: int, status: str, place: str = "channel") -> None:
    chat_id = f"1415555010{number}@c.us"
    asked = place == "channel"
    shown = SHOWN[status] if asked else None
    row = {
        "id": f"{number}" * 32,
        "source": f"s{number}",
        "chat_id": chat_id,
        "text": f"text {number}",
        "user_id": "U0DANA" if asked else None,
        "team_id": "T1" if asked else None,
        "channel_id": "C1" if asked else None,
        "status": status,
        "reason": shown.partition(":")[2] or None if shown else None,
        "attempts": 0 if status in ("queued", "expired") else 1,
        "id_message": "M4" if status == "accepted" else None,
        "created_at": micros(NOW),
        "updated_at": micros(NOW + timedelta(seconds=9)),
        "due_at": micros(NOW),
        "expires_at": micros(NOW + timedelta(minutes=15)),
        "place": place,
        "told_in": "C1" if asked else None,
        "thread_channel": "C1" if asked else None,
        "thread_ts": f"1.{number}" if asked else None,
        "reply_ts": f"2.{number}" if shown else None,
        "shown": shown or ("queued:" if asked else None),
        "replied": shown,
        "report_failures": 0,
    }
    insert(connection, "deliveries", row)
    if row["attempts"]:
        end = None if status == "sending" else micros(NOW + timedelta(seconds=9))
        attempt = {
            "delivery_id": row["id"],
            "n": 1,
            "started_at": micros(NOW + timedelta(seconds=5)),
            "ended_at": end,
        }
        insert(connection, "attempts", attempt)
    if status in ("queued", "held", "sending"):
        due_at = None if status == "sending" else micros(NOW)
        insert(connection, "lanes", {"chat_id": chat_id, "due_at": due_at})


def insert(connection: Any, table: str, row: dict[str, Any]) -> None:
    columns = [column(name) for name in row]
    connection.execute(sql_table(table, *columns).insert(), row)


@pytest.fixture
def store(old: Database, database_url: str) -> Iterator[Store]:
    """The same database as this version finds it."""
    opened = open_store(database_url)
    opened.replicas.join(NOW)
    yield opened
    opened.database.close()


def contents(database: Database) -> list[Any]:
    """Return every row of every table there is, and the version at last."""
    with database.read() as connection:
        names = sorted(inspect(connection).get_table_names())
        names.remove("alembic_version")
        rows = [
            sorted(
                connection.execute(
                    select(text("*")).select_from(sql_table(name))
                ).all(),
                key=str,
            )
            for name in names
        ]
        version = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return [names, rows, version]


def test_every_row_of_the_first_version_is_kept_with_its_meaning(
    store: Store,
) -> None:
    found = {d.source: d for d in store.outbox.latest(100)}

    assert [found[f"s{n}"].status for n in range(1, 9)] == [
        Status.QUEUED,
        Status.HELD,
        Status.SENDING,
        Status.ACCEPTED,
        Status.FAILED,
        Status.EXPIRED,
        Status.UNCONFIRMED,
        Status.UNCONFIRMED,
    ]
    assert found["s4"].id_message == "M4"
    assert found["s1"].created_at == NOW
    assert found["s1"].text == "text 1"


def test_f22_what_the_first_version_was_sending_is_judged(store: Store) -> None:
    assert store.replicas.judge(NOW) == 1

    (lost,) = store.outbox.find("3" * 32)
    assert (lost.status, lost.reason) == (Status.UNKNOWN, Reason.CRASHED)
    sent_at = NOW + timedelta(seconds=6)
    store.evidence.add_sighting(echo(sent_at, "M3", "text 3", lost.chat_id), NOW)
    assert store.outbox.find("M3")[0].id == lost.id


def test_what_waited_in_the_first_version_leaves(store: Store) -> None:
    due = store.outbox.chats_due(NOW, 10)

    assert len(due) == 2
    for chat_id in due:
        head = store.outbox.head(chat_id)
        assert head is not None
        assert store.outbox.begin_attempt(head, head.text, NOW)


def test_an_unknown_outcome_of_the_first_version_gets_its_buttons(
    store: Store,
) -> None:
    # What nobody in Slack asked for is nobody's to be told.
    assert store.reports.channels_due(NOW + timedelta(days=1)) == ["C1"]

    report = store.reports.oldest("C1", NOW + timedelta(days=1))

    assert report is not None
    assert report.delivery.source == "s7"
    assert report.step is Step.REDRAW
    assert reply(report.delivery).choices == tuple(Choice)


def test_check_again_works_for_what_the_first_version_left(store: Store) -> None:
    (old,) = store.outbox.find("7" * 32)
    store.outbox.look_again(old, NOW)
    sent_at = NOW + timedelta(seconds=6)

    (search,) = store.evidence.due(NOW, 10)
    seen = [echo(sent_at, "M7", "text 7", old.chat_id)]

    assert search.since == NOW + timedelta(seconds=5)
    assert store.evidence.bind_seen([old.chat_id], seen, NOW) == [old.id]


def test_f27_a_step_that_dies_anywhere_leaves_the_old_tables_and_is_done_again(
    old: Database,
) -> None:
    before = contents(old)
    engine = old._writer
    steps = 0
    die_at = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == die_at:
            raise Killed

    event.listen(engine, "before_cursor_execute", count)
    deaths = 0
    for die_at in (2, 5, 9, 14, 20, 27, 35, 44):  # noqa: B007 - count looks at it
        steps = 0
        with pytest.raises(Killed):
            old._migrate()
        deaths += 1
        assert contents(old) == before
    event.remove(engine, "before_cursor_execute", count)

    old.prepare()

    assert deaths == 8
    assert contents(old)[-1] == migrations.HEAD
    old.prepare()


def test_the_migrations_end_where_the_code_begins(any_store: Store) -> None:
    with any_store.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)

    # Comments are for those who read the code; the database has none.
    assert [each for each in found if "comment" not in str(each)[:40]] == []


def test_an_upgraded_database_ends_there_as_well(store: Store) -> None:
    with store.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)

    assert [each for each in found if "comment" not in str(each)[:40]] == []


def test_partial_indexes_are_those_of_the_code(sqlite_url: str) -> None:
    # Alembic's comparison leaves their conditions out.
    opened = open_store(sqlite_url, Schedule())
    with opened.database.read() as connection:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'index'"
        made = {row.name: row.sql or "" for row in connection.execute(text(query))}
    opened.database.close()

    for table in metadata.tables.values():
        for index in table.indexes:
            condition = index.dialect_options["sqlite"]["where"]
            sql = made[str(index.name)]
            found = sql.partition(" WHERE ")[2]
            assert found == ("" if condition is None else str(condition)), index.name
            assert ("UNIQUE" in sql) == bool(index.unique)
