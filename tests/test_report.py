"""The answer in Slack: a view of the row, redrawn until it agrees."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.errors import (
    Permanent,
    Retryable,
    SlackRefused,
    SlackUnavailable,
    Unknown,
)
from bridge.flows.outbound import Outbound, deliver_next, request_delivery
from bridge.flows.report import Reporting, report_next
from bridge.model import (
    Caller,
    ChatId,
    Choice,
    MessageId,
    NewDelivery,
    Receipt,
    ReceiptStatus,
    Sighting,
    Step,
)
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.store import Store
from bridge.wording.deliveries import card
from tests.fakes import FakeClock, FakeSlack, FakeWhatsApp

ANN = ChatId("14155550100@c.us")
URL = "http://127.0.0.1/commands/1"


@pytest.fixture
def way(
    store: Store,
    whatsapp: FakeWhatsApp,
    slack: FakeSlack,
    clock: FakeClock,
    schedule: Schedule,
) -> Outbound:
    return Outbound(store.outbox, whatsapp, slack, clock, schedule, max_text=4096)


@pytest.fixture
def desk(
    store: Store, slack: FakeSlack, clock: FakeClock, schedule: Schedule
) -> Reporting:
    return Reporting(store.reports, slack, clock, schedule)


def ask(way: Outbound, channel: str = "C1", url: str | None = URL) -> None:
    source = f"test:{len(way.outbox.latest(1000))}"
    caller = Caller("U0DANA", "T1", channel, url)
    new = NewDelivery(source, ANN, "hello", caller)
    request_delivery(way.outbox, new, way.clock, way.schedule)


def settle(desk: Reporting) -> None:
    """Report until Slack shows the truth."""
    for _ in range(50):
        if not (due := desk.reports.channels_due(desk.clock())):
            return
        report_next(desk, due[0])
    raise AssertionError("Slack is told the same thing again and again")


def test_the_card_comes_first_then_the_reply_with_the_id(
    way: Outbound, desk: Reporting, slack: FakeSlack
) -> None:
    ask(way)

    settle(desk)
    deliver_next(way, ANN)
    settle(desk)

    ((channel, card, replies),) = slack.threads()
    assert channel == "C1"
    assert card == "📤  *WhatsApp → +1 ••••• 0100*  ·  by <@U0DANA>"
    assert replies == [f"Accepted by GREEN-API · idMessage `3EB0{1:016X}`"]


def test_a_delivery_that_is_done_before_slack_is_told_needs_two_calls(
    way: Outbound, desk: Reporting, slack: FakeSlack
) -> None:
    ask(way)
    deliver_next(way, ANN)
    slack.calls.clear()

    settle(desk)

    assert slack.calls == ["post", "reply"]


def test_a_channel_rests_a_second_after_each_message(
    way: Outbound, desk: Reporting
) -> None:
    ask(way)
    deliver_next(way, ANN)

    assert report_next(desk, "C1") == 1.0
    assert report_next(desk, "C1") == 1.0


def test_a_channel_rests_after_an_edit_as_well(
    way: Outbound, desk: Reporting, slack: FakeSlack
) -> None:
    ask(way)
    settle(desk)
    deliver_next(way, ANN)
    report_next(desk, "C1")

    assert report_next(desk, "C1") == 1.0
    assert slack.calls[-1] == "update"


def test_bad_news_names_the_sender_and_what_to_do(
    way: Outbound, desk: Reporting, slack: FakeSlack, whatsapp: FakeWhatsApp
) -> None:
    whatsapp.errors = [Permanent(Reason.QUOTA)]
    ask(way)
    deliver_next(way, ANN)

    settle(desk)

    ((_, _, (reply,)),) = slack.threads()
    assert reply.startswith("✗  <@U0DANA> Not sent. ")
    assert "plan" in reply


def test_an_unknown_outcome_is_being_checked_and_has_no_reply_yet(
    way: Outbound, desk: Reporting, slack: FakeSlack, whatsapp: FakeWhatsApp
) -> None:
    whatsapp.errors = [Unknown(Reason.NO_ANSWER)]
    ask(way)
    deliver_next(way, ANN)

    settle(desk)

    ((_, card, replies),) = slack.threads()
    assert card.startswith("🔎")
    assert replies == []


def test_what_no_evidence_was_found_of_is_for_a_person_to_decide(
    way: Outbound,
    desk: Reporting,
    store: Store,
    slack: FakeSlack,
    whatsapp: FakeWhatsApp,
) -> None:
    whatsapp.errors = [Unknown(Reason.NO_ANSWER)]
    ask(way)
    deliver_next(way, ANN)
    give_up(store, way)

    settle(desk)

    root, reply = slack.lines
    assert root.card.headline.startswith("⚠️")
    assert reply.card.headline.startswith("⚠️  <@U0DANA> It may or may not have been")
    assert reply.card.choices == tuple(Choice)
    assert root.card.choices == ()


def test_late_evidence_edits_the_reply_and_retires_its_buttons(
    way: Outbound,
    desk: Reporting,
    store: Store,
    slack: FakeSlack,
    whatsapp: FakeWhatsApp,
) -> None:
    whatsapp.errors = [Unknown(Reason.NO_ANSWER)]
    ask(way)
    deliver_next(way, ANN)
    give_up(store, way)
    settle(desk)
    echo = Sighting(MessageId("M1"), ANN, "hello", way.clock())

    store.evidence.add_sighting(echo, way.clock())
    settle(desk)

    root, reply = slack.lines
    assert root.card.headline.startswith("📤")
    assert reply.card.headline == "Accepted by GREEN-API · idMessage `M1`"
    assert reply.card.choices == ()


def give_up(store: Store, way: Outbound) -> None:
    (search,) = store.evidence.due(way.clock() + timedelta(seconds=3), 10)
    later = way.clock() + timedelta(minutes=5)
    store.evidence.give_up(search, Reason.NOT_FOUND, later, way.clock())


def test_a_hold_is_told_on_the_card_and_not_in_a_reply(
    way: Outbound, desk: Reporting, slack: FakeSlack, whatsapp: FakeWhatsApp
) -> None:
    whatsapp.errors = [Retryable(Reason.NOT_AUTHORIZED, account=True)]
    ask(way)
    settle(desk)
    deliver_next(way, ANN)

    settle(desk)

    ((_, card, replies),) = slack.threads()
    assert card.startswith("✋")
    assert replies == []


def test_the_same_hold_again_redraws_nothing(
    way: Outbound,
    desk: Reporting,
    slack: FakeSlack,
    whatsapp: FakeWhatsApp,
    clock: FakeClock,
) -> None:
    whatsapp.errors = [Retryable(Reason.NOT_AUTHORIZED, account=True)] * 2
    ask(way)
    deliver_next(way, ANN)
    settle(desk)
    slack.calls.clear()
    clock.advance(60)
    deliver_next(way, ANN)

    settle(desk)

    assert slack.calls == ["member"]


def test_a_public_channel_is_joined(
    way: Outbound, desk: Reporting, slack: FakeSlack
) -> None:
    slack.closed["C1"] = "not_in_channel"
    slack.joinable.add("C1")
    ask(way)

    settle(desk)

    assert [channel for channel, _, _ in slack.threads()] == ["C1"]


@pytest.mark.parametrize(
    "word", ["not_in_channel", "channel_not_found", "is_archived", "restricted_action"]
)
def test_a_channel_that_can_not_be_posted_in_is_left_for_the_callers_own_messages(
    way: Outbound, desk: Reporting, slack: FakeSlack, word: str
) -> None:
    slack.closed["C1"] = word
    ask(way)
    deliver_next(way, ANN)

    settle(desk)

    assert [(channel, len(r)) for channel, _, r in slack.threads()] == [("DU0DANA", 1)]
    assert [url for url, _ in slack.responses] == [URL]


def test_the_response_url_is_the_last_way(
    way: Outbound, desk: Reporting, slack: FakeSlack
) -> None:
    slack.closed = {"C1": "channel_not_found", "DU0DANA": "messages_tab_disabled"}
    ask(way)
    settle(desk)
    deliver_next(way, ANN)

    settle(desk)

    assert slack.threads() == []
    assert "idMessage `3EB0" in slack.responses[-1][1]
    assert "+1 ••••• 0100" in slack.responses[-1][1]


def test_nothing_is_posted_elsewhere_when_every_way_is_closed(
    way: Outbound, desk: Reporting, slack: FakeSlack
) -> None:
    slack.closed = {"C1": "is_archived", "DU0DANA": "user_not_found", URL: "HTTP 404"}
    ask(way)
    deliver_next(way, ANN)

    settle(desk)

    assert slack.lines == []
    assert slack.responses == []


def test_an_expired_response_url_is_not_used(
    way: Outbound, desk: Reporting, slack: FakeSlack, clock: FakeClock
) -> None:
    slack.closed = {"C1": "is_archived", "DU0DANA": "user_not_found"}
    ask(way)
    settle(desk)
    slack.responses.clear()
    clock.advance(31 * 60)
    deliver_next(way, ANN)

    settle(desk)

    assert slack.responses == []


def test_a_channel_archived_under_way_moves_the_answer(
    way: Outbound, desk: Reporting, slack: FakeSlack
) -> None:
    ask(way)
    settle(desk)
    slack.closed["C1"] = "is_archived"
    deliver_next(way, ANN)

    settle(desk)

    assert [(channel, len(r)) for channel, _, r in slack.threads()] == [
        ("C1", 0),
        ("DU0DANA", 1),
    ]


def test_an_outage_of_slack_only_delays_the_answer(
    way: Outbound, desk: Reporting, slack: FakeSlack, clock: FakeClock
) -> None:
    ask(way)
    deliver_next(way, ANN)
    slack.errors = [SlackUnavailable("no JSON")] * 9
    while slack.errors:
        report_next(desk, "C1")
        clock.advance(1000)

    settle(desk)

    assert [len(replies) for _, _, replies in slack.threads()] == [1]


def test_a_limit_rests_the_whole_channel(
    way: Outbound, desk: Reporting, slack: FakeSlack
) -> None:
    ask(way)
    slack.errors = [SlackUnavailable("ratelimited", retry_after=30.0)]

    assert report_next(desk, "C1") >= 30.0


def test_a_failure_without_a_limit_lets_other_threads_go_on(
    way: Outbound, desk: Reporting, slack: FakeSlack
) -> None:
    ask(way)
    ask(way)
    slack.errors = [SlackUnavailable("TimeoutError")]

    assert report_next(desk, "C1") == 0.0

    report_next(desk, "C1")
    assert len(slack.threads()) == 1


def test_a_card_that_was_deleted_is_not_redrawn_for_ever(
    way: Outbound, desk: Reporting, slack: FakeSlack
) -> None:
    ask(way)
    settle(desk)
    deliver_next(way, ANN)
    report_next(desk, "C1")
    slack.closed["C1"] = "message_not_found"

    settle(desk)

    assert slack.calls.count("update") == 1


def test_after_a_week_slack_is_not_asked_any_more(
    way: Outbound, desk: Reporting, slack: FakeSlack, clock: FakeClock
) -> None:
    ask(way)
    deliver_next(way, ANN)
    clock.advance(8 * 86_400)
    slack.calls.clear()

    settle(desk)

    assert slack.calls == []


def test_no_card_shows_a_number_or_the_text_on_a_locked_phone(
    way: Outbound, desk: Reporting, slack: FakeSlack
) -> None:
    ask(way)
    deliver_next(way, ANN)

    settle(desk)

    for line in slack.lines:
        assert "hello" not in line.card.summary
        assert "0100" not in line.card.summary
        assert "4155550100" not in str(line.card)


# --- posts whose answer was lost --------------------------------------------------


def test_f49_a_card_whose_answer_was_lost_is_found_and_not_posted_again(
    way: Outbound, desk: Reporting, slack: FakeSlack, clock: FakeClock
) -> None:
    slack.lose_answers = 1
    ask(way)

    settle_in_time(desk, clock)
    deliver_next(way, ANN)
    settle_in_time(desk, clock)

    ((_, card, replies),) = slack.threads()
    assert card.startswith("📤")
    assert len(replies) == 1
    assert slack.calls.count("find") == 1


def test_f49_a_reply_whose_answer_was_lost_is_found_and_not_posted_again(
    way: Outbound, desk: Reporting, slack: FakeSlack, clock: FakeClock
) -> None:
    ask(way)
    settle_in_time(desk, clock)
    deliver_next(way, ANN)
    slack.lose_answers = 1

    settle_in_time(desk, clock)

    ((_, _, replies),) = slack.threads()
    assert len(replies) == 1


def test_f49_a_note_whose_answer_was_lost_is_found_and_not_posted_again(
    way: Outbound, desk: Reporting, store: Store, slack: FakeSlack, clock: FakeClock
) -> None:
    ask(way)
    deliver_next(way, ANN)
    settle_in_time(desk, clock)
    bad = Receipt(MessageId(f"3EB0{1:016X}"), ReceiptStatus.NO_ACCOUNT)
    store.evidence.add_receipt(bad, clock())
    slack.lose_answers = 1

    settle_in_time(desk, clock)

    ((_, _, replies),) = slack.threads()
    assert [line[:1] for line in replies] == ["✗", "✗"]
    assert replies[1].startswith("✗  <@U0DANA> Not delivered")


def test_f49_what_slack_certainly_did_not_take_is_not_looked_for(
    way: Outbound, desk: Reporting, slack: FakeSlack, clock: FakeClock
) -> None:
    slack.errors = [SlackUnavailable("ratelimited", retry_after=3.0)]
    ask(way)

    settle_in_time(desk, clock)

    assert slack.calls == ["post", "post"]


def test_f49_a_line_that_can_not_be_looked_for_is_posted_again(
    way: Outbound, desk: Reporting, slack: FakeSlack, clock: FakeClock
) -> None:
    ask(way)
    slack.lose_answers = 1
    report_next(desk, "C1")
    slack.errors = [SlackRefused("missing_scope")]

    settle_in_time(desk, clock)

    assert slack.calls == ["post", "find", "post"]
    assert len(slack.lines) == 2  # twice is better than never


def test_f26_a_card_that_a_killed_copy_was_posting_is_looked_for_by_the_next(
    way: Outbound, desk: Reporting, store: Store, slack: FakeSlack, clock: FakeClock
) -> None:
    ask(way)
    report = store.reports.oldest("C1", clock())
    assert report is not None
    store.reports.begin_post(report, Step.OPEN)
    slack.post("C1", card(report.delivery))  # and here it was killed
    store.replicas.join(clock())
    store.replicas.judge(clock())

    settle_in_time(desk, clock)

    assert len(slack.lines) == 1
    assert slack.calls.count("post") == 1


# --- further replies --------------------------------------------------------------


def test_bad_news_after_good_news_is_a_line_of_its_own_and_edits_the_reply(
    way: Outbound, desk: Reporting, store: Store, slack: FakeSlack, clock: FakeClock
) -> None:
    ask(way)
    deliver_next(way, ANN)
    settle_in_time(desk, clock)
    bad = Receipt(MessageId(f"3EB0{1:016X}"), ReceiptStatus.FAILED)

    for _ in range(3):
        store.evidence.add_receipt(bad, clock())
        settle_in_time(desk, clock)

    ((_, root, (reply, note)),) = slack.threads()
    assert root.startswith("✗")
    assert reply.startswith("✗ Not delivered · idMessage")
    assert note.startswith("✗  <@U0DANA> Not delivered, though GREEN-API had accepted")


def test_receipts_that_come_together_are_one_edit(
    way: Outbound, desk: Reporting, store: Store, slack: FakeSlack, clock: FakeClock
) -> None:
    ask(way)
    deliver_next(way, ANN)
    settle_in_time(desk, clock)
    slack.calls.clear()

    for status in (ReceiptStatus.SENT, ReceiptStatus.DELIVERED, ReceiptStatus.READ):
        receipt = Receipt(MessageId(f"3EB0{1:016X}"), status)
        store.evidence.add_receipt(receipt, clock())
        settle(desk)
    settle_in_time(desk, clock)

    assert slack.calls == ["update", "update"]  # the card and the reply
    ((_, root, (reply,)),) = slack.threads()
    assert root.startswith("👁")
    assert reply.startswith("👁 Read · idMessage")


def settle_in_time(desk: Reporting, clock: FakeClock) -> None:
    """Report until Slack shows the truth, however long it has to wait for that."""
    for _ in range(200):
        settle(desk)
        clock.advance(1)
