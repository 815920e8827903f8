"""The sentences about commands that can't be carried out."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.model import Caller, ChatId, Choice, Delivery, DeliveryId, Note, Status
from bridge.reasons import Reason
from bridge.wording import account, deliveries
from bridge.wording import commands as wording

quick = settings(max_examples=200, deadline=None)

ABOUT_A_TOKEN = [
    wording.number_format,
    wording.number_length,
    wording.number_too_long,
    wording.number_invalid,
    wording.ambiguous_number,
    wording.chat_id_format,
]
CONSTANTS = [
    wording.EMPTY,
    wording.RECIPIENT_MENTION,
    wording.LINK_FORMAT,
    wording.LINK_SHOWS_ANOTHER,
    wording.NO_TEXT_LEFT,
]
CHAT = ChatId("919812343928@c.us")
NUMBER = "79001234567"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DELIVERY = Delivery(
    id=DeliveryId("d" * 32),
    source="s",
    chat_id=ChatId("14155550100@c.us"),
    text="the words",
    markup=None,
    caller=Caller("U0DANA", "T1", "C1"),
    status=Status.QUEUED,
    attempts=1,
    reason=None,
    id_message=None,
    created_at=NOW,
    updated_at=NOW,
    due_at=NOW,
    expires_at=NOW,
)


def sentences(token: str) -> list[str]:
    return [
        *CONSTANTS,
        *(say(token) for say in ABOUT_A_TOKEN),
        wording.message_required(CHAT),
        wording.message_too_long(5000, 4096),
    ]


@pytest.mark.parametrize(
    ("chat_id", "mask"),
    [
        ("919812343928@c.us", "+91 ••••• 3928"),
        ("14155550123@c.us", "+1 ••••• 0123"),
        ("6834002@c.us", "+683 ••••• 02"),
        ("2250707123456@c.us", "+225 ••••• 3456"),
        ("9990123456789@c.us", "+9 ••••• 6789"),
        ("79001234567-1581234048@g.us", "group …4048"),
        ("120363043219876561@g.us", "group …6561"),
    ],
)
def test_a_chat_is_masked(chat_id, mask):
    assert wording.mask_chat(ChatId(chat_id)) == mask


@quick
@given(st.text() | st.text().map(lambda t: f"{t}<!here>{NUMBER}<@U1>\u202e{t}"))
def test_a_token_is_quoted_without_harm(token):
    for say in sentences(token):
        assert say[0].isascii()
        assert say[0].isalpha()
        assert say.isprintable()
        assert not re.search(r"[<>&]|@(?:here|channel|everyone)", say)
        assert NUMBER not in say
        assert len(say) <= 300
        for quoted in re.findall("“(.*?)”", say):
            assert len(quoted) <= 40


@pytest.mark.parametrize("say", sentences("+7900"))
def test_a_sentence_says_what_to_do(say):
    assert re.search(r"Write|Type|Check|Add|Start|Shorten|/whatsapp", say)


@pytest.mark.parametrize(
    ("token", "quoted"),
    [
        ("+7900123456l", "“+790•••3456l”"),
        ("+7 (900) 123-45-67", "“+7 (90•) •••-45-67”"),
        ("+6834002", "“+•••4002”"),
        ("+7900", "“+7900”"),
        ("a\u202e\u200b\0b", "“ab”"),
        ("x" * 99, "“" + "x" * 39 + "…”"),
        ("@channel &lt;!here&gt;", "“@ channel !here”"),
    ],
)
def test_tokens_are_short_and_masked(token, quoted):
    assert quoted in wording.chat_id_format(token)


def test_a_missing_message_names_the_masked_recipient():
    assert wording.message_required(CHAT).startswith(
        "I have the number +91 ••••• 3928 but"
    )
    group = ChatId("120363043219876561@g.us")
    assert wording.message_required(group).startswith("I have the group …6561 but")


def test_the_limit_comes_from_the_settings():
    say = wording.message_too_long(4512, 4096)

    assert say.startswith("The message has 4,512 characters; the limit is 4,096.")


# --- what is said of a delivery ---------------------------------------------------

EVERY_FACE = [(status, reason) for status in Status for reason in (None, *Reason)]


@pytest.mark.parametrize(("status", "reason"), EVERY_FACE)
def test_every_state_of_a_delivery_can_be_said_and_shows_no_number(status, reason):
    delivery = replace(
        DELIVERY, status=status, reason=reason, id_message="M1", looked_at=NOW
    )

    said = [
        deliveries.card(delivery),
        deliveries.reply(delivery),
        *(deliveries.note(delivery, which) for which in Note),
    ]

    for card in said:
        words = f"{card.summary} {card.headline} {card.footnote or ''}"
        assert card.summary
        assert card.key
        assert "14155550100" not in words
        assert "the words" not in words
        assert "  ." not in words


@pytest.mark.parametrize("status", Status)
def test_buttons_are_shown_as_long_as_there_is_something_to_decide(status):
    delivery = replace(DELIVERY, status=status, id_message="M1")

    has_buttons = deliveries.reply(delivery).choices == tuple(Choice)

    assert has_buttons == (status is Status.UNCONFIRMED)
    assert deliveries.card(delivery).choices == ()


def test_keys_of_a_thread_are_its_own_and_stay_the_same():
    other = replace(DELIVERY, status=Status.READ, id_message="M1")

    keys = [
        deliveries.card(DELIVERY).key,
        deliveries.reply(DELIVERY).key,
        *(deliveries.note(DELIVERY, which).key for which in Note),
    ]

    assert len(set(keys)) == len(keys)
    assert deliveries.card(other).key == keys[0]
    assert deliveries.reply(other).key == keys[1]


@pytest.mark.parametrize(
    "status", [Status.UNKNOWN, Status.UNCONFIRMED, Status.CLOSED, Status.FAILED]
)
def test_only_certain_failures_are_called_not_sent(status):
    delivery = replace(DELIVERY, status=status, reason=Reason.NO_ANSWER)

    said = deliveries.outcome(delivery)

    assert ("Not sent" in said) == (status is Status.FAILED)


def test_a_second_copy_is_part_of_what_is_said():
    found = replace(
        DELIVERY, status=Status.READ, reason=Reason.SENT_AGAIN, id_message="M1"
    )

    assert "both copies" in deliveries.outcome(found)


@pytest.mark.parametrize("reason", Reason)
def test_admins_can_be_told_of_any_hold(reason):
    card = account.on_hold(reason)

    assert "on hold" in card.headline
    assert len(card.headline) < 600
