"""Each method: what it sends, and what it makes of the documented answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from bridge.errors import Permanent, Retryable, Unknown
from bridge.model import ChatId, MessageId
from bridge.reasons import Reason
from bridge.whatsapp.client import GreenApi
from bridge.whatsapp.records import JournalEntry, Notification, QueuedMessage
from tests.raw_server import RawServer, reply, says

TOKEN = "c0ffee" * 8 + "42"
PERSON = ChatId("79001234567@c.us")
GROUP = ChatId("79001234567-1581234048@g.us")
ID = MessageId("3EB0C767D097B7C7C030")


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer(says(b"")) as running:
        yield running


@pytest.fixture
def api(server: RawServer) -> Iterator[GreenApi]:
    client = GreenApi("7103000001", TOKEN, server.url + "/")
    yield client
    client.close()


def answers(server: RawServer, body: object, status: str = "200 OK") -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    server.answer = says(reply(raw, status))


def asked(server: RawServer) -> tuple[str, dict[str, str], bytes]:
    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    return line, dict(field.lower().split(": ", 1) for field in fields), body


# sendMessage


def test_a_text_goes_out_as_the_seed_says(server: RawServer, api: GreenApi) -> None:
    answers(server, {"idMessage": ID})

    assert api.send_message(PERSON, 'Привет "🐤"\n<b>') == ID

    line, headers, body = asked(server)
    assert line == f"POST /waInstance7103000001/sendMessage/{TOKEN} HTTP/1.1"
    assert body.decode() == (
        '{"chatId": "79001234567@c.us", "message": "Привет \\"🐤\\"\\n<b>"}'
    )
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["content-length"] == str(len(body))
    assert headers["accept-encoding"] == "identity"
    assert headers["host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("chat_id", "address"),
    [
        ("79001234567@c.us", {"phoneNumber": 79001234567}),
        ("380123456789@c.us", {"phoneNumber": 380123456789}),
        ("6581234567@c.us", {"chatId": "6581234567@c.us"}),  # ten digits
        ("4915112345678@c.us", {"chatId": "4915112345678@c.us"}),  # thirteen
        ("09001234567@c.us", {"chatId": "09001234567@c.us"}),  # 0 would be lost
        ("79001234567@g.us", {"chatId": "79001234567@g.us"}),
        (GROUP, {"chatId": GROUP}),
    ],
)
def test_the_seeds_phone_number_is_an_integer_of_11_or_12_digits(
    server: RawServer, chat_id: str, address: dict[str, object]
) -> None:
    answers(server, {"idMessage": ID})
    api = GreenApi("7103000001", TOKEN, server.url, address_by="phoneNumber")

    api.send_message(ChatId(chat_id), "hi")

    assert json.loads(asked(server)[2]) == {**address, "message": "hi"}
    api.close()


def test_half_an_emoji_is_refused_before_anything_is_sent(
    server: RawServer, api: GreenApi
) -> None:
    with pytest.raises(Permanent, match=Reason.BAD_REQUEST) as caught:
        api.send_message(PERSON, "canary \ud83d")

    assert caught.value.__context__ is None  # the original error quotes the text
    assert server.connections == 0


def test_odd_credentials_stay_within_their_part_of_the_path(server: RawServer) -> None:
    answers(server, {"idMessage": ID})
    api = GreenApi("71/../03", "a/b?c#d é", server.url)

    api.send_message(PERSON, "hi")

    assert asked(server)[0] == (
        "POST /waInstance71%2F..%2F03/sendMessage/a%2Fb%3Fc%23d%20%C3%A9 HTTP/1.1"
    )
    api.close()


# The account


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"stateInstance": "authorized"}, "authorized"),
        ({"stateInstance": "suspended"}, "suspended"),
        (None, "starting"),
        (b"", "starting"),
    ],
)
def test_the_state(server: RawServer, api: GreenApi, body: object, state: str) -> None:
    answers(server, body)

    assert api.get_state_instance() == state

    line, headers, sent = asked(server)
    assert line == f"GET /waInstance7103000001/getStateInstance/{TOKEN} HTTP/1.1"
    assert "content-length" not in headers
    assert sent == b""


def test_the_settings(server: RawServer, api: GreenApi) -> None:
    settings = {"wid": "79876543210@c.us", "delaySendMessagesMilliseconds": 500}
    answers(server, settings)

    assert api.get_settings() == settings


@pytest.mark.parametrize(
    "call",
    [
        GreenApi.get_state_instance,
        GreenApi.get_settings,
        GreenApi.show_messages_queue,
        lambda api: api.last_outgoing_messages(5),
        lambda api: api.get_message(PERSON, ID),
        lambda api: api.check_whatsapp(PERSON),
        lambda api: api.receive_notification(5),
        lambda api: api.delete_notification(1),
    ],
)
@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("what?", "200 OK", Unknown),
        (b"<html>", "200 OK", Unknown),
        ({"reason": "instance account not authorized"}, "200 OK", Retryable),
        (b"", "401 Unauthorized", Retryable),
        (b"", "429 Too Many Requests", Retryable),
        (b"", "500 Internal Server Error", Unknown),
        ({"message": "custom webhook url is set"}, "400 Bad Request", Permanent),
    ],
)
def test_reads_raise_the_same_errors(
    server: RawServer,
    api: GreenApi,
    call: Callable[[GreenApi], object],
    body: object,
    status: str,
    error: type[Exception],
) -> None:
    answers(server, body, status)

    with pytest.raises(error):
        call(api)

    assert len(server.requests) == 1


# The queue and the journal


def test_the_queue_of_today_and_of_2023(server: RawServer, api: GreenApi) -> None:
    now = {"chatId": PERSON, "message": "hi", "linkPreview": True}
    answers(
        server,
        [
            {"messageID": "BAE5", "type": "sendMessage", "body": now},
            {
                "type": "sendMessage",
                "body": {"phoneNumber": 79001234567, "message": "n"},
            },
            {"typeMessage": "textMessage", "chatId": GROUP, "message": "old"},
            {"typeMessage": "imageMessage", "chatId": GROUP, "fileName": "a.png"},
            {"type": "sendMessage"},
            {"body": {"phoneNumber": True}},
            "nonsense",
        ],
    )

    assert api.show_messages_queue() == [
        QueuedMessage(MessageId("BAE5"), PERSON, "hi", "sendMessage"),
        QueuedMessage(None, PERSON, "n", "sendMessage"),
        QueuedMessage(None, GROUP, "old", "textMessage"),
        QueuedMessage(None, GROUP, "", "imageMessage"),
    ]


ENTRY = {
    "type": "outgoing",
    "idMessage": ID,
    "timestamp": 1587133830,
    "statusMessage": "read",
    "sendByApi": True,
    "typeMessage": "extendedTextMessage",
    "chatId": PERSON,
    "extendedTextMessage": {"text": "Hi", "description": ""},
}
READ = JournalEntry(
    id_message=ID,
    chat_id=PERSON,
    text="Hi",
    sent_at=datetime(2020, 4, 17, 14, 30, 30, tzinfo=UTC),
    is_outgoing=True,
    by_api=True,
    status="read",
)
OLD = {"idMessage": ID, "timestamp": 1587133830, "chatId": PERSON, "textMessage": "Hi"}


def test_the_journal_of_today_and_of_2023(server: RawServer, api: GreenApi) -> None:
    odd = [{**ENTRY, "timestamp": when} for when in (None, True, "1", 1e9, 10**30)]
    stub = {"type": "outgoing", "typeMessage": "", "idMessage": ID}
    answers(server, [ENTRY, {**OLD, "senderId": PERSON}, OLD, *odd, stub, None])

    today, incoming, old = api.last_outgoing_messages(7)

    assert asked(server)[0].endswith(f"/{TOKEN}?minutes=7 HTTP/1.1")
    assert today == READ
    assert (incoming.is_outgoing, old.is_outgoing) == (False, True)
    assert (old.text, old.by_api, old.status) == ("Hi", None, "")


@pytest.mark.parametrize("body", [b"[]", b"null", b""])
def test_nothing_waits(server: RawServer, api: GreenApi, body: bytes) -> None:
    answers(server, body)

    assert api.show_messages_queue() == []


def test_a_journal_may_be_longer_than_an_answer(
    server: RawServer, api: GreenApi
) -> None:
    answers(server, [{**ENTRY, "textMessage": "x" * 20_000}] * 100)

    assert len(api.last_outgoing_messages(1440)) == 100


@pytest.mark.parametrize("body", [ENTRY, {"message": ENTRY}])
def test_one_message(server: RawServer, api: GreenApi, body: object) -> None:
    answers(server, body)

    assert api.get_message(PERSON, ID) == READ

    assert json.loads(asked(server)[2]) == {"chatId": PERSON, "idMessage": ID}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"message": f"Message not found by id {ID}"}, "400 Bad Request"),
        (b"chatId not found", "400 Bad Request"),
        (b"ID message notfound", "400 Bad Request"),
        ({"type": "outgoing", "typeMessage": ""}, "200 OK"),
    ],
)
def test_a_message_that_is_not_there(
    server: RawServer, api: GreenApi, body: object, status: str
) -> None:
    answers(server, body, status)

    assert api.get_message(PERSON, ID) is None


@pytest.mark.parametrize(
    ("body", "exists"),
    [
        ({"existsWhatsapp": True}, True),
        ({"existsWhatsapp": False, "chatId": ""}, False),
        ({"existsWhatsapp": True, "chatId": "1@lid", "fromCache": False}, True),
    ],
)
def test_whether_a_number_has_whatsapp(
    server: RawServer, api: GreenApi, body: object, exists: bool
) -> None:
    answers(server, body)

    assert api.check_whatsapp(PERSON) is exists

    assert json.loads(asked(server)[2]) == {"chatId": PERSON}


# Notifications


@pytest.mark.parametrize(
    "body", [{"typeWebhook": "stateInstanceChanged"}, "odd", None, ["odd"]]
)
def test_the_head_of_the_queue_whatever_it_is(
    server: RawServer, api: GreenApi, body: object
) -> None:
    answers(server, {"receiptId": 1234567, "body": body})

    assert api.receive_notification(20) == Notification(1234567, body)

    assert asked(server)[0].endswith(
        f"/receiveNotification/{TOKEN}?receiveTimeout=20 HTTP/1.1"
    )


@pytest.mark.parametrize(("asked_for", "sent"), [(0, 5), (61, 60)])
def test_the_wait_is_kept_within_what_is_allowed(
    server: RawServer, api: GreenApi, asked_for: int, sent: int
) -> None:
    answers(server, None)

    api.receive_notification(asked_for)

    assert f"receiveTimeout={sent} " in asked(server)[0]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"null", "200 OK"),
        (b"", "200 OK"),
        (b'""', "200 OK"),
        (b"{}", "200 OK"),
        (b"", "204 No Content"),
        (b"<html>", "408 Request Timeout"),
        (b"<html>", "504 Gateway Timeout"),
    ],
)
def test_no_notification(
    server: RawServer, api: GreenApi, body: bytes, status: str
) -> None:
    answers(server, body, status)

    assert api.receive_notification(5) is None


def test_a_poll_waits_longer_than_a_send(server: RawServer) -> None:
    def late(server: RawServer, sock: object) -> object:
        server.stopped.wait(0.3)
        return says(reply(b"null"))(server, sock)  # type: ignore[arg-type]

    server.answer = late
    api = GreenApi("1", TOKEN, server.url, read_timeout=0.1, wall_guard=0.2)

    assert api.receive_notification(5) is None
    with pytest.raises(Unknown, match=Reason.NO_ANSWER):
        api.get_state_instance()
    api.close()


@pytest.mark.parametrize("receipt_id", [None, True, "7", 1.5, "../x"])
def test_what_could_not_be_deleted_is_garbled(
    server: RawServer, api: GreenApi, receipt_id: object
) -> None:
    answers(server, {"receiptId": receipt_id, "body": {}})

    with pytest.raises(Unknown, match=Reason.GARBLED):
        api.receive_notification(5)


@pytest.mark.parametrize(
    ("body", "status", "deleted"),
    [
        ({"result": True, "reason": ""}, "200 OK", True),
        ({"result": True}, "200 OK", True),
        ({"result": False, "reason": "… receiptId 7 not found"}, "200 OK", False),
        (
            {"message": "… undefined (reading 'findUnAckedMessage')"},
            "500 Internal Server Error",
            False,
        ),
    ],
)
def test_deleting_a_notification(
    server: RawServer, api: GreenApi, body: object, status: str, deleted: bool
) -> None:
    answers(server, body, status)

    assert api.delete_notification(7) is deleted

    line, _, sent = asked(server)
    assert line == (
        f"DELETE /waInstance7103000001/deleteNotification/{TOKEN}/7 HTTP/1.1"
    )
    assert sent == b""
