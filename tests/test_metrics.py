"""/metrics, as Prometheus reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from bridge.errors import Retryable, SendError, StoreError, Unknown
from bridge.figures import ACCOUNT_STATES, OPEN, Standing
from bridge.metrics import HOLDS, Metrics, add_metrics
from bridge.model import ReceiptStatus, Status
from bridge.reasons import Reason
from bridge.store.database import Database
from bridge.store.figures import Figures
from bridge.whatsapp.transport import Call, Times, Transport
from tests.fakes import FakeClock
from tests.raw_server import Answer, RawServer, reply, resets, says

QUIET = Standing({Status.QUEUED: 0}, None, None, 0, None, 0)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class View:
    """The WhatsApp account, as far as the figures look at it."""

    state: str | None = "authorized"
    hold: str | None = None
    hold_at: datetime | None = None


@pytest.fixture
def metrics(clock: FakeClock) -> Metrics:
    return Metrics(lambda: QUIET, View, clock)


def scrape(metrics: Metrics) -> list[Sample]:
    web = Flask("test")
    add_metrics(web, metrics)
    response = web.test_client().get("/metrics")
    assert response.status_code == 200
    families = text_string_to_metric_families(response.text)
    return [sample for family in families for sample in family.samples]


def value(metrics: Metrics, name: str, **labels: str) -> float:
    found = [s.value for s in scrape(metrics) if (s.name, s.labels) == (name, labels)]
    assert len(found) == 1, name
    return found[0]


def ones(metrics: Metrics, name: str) -> list[str]:
    """Return the words of a gauge whose value is 1."""
    samples = [sample for sample in scrape(metrics) if sample.name == name]
    return [next(iter(s.labels.values())) for s in samples if s.value == 1]


def test_a_scrape_shows_the_outbox_as_it_stands(clock: FakeClock) -> None:
    since = clock()
    standing = Standing({Status.HELD: 2, Status.UNKNOWN: 0}, since, None, 3, since, 4)
    metrics = Metrics(lambda: standing, View, clock)

    clock.advance(90)

    assert value(metrics, "bridge_up_store") == 1
    assert value(metrics, "bridge_deliveries", status="held") == 2
    assert value(metrics, "bridge_deliveries", status="unknown") == 0
    assert value(metrics, "bridge_oldest_waiting_seconds") == 90
    assert value(metrics, "bridge_oldest_untold_seconds") == 90
    assert value(metrics, "bridge_slack_untold") == 3
    assert value(metrics, "bridge_dead_letters") == 4


def test_the_page_and_the_figures_of_a_real_database_fit(
    database_url: str, clock: FakeClock
) -> None:
    database = Database(database_url)
    database.prepare()

    metrics = Metrics(Figures(database).now_standing, View, clock)

    assert value(metrics, "bridge_up_store") == 1
    samples = [s for s in scrape(metrics) if s.name == "bridge_deliveries"]
    assert {s.labels["status"]: s.value for s in samples} == dict.fromkeys(OPEN, 0)
    database.close()


def test_nothing_open_has_no_age(metrics: Metrics) -> None:
    assert value(metrics, "bridge_oldest_waiting_seconds") == 0
    assert value(metrics, "bridge_oldest_unknown_seconds") == 0


def test_the_process_is_shown_beside_the_bridge(metrics: Metrics) -> None:
    names = {sample.name for sample in scrape(metrics)}

    assert "python_info" in names


@pytest.mark.parametrize("error", [StoreError("full"), RuntimeError("a bug")])
def test_trouble_with_the_store_is_a_figure_not_an_error(
    error: Exception, clock: FakeClock
) -> None:
    def broken() -> Standing:
        raise error

    metrics = Metrics(broken, View, clock)
    metrics.acked(0.2)

    assert value(metrics, "bridge_up_store") == 0
    assert value(metrics, "bridge_ack_seconds_count") == 1
    names = {sample.name for sample in scrape(metrics)}
    assert "bridge_deliveries" not in names  # no zero that nobody counted


def test_an_account_that_cannot_be_read_is_trouble_with_the_store_too(
    clock: FakeClock,
) -> None:
    def unreadable() -> View:
        raise StoreError("gone")

    metrics = Metrics(lambda: QUIET, unreadable, clock)

    assert value(metrics, "bridge_up_store") == 0


@pytest.mark.parametrize("state", ACCOUNT_STATES)
def test_f58_one_state_of_the_instance_is_one(state: str, clock: FakeClock) -> None:
    metrics = Metrics(lambda: QUIET, lambda: View(state), clock)

    assert ones(metrics, "bridge_instance_state") == [state]
    assert ones(metrics, "bridge_on_hold") == []


@pytest.mark.parametrize("hold", HOLDS)
def test_f58_a_hold_names_its_reason(hold: Reason, clock: FakeClock) -> None:
    metrics = Metrics(lambda: QUIET, lambda: View("blocked", hold), clock)

    assert ones(metrics, "bridge_on_hold") == [hold]


def test_an_account_nobody_asked_about_has_no_state(clock: FakeClock) -> None:
    metrics = Metrics(lambda: QUIET, lambda: View(state=None), clock)

    assert ones(metrics, "bridge_instance_state") == []


def test_acks_and_deliveries_are_sorted_into_buckets(metrics: Metrics) -> None:
    metrics.acked(0.02)
    metrics.acked(2.4)
    metrics.accepted(0.7)
    metrics.accepted(-5.0)
    metrics.ticked(ReceiptStatus.READ, 40.0)

    assert value(metrics, "bridge_ack_seconds_bucket", le="0.025") == 1
    assert value(metrics, "bridge_ack_seconds_bucket", le="2.2") == 1
    assert value(metrics, "bridge_ack_seconds_bucket", le="2.5") == 2
    assert value(metrics, "bridge_delivery_seconds_bucket", le="1.0") == 2
    assert value(metrics, "bridge_delivery_seconds_sum") == 0.7
    read = {"status": "read"}
    assert value(metrics, "bridge_receipt_seconds_bucket", le="30.0", **read) == 0
    assert value(metrics, "bridge_receipt_seconds_bucket", le="60.0", **read) == 1


def test_f1_silence_is_counted_from_the_first_request_without_an_answer(
    metrics: Metrics, clock: FakeClock
) -> None:
    metrics.answered("sendMessage", "5xx")
    assert metrics.silent_for() is None
    metrics.answered("sendMessage", "no_connection")
    clock.advance(60)
    metrics.answered("getStateInstance", "no_answer")

    assert metrics.silent_for() == timedelta(seconds=60)
    assert value(metrics, "bridge_green_api_silent_seconds") == 60
    metrics.answered("getStateInstance", "2xx")
    assert value(metrics, "bridge_green_api_silent_seconds") == 0


def test_two_bridges_in_one_process_count_apart(clock: FakeClock) -> None:
    first = Metrics(lambda: QUIET, View, clock)
    second = Metrics(lambda: QUIET, View, clock)

    first.acked(1.0)

    assert value(second, "bridge_ack_seconds_count") == 0


def test_a_scraper_may_ask_for_openmetrics(metrics: Metrics) -> None:
    metrics.answered("sendMessage", "accepted")
    web = Flask("test")
    add_metrics(web, metrics)

    response = web.test_client().get("/metrics", headers={"Accept": OPENMETRICS})

    assert response.content_type.startswith("application/openmetrics-text")
    assert "bridge_green_api_answers" in {
        family.name for family in parse_openmetrics(response.text)
    }


words = st.one_of(st.none(), st.text(), st.from_regex(r"\+?[0-9]{7,15}(@c\.us)?"))


@given(state=words, hold=words)
def test_t13_no_label_holds_a_number_whatever_green_api_says(
    state: str | None, hold: str | None
) -> None:
    clock = FakeClock(datetime.fromisoformat("2026-11-23T12:00:00Z"))
    metrics = Metrics(lambda: QUIET, lambda: View(state, hold), clock)
    metrics.answered("sendMessage", "accepted")
    metrics.acked(0.1)
    metrics.accepted(0.1)

    samples = scrape(metrics)

    told = [word for sample in samples for word in sample.labels.values()]
    assert [word for word in told if re.search(r"\d{7}", word)] == []
    known = {*ACCOUNT_STATES, *HOLDS, "other"}
    ours = ("bridge_instance_state", "bridge_on_hold")
    assert {w for s in samples if s.name in ours for w in s.labels.values()} == known


# --- what the transport tells ---------------------------------------------------------

SEND = Call("POST", "sendMessage", b"{}")
STATE = Call("GET", "getStateInstance")
OK = reply(b'{"idMessage":"A"}')


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def exchange(
    url: str, call: Call, observe: object, times: Times | None = None
) -> Exception | None:
    transport = Transport(
        "7103000001",
        "c0ffee" * 8 + "42",
        url,
        times=times or Times(connect=5, read=5, guard=5),
        pool=1,
        observe=observe,  # type: ignore[arg-type]
    )
    try:
        transport.exchange(call)
    except SendError as err:
        return err
    finally:
        transport.close()
    return None


@pytest.mark.parametrize(
    ("call", "answer", "kind"),
    [
        (SEND, OK, "accepted"),
        (SEND, reply(b"<html>"), "2xx"),
        (SEND, reply(b'{"idMessage":""}'), "2xx"),
        (STATE, reply(b'{"stateInstance":"authorized"}'), "2xx"),
        (STATE, OK, "2xx"),
        (SEND, reply(b"{}", status="302 Found"), "3xx"),
        (SEND, reply(b"{}", status="400 Bad Request"), "4xx"),
        (SEND, reply(b"{}", status="429 Too Many Requests"), "429"),
        (SEND, reply(b"{}", status="466 Quota"), "466"),
        (SEND, reply(b"{}", status="502 Bad Gateway"), "5xx"),
    ],
)
def test_each_answer_is_counted_once_by_method_and_kind(
    servers: ExitStack, call: Call, answer: bytes, kind: str
) -> None:
    server = servers.enter_context(RawServer(says(answer)))
    told: list[tuple[str, str]] = []

    exchange(server.url, call, lambda *args: told.append(args))

    assert told == [(call.method, kind)]


@pytest.mark.parametrize("answer", [resets(), says(OK[:-3], close=True)])
def test_f5_a_lost_answer_is_counted_as_none(
    servers: ExitStack, answer: Answer
) -> None:
    server = servers.enter_context(RawServer(answer))
    told: list[tuple[str, str]] = []

    error = exchange(server.url, SEND, lambda *args: told.append(args))

    assert isinstance(error, Unknown)
    assert told == [("sendMessage", "no_answer")]


def test_f1_a_refused_connection_is_counted_as_none(servers: ExitStack) -> None:
    with RawServer(says(OK)) as server:
        url = server.url
    told: list[tuple[str, str]] = []

    error = exchange(url, SEND, lambda *args: told.append(args))

    assert isinstance(error, Retryable)
    assert told == [("sendMessage", "no_connection")]


def test_an_observer_that_fails_changes_nothing(servers: ExitStack) -> None:
    good = servers.enter_context(RawServer(says(OK)))
    bad = servers.enter_context(RawServer(resets()))

    def fails(_method: str, _kind: str) -> None:
        raise RuntimeError("no room for a counter")

    assert exchange(good.url, SEND, fails) is None
    error = exchange(bad.url, SEND, fails)
    assert isinstance(error, Unknown)
    assert error.__context__ is None


def test_the_answers_reach_the_page(servers: ExitStack, metrics: Metrics) -> None:
    server = servers.enter_context(RawServer(says(OK)))

    for _ in range(2):
        exchange(server.url, SEND, metrics.answered)

    labels = {"method": "sendMessage", "class": "accepted"}
    assert value(metrics, "bridge_green_api_answers_total", **labels) == 2
