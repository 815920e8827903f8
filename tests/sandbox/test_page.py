"""The sandbox page's side of the server: events, control API, guards, replays."""

from __future__ import annotations

import ast
import json
import re
import shlex
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Blueprint, Response, request
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode import SocketModeClient

import bridge.sandbox
from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.green_api.magic import MAGIC
from bridge.sandbox.page import Sandbox, parts
from bridge.sandbox.page.control import ACTIONS
from bridge.sandbox.page.orders import KINDS
from bridge.sandbox.server import SandboxServer
from bridge.sandbox.slack import SlackSandbox
from tests.sandbox.test_socket_mode import close

PATIENCE = 20.0  # seconds until a test that waits gives up: a limit, no measure
TOKEN = "never-in-a-log-0123456789abcdef0123456789abcdef01"
BOT_TOKEN = "xoxb-never-in-a-log"
CHAT = "14155550100@c.us"


@pytest.fixture
def sandbox() -> Sandbox:
    """Both emulators; GREEN-API's clock runs a hundred times as fast."""
    slack = SlackSandbox(bot_token=BOT_TOKEN, burst=100)
    green = GreenApiSandbox(token=TOKEN, speed=100, notifications=True, log=slack.log)
    return Sandbox(slack, green)


@pytest.fixture
def page(sandbox: Sandbox) -> Iterator[Page]:
    with SandboxServer(parts(sandbox)) as server:
        yield Page(sandbox, server.url)


class Page:
    """A client of the control API, as plain as can be."""

    def __init__(self, sandbox: Sandbox, url: str) -> None:
        self.sandbox = sandbox
        self.url = url
        self.headers = {"X-Sandbox-Token": self.get("token")["token"]}

    def _post(self, action: str, body: Any) -> requests.Response:
        url = f"{self.url}/_sandbox/{action}"
        return requests.post(url, json=body, headers=self.headers, timeout=30)

    def post(self, action: str, **body: Any) -> dict[str, Any]:
        answer = self._post(action, body)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        assert told.pop("ok") is True
        return told

    def refused(self, action: str, **body: Any) -> str:
        """Return the sentence with which a request is refused."""
        answer = self._post(action, body)
        assert (answer.status_code, answer.json()["ok"]) == (400, False)
        return str(answer.json()["error"])

    def get(self, view: str) -> Any:
        answer = requests.get(f"{self.url}/_sandbox/{view}", timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def entries(self, kind: str) -> list[dict[str, Any]]:
        return [entry["data"] for entry in self.get(f"log?kind={kind}")["entries"]]

    def wait(self, kind: str, **wanted: Any) -> dict[str, Any]:
        """Wait for an entry with these fields; return its data."""
        return self.sandbox.log.wait(
            lambda entry: entry.kind == kind and wanted.items() <= entry.data.items(),
            PATIENCE,
        ).data

    def send(self, text: str = "hi", chat_id: str = CHAT, **options: Any) -> Any:
        """Send as the bridge would; return the answer."""
        green = self.sandbox.green
        return requests.post(
            f"{self.url}/waInstance{green.id_instance}/sendMessage/{TOKEN}",
            json={"chatId": chat_id, "message": text},
            timeout=options.get("timeout", 30),
        )

    def seq_of(self, method: str) -> int:
        """Return the number of the newest call of a method."""
        calls = self.get("log?kind=api_call")["entries"]
        return max(c["seq"] for c in calls if c["data"]["method"] == method)


class App:
    """Takes what Slack sends over HTTP, and says yes."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.blueprint = Blueprint("app", __name__)
        self.blueprint.post("/slack/events", endpoint="events")(self._take)

    def _take(self) -> Response | dict[str, str]:
        body = request.get_json(silent=True) or request.form.to_dict()
        self.requests.append((dict(request.headers), body))
        return {"text": f"Got {body['text']}"} if "command" in body else Response()


@pytest.fixture
def app(sandbox: Sandbox) -> Iterator[App]:
    app = App()
    with SandboxServer([app.blueprint]) as server:
        sandbox.slack.request_url = f"{server.url}/slack/events"
        yield app


class Events:
    """A reader of the event stream; a context manager."""

    def __init__(self, page: Page, **options: Any) -> None:
        self._answer = requests.get(
            f"{page.url}/_sandbox/events", stream=True, timeout=PATIENCE, **options
        )
        self.headers = self._answer.headers
        self._lines = self._answer.iter_lines(decode_unicode=True)
        self.last_id = ""

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()

    def next(self) -> dict[str, Any]:
        """Return the next entry; AssertionError at the end of the stream."""
        for line in self._lines:
            if line.startswith("id: "):
                self.last_id = line.removeprefix("id: ")
            if line.startswith("data: "):
                entry: dict[str, Any] = json.loads(line.removeprefix("data: "))
                return entry
        raise AssertionError("the stream has ended")

    def until(self, kind: str) -> list[dict[str, Any]]:
        """Return the entries up to the first of a kind."""
        entries = [self.next()]
        while entries[-1]["kind"] != kind:
            entries.append(self.next())
        return entries

    def has_ended(self) -> bool:
        """Read to the end; a stream that goes on makes the request time out."""
        try:
            return all(not line.startswith("data: ") for line in self._lines)
        except requests.exceptions.ChunkedEncodingError:
            return True  # cut off in the middle: the server has gone


# -- the event stream -------------------------------------------------------------


def test_the_first_entry_says_how_things_stand(page):
    with Events(page) as events:
        first = events.next()

    assert events.headers["Content-Type"].startswith("text/event-stream")
    assert first["kind"] == "setup"
    told = first["data"]
    assert (told["url"], told["me"], told["channel"]) == (
        page.url,
        "U0DANA",
        "C0SUPPORT",
    )
    users = {user["id"]: user for user in told["users"]}
    assert users["U0DANA"] == {
        "id": "U0DANA",
        "name": "dana",
        "real_name": "Dana",
        "is_bot": False,
        "deleted": False,
    }
    assert users["U0GONE"]["deleted"]
    channels = {channel["id"]: channel for channel in told["channels"]}
    assert channels["C0SUPPORT"] == {
        "id": "C0SUPPORT",
        "name": "support",
        "kind": "channels",
        "is_archived": False,
        "has_bot": True,
    }
    assert (told["state"], told["connections"]) == ("authorized", 0)
    assert told["faults"] == {"green": None, "slack": None}
    assert told["magic"][0] == {
        "number": "+1 415 555 0100",
        "chat_id": CHAT,
        "outcome": "sent, delivered, read",
    }


def test_a_late_reader_is_told_everything_and_then_what_happens(page):
    page.post("reply", chat_id=CHAT, text="before")

    with Events(page) as events:
        replayed = events.until("notification")
        page.post("reply", chat_id=CHAT, text="after")
        live = events.until("notification")

    assert [entry["kind"] for entry in replayed] == [
        "setup",
        "step",
        "incoming",
        "notification",
    ]
    assert [e["data"]["text"] for e in live if e["kind"] == "incoming"] == ["after"]
    numbers = [entry["seq"] for entry in replayed + live]
    assert numbers == sorted(set(numbers))


def test_two_readers_see_the_same(page):
    with Events(page) as one, Events(page) as other:
        page.post("say", text="Good morning")
        page.post("reply", chat_id=CHAT, text="Hello")

        assert one.until("notification") == other.until("notification")


def test_a_reader_goes_on_where_it_was(page):
    page.post("reply", chat_id=CHAT, text="one")
    with Events(page) as events:
        seen = events.until("incoming")
    page.post("reply", chat_id=CHAT, text="two")

    with Events(page, headers={"Last-Event-ID": events.last_id}) as events:
        first = events.next()

    assert first["seq"] == seen[-1]["seq"] + 1


def test_since_is_for_readers_without_a_last_event_id(page):
    with Events(page, params={"since": "0"}) as events:
        seq = events.next()["seq"]
    page.post("reply", chat_id=CHAT, text="two")

    with Events(page, params={"since": str(seq)}) as events:
        assert events.next()["kind"] == "step"


@pytest.mark.parametrize("last", ["decaf-1", "decaf-99999", "7", "-", "x-y"])
def test_a_reader_of_an_earlier_sandbox_begins_anew(page, last):
    with Events(page, headers={"Last-Event-ID": last}) as events:
        assert events.next()["kind"] == "setup"


def test_a_stop_ends_the_stream(sandbox):
    server = SandboxServer(parts(sandbox)).start()
    with Events(Page(sandbox, server.url)) as events:
        events.until("setup")

        server.stop()

        assert events.has_ended()


def test_half_an_emoji_harms_no_reader(page):
    page.post("reply", chat_id=CHAT, text="\ud83c and \u2028 are odd")

    with Events(page) as events:
        entry = events.until("incoming")[-1]

    assert entry["data"]["text"] == "\ud83c and \u2028 are odd"


def test_of_the_same_answer_to_the_same_question_the_newest_is_kept(page):
    green = page.sandbox.green
    green.switches.rate_limits = False
    root = f"{page.url}/waInstance{green.id_instance}"

    for _ in range(3):
        requests.get(f"{root}/receiveNotification/{TOKEN}", timeout=PATIENCE)
        requests.get(f"{root}/getStateInstance/{TOKEN}", timeout=PATIENCE)
    page.post("status", state="blocked")
    requests.get(f"{root}/getStateInstance/{TOKEN}", timeout=PATIENCE)
    for _ in range(2):
        requests.get(f"{root}/receiveNotification/{TOKEN}", timeout=PATIENCE)

    calls = page.entries("api_call")
    assert [call["method"] for call in calls] == [
        "receiveNotification",
        "getStateInstance",
        "getStateInstance",
        "receiveNotification",
        "receiveNotification",
    ]
    assert calls[0]["response"] is None
    assert calls[2]["response"] == {"stateInstance": "blocked"}
    assert calls[3]["response"]["receiptId"] < calls[4]["response"]["receiptId"]


# -- who may use it ---------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "192.168.0.7",
        "[::]",
    ],
)
@pytest.mark.parametrize("path", ["/", "/page/main.js", "/_sandbox/events", "/api/x"])
def test_a_foreign_host_is_refused(page, host, path):
    answer = requests.get(page.url + path, headers={"Host": host}, timeout=5)

    assert answer.status_code == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:80", "[::1]:80"])
def test_every_name_of_this_machine_will_do(page, host):
    url = f"{page.url}/_sandbox/state"

    assert requests.get(url, headers={"Host": host}, timeout=5).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "https://127.0.0.1",
        "http://127.0.0.1:1",
        "file://",
    ],
)
@pytest.mark.parametrize("path", ["reset", "slack/reset", "green-api/reset"])
def test_a_foreign_page_is_refused(page, origin, path):
    page.post("reply", chat_id=CHAT, text="still here")

    headers = page.headers | {"Origin": origin}
    answer = requests.post(
        f"{page.url}/_sandbox/{path}", json={}, headers=headers, timeout=5
    )

    assert answer.status_code == 403
    assert page.entries("incoming")


def test_a_foreign_page_reads_nothing(page):
    headers = {"Origin": "http://evil.example"}
    url = f"{page.url}/_sandbox/log"

    answer = requests.get(url, headers=headers, timeout=5)
    asked = requests.options(url, headers=headers, timeout=5)

    assert answer.status_code == 403
    assert not [name for name in asked.headers if name.startswith("Access-Control")]


def test_only_a_json_object_is_taken(page):
    def post(**options: Any) -> int:
        url = f"{page.url}/_sandbox/reset"
        return requests.post(url, timeout=5, **options).status_code

    assert post(data={"x": "y"}) == 415
    assert post(data="{}", headers={"Content-Type": "text/plain"}) == 415
    assert post(data="[]", headers={"Content-Type": "application/json"}) == 400
    assert post(data="{", headers={"Content-Type": "application/json"}) == 400
    assert post(json={}, headers=page.headers | {"Origin": page.url}) == 200
    assert post(json={}, headers=page.headers) == 200


@pytest.mark.parametrize("headers", [{}, {"X-Sandbox-Token": "ü"}], ids=str)
@pytest.mark.parametrize("path", ["reset", "slack/reset", "green-api/reset"])
def test_t30_a_post_without_this_runs_token_is_refused(page, path, headers):
    page.post("reply", chat_id=CHAT, text="still here")

    url = f"{page.url}/_sandbox/{path}"
    encoded = {name: value.encode() for name, value in headers.items()}
    answer = requests.post(url, json={}, headers=encoded, timeout=5)

    assert answer.status_code == 403
    assert "/_sandbox/token" in answer.json()["error"]
    assert page.entries("incoming")


@pytest.mark.parametrize(
    "path", ["/", "/_sandbox/state", "/page/none", "/_sandbox/log"]
)
def test_every_answer_is_hardened(page, path):
    headers = requests.get(page.url + path, timeout=5).headers

    assert headers["Content-Security-Policy"] == (
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'self'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "name", ["../web.py", "..%2fweb.py", "%2e%2e/web.py", "/etc/x"]
)
def test_only_the_pages_own_files_are_served(page, name):
    address = page.url.removeprefix("http://")
    host, port = address.split(":")
    with socket.create_connection((host, int(port))) as raw:  # no tidied-up path
        raw.sendall(
            f"GET /page/{name} HTTP/1.1\r\nHost: {address}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: raw.recv(65_536), b""))

    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 308"))
    assert b"def page_blueprint" not in answer


def test_the_page_is_there(page):
    answer = requests.get(page.url, timeout=5)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")


# -- what people do ---------------------------------------------------------------


def test_a_command_is_answered_when_its_user_knows_the_outcome(page, app):
    command = page.post("say", text="/whatsapp +1 415 555 0100 a & b")["command"]

    assert command["outcome"] == "acked"
    assert command["ephemeral"] == "Got +1 415 555 0100 a &amp; b"
    assert "response_url" not in command
    (entry,) = page.entries("command")
    assert entry["typed"] == "+1 415 555 0100 a & b"
    assert (entry["user"], entry["channel"]) == ("U0DANA", "C0SUPPORT")


def test_a_message_reaches_the_app_as_an_event(page, app):
    message = page.post("say", text="Anybody <here>?", user="U0SAM")["message"]
    page.post("say", text="I am", thread_ts=message["ts"])
    page.sandbox.slack.wait_for(lambda: len(app.requests) == 2, PATIENCE)

    first, reply = sorted(
        (body["event"] for _, body in app.requests), key=lambda event: event["ts"]
    )
    assert first["type"] == "message"
    assert (first["user"], first["channel"]) == ("U0SAM", "C0SUPPORT")
    assert first["channel_type"] == "channel"
    assert first["text"] == "Anybody &lt;here&gt;?"
    assert reply["thread_ts"] == message["ts"]
    assert page.wait("event")["acked"] is True


def test_no_event_comes_of_a_channel_that_the_app_is_not_in(page, app):
    page.post("say", text="among us", channel="C0PRIVATE")
    page.post("say", text="to all")
    page.sandbox.slack.wait_for(lambda: app.requests, PATIENCE)

    assert [body["event"]["text"] for _, body in app.requests] == ["to all"]


def test_a_phone_types_quotes_dashes_and_links_of_its_own(page, app):
    page.post(
        "say",
        text='/whatsapp +1 415-555-0100 "now" -- it\'s <1 & on',
        typed_on_a_phone=True,
    )
    message = page.post("say", text="Call 0171 1234567", typed_on_a_phone=True)

    (_, command), *_ = app.requests
    assert command["text"] == (
        "<tel:+14155550100|+1 415-555-0100> “now” — it\N{RIGHT SINGLE QUOTATION MARK}s "
        "&lt;1 &amp; on"
    )
    assert message["message"]["text"] == "Call <tel:01711234567|0171 1234567>"


def test_a_command_in_a_thread_is_refused_and_nothing_is_sent(page, app):
    parent = page.sandbox.slack.say("U0SAM", "C0SUPPORT", "Anybody?")["ts"]

    command = page.post("say", text="/whatsapp 1 hi", thread_ts=parent)["command"]

    assert command["outcome"] == "refused"
    assert command["notice"] == "/whatsapp is not supported in threads. Sorry!"
    (refusal,) = page.entries("refusal")
    assert (refusal["thread_ts"], refusal["text"]) == (parent, command["notice"])
    assert app.requests == []


def test_a_command_that_no_app_has_is_refused(page, app):
    command = page.post("say", text="/foo bar")["command"]

    assert "/foo is not a valid command" in command["notice"]
    assert page.entries("refusal")[0]["text"] == command["notice"]
    assert app.requests == []


def test_a_customers_answer_waits_for_the_bridge(page):
    id_message = page.post("reply", chat_id="+1 (415) 555-0100", text="When?")

    (body,) = page.sandbox.green.notifications()
    assert body["typeWebhook"] == "incomingMessageReceived"
    assert body["idMessage"] == id_message["idMessage"]
    assert body["senderData"]["chatId"] == CHAT
    assert page.entries("incoming")[0]["text"] == "When?"


def test_somebody_answers_in_a_group(page):
    page.post("reply", chat_id="120363043968066561@g.us", text="Fine")

    (entry,) = page.entries("incoming")
    assert entry["chat_id"] == "120363043968066561@g.us"
    assert entry["sender"] == CHAT


def test_a_button_is_pressed(page, app):
    client = WebClient(BOT_TOKEN, f"{page.url}/api/", retry_handlers=[])
    button = {
        "type": "button",
        "action_id": "again",
        "text": {"type": "plain_text", "text": "Again"},
    }
    posted = client.chat_postMessage(
        channel="C0SUPPORT",
        text="?",
        blocks=[{"type": "actions", "elements": [button]}],
    )

    press = page.post("click", message_ts=posted["ts"], action_id="again")["press"]

    assert (press["outcome"], press["action_id"]) == ("acked", "again")
    assert "response_url" not in press
    assert page.entries("press")[0]["message_ts"] == posted["ts"]


def test_a_phone_that_is_off_gets_one_tick_until_it_is_on(page):
    page.post("phone", chat_id=CHAT, is_on=False)
    page.send("waits")
    page.send("arrives", chat_id="14155550101@c.us")
    page.wait("status", chat_id="14155550101@c.us", status="read")

    ticks = [s["status"] for s in page.entries("status") if s["chat_id"] == CHAT]
    assert ticks == ["sent"]
    assert "phone is off" in page.refused("reply", chat_id=CHAT, text="hi")
    assert [step["action"] for step in page.entries("step")] == ["phone"]
    assert page.get("state")["phones_off"] == [CHAT]

    page.post("phone", chat_id=CHAT, is_on=True)

    page.wait("status", chat_id=CHAT, status="read")
    ticks = [s["status"] for s in page.entries("status") if s["chat_id"] == CHAT]
    assert ticks == ["sent", "delivered", "read"]
    assert page.post("reply", chat_id=CHAT, text="hi")["idMessage"]


def test_all_phones_at_once(page):
    page.post("phone", is_on=False)
    page.post("phone", is_on=True, chat_id="14155550101@c.us")
    page.send("waits")
    page.send("arrives", chat_id="14155550101@c.us")
    page.wait("status", chat_id="14155550101@c.us", status="read")

    assert "delivered" not in [
        s["status"] for s in page.entries("status") if s["chat_id"] == CHAT
    ]
    assert page.get("state")["all_phones_off"] is True

    page.post("phone", is_on=True)
    page.wait("status", chat_id=CHAT, status="read")


def test_a_number_that_answers_by_itself_needs_its_phone(page):
    chat = "14155550180@c.us"
    page.post("phone", is_on=False, chat_id=chat)
    page.send("hello", chat_id=chat)
    page.send("hello", chat_id="442079460180@c.us")
    page.wait("incoming", chat_id="442079460180@c.us")
    assert chat not in [entry["chat_id"] for entry in page.entries("incoming")]

    page.post("phone", is_on=True, chat_id=chat)

    assert page.wait("incoming", chat_id=chat)["text"]


def test_the_state_of_the_instance_is_changed_and_told(page):
    page.post("status", state="notAuthorized")

    assert page.sandbox.green.state == "notAuthorized"
    assert page.entries("state") == [{"state": "notAuthorized"}]
    (body,) = page.sandbox.green.notifications()
    assert body["stateInstance"] == "notAuthorized"


@pytest.mark.parametrize(
    ("speed", "pace"), [(1, 100.0), (10, 10.0), (0.5, 200.0), (0, 0.0)]
)
def test_the_clock_is_that_of_the_phones(page, speed, pace):
    page.post("clock", speed=speed)

    assert page.sandbox.green.switches.phone_pace == pace
    assert page.sandbox.green.timeline.speed == 100
    assert page.entries("clock") == [{"speed": speed}]
    assert page.get("state")["speed"] == speed


def test_at_no_time_the_phone_still_gets_everything_in_order(page):
    page.post("clock", speed=0)
    page.send()
    page.wait("status", status="read")

    ticks = [entry["status"] for entry in page.entries("status")]
    assert ticks == ["sent", "delivered", "read"]


def test_a_reset_begins_anew(page):
    page.post("phone", is_on=False)
    page.post("fault", side="green", kind="500", apply="always")
    page.post("fault", side="slack", kind="redelivery", apply="always")
    page.post("status", state="blocked")
    page.post("say", text="hi")
    before = page.get("state")["seq"]

    page.post("reset")

    entries = page.get("log")["entries"]
    assert [entry["kind"] for entry in entries] == ["reset", "setup"]
    assert entries[0]["seq"] > before
    told = entries[1]["data"]
    assert (told["state"], told["all_phones_off"]) == ("authorized", False)
    assert told["faults"] == {"green": None, "slack": None}
    assert page.sandbox.slack.messages("C0SUPPORT") == []
    assert page.send().status_code == 200


def test_what_is_usual_is_left_out_of_a_step(page, app):
    page.post("say", text="hi", user="U0DANA", channel="C0SUPPORT", thread_ts=None)
    page.post("say", text="hi", user="U0SAM", typed_on_a_phone=True)

    assert page.entries("step") == [
        {"action": "say", "body": {"text": "hi"}},
        {
            "action": "say",
            "body": {"text": "hi", "user": "U0SAM", "typed_on_a_phone": True},
        },
    ]


@pytest.mark.parametrize(
    ("action", "body", "words"),
    [
        ("say", {}, "“text” is missing."),
        ("say", {"text": 1}, "“text” must be a text."),
        ("say", {"text": " "}, "“text” is empty."),
        ("say", {"text": "x", "user": "U1"}, "There is no user U1."),
        ("say", {"text": "x", "channel": "C1"}, "There is no channel C1."),
        ("say", {"text": "x", "thread_ts": "1.2"}, "There is no message 1.2"),
        ("say", {"text": "x", "colour": "red"}, "There is no “colour” here"),
        ("reply", {"chat_id": "abc", "text": "x"}, "neither a telephone number"),
        ("reply", {"chat_id": CHAT, "text": ""}, "“text” is empty."),
        ("click", {"message_ts": "1", "action_id": "x"}, "There is nothing to press"),
        ("phone", {"is_on": 1}, "“is_on” must be true or false."),
        ("phone", {"is_on": True, "chat_id": "x"}, "neither a telephone number"),
        ("status", {"state": "tired"}, "“tired” is no state."),
        ("clock", {"speed": -1}, "“speed” must be 0 or more."),
        ("clock", {"speed": True}, "“speed” must be a number."),
        ("fault", {"side": "left", "kind": "429"}, "“left” is no side."),
        ("fault", {"side": "green", "kind": "slow"}, "“slow” is no kind."),
        ("fault", {"side": "green", "kind": "429", "apply": "x"}, "“x” is no apply."),
        ("fault", {"side": "green", "kind": "429", "times": 2}, "“times” goes with"),
        (
            "fault",
            {"side": "green", "kind": "429", "apply": "times", "times": 0},
            "“times” must be 1 or more.",
        ),
        ("fault", {"side": "green", "kind": "429", "apply": "number"}, "“number” goes"),
        (
            "fault",
            {"side": "slack", "kind": "429", "apply": "number", "number": CHAT},
            "Slack knows no telephone numbers.",
        ),
        ("replay", {"seq": 999}, "Entry 999 is no call"),
        ("replay", {"seq": 1}, "Entry 1 is no call"),
        ("replay", {"seq": 1, "body": []}, "“body” must be a JSON object."),
    ],
)
def test_a_mistake_is_explained_and_does_nothing(page, action, body, words):
    assert words in page.refused(action, **body)
    assert page.entries("step") == []


@pytest.mark.parametrize("view", ["log?since=x", "wait?timeout=-1", "curl?seq=one"])
def test_a_query_that_makes_no_sense_is_explained(page, view):
    answer = requests.get(f"{page.url}/_sandbox/{view}", timeout=5)

    assert answer.status_code == 400
    assert "must be a whole number" in answer.json()["error"]


def test_the_log_can_be_read_on_and_waited_for(page):
    page.post("reply", chat_id=CHAT, text="one")
    seq = page.get("state")["seq"]
    timer = threading.Timer(0.01, page.post, ("reply",), {"chat_id": CHAT, "text": "2"})
    timer.start()

    entry = page.get(f"wait?kind=incoming&since={seq}&timeout=20")["entry"]

    timer.join()
    assert entry["data"]["text"] == "2"
    assert page.get(f"log?since={entry['seq'] - 1}&kind=incoming")["entries"] == [entry]
    nothing = requests.get(f"{page.url}/_sandbox/wait?kind=x&timeout=0", timeout=5)
    assert nothing.status_code == 408


# -- failures ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "accepted"),
    [
        ("429", 429, 0),
        ("not_authorized", 400, 0),
        ("466", 466, 0),
        ("500", 500, 0),
        ("no_answer", None, 0),
        ("answer_lost", None, 1),
        ("no_whatsapp", 200, 1),
        ("yellowCard", 200, 1),
    ],
)
def test_the_next_message_meets_a_failure_at_green_api(page, kind, status, accepted):
    page.post("fault", side="green", kind=kind)

    if status is None:
        with pytest.raises(requests.RequestException):
            page.send(timeout=2)
    else:
        assert page.send().status_code == status
    end = page.wait("fault", left=0)

    assert end["kind"] == kind
    assert len(page.entries("accepted")) == accepted
    assert page.send("again").status_code == 200
    assert page.get("state")["faults"]["green"] is None


@pytest.mark.parametrize(
    ("kind", "status"), [("no_whatsapp", "noAccount"), ("yellowCard", "yellowCard")]
)
def test_a_message_can_end_badly_after_it_was_accepted(page, kind, status):
    page.post("fault", side="green", kind=kind, apply="times", times=1)
    page.send()
    page.wait("status", status=status)
    page.send("again")
    page.wait("status", status="read")

    assert page.entries("status")[0]["status"] == status


def test_a_failure_holds_for_so_many_calls_and_says_how_many_are_left(page):
    page.post("fault", side="green", kind="429", apply="times", times=2)

    assert [page.send().status_code for _ in range(3)] == [429, 429, 200]
    assert [entry["left"] for entry in page.entries("fault")] == [2, 1, 0]


def test_a_failure_holds_until_all_is_healthy(page):
    page.post("fault", side="green", kind="500", apply="always")
    assert [page.send().status_code for _ in range(3)] == [500] * 3
    assert page.get("state")["faults"]["green"]["left"] is None

    page.post("fault", side="green", kind="healthy")

    assert page.send().status_code == 200
    assert page.entries("fault")[-1]["kind"] == "healthy"


def test_a_failure_of_one_number(page):
    page.post(
        "fault", side="green", kind="466", apply="number", number="+1 415 555 0101"
    )

    answers = [
        page.send(chat_id=chat).status_code for chat in (CHAT, CHAT[:-6] + "1@c.us")
    ]

    assert answers == [200, 466]


def test_a_new_failure_takes_the_place_of_the_one_before(page):
    page.post("fault", side="green", kind="no_whatsapp", apply="always")
    page.post("fault", side="green", kind="500", apply="always")
    page.post("fault", side="green", kind="429")

    assert [page.send().status_code for _ in range(2)] == [429, 200]
    page.wait("status", status="read")


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("429", 429, "ratelimited"),
        ("missing_scope", 200, "missing_scope"),
        ("not_in_channel", 200, "not_in_channel"),
        ("outage", 503, None),
    ],
)
def test_the_next_post_meets_a_failure_at_slack(page, kind, status, error):
    client = WebClient(BOT_TOKEN, f"{page.url}/api/", retry_handlers=[])
    page.post("fault", side="slack", kind=kind)

    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="C0SUPPORT", text="hi")

    assert caught.value.response.status_code == status
    if error:
        assert caught.value.response["error"] == error
    assert client.chat_postMessage(channel="C0SUPPORT", text="hi")["ok"]
    assert [entry["left"] for entry in page.entries("fault")] == [1, 0]


def test_slack_can_be_slow(page):
    client = WebClient(BOT_TOKEN, f"{page.url}/api/", retry_handlers=[])
    page.post("fault", side="slack", kind="slow")

    client.auth_test()

    (call,) = page.entries("api_call")
    assert call["ms"] >= 2000
    assert call["by_fault"] is True


def test_a_command_can_arrive_twice(page, app):
    page.post("fault", side="slack", kind="redelivery")

    page.post("say", text="/whatsapp 1 hi")
    page.sandbox.slack.wait_for(lambda: len(app.requests) == 2, PATIENCE)
    page.post("say", text="/whatsapp 2 hi")

    bodies = [body["text"] for _, body in app.requests]
    retries = sorted(h.get("X-Slack-Retry-Num", "0") for h, _ in app.requests[:2])
    assert bodies == ["1 hi", "1 hi", "2 hi"]
    assert retries == ["0", "1"]


def test_the_app_can_lose_its_sockets(page):
    web = WebClient(BOT_TOKEN, f"{page.url}/api/", retry_handlers=[])
    app = SocketModeClient(page.sandbox.slack.app_token, web_client=web)
    app.connect()
    page.wait("connection", state="open", connections=1)

    page.post("fault", side="slack", kind="socket_drop", apply="always")

    page.wait("connection", state="closed", connections=0)
    assert page.get("state")["faults"]["slack"] is None
    close(page.sandbox.slack, app)


# -- calls once more --------------------------------------------------------------


def test_a_call_is_sent_once_more(page):
    page.send("hello")
    seq = page.seq_of("sendMessage")

    answer = page.post("replay", seq=seq)
    edited = page.post("replay", seq=seq, body={"chatId": CHAT, "message": "bye"})
    wrong = page.post("replay", seq=seq, body={"chatId": CHAT})

    assert answer["status"] == edited["status"] == 200
    assert answer["response"]["idMessage"].startswith("3EB0")
    assert wrong["status"] == 400
    assert [entry["text"] for entry in page.entries("accepted")] == [
        "hello",
        "hello",
        "bye",
    ]
    assert [call["replay_of"] for call in page.entries("api_call")] == [
        None,
        *[seq] * 3,
    ]


def test_a_call_without_a_body_is_sent_once_more(page):
    green = page.sandbox.green
    root = f"{page.url}/waInstance{green.id_instance}"
    requests.get(f"{root}/getSettings/{TOKEN}?x=%20", timeout=5)
    requests.delete(f"{root}/deleteNotification/{TOKEN}/7", timeout=5)
    green.switches.rate_limits = False

    settings = page.post("replay", seq=page.seq_of("getSettings"))
    deleted = page.post("replay", seq=page.seq_of("deleteNotification"))

    assert settings["response"]["wid"] == "14155550199@c.us"
    assert deleted["response"]["reason"] == "Notification with receiptId 7 not found"


def test_a_call_to_slack_is_sent_once_more(page):
    client = WebClient(BOT_TOKEN, f"{page.url}/api/", retry_handlers=[])
    client.chat_postMessage(channel="C0SUPPORT", text="hi")

    answer = page.post("replay", seq=page.seq_of("chat.postMessage"))

    assert answer["response"]["ok"] is True
    texts = [m["text"] for m in page.sandbox.slack.messages("C0SUPPORT")]
    assert texts == ["hi", "hi"]


def test_a_replay_without_an_answer_says_so(page):
    page.send()
    page.post("fault", side="green", kind="answer_lost")

    answer = page.post("replay", seq=page.seq_of("sendMessage"))

    assert answer == {"status": None, "response": None}


def test_a_response_url_is_not_kept(page, app):
    page.post("say", text="/whatsapp 1 hi")
    (_, command), *_ = app.requests
    requests.post(command["response_url"], json={"text": "done"}, timeout=5)

    assert "not kept" in page.refused("replay", seq=page.seq_of("response_url"))
    secret = command["response_url"].rsplit("/", 1)[1]
    assert secret not in json.dumps(page.get("log"))


def test_a_call_as_curl_has_a_variable_for_its_token(page):
    text = 'it\'s "$HOME" `id` $(id) \\ й'
    page.send(text)
    WebClient(BOT_TOKEN, f"{page.url}/api/").auth_test()

    send = page.get(f"curl?seq={page.seq_of('sendMessage')}")["curl"]
    ask = page.get(f"curl?seq={page.seq_of('auth.test')}")["curl"]

    words = shlex.split(send)
    green = page.sandbox.green
    assert words[:4] == ["curl", "-sS", "-X", "POST"]
    assert words[4] == (
        f"{page.url}/waInstance{green.id_instance}/sendMessage/"
        "$GREEN_API_TOKEN_INSTANCE"
    )
    assert json.loads(words[-1]) == {"chatId": CHAT, "message": text}
    assert "Authorization: Bearer $SLACK_BOT_TOKEN" in shlex.split(ask)


def test_nothing_in_an_address_is_run_by_the_shell(page):
    requests.get(f"{page.url}/waInstance$(id)/getSettings/x/`id`", timeout=5)

    line = page.get(f"curl?seq={page.seq_of('getSettings')}")["curl"]

    outside = "".join(line.split("'")[0::2])
    assert "$(" not in outside
    assert "`" not in outside


def test_no_token_is_in_any_entry(page, app):
    client = WebClient(BOT_TOKEN, f"{page.url}/api/", retry_handlers=[])
    app_client = WebClient(page.sandbox.slack.app_token, f"{page.url}/api/")
    ticket = app_client.apps_connections_open(app_token=app_client.token)["url"]
    client.chat_postMessage(channel="C0SUPPORT", text=f"it is {BOT_TOKEN}")
    page.post("say", text=f"/whatsapp 1 {TOKEN}")
    page.post("reply", chat_id=CHAT, text=f"{TOKEN} {BOT_TOKEN}")
    page.send(TOKEN)
    page.send("")  # GREEN-API's own error form repeats the token
    page.post("replay", seq=page.seq_of("sendMessage"), body={"x": BOT_TOKEN})
    requests.get(f"{page.url}/waInstance1/getSettings/another-token", timeout=5)
    page.post("fault", side="green", kind="not_authorized")
    page.send()

    log = json.dumps(page.get("log"))
    assert "sendMessage" in log
    assert "ticket=" in log
    for secret in (
        TOKEN,
        BOT_TOKEN,
        page.sandbox.slack.app_token,
        page.sandbox.slack.signing_secret,
        "another-token",
        ticket.partition("ticket=")[2].partition("&")[0],
    ):
        assert secret not in log


# -- the copied test --------------------------------------------------------------


def test_there_is_nothing_to_copy_at_first(page):
    page.post("clock", speed=10)

    answer = requests.get(f"{page.url}/_sandbox/test", timeout=5)

    assert answer.status_code == 400
    assert "nothing to copy" in answer.json()["error"]


def test_the_copied_test_is_python_whatever_was_typed(page):
    texts = ['"""', "\\", "\n'''{url}", "\u202eabc\x00", "{0}", "\ud83c", "#'\"\\"]
    for text in texts:
        page.post("reply", chat_id=CHAT, text=text)

    copied = page.get("test")["test"]

    (function,) = ast.parse(copied.encode().decode()).body
    done = [
        ast.literal_eval(word.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "do"
        for word in node.keywords
        if word.arg == "text"
    ]
    assert done == texts


def test_a_copied_test_names_messages_by_their_order(page):
    first = page.post("say", text="one")["message"]["ts"]
    second = page.post("say", text="two")["message"]["ts"]
    page.post("say", text="to two", thread_ts=second)
    page.post("say", text="to one", thread_ts=first)

    copied = page.get("test")["test"]

    assert 'do("say", text="to two", thread_ts=posted(1))' in copied
    assert 'do("say", text="to one", thread_ts=posted(0))' in copied
    assert "def posted(" in copied
    assert "def button(" not in copied


# -- the documentation ------------------------------------------------------------


def test_the_page_of_the_docs_names_everything():
    page = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text("utf-8")
    rows = "\n".join(line for line in page.splitlines() if line.startswith("|"))

    names = {*ACTIONS, *(kind for kinds in KINDS.values() for kind in kinds)}
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []
    assert [digits for digits in MAGIC if f"+1 415 555 {digits}" not in rows] == []


def test_the_docs_name_every_kind_of_entry():
    sandbox = Path(bridge.sandbox.__file__).parent
    source = "".join(path.read_text("utf-8") for path in sandbox.rglob("*.py"))
    kinds = set(re.findall(r'log\.append\(\s*"(\w+)"', source))
    kinds |= set(re.findall(r'self\._log\(\s*"(\w+)"', source))
    page = (sandbox.parents[1] / "docs" / "sandbox.md").read_text("utf-8")

    assert {"message", "accepted", "setup", "delivery"} <= kinds
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in page] == []


def test_json_that_is_nested_to_hurt_is_cut_off_in_the_log(page):
    deep: Any = "bottom"
    for _ in range(500):
        deep = {"down": [deep]}

    page.sandbox.green.notify(deep)

    body = page.entries("notification")[0]["body"]
    assert list(body) == ["down"]
    assert "bottom" not in json.dumps(body)
    assert page.sandbox.green.notifications() == [deep]
