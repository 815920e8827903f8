"""The way out to WhatsApp, on a real store with fake networks."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import (
    Permanent,
    Retryable,
    SendError,
    SlackRefused,
    SlackUnavailable,
    Unknown,
)
from bridge.flows.outbound import (
    Outbound,
    deliver_next,
    give_up_after_bugs,
    request_delivery,
)
from bridge.flows.search import Searching, search
from bridge.model import (
    Caller,
    ChatId,
    Delivery,
    DeliveryId,
    Member,
    MessageId,
    NewDelivery,
    Sighting,
    Status,
)
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.store import Store, open_store
from tests.fakes import FakeClock, FakeGreenApi, FakeSlack, FakeWhatsApp

ANN = ChatId("14155550100@c.us")
BOB = ChatId("14155550101@c.us")
CYD = ChatId("14155550102@c.us")
DANA = Caller("U0DANA", "T1", "C1", None)


@pytest.fixture
def way(
    store: Store,
    whatsapp: FakeWhatsApp,
    slack: FakeSlack,
    clock: FakeClock,
    schedule: Schedule,
) -> Outbound:
    return Outbound(store.outbox, whatsapp, slack, clock, schedule, max_text=4096)


def ask(
    way: Outbound,
    text: str = "hello",
    chat_id: ChatId = ANN,
    caller: Caller | None = DANA,
    markup: str | None = None,
) -> str:
    source = f"test:{len(way.outbox.latest(1000))}"
    new = NewDelivery(source, chat_id, text, caller, markup)
    return request_delivery(way.outbox, new, way.clock, way.schedule).id


def now(way: Outbound, delivery_id: str) -> Delivery:
    delivery = way.outbox.get(delivery_id)
    assert delivery is not None
    return delivery


def test_a_text_is_handed_over_and_its_id_kept(
    way: Outbound, whatsapp: FakeWhatsApp
) -> None:
    delivery_id = ask(way)

    deliver_next(way, ANN)

    assert whatsapp.sent == [(ANN, "hello")]
    assert now(way, delivery_id).status is Status.ACCEPTED
    assert now(way, delivery_id).id_message == f"3EB0{1:016X}"


def test_texts_of_one_chat_leave_in_the_order_they_came(
    way: Outbound, whatsapp: FakeWhatsApp
) -> None:
    for text in "abc":
        ask(way, text)

    for _ in range(3):
        deliver_next(way, ANN)

    assert [text for _, text in whatsapp.sent] == ["a", "b", "c"]


def test_a_text_that_was_surely_not_accepted_is_tried_again_later(
    way: Outbound, whatsapp: FakeWhatsApp, clock: FakeClock
) -> None:
    delivery_id = ask(way)
    whatsapp.errors = [Retryable(Reason.UNREACHABLE)]

    deliver_next(way, ANN)

    assert now(way, delivery_id).status is Status.QUEUED
    assert way.outbox.chats_due(clock(), 10) == []
    clock.advance(2)
    deliver_next(way, way.outbox.chats_due(clock(), 10)[0])
    assert now(way, delivery_id).status is Status.ACCEPTED
    assert now(way, delivery_id).attempts == 2


def test_a_waiting_head_keeps_its_chat_in_order(
    way: Outbound, whatsapp: FakeWhatsApp, clock: FakeClock
) -> None:
    ask(way, "first")
    ask(way, "second")
    whatsapp.errors = [Retryable(Reason.UNREACHABLE)]
    deliver_next(way, ANN)

    clock.advance(2)
    deliver_next(way, ANN)
    deliver_next(way, ANN)

    assert [text for _, text in whatsapp.sent] == ["first", "second"]


def test_the_pause_that_the_other_side_asks_for_is_kept(
    way: Outbound, whatsapp: FakeWhatsApp, clock: FakeClock
) -> None:
    ask(way)
    whatsapp.errors = [Retryable(Reason.RATE_LIMITED, retry_after=100.0)]

    deliver_next(way, ANN)

    clock.advance(99)
    assert way.outbox.chats_due(clock(), 10) == []
    clock.advance(2)
    assert way.outbox.chats_due(clock(), 10) == [ANN]


def test_a_text_is_held_while_the_account_can_not_send(
    way: Outbound, whatsapp: FakeWhatsApp, clock: FakeClock
) -> None:
    delivery_id = ask(way)
    whatsapp.errors = [Retryable(Reason.NOT_AUTHORIZED, account=True)]

    deliver_next(way, ANN)

    held = now(way, delivery_id)
    assert (held.status, held.reason) == (Status.HELD, Reason.NOT_AUTHORIZED)
    clock.advance(30)
    deliver_next(way, ANN)
    assert now(way, delivery_id).status is Status.ACCEPTED
    assert now(way, delivery_id).reason is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Permanent(Reason.QUOTA), Status.FAILED),
        (Unknown(Reason.NO_ANSWER), Status.UNKNOWN),
    ],
)
def test_an_end_is_an_end(
    way: Outbound,
    whatsapp: FakeWhatsApp,
    clock: FakeClock,
    error: SendError,
    status: Status,
) -> None:
    delivery_id = ask(way)
    whatsapp.errors = [error]

    deliver_next(way, ANN)
    clock.advance(86_400)

    assert now(way, delivery_id).status is status
    assert now(way, delivery_id).reason == error.reason
    assert way.outbox.chats_due(clock(), 10) == []
    assert whatsapp.sent == []


def test_what_waited_too_long_is_dropped_unsent(
    way: Outbound, whatsapp: FakeWhatsApp, clock: FakeClock
) -> None:
    delivery_id = ask(way)
    whatsapp.errors = [Retryable(Reason.NOT_AUTHORIZED, account=True)]
    deliver_next(way, ANN)

    clock.advance(15 * 60)
    deliver_next(way, ANN)

    dropped = now(way, delivery_id)
    assert (dropped.status, dropped.reason) == (Status.EXPIRED, Reason.NOT_AUTHORIZED)
    assert whatsapp.sent == []


def test_a_retry_is_never_due_after_the_expiry(
    way: Outbound, whatsapp: FakeWhatsApp, clock: FakeClock
) -> None:
    delivery_id = ask(way)
    whatsapp.errors = [Retryable(Reason.RATE_LIMITED, retry_after=100_000.0)]

    deliver_next(way, ANN)

    assert now(way, delivery_id).due_at == now(way, delivery_id).expires_at


def test_a_guest_may_not_send(
    way: Outbound, whatsapp: FakeWhatsApp, slack: FakeSlack
) -> None:
    slack.members["U0DANA"] = Member("Dana", may_send=False)
    delivery_id = ask(way)

    deliver_next(way, ANN)

    refused = now(way, delivery_id)
    assert (refused.status, refused.reason) == (Status.FAILED, Reason.NOT_A_MEMBER)
    assert refused.attempts == 0
    assert whatsapp.sent == []


def test_nothing_leaves_while_slack_can_not_say_who_asked(
    way: Outbound, whatsapp: FakeWhatsApp, slack: FakeSlack, clock: FakeClock
) -> None:
    delivery_id = ask(way)
    slack.errors = [SlackUnavailable("no JSON")]

    deliver_next(way, ANN)

    assert whatsapp.sent == []
    assert now(way, delivery_id).reason == Reason.SLACK_UNREACHABLE
    clock.advance(60)
    deliver_next(way, ANN)
    assert now(way, delivery_id).status is Status.ACCEPTED


def test_nothing_leaves_when_slack_refuses_to_say_who_asked(
    way: Outbound, whatsapp: FakeWhatsApp, slack: FakeSlack
) -> None:
    delivery_id = ask(way)
    slack.errors = [SlackRefused("missing_scope")]

    deliver_next(way, ANN)

    assert now(way, delivery_id).status is Status.FAILED
    assert now(way, delivery_id).reason == Reason.MEMBER_UNKNOWN
    assert whatsapp.sent == []


def test_the_command_line_asks_slack_nothing(way: Outbound, slack: FakeSlack) -> None:
    ask(way, caller=None)

    deliver_next(way, ANN)

    assert slack.calls == []


def test_people_mentioned_go_out_by_name(
    way: Outbound, whatsapp: FakeWhatsApp, slack: FakeSlack
) -> None:
    slack.members["U0SAM"] = Member("Sam", may_send=True)
    delivery_id = ask(way, "ask @someone", markup="ask <@U0SAM>")

    deliver_next(way, ANN)

    assert whatsapp.sent == [(ANN, "ask @Sam")]
    assert now(way, delivery_id).text == "ask @Sam"


def test_a_text_that_names_make_too_long_is_refused_not_cut(
    way: Outbound, whatsapp: FakeWhatsApp, slack: FakeSlack
) -> None:
    slack.members["U0SAM"] = Member("S" * 5000, may_send=True)
    delivery_id = ask(way, "ask @someone", markup="ask <@U0SAM>")

    deliver_next(way, ANN)

    assert now(way, delivery_id).reason == Reason.TOO_LONG
    assert whatsapp.sent == []


def test_what_follows_an_unknown_one_waits_for_the_truth_about_it(
    way: Outbound, whatsapp: FakeWhatsApp, store: Store, clock: FakeClock
) -> None:
    whatsapp.errors = [Unknown(Reason.SERVER_ERROR)]
    ask(way, "first")
    ask(way, "second")
    ask(way, "elsewhere", BOB)
    deliver_next(way, ANN)

    assert way.outbox.chats_due(clock(), 10) == [BOB]
    assert deliver_next(way, ANN) > 0
    assert whatsapp.sent == []
    echo = Sighting(MessageId("M1"), ANN, "first", clock())
    store.evidence.add_sighting(echo, clock())

    deliver_next(way, ANN)
    assert whatsapp.sent == [(ANN, "second")]


def test_all_troubles_are_told_and_so_is_every_answer(
    way: Outbound, whatsapp: FakeWhatsApp, clock: FakeClock
) -> None:
    told: list[Retryable | None] = []
    seconds: list[float] = []
    way = replace(way, trouble=told.append, accepted=seconds.append)
    trouble = Retryable(Reason.UNREACHABLE)
    whatsapp.errors = [trouble, Unknown(Reason.NO_ANSWER), Permanent(Reason.QUOTA)]
    for chat_id in (ANN, BOB, CYD):
        ask(way, chat_id=chat_id)

    for chat_id in (ANN, BOB, CYD):
        deliver_next(way, chat_id)
    clock.advance(90)
    deliver_next(way, ANN)

    assert told == [trouble, None, None, None]
    assert seconds == [90.0]


# --- bugs -------------------------------------------------------------------------


class Broken(FakeWhatsApp):
    """Raises what nobody foresaw, in the middle of a request."""

    def send_message(
        self, chat_id: ChatId, text: str, since: datetime | None = None
    ) -> MessageId:
        super().send_message(chat_id, text, since)
        raise RecursionError


def test_f64_a_bug_in_the_middle_of_a_request_leaves_its_outcome_unknown(
    way: Outbound, store: Store, clock: FakeClock
) -> None:
    broken = Broken()
    way = replace(way, whatsapp=broken)
    delivery_id = ask(way)
    strikes: Counter[DeliveryId] = Counter()

    with pytest.raises(RecursionError):
        deliver_next(way, ANN)
    give_up_after_bugs(way, ANN, strikes)

    assert len(broken.sent) == 1
    lost = now(way, delivery_id)
    assert (lost.status, lost.reason) == (Status.UNKNOWN, Reason.CRASHED)
    assert way.outbox.chats_due(clock(), 10) == []
    assert len(store.evidence.due(clock() + timedelta(seconds=3), 10)) == 1


def test_f64_a_bug_before_the_request_is_forgiven_twice_and_blocks_nobody(
    way: Outbound, slack: FakeSlack, whatsapp: FakeWhatsApp
) -> None:
    bad = ask(way, "bad")
    good = ask(way, "good")
    strikes: Counter[DeliveryId] = Counter()
    told = []

    for _ in range(3):
        slack.errors = [ZeroDivisionError()]  # type: ignore[list-item]
        with pytest.raises(ZeroDivisionError):
            deliver_next(way, ANN)
        give_up_after_bugs(way, ANN, strikes)
        told.append(now(way, bad).status)
    deliver_next(way, ANN)

    assert told == [Status.QUEUED, Status.QUEUED, Status.FAILED]
    assert now(way, bad).reason == Reason.INTERNAL
    assert now(way, good).status is Status.ACCEPTED
    assert [text for _, text in whatsapp.sent] == ["good"]


def test_f64_a_bug_in_a_chat_without_work_is_nobodys_fault(way: Outbound) -> None:
    give_up_after_bugs(way, ANN, Counter())


# --- whatever happens -------------------------------------------------------------

TAKEN = "taken"  # GREEN-API has it, but its answer is lost
outcomes = st.sampled_from(
    [
        None,
        TAKEN,
        Retryable(Reason.UNREACHABLE),
        Retryable(Reason.RATE_LIMITED, retry_after=3.0),
        Retryable(Reason.STARTING, account=True),
        Permanent(Reason.BAD_REQUEST),
        Unknown(Reason.SERVER_ERROR),
    ]
)


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "bridge.db"
    open_store(f"sqlite:///{path}").database.close()
    return path


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([ANN, BOB]), min_size=1, max_size=8),
    st.lists(outcomes, max_size=20),
)
def test_whatever_happens_nothing_is_lost_doubled_or_out_of_order(
    tmp_path_factory: pytest.TempPathFactory,
    empty_database: Path,
    chats: list[ChatId],
    script: list[SendError | str | None],
) -> None:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    whatsapp = ScriptedWhatsApp(script)
    path = tmp_path_factory.mktemp("world") / "bridge.db"
    shutil.copy(empty_database, path)
    opened = open_store(f"sqlite:///{path}")
    opened.replicas.join(clock())
    opened.accounts.use("1101000001")
    opened.accounts.hear("authorized", clock())
    schedule = Schedule(time_to_live=timedelta(minutes=15))
    way = Outbound(opened.outbox, whatsapp, FakeSlack(), clock, schedule, 4096)
    green_api = FakeGreenApi()
    desk = Searching(opened.evidence, opened.accounts, green_api, clock, schedule)
    for number, chat_id in enumerate(chats):
        ask(way, f"{number}", chat_id)

    for _ in range(2000):
        for chat_id in way.outbox.chats_due(clock(), 10):
            deliver_next(way, chat_id)
        green_api.journal = [
            Sighting(MessageId(f"3EB0{number:016X}"), chat_id, text, clock())
            for number, (chat_id, text) in enumerate(whatsapp.sent, start=1)
        ]
        search(desk)
        clock.advance(5)
        if all(d.status.is_final for d in way.outbox.latest(100)):
            break

    ends = way.outbox.latest(100)
    opened.database.close()
    assert all(delivery.status.is_final for delivery in ends)
    accepted = {(d.chat_id, d.text) for d in ends if d.status is Status.ACCEPTED}
    assert sorted(whatsapp.sent) == sorted(accepted)
    for chat_id in (ANN, BOB):
        order = [int(text) for chat, text in whatsapp.sent if chat == chat_id]
        assert order == sorted(order)
    if not script:
        assert len(accepted) == len(chats)


class ScriptedWhatsApp(FakeWhatsApp):
    """Fails as the script says; None stands for an answer."""

    def __init__(self, script: list[SendError | str | None]) -> None:
        super().__init__()
        self.script = list(script)

    def send_message(
        self, chat_id: ChatId, text: str, since: datetime | None = None
    ) -> MessageId:
        error = self.script.pop(0) if self.script else None
        if isinstance(error, SendError):
            raise error
        id_message = super().send_message(chat_id, text, since)
        if error == TAKEN:
            raise Unknown(Reason.NO_ANSWER)
        return id_message
