"""Buttons in the emulated Slack, seen by real Bolt apps on both ways in."""

import json
import threading
from urllib.parse import parse_qs

import pytest
import requests
from flask import Blueprint, Response, request
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse

from bridge.sandbox.server import SandboxServer
from bridge.sandbox.slack import SlackSandbox
from tests.sandbox.test_socket_mode import close

BUTTON = {
    "type": "button",
    "action_id": "again",
    "value": "4711",
    "text": {"type": "plain_text", "text": "Again"},
}
BLOCKS = [{"type": "actions", "elements": [BUTTON]}]


@pytest.fixture
def slack():
    return SlackSandbox(speed=3, burst=100)


@pytest.fixture
def server(slack):
    with SandboxServer([slack.blueprint()]) as server:
        yield server


@pytest.fixture
def client(slack, server):
    return WebClient(slack.bot_token, f"{server.url}/api/", retry_handlers=[])


@pytest.fixture
def posted(client):
    """Return the ``ts`` of a message with a button."""
    return client.chat_postMessage(channel="C0SUPPORT", text="x", blocks=BLOCKS)["ts"]


class Socket:
    """slack_sdk's own client; it keeps every envelope, and acks unless told not to."""

    def __init__(self, slack, client):
        self.requests = []
        self.is_silent = False
        self.sdk = SocketModeClient(slack.app_token, web_client=client)
        self.sdk.socket_mode_request_listeners.append(self.receive)
        self.sdk.connect()

    def receive(self, sdk, request):
        self.requests.append(request)
        if not self.is_silent:
            response = SocketModeResponse(request.envelope_id)
            sdk.send_socket_mode_response(response)


@pytest.fixture
def app_socket(slack, client):
    app_socket = Socket(slack, client)
    slack.wait_for(lambda: slack.socket_mode.connections)
    yield app_socket
    close(slack, app_socket.sdk)


def notes(slack):
    return [note["text"] for note in slack.ephemerals("U0DANA")]


# -- the press ----------------------------------------------------------------------


def test_a_press_arrives_over_a_socket_with_the_documented_payload(
    slack, server, posted, app_socket
):
    press = slack.press("U0DANA", "C0SUPPORT", posted, "again")

    (envelope,) = app_socket.requests
    payload = envelope.payload
    (action,) = payload.pop("actions")
    message = payload.pop("message")
    assert press.outcome == "acked"
    assert envelope.type == "interactive"
    assert not envelope.accepts_response_payload
    assert envelope.retry_attempt is None
    assert payload == {
        "type": "block_actions",
        "user": {
            "id": "U0DANA",
            "username": "dana",
            "name": "dana",
            "team_id": "T0SANDBOX",
        },
        "api_app_id": "A0BRIDGE",
        "token": "sandbox-verification",
        "container": {
            "type": "message",
            "message_ts": posted,
            "channel_id": "C0SUPPORT",
            "is_ephemeral": False,
        },
        "trigger_id": press.trigger_id,
        "team": {"id": "T0SANDBOX", "domain": "sandbox"},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": "C0SUPPORT", "name": "support"},
        "state": {"values": {}},
        "response_url": press.response_url,
    }
    assert press.response_url.startswith(f"{server.url}/actions/T0SANDBOX/")
    assert (message["ts"], message["bot_id"]) == (posted, "B0BRIDGE")
    assert message["blocks"][0]["block_id"] == action.pop("block_id")
    assert float(action.pop("action_ts")) > 0
    assert action == BUTTON


def test_bolt_takes_a_signed_press_over_http(slack, client, posted, bolt):
    pressed = []

    @bolt.action("again")
    def again(ack, action, respond):
        ack()
        pressed.append(action["value"])
        respond("noted", replace_original=False)

    press = slack.press("U0DANA", "C0SUPPORT", posted, "again")

    assert press.outcome == "acked"
    slack.wait_for(lambda: notes(slack) == ["noted"])
    assert pressed == ["4711"]
    assert len(slack.messages("C0SUPPORT")) == 1


def test_over_http_a_press_is_json_in_a_form(slack, posted):
    received = []

    def receive():
        received.append((dict(request.headers), request.get_data(as_text=True)))
        return Response("")

    blueprint = Blueprint("receiver", __name__)
    blueprint.post("/slack/events", endpoint="events")(receive)
    with SandboxServer([blueprint]) as app_server:
        slack.request_url = f"{app_server.url}/slack/events"
        slack.press("U0DANA", "C0SUPPORT", posted, "again")

    [(headers, body)] = received
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert SignatureVerifier(slack.signing_secret).is_valid_request(body, headers)
    payload = json.loads(parse_qs(body)["payload"][0])
    assert payload["actions"][0]["action_id"] == "again"


def test_a_press_in_a_thread_says_which_thread(slack, client, app_socket):
    root = client.chat_postMessage(channel="C0SUPPORT", text="root")["ts"]
    reply = client.chat_postMessage(
        channel="C0SUPPORT", text="x", blocks=BLOCKS, thread_ts=root
    )["ts"]

    slack.press("U0DANA", "C0SUPPORT", reply, "again")

    container = app_socket.requests[0].payload["container"]
    assert (container["message_ts"], container["thread_ts"]) == (reply, root)


def test_a_button_may_stand_beside_a_section(slack, client, app_socket):
    text = {"type": "plain_text", "text": "y"}
    section = {"type": "section", "block_id": "b7", "text": text, "accessory": BUTTON}
    ts = client.chat_postMessage(channel="C0SUPPORT", text="x", blocks=[section])["ts"]

    slack.press("U0DANA", "C0SUPPORT", ts, "again")

    assert app_socket.requests[0].payload["actions"][0]["block_id"] == "b7"


def test_nobody_can_press_a_button_that_is_not_there(slack, client, posted):
    client.chat_update(channel="C0SUPPORT", ts=posted, text="gone", blocks=[])

    with pytest.raises(LookupError, match="no button again"):
        slack.press("U0DANA", "C0SUPPORT", posted, "again")
    with pytest.raises(LookupError, match="no message"):
        slack.press("U0DANA", "C0SUPPORT", "1.000001", "again")
    assert slack.log.since(kind="press") == []


def test_a_client_that_is_behind_still_shows_the_old_button(
    slack, client, posted, app_socket
):
    client.chat_update(channel="C0SUPPORT", ts=posted, text="gone", blocks=[])

    press = slack.press("U0DANA", "C0SUPPORT", posted, "again", blocks=BLOCKS)

    assert press.outcome == "acked"
    assert app_socket.requests[0].payload["actions"][0]["value"] == "4711"


def test_a_press_can_come_twice_with_one_envelope(slack, posted, app_socket):
    slack.press("U0DANA", "C0SUPPORT", posted, "again", attempts=(0, 1))

    slack.wait_for(lambda: len(app_socket.requests) == 2)
    first, second = app_socket.requests
    assert first.envelope_id == second.envelope_id
    assert first.payload == second.payload


# -- what comes of it -----------------------------------------------------------------


def test_a_press_without_an_ack_times_out_and_is_not_repeated(
    slack, posted, app_socket
):
    app_socket.is_silent = True

    press = slack.press("U0DANA", "C0SUPPORT", posted, "again")

    assert press.outcome == "operation_timeout"
    assert len(app_socket.requests) == 1
    (entry,) = slack.log.since(kind="delivery")
    assert entry.data["press_id"] == press.id


def test_a_press_that_reaches_nobody_is_dispatch_failed(slack, posted):
    assert slack.press("U0DANA", "C0SUPPORT", posted, "again").outcome == (
        "dispatch_failed"
    )


def test_a_press_is_logged_with_its_outcome(slack, posted, app_socket):
    press = slack.press("U0SAM", "C0SUPPORT", posted, "again")

    (entry,) = slack.log.since(kind="press")
    (outcome,) = slack.log.since(kind="outcome")
    assert entry.data == {
        "id": press.id,
        "user": "U0SAM",
        "channel": "C0SUPPORT",
        "message_ts": posted,
        "action_id": "again",
        "value": "4711",
    }
    assert (outcome.data["id"], outcome.data["outcome"]) == (press.id, "acked")


def test_many_presses_at_once_do_not_get_mixed_up(slack, posted, app_socket):
    presses = []

    def press():
        presses.append(slack.press("U0DANA", "C0SUPPORT", posted, "again"))

    threads = [threading.Thread(target=press) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {each.outcome for each in presses} == {"acked"}
    assert len({each.trigger_id for each in presses}) == 20
    assert len(app_socket.requests) == 20


# -- its response_url -----------------------------------------------------------------


@pytest.fixture
def answer(slack, posted, app_socket):
    """Return a way to answer a press, as its status code."""
    press = slack.press("U0DANA", "C0SUPPORT", posted, "again")

    def post(**message):
        return requests.post(press.response_url, json=message, timeout=5).status_code

    return post


def test_an_answer_is_for_the_presser_alone(slack, answer):
    assert answer(text="psst") == 200

    assert notes(slack) == ["psst"]
    assert [m["text"] for m in slack.messages("C0SUPPORT")] == ["x"]


def test_a_public_answer_to_a_press_is_one_message(slack, answer):
    answer(text="look", response_type="in_channel")

    assert [m["text"] for m in slack.messages("C0SUPPORT")] == ["x", "look"]


def test_an_answer_can_replace_the_message_of_the_button(slack, answer):
    answer(text="done", replace_original=True)

    (message,) = slack.messages("C0SUPPORT")
    assert message["text"] == "done"
    assert "blocks" not in message


def test_an_answer_can_delete_the_message_of_the_button(slack, answer):
    assert [answer(delete_original=True), answer(delete_original=True)] == [200, 200]

    assert slack.messages("C0SUPPORT") == []
    assert len(slack.log.since(kind="deletion")) == 1


def test_a_press_can_be_answered_five_times(answer):
    assert [answer(text="hi") for _ in range(6)] == [200] * 5 + [404]


def test_a_press_can_be_answered_for_half_an_hour(slack, answer):
    slack.clock.advance(29 * 60)
    assert answer(text="hi") == 200

    slack.clock.advance(60)
    assert answer(text="hi") == 404


# -- control and blocks ---------------------------------------------------------------


def test_the_control_api_can_press(server, posted, app_socket):
    def press(action_id):
        body = {
            "user": "U0DANA",
            "channel": "C0SUPPORT",
            "message_ts": posted,
            "action_id": action_id,
        }
        url = f"{server.url}/_sandbox/slack/press"
        return requests.post(url, json=body, timeout=5)

    assert press("again").json()["outcome"] == "acked"
    assert press("never").status_code == 400


@pytest.mark.parametrize(
    ("part", "words"), [("title", 101), ("text", 301), ("confirm", 31), ("deny", 0)]
)
def test_a_question_has_its_limits(client, part, words):
    text = {"type": "plain_text", "text": "?"}
    question = dict.fromkeys(("title", "text", "confirm", "deny"), text)
    odd = question | {part: text | {"text": "x" * words}}

    def post(confirm):
        blocks = [{"type": "actions", "elements": [BUTTON | {"confirm": confirm}]}]
        return client.chat_postMessage(channel="C0SUPPORT", text="x", blocks=blocks)

    assert post(question)["ok"]
    with pytest.raises(SlackApiError, match="invalid_blocks"):
        post(odd)


def test_metadata_stays_until_an_update_says_otherwise(slack, client):
    metadata = {"event_type": "x", "event_payload": {"k": "1"}}
    root = client.chat_postMessage(channel="C0SUPPORT", text="root")["ts"]
    ts = client.chat_postMessage(
        channel="C0SUPPORT", text="x", thread_ts=root, metadata=metadata
    )["ts"]

    def update(**more):
        client.chat_update(channel="C0SUPPORT", ts=ts, text="y", **more)
        replies = client.conversations_replies(
            channel="C0SUPPORT", ts=root, include_all_metadata=True
        )
        return replies["messages"][1].get("metadata")

    assert update() == metadata
    assert update(metadata=metadata | {"event_type": "z"})["event_type"] == "z"
    assert update(metadata={}) is None
