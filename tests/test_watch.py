"""The WhatsApp account: may anything leave, and does an admin know if not?"""

from __future__ import annotations

import pytest

from bridge.errors import Retryable, SendError, SlackUnavailable, Unknown
from bridge.flows.outbound import Outbound, deliver_next
from bridge.flows.watch import Watch, look_soon, on_trouble, tell_admins, watch
from bridge.model import ChatId, Status
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.store import Store
from tests.fakes import FakeClock, FakeGreenApi, FakeSlack, FakeWhatsApp
from tests.steps import ANN, BOB, add, add_unknown, get

NO_LINE = Retryable(Reason.UNREACHABLE)


@pytest.fixture
def green_api() -> FakeGreenApi:
    return FakeGreenApi()


@pytest.fixture
def desk(
    store: Store,
    green_api: FakeGreenApi,
    slack: FakeSlack,
    clock: FakeClock,
    schedule: Schedule,
) -> Watch:
    store.accounts.use("1101000001")
    return Watch(store.accounts, green_api, slack, clock, schedule, admins="C0ADMIN")


def look(desk: Watch, clock: FakeClock, seconds: int = 60) -> None:
    """Watch each second for a while, as the leader does."""
    for _ in range(seconds):
        clock.advance(1)
        watch(desk)
        tell_admins(desk)


def lines(slack: FakeSlack) -> list[str]:
    """Return the admins' lines and the replies under them, without the tails."""
    return [line.card.headline[:60] for line in slack.lines]


@pytest.mark.parametrize(
    ("state", "hold"),
    [
        ("authorized", None),
        ("starting", Reason.STARTING),
        ("notAuthorized", Reason.NOT_AUTHORIZED),
        ("sleepMode", None),
        ("yellowCard", Reason.RESTRICTED),
        ("suspended", Reason.RESTRICTED),
        ("blocked", Reason.BLOCKED),
        ("aWordOfTomorrow", None),
        ("", None),
        ("x" * 5000, None),
    ],
)
def test_what_each_state_of_the_account_means_for_what_waits(
    desk: Watch,
    store: Store,
    green_api: FakeGreenApi,
    clock: FakeClock,
    state: str,
    hold: Reason | None,
) -> None:
    delivery_id = add(store, clock())
    green_api.state = state

    watch(desk)

    assert store.accounts.get().hold is hold
    assert store.accounts.get().is_usable == (state == "authorized")
    delivery = get(store, delivery_id)
    if hold is None:
        assert delivery.status is Status.QUEUED
        assert store.outbox.chats_due(clock(), 10) == [ANN]
    else:
        assert (delivery.status, delivery.reason) == (Status.HELD, hold)
        assert store.outbox.chats_due(clock(), 10) == []


def test_the_state_is_asked_for_once_a_minute_and_more_often_on_hold(
    desk: Watch, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    look(desk, clock, 120)
    assert green_api.asked.count("state") == 2
    green_api.state = "starting"
    look(desk, clock, 60)
    green_api.asked.clear()

    look(desk, clock, 60)

    assert green_api.asked.count("state") == 4


def test_a_notification_about_the_state_is_a_reason_to_ask(
    desk: Watch, store: Store, green_api: FakeGreenApi
) -> None:
    watch(desk)
    green_api.state = "notAuthorized"
    watch(desk)
    assert store.accounts.get().hold is None

    look_soon(desk)
    watch(desk)

    assert store.accounts.get().hold is Reason.NOT_AUTHORIZED


@pytest.mark.parametrize(
    "reason",
    [
        Reason.NOT_AUTHORIZED,
        Reason.STARTING,
        Reason.INSTANCE_GONE,
        Reason.REFUSED_TOKEN,
        Reason.REFUSED_INSTANCE,
        Reason.WRONG_ADDRESS,
    ],
)
def test_f18_one_texts_refusal_stops_all_if_it_is_the_accounts_fault(
    desk: Watch, store: Store, clock: FakeClock, reason: Reason
) -> None:
    ids = [add(store, clock(), chat_id=chat) for chat in (ANN, BOB)]

    on_trouble(desk, Retryable(reason, account=True))

    assert store.outbox.chats_due(clock(), 10) == []
    assert {get(store, each).reason for each in ids} == {reason}


def test_a_limit_on_requests_stops_nobody_else(
    desk: Watch, store: Store, clock: FakeClock
) -> None:
    add(store, clock())

    for _ in range(20):
        on_trouble(desk, Retryable(Reason.RATE_LIMITED, retry_after=5))

    assert store.accounts.get().hold is None


def test_f1_five_connections_in_a_row_that_fail_stop_all(
    desk: Watch, store: Store
) -> None:
    for _ in range(4):
        on_trouble(desk, NO_LINE)
    on_trouble(desk, None)
    for _ in range(4):
        on_trouble(desk, NO_LINE)
    assert store.accounts.get().hold is None

    on_trouble(desk, NO_LINE)

    assert store.accounts.get().hold is Reason.UNREACHABLE


@pytest.mark.parametrize("silence", [NO_LINE, Unknown(Reason.NO_ANSWER)])
def test_the_last_known_state_counts_for_a_minute_of_silence(
    desk: Watch,
    store: Store,
    green_api: FakeGreenApi,
    clock: FakeClock,
    silence: SendError,
) -> None:
    watch(desk)
    green_api.errors["state"] = silence
    look(desk, clock, 60)
    look(desk, clock, 59)
    assert store.accounts.get().hold is None

    look(desk, clock, 1)
    assert store.accounts.get().hold is Reason.UNREACHABLE
    look(desk, clock, 600)
    assert store.accounts.get().hold is Reason.UNREACHABLE

    green_api.errors.clear()
    look(desk, clock, 15)
    assert store.accounts.get().hold is None


def test_an_odd_answer_about_the_state_changes_nothing(
    desk: Watch, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    watch(desk)
    green_api.errors["state"] = Unknown(Reason.SERVER_ERROR)
    look(desk, clock, 300)
    assert store.accounts.get().hold is None
    on_trouble(desk, Retryable(Reason.NOT_AUTHORIZED, account=True))

    look(desk, clock, 300)

    assert store.accounts.get().hold is Reason.NOT_AUTHORIZED


def test_an_odd_answer_after_a_silence_does_not_let_anything_leave(
    desk: Watch, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    watch(desk)
    green_api.state = "notAuthorized"
    look(desk, clock, 60)
    for _ in range(5):
        on_trouble(desk, NO_LINE)
    assert store.accounts.get().hold is Reason.UNREACHABLE
    green_api.errors["state"] = Unknown(Reason.SERVER_ERROR)

    look(desk, clock, 60)

    assert store.accounts.get().hold is Reason.UNREACHABLE


def test_a_refused_question_about_the_state_stops_all(
    desk: Watch, store: Store, green_api: FakeGreenApi
) -> None:
    green_api.errors["state"] = Retryable(Reason.REFUSED_TOKEN, account=True)

    watch(desk)

    assert store.accounts.get().hold is Reason.REFUSED_TOKEN


def test_f19_what_was_held_leaves_in_its_order(
    desk: Watch, store: Store, slack: FakeSlack, green_api: FakeGreenApi
) -> None:
    whatsapp, clock = FakeWhatsApp(), desk.clock
    way = Outbound(store.outbox, whatsapp, slack, clock, desk.schedule, 4096)
    for number in range(6):
        add(store, clock(), f"{number}", (ANN, BOB)[number % 2])
    green_api.state = "notAuthorized"
    watch(desk)
    assert store.outbox.chats_due(clock(), 10) == []
    green_api.state = "authorized"
    look_soon(desk)

    watch(desk)
    while due := store.outbox.chats_due(clock(), 10):
        deliver_next(way, due[0])

    for chat_id in (ANN, BOB):
        texts = [text for chat, text in whatsapp.sent if chat == chat_id]
        assert texts == sorted(texts)
    assert len(whatsapp.sent) == 6


def test_a_release_does_not_open_the_lane_of_an_unknown_one(
    desk: Watch, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    add_unknown(store, clock())
    second = add(store, clock(), "second")
    green_api.state = "starting"
    watch(desk)
    green_api.state = "authorized"
    look_soon(desk)

    watch(desk)

    assert get(store, second).status is Status.QUEUED
    assert store.outbox.chats_due(clock(), 10) == []


def test_what_comes_during_a_hold_says_so_as_well(
    desk: Watch, store: Store, clock: FakeClock, green_api: FakeGreenApi
) -> None:
    green_api.state = "starting"
    watch(desk)
    late = add(store, clock())
    clock.advance(15)

    watch(desk)

    assert get(store, late).reason == Reason.STARTING


# --- another number ---------------------------------------------------------------


def link(desk: Watch, green_api: FakeGreenApi, number: str | None) -> None:
    """Log the account out and in again."""
    for state in ("notAuthorized", "authorized"):
        green_api.state = state
        green_api.number = number
        look_soon(desk)
        watch(desk)


def test_the_same_number_linked_again_goes_on(
    desk: Watch, store: Store, green_api: FakeGreenApi
) -> None:
    watch(desk)

    link(desk, green_api, "79001234567@c.us")

    assert store.accounts.get().hold is None


def test_another_number_waits_until_an_admin_agrees(
    desk: Watch, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    watch(desk)
    link(desk, green_api, "14155559999@c.us")
    look(desk, clock, 600)
    assert store.accounts.get().hold is Reason.OTHER_NUMBER

    store.accounts.release(None, clock())  # bridge resume
    look(desk, clock, 120)

    account = store.accounts.get()
    assert (account.hold, account.wid) == (None, "14155559999@c.us")


def test_the_old_number_linked_again_needs_nobodys_word(
    desk: Watch, store: Store, green_api: FakeGreenApi
) -> None:
    watch(desk)
    link(desk, green_api, "14155559999@c.us")

    link(desk, green_api, "79001234567@c.us")

    assert store.accounts.get().hold is None


def test_nothing_leaves_before_it_is_known_which_number_was_linked(
    desk: Watch, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    watch(desk)
    green_api.errors["wid"] = Unknown(Reason.NO_ANSWER)
    link(desk, green_api, "14155559999@c.us")
    assert store.accounts.get().hold is Reason.NOT_AUTHORIZED

    green_api.errors.clear()
    look(desk, clock, 15)

    assert store.accounts.get().hold is Reason.OTHER_NUMBER


# --- telling the admins -----------------------------------------------------------


def test_f18_a_hundred_texts_held_are_one_line_for_the_admins(
    desk: Watch, store: Store, slack: FakeSlack, clock: FakeClock
) -> None:
    refusals: list[SendError] = [Retryable(Reason.REFUSED_TOKEN, account=True)] * 100
    whatsapp = FakeWhatsApp(errors=refusals)
    green_api = desk.console
    assert isinstance(green_api, FakeGreenApi)
    green_api.errors["state"] = refusals[0]
    way = Outbound(
        store.outbox,
        whatsapp,
        slack,
        clock,
        desk.schedule,
        max_text=4096,
        trouble=lambda err: on_trouble(desk, err),
    )
    for number in range(100):
        add(store, clock(), chat_id=ChatId(f"1415555{number:04}@c.us"))

    while due := store.outbox.chats_due(clock(), 10):
        deliver_next(way, due[0])
    look(desk, clock, 60)

    assert len(whatsapp.errors) == 99  # one request told it for all
    assert {d.status for d in store.outbox.latest(100)} == {Status.HELD}
    assert [line.channel for line in slack.lines] == ["C0ADMIN"]
    assert "GREEN_API_TOKEN_INSTANCE" in slack.lines[0].card.headline


def test_a_hold_is_told_once_edited_when_it_changes_and_ended(
    desk: Watch, slack: FakeSlack, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    green_api.state = "notAuthorized"
    look(desk, clock, 300)
    assert len(slack.lines) == 1
    green_api.state = "blocked"
    look(desk, clock, 300)
    assert len(slack.lines) == 1
    assert "blocked" in slack.lines[0].card.headline
    assert slack.lines[0].edits == 1

    green_api.state = "authorized"
    look(desk, clock, 300)

    line, end = slack.lines
    assert end.thread_ts == line.ts
    assert "over" in end.card.headline


def test_two_holds_within_a_second_are_two_lines(
    desk: Watch, slack: FakeSlack, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    for state in ("blocked", "authorized", "blocked"):
        green_api.state = state
        look_soon(desk)
        watch(desk)
        tell_admins(desk)
        clock.advance(0.1)

    first, end, second = slack.lines
    assert (first.thread_ts, end.thread_ts, second.thread_ts) == (None, first.ts, None)


@pytest.mark.parametrize(("state", "patience"), [("starting", 300)])
def test_what_passes_by_itself_is_told_only_when_it_lasts(
    desk: Watch,
    slack: FakeSlack,
    green_api: FakeGreenApi,
    clock: FakeClock,
    state: str,
    patience: int,
) -> None:
    green_api.state = state
    watch(desk)
    look(desk, clock, patience - 1)
    assert slack.lines == []

    look(desk, clock, 1)

    assert len(slack.lines) == 1


def test_a_short_start_is_never_told(
    desk: Watch, slack: FakeSlack, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    green_api.state = "starting"
    look(desk, clock, 200)
    green_api.state = "authorized"

    look(desk, clock, 200)

    assert slack.lines == []


def test_the_admins_are_told_when_slack_is_back(
    desk: Watch, slack: FakeSlack, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    slack.errors = [SlackUnavailable("ratelimited", retry_after=1)] * 3
    green_api.state = "blocked"

    look(desk, clock, 2)
    assert len(slack.calls) == 1  # Slack is not asked each second
    look(desk, clock, 60)

    assert len(slack.lines) == 1


def test_a_line_that_a_dead_copy_posted_is_found_and_not_posted_again(
    desk: Watch, slack: FakeSlack, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    slack.lose_answers = 1
    green_api.state = "blocked"

    look(desk, clock, 60)

    assert len(slack.lines) == 1
    assert desk.accounts.get().told is Reason.BLOCKED


def test_another_number_is_noticed_while_all_seems_well(
    desk: Watch, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    look(desk, clock, 1)
    green_api.number = "79009999999@c.us"

    look(desk, clock, 120)

    assert desk.accounts.get().hold is Reason.OTHER_NUMBER


@pytest.mark.parametrize(("admins", "channel"), [("U0ADMIN", "DU0ADMIN"), ("C1", "C1")])
def test_admins_are_told_in_their_channel_or_in_direct_messages(
    desk: Watch, slack: FakeSlack, green_api: FakeGreenApi, admins: str, channel: str
) -> None:
    desk.admins = admins
    green_api.state = "blocked"
    watch(desk)

    tell_admins(desk)

    assert [line.channel for line in slack.lines] == [channel]


def test_without_admins_nobody_is_told(
    desk: Watch, slack: FakeSlack, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    desk.admins = None
    green_api.state = "blocked"

    look(desk, clock, 10)

    assert slack.calls == []


def test_f58_a_walk_through_the_states(
    desk: Watch,
    store: Store,
    slack: FakeSlack,
    green_api: FakeGreenApi,
    clock: FakeClock,
) -> None:
    walk = [
        ("authorized", "79001234567@c.us", None),
        ("starting", "79001234567@c.us", Reason.STARTING),
        ("notAuthorized", None, Reason.NOT_AUTHORIZED),
        ("authorized", "14155559999@c.us", Reason.OTHER_NUMBER),
        ("yellowCard", "14155559999@c.us", Reason.RESTRICTED),
        ("blocked", "14155559999@c.us", Reason.BLOCKED),
        ("authorized", "79001234567@c.us", None),
    ]
    holds = []

    for state, number, _ in walk:
        green_api.state, green_api.number = state, number
        look(desk, clock, 60)
        holds.append(store.accounts.get().hold)
        add(store, clock(), f"while {state}")

    assert holds == [hold for _, _, hold in walk]
    assert store.outbox.chats_due(clock(), 10) == [ANN]
    assert len([line for line in slack.lines if line.thread_ts is None]) == 1
    assert len([line for line in slack.lines if line.thread_ts is not None]) == 1
    assert "79001234567" not in str(slack.lines)
