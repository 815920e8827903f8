"""The emulated GREEN-API, over real sockets."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from flask import Blueprint, Response, request

from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.green_api.faults import SHAPES
from bridge.sandbox.green_api.webhook import is_local
from bridge.sandbox.server import SandboxServer

CHAT = "79001234567@c.us"
SECRET = "never-in-a-log-0123456789abcdef0123456789abcdef01"


class Api:
    """A client of the emulator, as plain as can be."""

    def __init__(self, green: GreenApiSandbox, url: str) -> None:
        self.green = green
        self.url = url

    def call(
        self, method: str, verb: str = "GET", rest: str = "", **options: Any
    ) -> requests.Response:
        id_instance = options.pop("id_instance", self.green.id_instance)
        token = options.pop("token", self.green.token)
        url = f"{self.url}/waInstance{id_instance}/{method}/{token}{rest}"
        timeout = options.pop("timeout", 5)
        return requests.request(
            verb, url, timeout=timeout, allow_redirects=False, **options
        )

    def send(
        self, text: object = "hi", chat_id: object = CHAT, **options: Any
    ) -> requests.Response:
        body = {"chatId": chat_id, "message": text}
        return self.call("sendMessage", "POST", json=body, **options)

    def post(self, method: str, **body: object) -> requests.Response:
        return self.call(method, "POST", json=body)

    def receive(self, seconds: object = 5) -> requests.Response:
        return self.call("receiveNotification", rest=f"?receiveTimeout={seconds}")

    def delete(self, receipt_id: object) -> requests.Response:
        return self.call("deleteNotification", "DELETE", f"/{receipt_id}")

    def control(self, action: str, **body: object) -> requests.Response:
        url = f"{self.url}/_sandbox/green-api/{action}"
        return requests.post(url, json=body, timeout=5)

    def look(self, view: str) -> Any:
        url = f"{self.url}/_sandbox/green-api/{view}"
        return requests.get(url, timeout=5).json()


def make_green(speed: float = 0, **options: Any) -> GreenApiSandbox:
    green = GreenApiSandbox(token=SECRET, speed=speed, notifications=True, **options)
    green.switches.rate_limits = False
    return green


@pytest.fixture
def serve() -> Iterator[Callable[[GreenApiSandbox], Api]]:
    servers: list[SandboxServer] = []

    def start(green: GreenApiSandbox) -> Api:
        server = SandboxServer([green.blueprint()])
        servers.append(server.start())
        return Api(green, server.url)

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def green() -> GreenApiSandbox:
    """A clock that stands still: only ``advance`` moves it."""
    return make_green()


@pytest.fixture
def api(green: GreenApiSandbox, serve: Callable[[GreenApiSandbox], Api]) -> Api:
    return serve(green)


def statuses(green: GreenApiSandbox) -> list[str]:
    bodies: list[Any] = green.notifications()
    kind = "outgoingMessageStatus"
    return [body["status"] for body in bodies if body["typeWebhook"] == kind]


# sendMessage


def test_a_message_is_accepted_under_an_id_of_its_own(green, api):
    answers = [api.send("one"), api.send("two")]

    ids = [answer.json()["idMessage"] for answer in answers]
    assert [len(id_message) for id_message in ids] == [20, 20]
    assert [(entry.id, entry.chat_id, entry.text) for entry in green.ledger] == [
        (ids[0], CHAT, "one"),
        (ids[1], CHAT, "two"),
    ]
    assert ids[0].startswith("3EB0")
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("number", "chat_id"),
    [(79001234567, "79001234567@c.us"), (380123456789, "380123456789@c.us")],
)
def test_the_seed_takes_a_phone_number(green, api, number, chat_id):
    api.post("sendMessage", phoneNumber=number, message="hi")

    assert green.ledger[0].chat_id == chat_id


@pytest.mark.parametrize(
    "chat_id",
    ["6512345678@c.us", "79001234567-1581234048@g.us", "120363043968066561@g.us"],
)
def test_the_seed_takes_people_and_groups(green, api, chat_id):
    assert api.send(chat_id=chat_id).status_code == 200


FORMATS = (
    "'chatId' must be one of the next formats: 'phone_number@c.us' or 'group_id@g.us'"
)
TOO_LONG = "'message' length must be less than or equal to 4096 characters long"


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({"message": "hi"}, "'chatId' is required"),
        ({"chatId": "", "message": "hi"}, "'chatId' is not allowed to be empty"),
        ({"chatId": None, "message": "hi"}, "'chatId' must be a string"),
        ({"chatId": "123", "message": "hi"}, FORMATS),
        ({"chatId": "7123@c.us", "message": "hi"}, FORMATS),
        ({"chatId": "120650379300963@lid", "message": "hi"}, FORMATS),
        ({"chatId": CHAT}, "'message' is required"),
        ({"chatId": CHAT, "message": ""}, "'message' is not allowed to be empty"),
        ({"chatId": CHAT, "message": 7}, "'message' must be a string"),
        ({"chatId": CHAT, "message": "x" * 4097}, TOO_LONG),
        ({"chatId": CHAT, "message": "😃" * 2049}, TOO_LONG),
        (
            {"chatId": CHAT, "message": "hi", "quotedMessageId": "short"},
            "'message id' must be at least 16 symbols",
        ),
        (
            {"chatId": CHAT, "message": "hi", "linkPreview": "yes"},
            "'linkPreview' must be a boolean",
        ),
    ],
)
def test_a_body_against_the_rules_is_refused_in_their_words(green, api, body, details):
    answer = api.post("sendMessage", **body)

    assert answer.status_code == 400
    assert answer.json()["message"] == f"Validation failed. Details: {details}"
    assert green.ledger == []
    assert len(green.posts) == 1


@pytest.mark.parametrize("text", ["x" * 4096, "😃" * 2048, "   ", "привет\n*b*"])
def test_a_text_within_the_rules_arrives_unchanged(green, api, text):
    api.send(text)

    assert green.ledger[0].text == text


@pytest.mark.parametrize("number", [7900123456, 7900123456789, -79001234567])
def test_a_phone_number_has_11_or_12_digits(api, number):
    answer = api.post("sendMessage", phoneNumber=number, message="hi")

    assert answer.json()["message"] == "bad phone number, valid 11 or 12 digits"


def test_an_error_repeats_the_path_with_the_token(api):
    answer = api.send("")

    assert SECRET in answer.json()["path"]
    assert answer.json()["statusCode"] == 400


def test_an_error_can_be_plain_text(green, api):
    green.switches.errors = "text"

    answer = api.send("")

    assert answer.text.startswith("Validation failed. Details: 'message'")


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"{", 400, "bad request data"),
        (b"[]", 400, "bad request data"),
        (b'\xef\xbb\xbf{"chatId": "a"}', 400, "bad request data"),
        (b'{"a": "' + b"x" * 102_400 + b'"}', 500, "request entity too large"),
        (b"", 400, "Validation failed. Details: 'chatId' is required"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(api, content, status, message):
    answer = api.call("sendMessage", "POST", data=content)

    assert (answer.status_code, answer.json()["message"]) == (status, message)


def test_the_current_profile_has_other_rules(serve):
    api = serve(make_green(profile="now"))

    assert api.send("x" * 20_000).status_code == 200
    assert api.send("x" * 20_001).status_code == 400
    assert api.send(chat_id="120650379300963@lid").status_code == 200
    assert "@lid" in api.send(chat_id="1@newsletter").json()["message"]
    by_number = api.post("sendMessage", phoneNumber=79001234567, message="hi")
    assert by_number.json()["message"].endswith("'chatId' is required")
    odd = api.post("sendMessage", chatId=CHAT, message="hi", company="x")
    assert odd.json()["message"].endswith("'company' is not allowed")


# Routing


def test_the_method_may_be_written_in_any_case(api):
    answer = api.call("SENDmessage", "POST", json={"chatId": CHAT, "message": "hi"})

    assert answer.status_code == 200


@pytest.mark.parametrize("wrong", [{"token": "0" * 50}, {"id_instance": "7103000000"}])
def test_wrong_credentials_get_401_without_a_body(green, api, wrong):
    answer = api.send(**wrong)

    assert (answer.status_code, answer.content) == (401, b"")
    assert green.ledger == []


def test_an_unknown_instance_can_get_403(green, api):
    green.switches.unknown_instance = 403

    answer = api.send(id_instance="7103000000")

    assert (answer.status_code, answer.text) == (403, "Forbidden")


def test_an_unknown_method_gets_a_page_of_the_proxy(api):
    answer = api.call("sendPigeon")

    assert answer.status_code == 404
    assert "nginx" in answer.text


def test_a_wrong_verb_gets_404_in_json(api):
    answer = api.call("sendMessage")

    assert answer.status_code == 404
    assert answer.json()["message"].startswith("Cannot GET /waInstance")


# The outgoing queue


def test_messages_leave_one_by_one_every_half_second(green, api):
    for text in "abc":
        api.send(text)

    green.advance(0.5)
    assert api.call("getMessagesCount").json() == {"count": 2}
    green.advance(0.5)
    assert api.call("getMessagesCount").json() == {"count": 1}
    assert [entry.data["text"] for entry in green.log.since(0, "released")] == [*"ab"]


def test_the_notifications_that_wait_are_counted(green, api):
    assert api.call("getWebhooksCount").json() == {"count": 0}

    green.receive(CHAT, "one")
    green.receive(CHAT, "two")

    green.advance(1)
    assert api.call("getWebhooksCount").json() == {"count": 2}


def test_the_queue_does_not_show_the_next_message(green, api):
    api.send("next")
    assert api.call("showMessagesQueue").json() == []

    id_message = api.send("second").json()["idMessage"]

    assert api.call("showMessagesQueue").json() == [
        {
            "messageID": id_message,
            "type": "sendMessage",
            "body": {"chatId": CHAT, "message": "second"},
        }
    ]


def test_the_queue_can_show_everything_as_in_2020(green, api):
    green.switches.shows_queue_head = True
    green.switches.queue_has_ids = False

    api.send("next")

    assert api.call("showMessagesQueue").json() == [
        {"typeMessage": "textMessage", "chatId": CHAT, "message": "next"}
    ]


def test_a_cleared_queue_sends_nothing(green, api):
    api.send()

    assert api.call("clearMessagesQueue").json() == {"isCleared": True}
    green.advance(10)

    assert green.log.since(0, "released") == []


def test_messages_wait_for_an_authorized_instance(green, api):
    green.set_state("notAuthorized")
    api.send()
    green.advance(60)
    assert green.log.since(0, "released") == []

    green.set_state("authorized")
    green.advance(0.5)

    assert len(green.log.since(0, "released")) == 1


def test_a_message_does_not_leave_when_its_turn_comes_too_late(green, api):
    api.send()
    green.set_state("yellowCard")

    green.advance(60)

    assert green.log.since(0, "released") == []


def test_a_message_waits_for_24_hours_at_most(green, api):
    green.set_state("notAuthorized")
    api.send()

    green.advance(24 * 3600 + 1)
    green.set_state("authorized")
    green.advance(10)

    assert green.log.since(0, "released") == []
    assert len(green.log.since(0, "expired")) == 1


@pytest.mark.parametrize(
    ("how", "state", "status", "key", "text"),
    [
        ("refuse", "notAuthorized", 400, "message", "instance account not authorized"),
        (
            "refuse",
            "starting",
            400,
            "message",
            "instance in starting process try later",
        ),
        ("reason", "notAuthorized", 200, "reason", "instance account not authorized"),
    ],
)
def test_an_older_server_refuses_while_not_authorized(
    green, api, how, state, status, key, text
):
    green.switches.when_unauthorized = how
    green.set_state(state)

    answer = api.send()

    assert (answer.status_code, answer.json()[key]) == (status, text)
    assert green.ledger == []


# Statuses and the journal


def test_a_sent_message_is_echoed_delivered_and_read(green, api):
    id_message = api.send("hello").json()["idMessage"]

    green.advance(5)

    echo: Any = green.notifications()[0]
    assert echo["typeWebhook"] == "outgoingAPIMessageReceived"
    assert echo["messageData"]["typeMessage"] == "extendedTextMessage"
    assert echo["messageData"]["extendedTextMessageData"]["text"] == "hello"
    assert statuses(green) == ["sent", "delivered", "read"]
    last: Any = green.notifications()[-1]
    assert (last["idMessage"], last["chatId"]) == (id_message, CHAT)
    assert last["sendByApi"] is True


def test_a_new_instance_tells_nothing_but_failures(serve):
    green = GreenApiSandbox(token=SECRET, speed=0)
    green.switches.rate_limits = False
    api = serve(green)

    api.send()
    api.send(chat_id="14155550120@c.us")
    green.advance(5)

    assert statuses(green) == ["noAccount"]
    assert len(green.notifications()) == 1
    assert api.call("lastOutgoingMessages").json() == []


def test_a_script_decides_on_statuses(green, api):
    green.script(CHAT, ("read", 1), ("delivered", 1), ("delivered", 0))

    api.send()
    green.advance(5)

    assert statuses(green) == ["read", "delivered", "delivered"]


def test_the_journal_shows_what_has_left_newest_first(green, api):
    ids = [api.send(text).json()["idMessage"] for text in ("a", "b")]
    assert api.call("lastOutgoingMessages").json() == []

    green.advance(0.5)
    first = api.call("lastOutgoingMessages", rest="?minutes=1").json()
    green.advance(5)
    both = api.call("lastOutgoingMessages").json()

    assert [(item["idMessage"], item["statusMessage"]) for item in first] == [
        (ids[0], "pending")
    ]
    assert [(item["textMessage"], item["statusMessage"]) for item in both] == [
        ("b", "read"),
        ("a", "read"),
    ]


def test_the_journal_can_lag_and_lie(green, api):
    green.journal.lag = 60
    green.journal.rewrite = lambda item: {**item, "chatId": "1@lid"}
    api.send()

    green.advance(60)
    assert api.call("lastOutgoingMessages").json() == []
    green.advance(1)
    assert api.call("lastOutgoingMessages").json()[0]["chatId"] == "1@lid"


def test_the_journal_forgets_by_minutes(green, api):
    api.send()

    green.advance(3 * 60)

    assert api.call("lastOutgoingMessages", rest="?minutes=2").json() == []
    assert len(api.call("lastOutgoingMessages", rest="?minutes=4").json()) == 1


def test_one_message_can_be_looked_up(green, api):
    id_message = api.send("hello").json()["idMessage"]
    unknown = api.post("getMessage", chatId=CHAT, idMessage=id_message)
    assert unknown.status_code == 400
    assert unknown.json()["message"] == f"Message not found by id {id_message}"

    green.advance(1)

    found = api.post("getMessage", chatId=CHAT, idMessage=id_message).json()
    assert found["textMessage"] == "hello"


# Receiving


def test_a_customer_writes(green, api):
    id_message = green.receive(CHAT, "When?", "Jane")

    notification = api.receive().json()
    body = notification["body"]
    assert body["typeWebhook"] == "incomingMessageReceived"
    assert body["idMessage"] == id_message
    assert body["senderData"]["chatId"] == body["senderData"]["sender"] == CHAT
    assert body["senderData"]["senderName"] == "Jane"
    assert body["messageData"] == {
        "typeMessage": "textMessage",
        "textMessageData": {"textMessage": "When?"},
    }
    journal = api.call("lastIncomingMessages").json()
    assert [item["textMessage"] for item in journal] == ["When?"]


def test_the_head_comes_again_under_a_new_receipt_until_deleted(green, api):
    green.receive(CHAT, "one")
    green.receive(CHAT, "two")

    first, again = api.receive().json(), api.receive().json()

    assert first["body"] == again["body"]
    assert first["receiptId"] != again["receiptId"]
    late = api.delete(first["receiptId"]).json()
    assert late == {
        "result": False,
        "reason": f"Notification with receiptId {first['receiptId']} not found",
    }
    assert api.delete(again["receiptId"]).json() == {"result": True, "reason": ""}
    second = api.receive().json()
    assert second["body"]["messageData"]["textMessageData"] == {"textMessage": "two"}


def test_a_late_delete_can_get_500(green, api):
    green.switches.late_delete = "500"

    answer = api.delete(99)

    assert answer.status_code == 500
    assert "findUnAckedMessage" in answer.json()["message"]


def test_a_receipt_id_is_a_number(api):
    answer = api.delete("abc")

    assert answer.status_code == 400
    assert answer.json()["message"] == "Parameter receiptId must be a Number!"


@pytest.mark.parametrize("seconds", [4, 61, "x", -5])
def test_a_poll_lasts_5_to_60_seconds(api, seconds):
    assert api.receive(seconds).status_code == 400


@pytest.mark.parametrize(
    ("how", "status", "text"),
    [("null", 200, "null"), ("empty", 200, ""), ("504", 504, "<html>")],
)
def test_an_empty_poll_ends_with_nothing(serve, how, status, text):
    green = make_green(speed=1000)
    green.switches.empty_poll = how

    answer = serve(green).receive()

    assert answer.status_code == status
    assert answer.text[:6] == text


def test_a_poll_waits_for_the_next_notification(green, api):
    answers: list[Any] = []
    poll = threading.Thread(target=lambda: answers.append(api.receive(60).json()))
    arrived = threading.Event()
    green.on_request = lambda method, body: arrived.set()

    poll.start()
    assert arrived.wait(5)
    green.receive(CHAT, "at last")
    poll.join(5)

    assert answers[0]["body"]["typeWebhook"] == "incomingMessageReceived"


def test_a_notification_lives_for_24_hours(green, api):
    green.receive(CHAT, "old")
    green.advance(24 * 3600 - 10)
    green.receive(CHAT, "new")

    green.advance(20)

    assert "new" in api.receive().text


def test_any_notification_can_be_put_in(green, api):
    green.notify({"typeWebhook": "neverSeenBefore"})
    green.notify([1, None])

    for expected in ({"typeWebhook": "neverSeenBefore"}, [1, None]):
        notification = api.receive().json()
        assert notification["body"] == expected
        api.delete(notification["receiptId"])


# Webhook mode


class Receiver:
    """A webhook receiver that answers with the given statuses, then with 200."""

    def __init__(self, *answers: int) -> None:
        self.bodies: list[Any] = []
        self.headers: list[Any] = []
        self._answers = list(answers)
        self.blueprint = Blueprint("receiver", __name__)
        self.blueprint.post("/hook")(self._take)

    def _take(self) -> Response:
        self.bodies.append(request.get_json())
        self.headers.append(dict(request.headers))
        return Response("", self._answers.pop(0) if self._answers else 200)


def test_notifications_are_pushed_in_order_until_taken_with_200(serve):
    green = make_green(speed=1000)
    api = serve(green)
    receiver = Receiver(500, 201)
    with SandboxServer([receiver.blueprint]) as server:
        green.apply_settings(webhookUrl=f"{server.url}/hook", webhookUrlToken="abc")
        green.receive(CHAT, "one")
        green.receive(CHAT, "two")
        green.wait_for(lambda: not green.notifications())

    texts = [
        body["messageData"]["textMessageData"]["textMessage"]
        for body in receiver.bodies
    ]
    assert texts == ["one", "one", "one", "two"]
    assert {headers["Authorization"] for headers in receiver.headers} == {"Bearer abc"}
    poll = api.receive()
    assert poll.status_code == 400
    assert "custom webhook url is set" in poll.json()["message"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000/hook", True),
        ("http://localhost/hook", True),
        ("https://127.0.0.1/hook", False),
        ("http://127.0.0.1.example.com/hook", False),
        ("http://10.0.0.1/hook", False),
        ("nonsense", False),
    ],
)
def test_a_webhook_never_leaves_this_machine(url, expected):
    assert is_local(url) is expected


# State and settings


def test_a_new_state_is_told(green, api):
    assert api.call("getStateInstance").json() == {"stateInstance": "authorized"}

    green.set_state("notAuthorized")

    assert api.call("getStateInstance").json() == {"stateInstance": "notAuthorized"}
    body = api.receive().json()["body"]
    assert body["typeWebhook"] == "stateInstanceChanged"
    assert body["stateInstance"] == "notAuthorized"
    assert body["instanceData"]["wid"] == ""
    assert api.call("getWaSettings").json()["phone"] == ""


def test_a_state_that_does_not_exist_cannot_be_set(green):
    with pytest.raises(ValueError, match="authorized"):
        green.set_state("tired")


def test_settings_hold_after_the_restart_they_cause(serve):
    green = GreenApiSandbox(token=SECRET, speed=0)
    green.switches.rate_limits = False
    api = serve(green)
    assert api.call("getSettings").json()["incomingWebhook"] == "no"

    answer = api.post("setSettings", incomingWebhook="yes", stateWebhook="yes")

    assert answer.json() == {"saveSettings": True}
    assert green.state == "starting"
    assert api.call("getSettings").json()["incomingWebhook"] == "no"
    green.advance(3)
    assert green.state == "authorized"
    assert api.call("getSettings").json()["incomingWebhook"] == "yes"
    assert api.receive().json()["body"]["stateInstance"] == "authorized"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"proxyInstance": "x"},
        {"incomingWebhook": True},
        {"webhookUrl": None},
        {"delaySendMessagesMilliseconds": 499},
    ],
)
def test_settings_that_do_not_exist_are_refused(green, api, changes):
    assert api.post("setSettings", **changes).status_code == 400
    assert green.state == "authorized"


def test_a_reboot_ends_a_yellow_card(green, api):
    green.set_state("yellowCard")

    assert api.call("reboot").json() == {"isReboot": True}

    assert green.state == "starting"
    green.advance(3)
    assert green.state == "authorized"


def test_a_second_restart_does_not_lose_the_state(green, api):
    green.set_state("notAuthorized")

    api.call("reboot")
    api.call("reboot")
    green.advance(10)

    assert green.state == "notAuthorized"


def test_check_whatsapp_knows_who_has_an_account(green, api):
    def exists(**body: object) -> object:
        return api.post("checkWhatsapp", **body).json()["existsWhatsapp"]

    assert exists(phoneNumber=79001234567) is True
    assert exists(phoneNumber=14155550120) is False
    assert exists(chatId="14155550120@c.us") is False
    assert api.post("checkWhatsapp").status_code == 400
    green.set_state("notAuthorized")
    assert api.post("checkWhatsapp", chatId=CHAT).status_code == 400


# Limits


def test_the_51st_message_in_a_second_is_not_executed(green, api):
    green.switches.rate_limits = True
    for _ in range(50):
        assert api.send().status_code == 200

    refused = api.send()

    assert (refused.status_code, refused.content) == (429, b"")
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert "Retry-After" not in refused.headers
    assert len(green.ledger) == 50
    assert api.call("getStateInstance").status_code == 200
    assert api.call("getStateInstance").status_code == 429
    green.advance(1)
    assert api.send().status_code == 200


def test_a_fourth_chat_is_over_the_plan(green, api):
    green.quota.limit = 3
    for number in (1, 2, 3):
        assert api.send(chat_id=f"7900123456{number}@c.us").status_code == 200

    refused = api.send(chat_id="79001234564@c.us")

    assert refused.status_code == 466
    limit = refused.json()["correspondentsStatus"]
    assert limit["status"] == "CORRESPONDENTS_QUOTE_EXCEEDED"
    assert "79001234561@c.us,79001234562@c.us" in limit["description"]
    assert api.send(chat_id="79001234561@c.us").status_code == 200
    green.receive("79001234565@c.us", "hi")
    assert api.receive().json()["body"]["typeWebhook"] == "quotaExceeded"
    green.advance(31 * 24 * 3600)
    assert api.send(chat_id="79001234564@c.us").status_code == 200


def test_a_hundred_lookups_a_month_are_in_the_plan(green, api):
    green.quota.limit = 3
    for _ in range(100):
        green.quota.check_lookup(green.timeline.now())

    refused = api.post("checkWhatsapp", chatId=CHAT)

    assert refused.status_code == 466
    assert refused.json()["invokeStatus"]["status"] == "QUOTE_EXCEEDED"


# Magic numbers


@pytest.mark.parametrize(
    ("last_four", "expected"),
    [
        ("0100", ["sent", "delivered", "read"]),
        ("0109", ["sent", "delivered", "read"]),
        ("0110", ["sent", "delivered"]),
        ("0111", ["sent"]),
        ("0120", ["noAccount"]),
        ("0170", ["yellowCard"]),
    ],
)
def test_a_magic_number_ends_as_promised(green, api, last_four, expected):
    assert api.send(chat_id=f"1415555{last_four}@c.us").status_code == 200

    green.advance(3600)

    assert statuses(green) == expected


def test_magic_0129_is_slow_down_twice_for_each_text(green, api):
    def send(text: str) -> int:
        return api.send(text, "14155550129@c.us").status_code

    assert [send("a"), send("a"), send("b"), send("a")] == [429, 429, 429, 200]
    green.reset()
    assert send("a") == 429


@pytest.mark.parametrize(
    ("last_four", "status", "accepted"),
    [("0140", 400, 0), ("0146", 466, 0), ("0150", 500, 0), ("0151", 502, 1)],
)
def test_a_magic_number_answers_with_an_error(green, api, last_four, status, accepted):
    answer = api.send(chat_id=f"1415555{last_four}@c.us")

    assert answer.status_code == status
    assert len(green.ledger) == accepted


def test_magic_0140_says_not_authorized(api):
    answer = api.send(chat_id="14155550140@c.us")

    assert answer.json()["message"] == "instance account not authorized"


@pytest.mark.parametrize(("last_four", "accepted"), [("0160", 0), ("0161", 1)])
def test_a_magic_number_never_answers(green, api, last_four, accepted):
    with pytest.raises(requests.ReadTimeout):
        api.send(chat_id=f"1415555{last_four}@c.us", timeout=0.1)

    assert green.wait_for(lambda: len(green.ledger) == accepted)


def test_magic_0180_writes_back(green, api):
    api.send(chat_id="14155550180@c.us")

    green.advance(2.5)

    kinds = [body["typeWebhook"] for body in green.notifications()]
    assert kinds.count("incomingMessageReceived") == 1


def test_magic_numbers_can_be_ordinary(green, api):
    green.switches.magic_numbers = False

    assert api.send(chat_id="14155550150@c.us").status_code == 200


# Faults


@pytest.mark.parametrize(("drop", "accepted"), [("before", 0), ("after", 1)])
def test_a_dropped_connection_is_reset_before_or_after_executing(
    green, api, drop, accepted
):
    green.fault(drop=drop)

    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        api.send()

    assert len(green.ledger) == accepted
    assert api.send().status_code == 200


@pytest.mark.parametrize(
    ("status", "executes", "accepted"),
    [(500, None, 0), (502, True, 1), (504, False, 0), (499, True, 1)],
)
def test_a_status_can_hide_what_was_done(green, api, status, executes, accepted):
    green.fault(status=status, executes=executes)

    answer = api.send()

    assert answer.status_code == status
    assert "nginx" in answer.text
    assert len(green.ledger) == accepted


@pytest.mark.parametrize(
    ("status", "text"), [(401, ""), (403, "Forbidden"), (429, ""), (200, "")]
)
def test_a_status_without_a_body_has_its_usual_one(green, api, status, text):
    green.fault(status=status, headers={"Retry-After": "-1"})

    answer = api.send()

    assert (answer.status_code, answer.text) == (status, text)
    assert answer.headers["Retry-After"] == "-1"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_leads_away(green, api, status):
    green.fault(status=status, headers={"Location": f"{api.url}/elsewhere"})

    answer = api.send()

    assert answer.status_code == status
    assert answer.headers["Location"] == f"{api.url}/elsewhere"
    assert green.ledger == []


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ({"idMessage": None}, b'{"idMessage":null}'),
        ([], b"[]"),
        ("<html>", b"<html>"),
        (b"\xff\xfe", b"\xff\xfe"),
    ],
)
def test_a_body_can_be_anything(green, api, body, content):
    green.fault(body=body)

    answer = api.send()

    assert (answer.status_code, answer.content) == (200, content)
    assert green.ledger == []


@pytest.mark.parametrize("shape", sorted(SHAPES.keys() - {"drip", "truncated"}))
def test_a_broken_success_has_no_id(green, api, shape):
    green.fault(shape=shape)

    answer = api.send()

    assert answer.status_code == 200
    assert "idMessage" not in answer.text
    assert green.ledger == []


def test_a_truncated_answer_breaks_off_though_executed(green, api):
    green.fault(shape="truncated")

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api.send()

    assert len(green.ledger) == 1


def test_a_dripping_answer_arrives_byte_by_byte(serve):
    green = make_green(speed=100_000)
    api = serve(green)
    green.fault(shape="drip")

    assert api.send().json() == {"idMessage": green.ledger[0].id}


def test_an_answer_need_not_be_http(green, api):
    green.fault(raw=b"what?\r\n\r\n")

    with pytest.raises(requests.ConnectionError, match="BadStatusLine"):
        api.send()


def test_a_message_can_be_accepted_after_the_client_has_gone(green, api):
    green.fault(delay_execution=45, hold=True, executes=True)
    with pytest.raises(requests.ReadTimeout):
        api.send("late", timeout=0.1)
    assert green.ledger == []

    green.advance(45)

    assert green.wait_for(lambda: green.ledger)[0].text == "late"


def test_a_fault_is_for_a_chat_a_method_and_a_number_of_times(green, api):
    green.fault(chat_id="79001234568@c.us", status=500, times=2)
    green.fault("getStateInstance", status=503, times=None)

    assert api.send().status_code == 200
    other = [api.send(chat_id="79001234568@c.us").status_code for _ in range(3)]
    assert other == [500, 500, 200]
    assert [api.call("getStateInstance").status_code for _ in range(3)] == [503] * 3
    green.clear_faults()
    assert api.call("getStateInstance").status_code == 200


def test_hooks_see_a_request_before_and_after_it_is_executed(green, api):
    seen: list[tuple[str, str, int]] = []
    green.on_request = lambda method, body: seen.append(
        ("request", body["message"], len(green.ledger))
    )
    green.on_executed = lambda method, body: seen.append(
        ("executed", body["message"], len(green.ledger))
    )

    api.send("one")
    api.send("")

    assert seen == [("request", "one", 0), ("executed", "one", 1), ("request", "", 1)]


def test_every_post_is_remembered_whatever_became_of_it(green, api):
    green.fault(drop="before")
    with pytest.raises(requests.ConnectionError):
        api.send("dropped")
    api.send("refused", chat_id="nobody")
    api.send("strange", token="0" * 50)
    api.send("fine")
    api.call("sendMessage", "POST", data=b"{")

    assert [post.body and post.body["message"] for post in green.posts] == [
        "dropped",
        "refused",
        "strange",
        "fine",
        None,
    ]
    assert [entry.text for entry in green.ledger] == ["fine"]


# Waiting, the log, ending


def test_waiting_ends_with_the_awaited_change(serve):
    green = make_green(speed=100)
    serve(green).send()

    green.wait_for(lambda: "read" in statuses(green))

    kinds = [entry.kind for entry in green.log.since(0)]
    assert kinds.count("status") == 3
    assert kinds.index("accepted") < kinds.index("released") < kinds.index("status")


def test_waiting_ends_with_its_time():
    with pytest.raises(TimeoutError):
        make_green().wait_for(lambda: False, timeout=0.01)


def test_parallel_messages_are_all_in_the_ledger_once(green, api):
    threads = [
        threading.Thread(target=api.send, args=(str(number),)) for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(int(entry.text) for entry in green.ledger) == list(range(20))
    assert [entry.order for entry in green.ledger] == list(range(1, 21))


def test_the_log_never_holds_the_token(green, api):
    api.send()
    api.send("")
    api.call("sendMessage")
    other = "a-token-for-something-else"
    api.send(f"{SECRET} {other}", token=other)

    text = json.dumps([entry.data for entry in green.log.since(0)])
    assert "getStateInstance" not in text
    assert text.count("sendMessage") > 3
    assert SECRET not in text
    assert other not in text


def test_the_thread_ends_when_nothing_is_due(serve):
    green = make_green(speed=1000)
    serve(green).send()
    green.wait_for(lambda: "read" in statuses(green))

    for thread in emulator_threads():
        thread.join(5)

    assert emulator_threads() == []


def emulator_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("green-api")]


def test_a_stop_ends_polls_holds_and_what_is_due(serve):
    green = make_green(speed=1)
    server = SandboxServer([green.blueprint()]).start()
    api = Api(green, server.url)
    green.fault("getSettings", hold=True)
    green.fault("getWaSettings", delay=60)
    calls = ("receiveNotification", "getSettings", "getWaSettings")
    arrived = threading.Semaphore(0)
    green.on_request = lambda method, body: arrived.release()

    def call(method: str) -> None:
        with contextlib.suppress(requests.RequestException):
            api.call(method, timeout=30)

    clients = [threading.Thread(target=call, args=(method,)) for method in calls]
    for client in clients:
        client.start()
    for _ in calls:
        assert arrived.acquire(timeout=5)
    api.send()
    server.stop()
    for client in clients:
        client.join(5)

    assert not any(client.is_alive() for client in clients)
    assert emulator_threads() == []


def test_a_stopped_server_comes_back_with_everything_in_place(serve):
    green = make_green(speed=100)
    server = SandboxServer([green.blueprint()])
    with server:
        Api(green, server.url).send("before")
    with server:
        green.wait_for(lambda: "read" in statuses(green))
        Api(green, server.url).send("after")

    assert [entry.text for entry in green.ledger] == ["before", "after"]


def test_a_reset_begins_again(green, api):
    green.fault(status=500)
    green.set_state("blocked")
    api.send()
    green.receive(CHAT, "hi")

    green.reset()

    assert (green.ledger, green.posts, green.notifications()) == ([], [], [])
    assert green.state == "authorized"
    assert api.send().status_code == 200


# The control API


def test_the_page_can_do_what_tests_can(green, api):
    assert api.control("fault", status=500).json() == {"ok": True}
    assert api.send().status_code == 500
    api.control("fault", status=500, times=None)
    api.control("faults/clear")
    assert api.send("hello").status_code == 200
    api.control("script", chat_id=CHAT, steps=[["sent", 1]])
    api.control("clock", advance=10)
    api.control("receive", chat_id=CHAT, text="hi", sender_name="Jane")
    api.control("notify", typeWebhook="odd")
    api.control("settings", delaySendMessagesMilliseconds=1000)
    api.control("switches", shows_queue_head=True)
    api.control("quota", limit=3)
    api.control("state", state="notAuthorized")

    assert [entry["text"] for entry in api.look("ledger")] == ["hello"]
    assert len(api.look("posts")) == 2
    state = api.look("state")
    assert state["stateInstance"] == "notAuthorized"
    assert state["settings"]["delaySendMessagesMilliseconds"] == 1000
    assert state["switches"]["shows_queue_head"] is True
    assert SECRET not in json.dumps(state)
    log = api.look("log")
    assert [entry["seq"] for entry in log] == list(range(1, len(log) + 1))
    assert api.look(f"log?since={log[-2]['seq']}") == log[-1:]
    assert {"api_call", "accepted", "released", "status", "notification", "state"} <= {
        entry["kind"] for entry in log
    }
    api.control("reset")
    assert api.look("ledger") == []


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("nothing", {}, 404),
        ("fault", {"color": "red"}, 400),
        ("fault", {"shape": "round"}, 400),
        ("state", {}, 400),
        ("state", {"state": "tired"}, 400),
        ("settings", {"incomingWebhook": 1}, 400),
        ("switches", {"off": True}, 400),
    ],
)
def test_the_control_api_explains_a_mistake(api, action, body, status):
    answer = api.control(action, **body)

    assert answer.status_code == status
    assert answer.json()["error"]


def test_the_control_api_is_for_this_page_only(green, api):
    url = f"{api.url}/_sandbox/green-api/reset"

    def post(**options: Any) -> int:
        return requests.post(url, timeout=5, **options).status_code

    assert post(json={}, headers={"Origin": "http://evil.example"}) == 403
    assert post(json={}, headers={"Host": "evil.example"}) == 403
    assert post(data="{}", headers={"Content-Type": "text/plain"}) == 415
    assert post(data="[]", headers={"Content-Type": "application/json"}) == 400
    assert post(json={}, headers={"Origin": api.url}) == 200


def test_a_client_that_leaves_early_does_no_harm(green, api):
    address = api.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1]))) as sock:
        sock.sendall(b"POST /waInstance1/sendMessage/x HTTP/1.1\r\nContent-Le")

    assert api.send().status_code == 200


# Rates, webhooks in the log, magic numbers abroad


def test_a_bucket_fills_again_with_time(green, api):
    green.switches.rate_limits = True
    first = [api.call("getMessagesCount").status_code for _ in range(2)]
    green.advance(0.5)
    too_early = api.call("getMessagesCount").status_code
    green.advance(0.5)
    refilled = [api.call("getMessagesCount").status_code for _ in range(2)]

    assert first == [200, 429]
    assert too_early == 429
    assert refilled == [200, 429]


def test_a_second_lets_as_many_through_as_it_says(green, api):
    green.switches.rate_limits = True

    answers = [api.send(str(number)).status_code for number in range(51)]

    assert answers == [200] * 50 + [429]


def test_every_push_is_in_the_log(serve):
    green = make_green(speed=100)
    api = serve(green)
    answers = iter([500, 200])
    target = Blueprint("target", __name__)
    target.post("/hook", endpoint="hook")(lambda: Response("", next(answers)))
    with SandboxServer([target]) as server:
        green.apply_settings(webhookUrl=f"{server.url}/hook", webhookUrlToken=SECRET)

        green.receive(CHAT, "hi")
        green.wait_for(lambda: not green.notifications())

    refused, taken = (entry.data for entry in green.log.since(0, "delivery"))
    assert (refused["status"], refused["outcome"]) == (500, "dispatch_failed")
    assert (taken["status"], taken["outcome"]) == (200, "acked")
    assert taken["method"] == "incomingMessageReceived"
    assert taken["request"]["messageData"]["textMessageData"]["textMessage"] == "hi"
    assert SECRET not in json.dumps([refused, taken])
    assert api.look("state")["notifications"] == 0


@pytest.mark.parametrize(
    ("chat_id", "ends"),
    [
        ("442079460111@c.us", ["sent"]),
        ("442079460120@c.us", ["noAccount"]),
        ("442079461111@c.us", ["sent", "delivered", "read"]),
        ("4420794601110@c.us", ["sent", "delivered", "read"]),
        ("14155550111@g.us", ["sent", "delivered", "read"]),
    ],
)
def test_numbers_for_fiction_elsewhere_are_magic_too(green, chat_id, ends):
    green.instance.accept(chat_id, "hi", {})

    green.advance(60)

    assert statuses(green) == ends
