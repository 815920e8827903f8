"""Socket Mode as slack_sdk's own client and a real Bolt app experience it."""

import json
import logging
import threading
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
import requests
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.builtin.connection import Connection, ConnectionState
from slack_sdk.socket_mode.response import SocketModeResponse

from bridge.sandbox.server import SandboxServer
from bridge.sandbox.slack import SlackSandbox


@pytest.fixture
def slack():
    return SlackSandbox(speed=10, burst=100, retry_delays=(0, 0.1, 0.1))


@pytest.fixture
def server(slack):
    with SandboxServer([slack.blueprint()]) as server:
        yield server


class Client:
    """slack_sdk's client, told how to treat each envelope; it keeps all of them."""

    def __init__(self, slack, server, ping_interval=5):
        self.slack = slack
        self.requests = []
        self.messages = []
        self.treat = lambda request: self.ack(request)
        self.sdk = SocketModeClient(
            slack.app_token,
            web_client=WebClient(base_url=f"{server.url}/api/"),
            ping_interval=ping_interval,
            on_message_listeners=[lambda raw: self.messages.append(json.loads(raw))],
        )
        self.sdk.socket_mode_request_listeners.append(self.receive)
        self.sdk.connect()

    def receive(self, _sdk, request):
        self.requests.append(request)
        self.treat(request)

    def ack(self, request, payload=None):
        response = SocketModeResponse(request.envelope_id, payload)
        self.sdk.send_socket_mode_response(response)

    def close(self):
        close(self.slack, self.sdk)

    def hellos(self):
        return [each for each in self.messages if each["type"] == "hello"]


@pytest.fixture
def connect(slack, server):
    clients = []

    def connect(**options):
        clients.append(Client(slack, server, **options))
        slack.wait_for(clients[-1].hellos)
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def test_hello_says_how_many_connections_there_are(connect):
    first, second = connect(), connect()

    assert first.hellos()[0]["num_connections"] == 1
    assert second.hellos()[0]["num_connections"] == 2
    assert second.hellos()[0]["connection_info"] == {"app_id": "A0BRIDGE"}


def test_a_command_arrives_with_the_documented_payload(slack, server, connect):
    client = connect()

    command = slack.command("U0DANA", "C0SUPPORT", "+14155550100 hi")

    (request,) = client.requests
    assert request.type == "slash_commands"
    assert request.accepts_response_payload
    assert request.retry_attempt is None
    assert request.payload == {
        "token": "sandbox-verification",
        "team_id": "T0SANDBOX",
        "team_domain": "sandbox",
        "channel_id": "C0SUPPORT",
        "channel_name": "support",
        "user_id": "U0DANA",
        "user_name": "dana",
        "command": "/whatsapp",
        "text": "+14155550100 hi",
        "api_app_id": "A0BRIDGE",
        "is_enterprise_install": "false",
        "response_url": command.response_url,
        "trigger_id": command.trigger_id,
    }
    assert command.response_url.startswith(f"{server.url}/commands/T0SANDBOX/")


@pytest.mark.parametrize(
    ("channel", "name"),
    [("D0HUMANS", "directmessage"), ("C0TEAM", "privategroup"), ("C0RANDOM", "random")],
)
def test_the_channel_name_depends_on_the_kind_of_channel(slack, connect, channel, name):
    client = connect()

    slack.command(channel=channel)

    assert client.requests[0].payload["channel_name"] == name


@pytest.mark.parametrize(
    ("payload", "seen"),
    [
        (None, None),
        ({"text": ""}, None),
        ({"text": "Sending…"}, "Sending…"),
        ({"response_type": "ephemeral", "text": "psst"}, "psst"),
    ],
)
def test_the_ack_may_carry_a_message_for_the_user(slack, connect, payload, seen):
    client = connect()
    client.treat = lambda request: client.ack(request, payload)

    command = slack.command()

    assert (command.outcome, command.ephemeral) == ("acked", seen)
    assert [note["text"] for note in slack.ephemerals("U0DANA")] == [seen] * bool(seen)
    assert slack.ephemerals("U0SAM") == []


def test_a_public_ack_shows_the_command_to_everybody(slack, connect):
    client = connect()
    answer = {"response_type": "in_channel", "text": "Here"}
    client.treat = lambda request: client.ack(request, answer)

    command = slack.command(text="secret")

    texts = [message["text"] for message in slack.messages("C0SUPPORT")]
    assert texts == ["/whatsapp secret", "Here"]
    assert command.ephemeral is None


def test_nobody_connected_is_dispatch_failed(slack, server):
    command = slack.command()

    assert command.outcome == "dispatch_failed"
    assert command.notice == '/whatsapp failed with the error "dispatch_failed"'
    assert slack.outcome(command.id) == command


def test_no_ack_within_three_seconds_is_a_timeout_and_a_late_one_is_ignored(
    slack, connect
):
    client = connect()
    client.treat = lambda request: None

    command = slack.command()
    client.ack(client.requests[0], {"text": "too late"})

    assert command.outcome == "operation_timeout"
    assert command.notice == '/whatsapp failed with the error "operation_timeout"'
    slack.wait(lambda entry: entry.data.get("outcome") == "late_ack")
    assert slack.outcome(command.id).outcome == "operation_timeout"
    assert slack.ephemerals("U0DANA") == []


def test_a_command_in_a_thread_is_refused_and_never_sent(slack, connect):
    client = connect()
    parent = slack.say("U0SAM", "C0SUPPORT", "Anybody?")

    command = slack.command(text="hi", thread_ts=parent["ts"])

    assert command.outcome == "refused"
    assert command.notice == "/whatsapp is not supported in threads. Sorry!"
    assert slack.outcome(command.id) == command
    assert [e.data["text"] for e in slack.log.since(kind="refusal")] == [command.notice]
    assert client.requests == []


def test_the_same_envelope_twice_says_which_attempt_it_is(slack, connect):
    client = connect()

    command = slack.command(attempts=(0, 1))

    slack.wait_for(lambda: len(client.requests) == 2)
    first, second = sorted(client.requests, key=lambda each: each.retry_attempt or 0)
    assert command.outcome == "acked"
    assert first.envelope_id == second.envelope_id
    assert first.payload == second.payload
    assert (first.retry_attempt, second.retry_attempt) == (None, 1)


def test_a_redelivery_may_come_alone_or_later(slack, connect):
    client = connect()

    lost_first = slack.command(attempts=(1,))
    again = slack.redeliver(lost_first.id, attempt=2)

    assert [request.retry_attempt for request in client.requests] == [1, 2]
    assert len({request.envelope_id for request in client.requests}) == 1
    assert again.trigger_id == lost_first.trigger_id


def test_each_envelope_goes_to_one_connection(slack, connect):
    clients = [connect(), connect()]

    for _ in range(20):
        slack.command()

    counts = [len(client.requests) for client in clients]
    assert sum(counts) == 20
    assert all(counts), "one of two random connections got nothing in 20 tries"


def test_an_acked_event_is_sent_once(slack, connect):
    client = connect()

    delivery = slack.send_event({"type": "message", "channel": "C0SUPPORT"})

    slack.wait_for(lambda: delivery.is_over)
    (request,) = client.requests
    assert delivery.is_acked
    assert (request.type, request.retry_attempt, request.retry_reason) == (
        "events_api",
        0,
        "",
    )
    assert request.payload["event"]["type"] == "message"
    assert request.payload["event_id"] == delivery.event_id
    assert request.payload["authorizations"][0]["user_id"] == "U0BRIDGE"


def test_an_event_is_tried_again_until_it_is_acked(slack, connect):
    slack.clock.speed = 50
    client = connect()
    client.treat = lambda request: None

    delivery = slack.send_event({"type": "app_home_opened"})

    slack.wait_for(lambda: delivery.is_over)
    slack.wait_for(lambda: len(client.requests) == 4)
    assert [request.retry_attempt for request in client.requests] == [0, 1, 2, 3]
    assert len({request.payload["event_id"] for request in client.requests}) == 1
    assert client.requests[1].retry_reason == "timeout"
    assert not delivery.is_acked


def test_events_can_be_duplicated_and_their_first_delivery_lost(slack, connect):
    client = connect()

    delivery = slack.send_event({"type": "message"}, attempts=(0, 0, 1))

    slack.wait_for(lambda: delivery.is_over)
    assert [request.retry_attempt for request in client.requests] == [0, 0, 1]


def test_a_refresh_makes_the_client_change_over(slack, connect):
    client = connect()

    slack.disconnect("refresh_requested")
    slack.wait_for(lambda: len(client.hellos()) == 2)

    assert slack.command().outcome == "acked"
    assert client.messages[1]["type"] == "disconnect"


def test_a_warning_comes_ten_seconds_before_the_end(slack, server):
    slack.clock.speed = 100
    with dial(slack, server) as connection:
        slack.disconnect("warning")

        slack.wait_for(lambda: connection.closed)

    assert connection.messages[-1]["reason"] == "warning"
    assert connection.closed == [(1000, "")]


def test_a_disabled_link_closes_at_once(slack, server):
    with dial(slack, server) as connection:
        slack.disconnect("link_disabled")

        slack.wait_for(lambda: connection.closed)

    assert connection.messages[-1]["reason"] == "link_disabled"


@pytest.mark.parametrize("how", ["rst", "fin"])
def test_after_a_cut_commands_fail_until_the_client_notices(slack, connect, how):
    client = connect(ping_interval=0.05)

    slack.disconnect(how)

    assert slack.command().outcome == "dispatch_failed"
    slack.wait_for(lambda: len(client.hellos()) == 2)
    assert slack.command().outcome == "acked"


def test_a_link_cut_before_the_ack_is_a_timeout(slack, connect):
    client = connect()
    client.treat = lambda request: slack.disconnect("rst")

    assert slack.command().outcome == "operation_timeout"


def test_pings_are_answered_unless_pongs_are_muted(slack, server):
    slack.mute_pongs()
    with dial(slack, server) as connection:  # slack_sdk pings at once
        assert connection.sdk.last_ping_pong_time is None

        slack.mute_pongs(False)
        connection.sdk.ping(f"{connection.sdk.session_id}:12.5")

        slack.wait_for(lambda: connection.sdk.last_ping_pong_time)
        assert connection.sdk.last_ping_pong_time == 12.5


def test_the_eleventh_connection_is_turned_away(slack, server):
    with ExitStack() as stack:
        welcome = [stack.enter_context(dial(slack, server)) for _ in range(10)]
        eleventh = stack.enter_context(dial(slack, server))
        slack.wait_for(lambda: eleventh.closed)

        assert [each.messages[0]["type"] for each in welcome] == ["hello"] * 10
        assert eleventh.messages[0]["reason"] == "too_many_websockets"
        assert slack.socket_mode.connections == 10


def test_a_ticket_opens_one_connection(slack, server):
    url = open_connection(slack, server)

    with dial(slack, server, url) as first:
        assert first.messages[0]["type"] == "hello"
        assert upgrade(url) == 403
    assert upgrade(open_connection(slack, server), version="12") == 400


def test_the_address_without_an_upgrade_says_so(slack, server):
    url = open_connection(slack, server).replace("ws://", "http://")

    assert requests.get(url, timeout=5).status_code == 426


def test_only_the_app_level_token_opens_connections(slack, server):
    client = WebClient(token=slack.bot_token, base_url=f"{server.url}/api/")

    with pytest.raises(SlackApiError, match="not_allowed_token_type"):
        client.apps_connections_open(app_token=slack.bot_token)


def test_the_server_pings_and_the_client_pongs(slack, server, monkeypatch):
    monkeypatch.setattr("bridge.sandbox.slack.socket._PING_EVERY", 0.01)
    pongs = threading.Semaphore(0)
    take = type(slack.socket_mode)._answer

    def spy(self, connection, opcode, data):
        if opcode == 10:
            pongs.release()
        take(self, connection, opcode, data)

    monkeypatch.setattr(type(slack.socket_mode), "_answer", spy)
    with dial(slack, server):
        assert pongs.acquire(timeout=5)


def test_a_client_that_talks_nonsense_is_closed(slack, server):
    with dial(slack, server) as connection:
        connection.sdk.send("not JSON")

        slack.wait_for(lambda: connection.closed)

    assert connection.closed[0][0] == 1008


def test_a_bolt_app_works_as_with_slack(slack, server):
    client = WebClient(token=slack.bot_token, base_url=f"{server.url}/api/")
    app = App(client=client)

    @app.command("/whatsapp")
    def send(ack, command, client, respond):
        ack(f"Sending {command['text']}")
        parent = client.chat_postMessage(channel=command["channel_id"], text="To …")
        client.chat_postMessage(
            channel=command["channel_id"], text="sent", thread_ts=parent["ts"]
        )
        respond("done")

    handler = SocketModeHandler(app, slack.app_token)
    try:
        handler.connect()
        slack.wait_for(lambda: slack.socket_mode.connections)
        command = slack.command(text="it")
        unknown = slack.command(name="/unknown")
        unmatched = slack.send_event({"type": "team_join"}, attempts=(0,))
        slack.wait_for(lambda: len(slack.ephemerals("U0DANA")) == 2)
        slack.wait_for(lambda: unmatched.is_over)
    finally:
        close(slack, handler.client)
        app.listener_runner.listener_executor.shutdown()

    (parent,) = slack.messages("C0SUPPORT")
    assert command.ephemeral == "Sending it"
    assert [m["text"] for m in slack.thread("C0SUPPORT", parent["ts"])] == [
        "To …",
        "sent",
    ]
    # Bolt's own runner sends the ack from another thread: either may be first.
    texts = {message["text"] for message in slack.ephemerals("U0DANA")}
    assert texts == {"Sending it", "done"}
    assert unknown.outcome == "operation_timeout"
    assert not unmatched.is_acked


def test_a_stopped_server_comes_back_at_the_same_address(slack, server):
    with dial(slack, server) as connection:
        url = server.url
        server.stop()
        assert slack.socket_mode.connections == 0
        assert slack.command().outcome == "dispatch_failed"
        server.start()

        assert server.url == url
        with dial(slack, server) as again:
            slack.wait_for(lambda: again.messages)
        connection.sdk.disconnect()


def test_nothing_is_left_running_after_a_stop(slack):
    before = set(threading.enumerate())

    with SandboxServer([slack.blueprint()]) as server, dial(slack, server):
        slack.send_event({"type": "message"})

    assert set(threading.enumerate()) <= before


def close(slack, sdk):
    """Close slack_sdk's client without its waits: 3 s to receive, 1 s to dequeue."""
    sdk.auto_reconnect_enabled = False
    slack.disconnect("fin")
    sdk.closed = True
    sdk.message_queue.put(None)
    sdk.close()


def open_connection(slack, server):
    client = WebClient(base_url=f"{server.url}/api/")
    return client.apps_connections_open(app_token=slack.app_token)["url"]


def upgrade(url, version="13"):
    """Return the status of a WebSocket handshake."""
    address = urlsplit(url)
    connection = HTTPConnection(address.netloc, timeout=5)
    connection.request(
        "GET",
        f"{address.path}?{address.query}",
        headers={
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": version,
        },
    )
    status = connection.getresponse().status
    connection.close()
    return status


class Dialled:
    """One bare connection of slack_sdk: no reconnecting."""

    def __init__(self, url):
        self.messages, self.closed = [], []
        self.sdk = Connection(
            url=url,
            logger=logging.getLogger(__name__),
            on_message_listener=lambda raw: self.messages.append(json.loads(raw)),
            on_close_listener=lambda code, reason: self.closed.append((code, reason)),
        )


@contextmanager
def dial(slack, server, url=None):
    connection = Dialled(url or open_connection(slack, server))
    connection.sdk.connect()
    state = ConnectionState()
    runner = threading.Thread(target=connection.sdk.run_until_completion, args=(state,))
    runner.start()
    try:
        slack.wait_for(lambda: connection.messages)
        yield connection
    finally:
        state.terminated = True
        slack.disconnect("fin")  # ends its receive at once
        runner.join()
        connection.sdk.disconnect()
