"""What becomes of a text whose answer was lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.errors import Retryable, Unknown
from bridge.flows.search import Searching, search
from bridge.model import Status
from bridge.reasons import Reason
from bridge.schedule import LATE_LOOKS, LOOKS, Schedule
from bridge.store import Store
from tests.fakes import FakeClock, FakeGreenApi
from tests.steps import ANN, BOB, add, add_sending, add_unconfirmed, add_unknown, get
from tests.steps import echo as shown


@pytest.fixture
def green_api() -> FakeGreenApi:
    return FakeGreenApi()


@pytest.fixture
def desk(
    store: Store, green_api: FakeGreenApi, clock: FakeClock, schedule: Schedule
) -> Searching:
    store.accounts.use("1101000001")
    store.accounts.hear("authorized", clock())
    return Searching(store.evidence, store.accounts, green_api, clock, schedule)


def look_for(desk: Searching, clock: FakeClock, seconds: int) -> list[int]:
    """Look whenever it is due; return after how many seconds that was."""
    looks = []
    for second in range(1, seconds + 1):
        clock.advance(1)
        if search(desk):
            looks.append(second)
    return looks


def look_until_given_up(desk: Searching, clock: FakeClock) -> None:
    look_for(desk, clock, sum(LOOKS))


@pytest.mark.parametrize("place", ["queue", "journal", "echo"])
def test_f5_what_green_api_shows_anywhere_is_found_by_the_first_look(
    desk: Searching,
    store: Store,
    green_api: FakeGreenApi,
    clock: FakeClock,
    place: str,
) -> None:
    head = add_sending(store, clock())
    if place == "queue":
        green_api.queue = [shown(None)]
    elif place == "journal":
        green_api.journal = [shown(clock())]
    else:
        store.evidence.add_sighting(shown(clock()), clock())
    store.outbox.lose(head, Reason.NO_ANSWER, clock())

    assert look_for(desk, clock, 3) == [3]

    found = get(store, head.id)
    assert (found.status, found.id_message) == (Status.ACCEPTED, "M1")
    assert look_for(desk, clock, 10) == []


def test_f6_what_is_not_found_in_time_is_for_a_person_to_decide(
    desk: Searching, store: Store, clock: FakeClock
) -> None:
    lost = add_unknown(store, clock())
    add(store, clock(), "second")

    looks = look_for(desk, clock, 179)
    assert get(store, lost).status is Status.UNKNOWN
    assert store.outbox.chats_due(clock(), 10) == []
    looks += [179 + second for second in look_for(desk, clock, 1)]

    assert looks == [3, 8, 15, 30, 60, 90, 120, 150, 180]
    given_up = get(store, lost)
    assert (given_up.status, given_up.reason) == (Status.UNCONFIRMED, Reason.NOT_FOUND)
    assert store.outbox.chats_due(clock(), 10) == [ANN]


@pytest.mark.parametrize("lag", [0, 60, 120])
def test_f28_a_journal_that_lags_as_documented_is_waited_for(
    desk: Searching,
    store: Store,
    green_api: FakeGreenApi,
    clock: FakeClock,
    lag: int,
) -> None:
    sent_at = clock()
    lost = add_unknown(store, clock())
    look_for(desk, clock, lag)
    green_api.journal = [shown(sent_at)]

    look_for(desk, clock, 180 - lag)

    assert get(store, lost).status is Status.ACCEPTED


def test_f28_a_journal_that_lags_for_longer_still_corrects_the_line(
    desk: Searching, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    sent_at = clock()
    lost = add_unknown(store, clock())
    look_for(desk, clock, 480)
    assert get(store, lost).status is Status.UNCONFIRMED
    green_api.journal = [shown(sent_at)]

    look_for(desk, clock, LATE_LOOKS[0] + LATE_LOOKS[1])

    assert get(store, lost).status is Status.ACCEPTED
    assert max(green_api.minutes) >= 8 + 5


def test_f28_a_journal_that_never_shows_it_is_looked_at_for_a_day(
    desk: Searching, store: Store, clock: FakeClock
) -> None:
    lost = add_unknown(store, clock())
    look_until_given_up(desk, clock)

    looks = 0
    for _ in range(24 * 60):
        clock.advance(60)
        looks += search(desk) > 0

    assert looks == len(LATE_LOOKS)
    assert get(store, lost).status is Status.UNCONFIRMED
    assert store.evidence.due(clock() + timedelta(days=9), 10) == []


def test_f29_that_the_queue_shows_nothing_proves_nothing(
    desk: Searching, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    lost = add_unknown(store, clock())
    green_api.queue = [shown(None, f"X{n}", f"other {n}", BOB) for n in range(500)]

    look_for(desk, clock, 30)
    assert get(store, lost).status is Status.UNKNOWN
    green_api.queue.append(shown(None))
    look_for(desk, clock, 30)

    assert get(store, lost).status is Status.ACCEPTED


def test_f29_an_entry_shown_again_and_again_is_bound_once(
    desk: Searching, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    first = add_unconfirmed(store, clock())
    second = add_unknown(store, clock())
    green_api.queue = [shown(None), shown(None)]
    green_api.journal = [shown(clock()), shown(clock())]

    look_for(desk, clock, 300)

    assert get(store, first).id_message == "M1"
    assert get(store, second).status is Status.UNCONFIRMED


def test_f31_twins_are_found_oldest_first(
    desk: Searching, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    first = add_unconfirmed(store, clock())
    clock.advance(300)
    second = add_unknown(store, clock())
    green_api.journal = [shown(clock(), "M2"), shown(clock(), "M1")]

    look_for(desk, clock, 3)

    assert {get(store, first).id_message, get(store, second).id_message} == {"M1", "M2"}


def test_one_round_of_questions_serves_all_that_is_due(
    desk: Searching, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    ann = add_unknown(store, clock())
    clock.advance(120)
    bob = add_unknown(store, clock(), "hi", BOB)
    green_api.journal = [shown(clock(), "M1"), shown(clock(), "M2", "hi", BOB)]
    clock.advance(3)

    rest = search(desk)

    assert green_api.asked == ["queue", "journal"]
    assert green_api.minutes[0] * 60 >= 123
    assert [get(store, each).id_message for each in (ann, bob)] == ["M1", "M2"]
    assert rest > 1.0


def test_nothing_is_asked_while_nothing_is_due(
    desk: Searching, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    add_unknown(store, clock())

    assert search(desk) == 0.0

    assert green_api.asked == []


@pytest.mark.parametrize("trouble", ["hold", "state", "queue", "journal"])
def test_the_clock_of_a_search_stands_still_while_nothing_could_be_found(
    desk: Searching,
    store: Store,
    green_api: FakeGreenApi,
    clock: FakeClock,
    trouble: str,
) -> None:
    lost = add_unknown(store, clock())
    if trouble == "hold":
        store.accounts.hold(Reason.UNREACHABLE, clock())
    elif trouble == "state":
        store.accounts.hear("notAuthorized", clock())
    else:
        green_api.errors[trouble] = Unknown(Reason.SERVER_ERROR)
    looks = look_for(desk, clock, 1200)
    assert len(looks) >= 60
    assert get(store, lost).status is Status.UNKNOWN

    green_api.errors.clear()
    store.accounts.hear("authorized", clock())
    store.accounts.release(None, clock())
    looks = look_for(desk, clock, 200)

    assert get(store, lost).status is Status.UNCONFIRMED
    assert len(looks) == len(LOOKS)


def test_what_is_found_counts_although_the_other_question_was_not_answered(
    desk: Searching, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    lost = add_unknown(store, clock())
    green_api.errors["queue"] = Retryable(Reason.RATE_LIMITED)
    green_api.journal = [shown(clock())]

    look_for(desk, clock, 3)

    assert get(store, lost).status is Status.ACCEPTED


def test_what_is_found_counts_while_the_account_is_on_hold(
    desk: Searching, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    lost = add_unknown(store, clock())
    store.accounts.hold(Reason.NOT_AUTHORIZED, clock())
    green_api.queue = [shown(None)]

    look_for(desk, clock, 3)

    assert get(store, lost).status is Status.ACCEPTED


def test_after_half_an_hour_without_a_chance_a_person_is_asked_and_told_why(
    desk: Searching, store: Store, clock: FakeClock
) -> None:
    lost = add_unknown(store, clock())
    store.accounts.hold(Reason.NOT_AUTHORIZED, clock())

    look_for(desk, clock, 1800)
    assert get(store, lost).status is Status.UNKNOWN
    look_for(desk, clock, 16)

    given_up = get(store, lost)
    assert given_up.status is Status.UNCONFIRMED
    assert given_up.reason == Reason.NOT_SEARCHABLE


def test_evidence_after_half_an_hour_without_a_chance_is_still_found(
    desk: Searching, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    sent_at = clock()
    lost = add_unknown(store, clock())
    store.accounts.hold(Reason.NOT_AUTHORIZED, clock())
    look_for(desk, clock, 1816)
    store.accounts.release(None, clock())
    green_api.journal = [shown(sent_at)]

    look_for(desk, clock, LATE_LOOKS[0])

    assert get(store, lost).status is Status.ACCEPTED


# --- Check again ------------------------------------------------------------------


def test_check_again_is_done_at_once_and_answered(
    desk: Searching, store: Store, clock: FakeClock
) -> None:
    lost = add_unconfirmed(store, clock())
    store.outbox.look_again(get(store, lost), clock())

    search(desk)

    looked = get(store, lost)
    assert (looked.status, looked.looked_at) == (Status.UNCONFIRMED, clock())
    assert store.reports.channels_due(clock()) == ["C1"]
    assert search(desk) == 0.0


def test_check_again_finds_what_is_there(
    desk: Searching, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    lost = add_unconfirmed(store, clock())
    green_api.journal = [shown(clock())]
    store.outbox.look_again(get(store, lost), clock())

    search(desk)

    found = get(store, lost)
    assert (found.status, found.looked_at) == (Status.ACCEPTED, None)


def test_check_again_is_not_answered_before_a_look_could_find_something(
    desk: Searching, store: Store, clock: FakeClock
) -> None:
    lost = add_unconfirmed(store, clock())
    store.accounts.hold(Reason.NOT_AUTHORIZED, clock())
    store.outbox.look_again(get(store, lost), clock())
    look_for(desk, clock, 60)
    assert get(store, lost).looked_at is None

    store.accounts.release(None, clock())
    look_for(desk, clock, 15)

    assert get(store, lost).looked_at is not None


def test_impatience_does_not_end_the_search(
    desk: Searching, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    sent_at = clock()
    lost = add_unconfirmed(store, clock())
    for _ in range(2 * len(LATE_LOOKS)):
        store.outbox.look_again(get(store, lost), clock())
        search(desk)
        clock.advance(1)
    green_api.journal = [shown(sent_at)]

    look_for(desk, clock, LATE_LOOKS[0])

    assert get(store, lost).status is Status.ACCEPTED


def test_check_again_works_when_the_search_is_long_over(
    desk: Searching, store: Store, green_api: FakeGreenApi, clock: FakeClock
) -> None:
    lost = add_unknown(store, clock())
    sent_at = clock()
    look_until_given_up(desk, clock)
    for _ in range(24 * 60):
        clock.advance(60)
        search(desk)
    store.outbox.look_again(get(store, lost), clock())
    green_api.journal = [shown(sent_at)]

    search(desk)

    assert get(store, lost).status is Status.ACCEPTED
