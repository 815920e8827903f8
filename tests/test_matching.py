"""Whether what GREEN-API shows is a text of ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matching import (
    LEEWAY,
    Seen,
    Suspect,
    digest,
    match,
    other_names,
    seen_of,
)
from bridge.model import ChatId, DeliveryId, MessageId, Sighting

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ANN = ChatId("14155550100@c.us")
BOB = ChatId("14155550101@c.us")
LID = ChatId("77770001@lid")


def suspect(
    name: str = "d1",
    text: str = "hello",
    names: frozenset[ChatId] = frozenset({ANN}),
    since: datetime = NOW,
    *,
    is_sending: bool = False,
) -> Suspect:
    return Suspect(DeliveryId(name), names, digest(text), since, is_sending)


def seen(
    name: str = "m1",
    text: str = "hello",
    chat_id: ChatId = ANN,
    sent_at: datetime | None = NOW,
) -> Seen:
    return seen_of(Sighting(MessageId(name), chat_id, text, sent_at))


HELLO = suspect()


@pytest.mark.parametrize(
    ("sighting", "is_ours"),
    [
        (seen(), True),
        (seen(sent_at=None), True),  # still in GREEN-API's queue
        (seen(text="Hello"), False),
        (seen(text="hello!"), False),
        (seen(text="hel lo"), False),
        (seen(text=""), False),
        (seen(chat_id=BOB), False),
        (seen(chat_id=LID), False),  # nobody knows whose it is
        (seen(chat_id=ChatId("14155550100@g.us")), False),
    ],
)
def test_a_text_is_ours_if_chat_and_words_are(sighting: Seen, is_ours: bool) -> None:
    assert match([HELLO], [sighting], []) == ({"d1": "m1"} if is_ours else {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\r\nb"),
        ("a\r\nb", "a\nb"),
        ("a\rb", "a\nb"),
        ("  hello\n", "hello"),
        ("hello", "\nhello  "),
        ("a\n\nb ", "a\r\n\r\nb"),
    ],
)
def test_f30_line_ends_and_blanks_at_the_ends_do_not_count(
    text: str, shown: str
) -> None:
    assert match([suspect(text=text)], [seen(text=shown)], []) == {"d1": "m1"}


@given(st.text())
def test_f30_no_text_is_lost_by_what_green_api_does_to_it(text: str) -> None:
    assert digest(text.replace("\n", "\r\n")) == digest(text.replace("\r\n", "\n"))
    assert digest(text.strip()) == digest(text)


@pytest.mark.parametrize(
    ("minutes", "is_ours"),
    [(-3, False), (-1, True), (0, True), (1, True), (3, True), (600, True)],
)
def test_f30_a_text_sent_before_ours_could_be_is_another_one(
    minutes: int, is_ours: bool
) -> None:
    sent_at = NOW + timedelta(minutes=minutes)

    found = match([HELLO], [seen(sent_at=sent_at)], [])

    assert found == ({"d1": "m1"} if is_ours else {})


def test_f30_an_alias_counts_once_it_is_known() -> None:
    known = suspect(names=frozenset({ANN, LID}))

    assert match([HELLO], [seen(chat_id=LID)], []) == {}
    assert match([known], [seen(chat_id=LID)], []) == {"d1": "m1"}


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("5511987654321", "551187654321"),  # Brazil
        ("551187654321", "5511987654321"),
        ("525512345678", "5215512345678"),  # Mexico
        ("5215512345678", "525512345678"),
        ("541112345678", "5491112345678"),  # Argentina
        ("5491112345678", "541112345678"),
    ],
)
def test_f30_numbers_that_whatsapp_writes_in_two_ways_are_one(
    typed: str, shown: str
) -> None:
    names = other_names(ChatId(f"{typed}@c.us"))

    assert ChatId(f"{shown}@c.us") in names
    assert len(names) == 2


@pytest.mark.parametrize(
    "chat_id",
    ["4915123456789@c.us", "14155550100@c.us", "5511987654321@g.us", "77770001@lid"],
)
def test_other_numbers_are_written_in_one_way(chat_id: str) -> None:
    assert other_names(ChatId(chat_id)) == {chat_id}


def test_an_id_that_belongs_to_another_delivery_is_taken() -> None:
    assert match([HELLO], [seen("m1")], [MessageId("m1")]) == {}
    assert match([HELLO], [seen("m1"), seen("m2")], [MessageId("m1")]) == {"d1": "m2"}


def test_f31_of_twins_as_many_are_bound_as_were_seen_oldest_first() -> None:
    twins = [suspect("d1"), suspect("d2"), suspect("d3")]
    younger = seen("m2", sent_at=NOW + timedelta(seconds=9))
    older = seen("m1", sent_at=NOW + timedelta(seconds=1))

    assert match(twins, [younger], []) == {"d1": "m2"}
    assert match(twins, [younger, older], []) == {"d1": "m1", "d2": "m2"}


def test_f31_what_waits_in_the_queue_is_younger_than_what_has_left_it() -> None:
    twins = [suspect("d1"), suspect("d2")]

    found = match(twins, [seen("a", sent_at=None), seen("z")], [])

    assert found == {"d1": "z", "d2": "a"}


def test_f31_a_text_is_not_bound_while_its_twin_is_being_sent() -> None:
    twin = suspect("d2", is_sending=True)
    other_chat = suspect("d3", names=frozenset({BOB}), is_sending=True)
    other_text = suspect("d4", text="bye", is_sending=True)

    assert match([HELLO, twin], [seen()], []) == {}
    assert match([HELLO, other_chat, other_text], [seen()], []) == {"d1": "m1"}


def test_what_is_being_sent_is_never_bound_by_evidence() -> None:
    assert match([suspect(is_sending=True)], [seen()], []) == {}


def test_f29_an_entry_shown_twice_is_one_message() -> None:
    twins = [suspect("d1"), suspect("d2")]

    assert match(twins, [seen(), seen(), seen(sent_at=None)], []) == {"d1": "m1"}


chats = st.sampled_from([ANN, BOB, LID])
texts = st.sampled_from(["a", "b", "a\r\nb", "a\nb ", ""])
moments = st.integers(-300, 300).map(lambda seconds: NOW + timedelta(seconds=seconds))
suspects_lists = st.lists(
    st.builds(
        suspect,
        st.uuids().map(str),
        texts,
        st.frozensets(chats, min_size=1),
        moments,
        is_sending=st.booleans(),
    ),
    max_size=6,
)
seen_lists = st.lists(
    st.builds(seen, st.sampled_from("abcdefgh"), texts, chats, st.none() | moments),
    max_size=8,
    unique_by=lambda each: each.id_message,
)
taken_sets = st.frozensets(st.sampled_from("abcd").map(MessageId))


def fits(one: Suspect, other: Seen) -> bool:
    is_old = other.sent_at is not None and other.sent_at < one.since - LEEWAY
    return other.chat_id in one.names and other.digest == one.digest and not is_old


@given(suspects_lists, seen_lists, taken_sets)
def test_nothing_is_ever_bound_wrongly(
    suspects: list[Suspect], shown: list[Seen], taken: frozenset[MessageId]
) -> None:
    found = match(suspects, shown, taken)

    by_name = {each.id: each for each in suspects}
    by_message = {each.id_message: each for each in shown}
    assert len(set(found.values())) == len(found)
    assert not taken & set(found.values())
    for delivery_id, id_message in found.items():
        assert not by_name[delivery_id].is_sending
        assert fits(by_name[delivery_id], by_message[id_message])


@given(suspects_lists, seen_lists, taken_sets)
def test_nothing_that_fits_is_left_over(
    suspects: list[Suspect], shown: list[Seen], taken: frozenset[MessageId]
) -> None:
    found = match(suspects, shown, taken)

    sending = [each for each in suspects if each.is_sending]
    free = [
        each
        for each in shown
        if each.id_message not in taken and each.id_message not in found.values()
    ]
    for one in suspects:
        twins = [t for t in sending if t.digest == one.digest and t.names & one.names]
        if one.id not in found and not twins:
            assert not any(fits(one, each) for each in free)


@given(suspects_lists, seen_lists, taken_sets, st.randoms(use_true_random=False))
def test_the_order_in_which_evidence_is_shown_does_not_count(
    suspects: list[Suspect],
    shown: list[Seen],
    taken: frozenset[MessageId],
    random: Random,
) -> None:
    before = match(suspects, shown, taken)
    random.shuffle(shown)

    assert match(suspects, shown, taken) == before
