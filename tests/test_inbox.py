"""The inbox on each database: what customers did is kept once, what is odd is kept."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from bridge.store import Store
from bridge.store.database import Database
from bridge.store.inbox import MAX_BURIED, Inbox, fit
from bridge.store.tables import dead_letters
from bridge.store.tables import inbox as kept
from tests.payloads import NOW


@pytest.fixture
def database(any_store: Store) -> Database:
    return any_store.database


@pytest.fixture
def inbox(any_store: Store) -> Inbox:
    return any_store.inbox


def bodies(database: Database) -> list[tuple[str, str]]:
    with database.read() as connection:
        rows = connection.execute(select(kept.c.key, kept.c.body).order_by(kept.c.key))
        return [(row.key, row.body) for row in rows]


def buried(database: Database) -> list[tuple[str, str]]:
    query = select(dead_letters.c.why, dead_letters.c.body).order_by(dead_letters.c.seq)
    with database.read() as connection:
        return [(row.why, row.body) for row in connection.execute(query)]


def test_a_notification_is_kept_once(inbox: Inbox, database: Database) -> None:
    assert inbox.keep("a", "first", NOW) is True
    assert inbox.keep("a", "second", NOW) is False
    assert inbox.keep("b", "third", NOW) is True

    assert bodies(database) == [("a", "first"), ("b", "third")]


def test_f41_from_many_threads_at_once_it_is_kept_once(
    inbox: Inbox, database: Database
) -> None:
    answers: list[bool] = []
    start = threading.Barrier(8)

    def keep() -> None:
        start.wait()
        answers.append(inbox.keep("a", "x", NOW))

    threads = [threading.Thread(target=keep) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [False] * 7 + [True]
    assert len(bodies(database)) == 1


def test_what_is_buried_is_counted_and_kept(inbox: Inbox, database: Database) -> None:
    inbox.bury("[]", "not an object", NOW)
    inbox.bury("[]", "not an object", NOW)

    assert inbox.count_buried() == 2
    assert buried(database) == [("not an object", "[]")] * 2


@pytest.mark.parametrize("text", ["x", "é", "👋"])
def test_t27_a_dead_letter_has_its_limits(
    inbox: Inbox, database: Database, text: str
) -> None:
    inbox.bury(text * 100_000, "why " * 100, NOW)

    ((why, body),) = buried(database)
    assert len(why) == 100
    assert MAX_BURIED - 4 < len(body.encode()) <= MAX_BURIED
    assert set(body) == {text}


def test_t32_nul_and_half_an_emoji_are_left_out(
    inbox: Inbox, database: Database
) -> None:
    hostile = '{"a": "x\0\\u0000\ud800y", "b": "\\\\u0000"}'

    inbox.keep("a", hostile, NOW)
    inbox.bury(hostile, "odd", NOW)

    assert bodies(database) == [("a", '{"a": "xy", "b": "\\\\u0000"}')]
    assert buried(database) == [("odd", '{"a": "xy", "b": "\\\\u0000"}')]


def test_t32_sql_in_a_notification_is_only_text(
    inbox: Inbox, database: Database
) -> None:
    text = "'); DROP TABLE inbox; --"

    inbox.keep(text, text, NOW)

    assert bodies(database) == [(text, text)]


@pytest.mark.parametrize("text", ["\\" * 200_000, "\\u0000" * 50_000, "\\\\u0000"])
def test_t27_no_text_takes_long_to_be_made_fit(text: str) -> None:
    assert "\0" not in fit(text)


def test_what_is_old_is_forgotten(inbox: Inbox, database: Database) -> None:
    inbox.keep("old", "1", NOW - timedelta(days=31))
    inbox.keep("new", "2", NOW)
    inbox.bury("3", "odd", NOW - timedelta(days=31))
    inbox.bury("4", "odd", NOW)

    assert inbox.prune(NOW - timedelta(days=30)) == 2

    assert bodies(database) == [("new", "2")]
    assert buried(database) == [("odd", "4")]
