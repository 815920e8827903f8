"""The figures: right on both databases, and cheap beside a long history."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert

from bridge.figures import OPEN, Flow, Standing
from bridge.model import (
    Place,
    Status,
)
from bridge.readiness import PATIENCE, Facts, reasons, warnings
from bridge.reasons import Reason
from bridge.store.database import Database
from bridge.store.figures import Figures
from bridge.store.tables import attempts, dead_letters, deliveries
from bridge.wording.figures import stats
from tests.fakes import FakeClock

_numbers = itertools.count(1)


@dataclass(frozen=True)
class View:
    """The WhatsApp account, as far as the figures look at it."""

    state: str | None = "authorized"
    hold: str | None = None
    hold_at: datetime | None = None


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database of each kind."""
    opened = Database(database_url)
    opened.prepare()
    yield opened
    opened.close()


def put(database: Database, at: datetime, status: Status, **values: Any) -> str:
    """Store a delivery in any state, as a journey would have left it."""
    delivery_id = f"{next(_numbers):032x}"
    row = {
        "id": delivery_id,
        "source": f"source of {delivery_id}",
        "chat_id": "14155550100@c.us",
        "text": "text",
        "status": status,
        "attempts": 0,
        "created_at": at,
        "updated_at": at,
        "due_at": at,
        "expires_at": at + timedelta(minutes=15),
        "place": Place.CHANNEL,
        "report_failures": 0,
    }
    with database.write() as connection:
        connection.execute(insert(deliveries).values({**row, **values}))
    return delivery_id


def accepted_after(database: Database, at: datetime, seconds: float) -> None:
    delivery_id = put(database, at, Status.ACCEPTED)
    row = {
        "delivery_id": delivery_id,
        "n": 2,
        "started_at": at,
        "ended_at": at + timedelta(seconds=seconds),
        "outcome": "accepted",
    }
    earlier = {**row, "n": 1, "ended_at": at, "outcome": "retryable"}
    with database.write() as connection:
        connection.execute(insert(attempts), [earlier, row])


def test_nothing_stands_open_in_an_empty_outbox(database: Database) -> None:
    standing = Figures(database).now_standing()

    assert standing == Standing(dict.fromkeys(OPEN, 0), None, None, 0, None, 0)


def test_open_work_is_counted_by_state_with_the_age_of_the_oldest(
    database: Database, clock: FakeClock
) -> None:
    start = clock()
    put(database, start + timedelta(seconds=5), Status.QUEUED)
    put(database, start, Status.HELD)
    put(database, start + timedelta(seconds=9), Status.HELD)
    put(database, start, Status.SENDING)
    left = start + timedelta(seconds=20)
    put(database, start, Status.UNKNOWN, left_at=left, look_at=left)
    put(database, start, Status.UNCONFIRMED, look_at=left)
    put(database, start, Status.CLOSED, look_at=left)
    put(database, start, Status.READ)

    standing = Figures(database).now_standing()

    assert standing.open == {
        Status.QUEUED: 1,
        Status.HELD: 2,
        Status.SENDING: 1,
        Status.UNKNOWN: 1,
        Status.UNCONFIRMED: 1,
    }
    assert (standing.waiting, standing.sending) == (3, 1)
    assert (standing.unknown, standing.unconfirmed) == (1, 1)
    assert standing.oldest_waiting_at == start
    assert standing.oldest_unknown_at == left


def test_what_slack_was_not_told_is_as_old_as_the_news_not_as_the_next_try(
    database: Database, clock: FakeClock
) -> None:
    news = clock() + timedelta(minutes=1)
    later = clock() + timedelta(hours=1)
    put(database, clock(), Status.READ, updated_at=news, report_at=later)
    put(database, clock(), Status.READ, updated_at=later, report_at=later)

    standing = Figures(database).now_standing()

    assert (standing.slack_untold, standing.oldest_untold_at) == (2, news)


def test_notifications_that_were_not_understood_are_counted(
    database: Database, clock: FakeClock
) -> None:
    row = {"why": "no type", "body": "{}", "received_at": clock()}
    with database.write() as connection:
        connection.execute(insert(dead_letters), [row, row])

    assert Figures(database).now_standing().dead_letters == 2


def test_the_funnel_counts_those_that_came_so_far_or_farther(
    database: Database, clock: FakeClock
) -> None:
    before = clock() - timedelta(microseconds=1)
    put(database, before, Status.READ)
    for status in Status:
        put(database, clock(), status)
    put(database, clock(), Status.READ)

    flow = Figures(database).since(clock())

    assert flow.stored == len(Status) + 1
    funnel = (flow.accepted, flow.sent, flow.delivered, flow.read)
    assert funnel == (6, 4, 3, 2)
    rest = (flow.undelivered, flow.failed, flow.expired, flow.unconfirmed)
    assert rest == (1, 1, 1, 2)


def test_the_time_to_be_accepted_is_that_of_the_attempt_that_was(
    database: Database, clock: FakeClock
) -> None:
    accepted_after(database, clock() - timedelta(days=2), 1000)
    for seconds in range(1, 21):
        accepted_after(database, clock(), seconds)

    flow = Figures(database).since(clock())

    assert (flow.median_seconds, flow.p95_seconds) == (10.0, 19.0)


def test_f55_a_clock_that_was_set_back_makes_no_negative_time(
    database: Database, clock: FakeClock
) -> None:
    accepted_after(database, clock(), -3600)

    flow = Figures(database).since(clock())

    assert (flow.median_seconds, flow.p95_seconds) == (0.0, 0.0)


def test_nothing_accepted_takes_no_time(database: Database, clock: FakeClock) -> None:
    put(database, clock(), Status.FAILED)

    flow = Figures(database).since(clock())

    assert (flow.median_seconds, flow.p95_seconds) == (None, None)


def test_counting_never_reads_the_whole_history(
    sqlite_url: str, clock: FakeClock
) -> None:
    database = Database(sqlite_url)
    database.prepare()
    # What the product really runs is explained, not a copy of it.
    plans: list[str] = []

    def explain(
        connection: Any, cursor: Any, query: str, values: Any, *_: object
    ) -> None:
        rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {query}", values)
        plans.extend(str(row[-1]) for row in rows)

    event.listen(database._reader, "before_cursor_execute", explain)
    Figures(database).now_standing()
    Figures(database).since(clock())
    database.close()

    whole = [plan for plan in plans if re.fullmatch(r"SCAN \w+", plan)]
    assert [plan for plan in whole if plan.endswith(("deliveries", "attempts"))] == []
    used = " ".join(plans)
    for index in ("sending", "unknown", "unconfirmed", "report", "by_created"):
        assert f"INDEX deliveries_{index}" in used
    assert re.search("INDEX deliveries_(waiting|expiring)", used)


# --- in words ------------------------------------------------------------------------

QUIET = Standing({}, None, None, 0, None, 0)
NONE = Flow({}, None, None)


def test_the_stats_are_one_aligned_fact_a_line(clock: FakeClock) -> None:
    standing = Standing(
        {Status.QUEUED: 2, Status.HELD: 1, Status.SENDING: 1, Status.UNKNOWN: 1},
        clock() - timedelta(minutes=4),
        clock() - timedelta(seconds=40),
        3,
        clock() - timedelta(hours=2),
        5,
    )
    flow = Flow({Status.READ: 2, Status.SENT: 1, Status.EXPIRED: 1}, 0.412, 75.0)
    account = View("notAuthorized", "not_authorized", clock() - timedelta(minutes=5))

    said = stats(standing, flow, account, clock())

    assert said == (
        "Now\n"
        "  Waiting                    3, the oldest for 4 min\n"
        "  Being sent                 1\n"
        "  Checking                   1, the oldest for 40 s\n"
        "  Waiting for a decision     0\n"
        "  Not yet told in Slack      3, the oldest for 2 h\n"
        "  Dead letters               5\n"
        "\n"
        "WhatsApp account\n"
        "  State                      notAuthorized\n"
        "  On hold                    yes for 5 min. The WhatsApp account is logged "
        "out. An admin must link it again in the GREEN-API console.\n"
        "\n"
        "Stored in the last 24 hours\n"
        "  All                        4\n"
        "  Accepted by GREEN-API      3\n"
        "  Sent                       3\n"
        "  Delivered                  2\n"
        "  Read                       2\n"
        "  Will not arrive            0\n"
        "  Failed                     0\n"
        "  Expired                    1\n"
        "  Unconfirmed                0\n"
        "  Time to be accepted        half within 0.41 s, 95 % within 1 min"
    )


@pytest.mark.parametrize(
    ("account", "state"),
    [
        (View(state=None), "not asked yet"),
        (View(), "authorized"),
        (View("\x1b[31m79001234567"), "one that the bridge does not know"),
    ],
)
def test_only_known_words_are_shown_of_the_account(
    account: View, state: str, clock: FakeClock
) -> None:
    said = stats(QUIET, NONE, account, clock())

    assert f"  {'State':<26} {state}\n  {'On hold':<26} no\n" in said
    assert "none was accepted" in said


# --- ready or not --------------------------------------------------------------------


def test_a_bridge_without_slack_or_store_takes_no_commands() -> None:
    facts = Facts(slack_connections=0, store_trouble="The disk is full.")

    assert set(reasons(facts)) == {"slack", "store"}
    assert reasons(facts)["store"] == "The disk is full."


@pytest.mark.parametrize("connections", [None, 1, 2])
def test_one_connection_or_http_is_way_enough(connections: int | None) -> None:
    facts = Facts(slack_connections=connections, store_trouble=None)

    assert reasons(facts) == warnings(facts) == {}


def test_f58_trouble_of_whatsapp_is_a_warning_for_commands_still_wait() -> None:
    long = PATIENCE + timedelta(seconds=1)
    facts = Facts(
        slack_connections=1,
        store_trouble=None,
        hold=Reason.NOT_AUTHORIZED,
        polled_ago=long,
        silent_for=long,
    )

    assert reasons(facts) == {}
    assert set(warnings(facts)) == {"account", "poller", "green_api"}
    assert warnings(facts)["account"].startswith("The WhatsApp account is logged out.")
    assert "2 min" in warnings(facts)["poller"]


def test_a_short_silence_is_no_warning() -> None:
    facts = Facts(
        slack_connections=1,
        store_trouble=None,
        polled_ago=PATIENCE,
        silent_for=PATIENCE,
    )

    assert warnings(facts) == {}


@pytest.mark.parametrize("hold", [*Reason, "a word of tomorrow"])
def test_each_hold_has_a_sentence(hold: str) -> None:
    facts = Facts(slack_connections=1, store_trouble=None, hold=hold)

    said = warnings(facts)["account"]
    assert re.search(r"\.$|: bridge [a-z]+$", said)  # a command has no full stop
