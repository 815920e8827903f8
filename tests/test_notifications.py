"""Notifications of all eras → nouns; and whatever else may come, in their place."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.flows import receive
from bridge.model import (
    ChatId,
    Incoming,
    Irrelevant,
    MessageId,
    Notice,
    Odd,
    Receipt,
    ReceiptStatus,
    Sighting,
    StateHint,
)
from bridge.sandbox.green_api import GreenApiSandbox
from bridge.whatsapp import notifications
from tests.payloads import ANN, ID, INSTANCE, NOW, POISON, echo, incoming, status


def parse(body: object, now: datetime = NOW) -> Notice:
    return notifications.parse(body, INSTANCE, now)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
WORDS = [*notifications._READERS, "", "x", "\0", "\ud800", "a" * 300]
FIELDS = ["timestamp", "idMessage", "status", "chatId", "senderData", "messageData"]
FIELDS += ["stateInstance", "from", "quotaData", "instanceData", "typeWebhook"]


# --- what is understood -------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("sent", ReceiptStatus.SENT),
        ("delivered", ReceiptStatus.DELIVERED),
        ("read", ReceiptStatus.READ),
        ("failed", ReceiptStatus.FAILED),
        ("fail", ReceiptStatus.FAILED),
        ("noAccount", ReceiptStatus.NO_ACCOUNT),
        ("notInGroup", ReceiptStatus.NOT_IN_GROUP),
        ("yellowCard", ReceiptStatus.RESTRICTED),
        ("suspended", ReceiptStatus.RESTRICTED),
    ],
)
def test_a_status_of_any_era_is_a_receipt(word: str, expected: ReceiptStatus) -> None:
    assert parse(status(word)) == Receipt(MessageId(ID), expected, ChatId(ANN))


def test_a_status_of_2020_has_no_chat() -> None:
    body = status("read")
    del body["chatId"], body["sendByApi"]

    assert parse(body) == Receipt(MessageId(ID), ReceiptStatus.READ)


def test_an_instance_may_be_named_as_a_number_or_as_text() -> None:
    body = {**status("read"), "instanceData": {"idInstance": INSTANCE}}

    assert isinstance(parse(body), Receipt)


@pytest.mark.parametrize(
    "message",
    [
        {
            "typeMessage": "textMessage",
            "textMessageData": {"textMessage": "Grüße\n👋🏼"},
        },
        {
            "typeMessage": "extendedTextMessage",
            "extendedTextMessageData": {"text": "Grüße\n👋🏼", "title": ""},
        },
    ],
)
def test_an_echo_of_a_text_is_a_sighting(message: dict[str, object]) -> None:
    body = {**echo(), "messageData": message}

    assert parse(body) == Sighting(MessageId(ID), ChatId(ANN), "Grüße\n👋🏼", NOW)


def test_an_echo_may_name_the_chat_by_its_lid() -> None:
    notice = parse({**echo(), "senderData": {"chatId": "98765@lid"}})

    assert isinstance(notice, Sighting)
    assert notice.chat_id == "98765@lid"


def test_t32_nul_and_half_an_emoji_are_taken_out_of_a_text() -> None:
    notice = parse(echo("a\0b\ud83dc"))

    assert isinstance(notice, Sighting)
    assert notice.text == "abc"


@pytest.mark.parametrize("kind", ["imageMessage", "reactionMessage", "quotedMessage"])
def test_an_echo_of_anything_else_is_not_evidence(kind: str) -> None:
    body = echo()
    body["messageData"]["typeMessage"] = kind

    assert parse(body) == Irrelevant()


def test_a_change_of_state_is_a_hint() -> None:
    body = {
        "typeWebhook": "stateInstanceChanged",
        "instanceData": {"idInstance": int(INSTANCE), "wid": ""},
        "timestamp": int(NOW.timestamp()),
        "stateInstance": "notAuthorized",
    }

    assert parse(body) == StateHint("notAuthorized")


def test_a_customers_message_is_kept_under_its_id() -> None:
    assert parse(incoming()) == Incoming(f"incomingMessageReceived:{ID}")


def test_a_message_of_the_phone_is_kept_under_its_id() -> None:
    body = {**incoming(), "typeWebhook": "outgoingMessageReceived"}

    assert parse(body) == Incoming(f"outgoingMessageReceived:{ID}")


def test_each_state_of_a_call_is_kept() -> None:
    offer = {**incoming("incomingCall"), "from": ANN, "status": "offer"}

    assert parse(offer) == Incoming(f"incomingCall:{ID}:offer")
    assert parse({**offer, "status": "hangUp"}) != parse(offer)


def test_what_has_no_id_is_kept_under_its_time_and_chat() -> None:
    body = {**incoming("incomingCall"), "from": ANN}
    del body["idMessage"]
    seconds = int(NOW.timestamp())

    assert parse(body) == Incoming(f"incomingCall:{seconds}:{ANN}")


def test_the_quota_is_kept_once_a_day_for_it_has_no_time() -> None:
    body = {
        "typeWebhook": "quotaExceeded",
        "instanceData": {"idInstance": int(INSTANCE)},
        "quotaData": {"method": "correspondents"},
    }

    assert parse(body) == Incoming("quotaExceeded:2026-11-23")


@pytest.mark.parametrize("length", [1, 176, 177, 256])
def test_a_key_always_fits_and_is_the_ids_own(length: int) -> None:
    one = parse({**incoming(), "idMessage": "A" * length})
    other = parse({**incoming(), "idMessage": "A" * (length - 1) + "B"})

    assert isinstance(one, Incoming)
    assert len(one.key) <= 200
    assert one != other


@pytest.mark.parametrize("kind", ["deviceInfo", "statusInstanceChanged", "avatarInfo"])
def test_what_is_of_no_use_is_irrelevant(kind: str) -> None:
    assert parse(incoming(kind)) == Irrelevant()


@pytest.mark.parametrize("word", ["pending", "unknown"])
def test_a_status_that_says_nothing_is_irrelevant(word: str) -> None:
    assert parse(status(word)) == Irrelevant()


# --- what is not --------------------------------------------------------------


@pytest.mark.parametrize("name", POISON)
def test_f44_poison_is_odd_and_never_quoted(name: str) -> None:
    notice = parse(POISON[name])

    assert isinstance(notice, Odd)
    assert 0 < len(notice.why) < 60
    assert ANN not in notice.why


def test_t5_a_notification_of_another_instance_says_so() -> None:
    body = {**status("read"), "instanceData": {"idInstance": 1101000002}}

    assert parse(body) == Odd(receive.OF_ANOTHER_INSTANCE)


def test_t6_an_old_receipt_is_true_all_the_same() -> None:
    assert isinstance(parse(status("read"), NOW + timedelta(days=9)), Receipt)


@pytest.mark.parametrize("make", [echo, incoming])
def test_t6_an_old_capture_is_odd(make: Callable[[], dict[str, Any]]) -> None:
    assert not isinstance(parse(make(), NOW + timedelta(hours=26)), Odd)
    assert isinstance(parse(make(), NOW + timedelta(hours=26, seconds=1)), Odd)


@pytest.mark.parametrize("make", [status, echo, incoming])
def test_t6_a_notification_from_the_future_is_odd(
    make: Callable[[], dict[str, Any]],
) -> None:
    assert not isinstance(parse(make(), NOW - timedelta(minutes=10)), Odd)
    assert isinstance(parse(make(), NOW - timedelta(minutes=10, seconds=1)), Odd)


@given(json_values)
def test_f44_any_json_is_a_notice(body: object) -> None:
    assert isinstance(parse(body), Notice)


@given(
    st.sampled_from([status(), echo(), incoming(), incoming("incomingCall")]),
    st.dictionaries(st.sampled_from(FIELDS), json_values | st.sampled_from(WORDS)),
    st.sets(st.sampled_from(FIELDS)),
)
def test_f44_any_change_of_a_notification_is_a_notice(
    body: dict[str, object], changes: dict[str, object], missing: set[str]
) -> None:
    changed = {k: v for k, v in {**body, **changes}.items() if k not in missing}

    assert isinstance(parse(changed), Notice)


@given(st.text())
def test_t32_no_id_reaches_a_database_that_it_could_not_take(text: str) -> None:
    notice = parse({**status("read"), "idMessage": text})

    if isinstance(notice, Receipt):
        assert notice.id_message == text
        assert text.encode()
        assert "\0" not in text
        assert len(text) <= 256


@pytest.mark.parametrize(
    "body",
    [
        {**status("read"), "idMessage": "A" * 1_000_000},
        {**status("read"), "status": "r" * 1_000_000},
        {**incoming(), "typeWebhook": "i" * 1_000_000},
        {**echo(), "messageData": {"typeMessage": "t" * 1_000_000}},
        echo("x" * 1_000_000),
        {**status("read"), "timestamp": 10**300},
        {**status("read"), "instanceData": {"idInstance": 10**5000}},
    ],
    ids=range(7),
)
def test_t27_hostile_sizes_are_no_evidence(body: dict[str, object]) -> None:
    assert isinstance(parse(body), Odd | Irrelevant)


def test_what_the_emulator_writes_is_understood() -> None:
    green = GreenApiSandbox(notifications=True)
    green.receive(ANN, "Hello")
    green.set_state("notAuthorized")
    bodies = json.loads(json.dumps(green.notifications()))
    green.close()

    found = [type(parse(body, datetime.now(UTC))) for body in bodies]

    assert found == [Incoming, StateHint]
