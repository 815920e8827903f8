"""What the doctor says of Slack: each finding made on purpose, its text read."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from slack_sdk import WebClient
from slack_sdk.socket_mode.builtin.connection import Connection

from bridge.doctor import slack
from bridge.doctor.findings import State
from bridge.doctor.slack import Bot
from bridge.parts import make_slack_client
from bridge.sandbox.slack import DEFAULT_SCOPES, Kind
from bridge.sandbox.slack.workspace import BOT_USER
from bridge.settings import load
from bridge.slack.check import SCOPES
from bridge.slack.hello import NoHello, count_connections
from tests.examination import look, look_at_all
from tests.harness import APP_TOKEN, BOT_TOKEN, REPOSITORY, World, make_world
from tests.raw_server import Answer, RawServer, reply, says

OAUTH = "https://api.slack.com/apps/A0BRIDGE/oauth"
AS_JSON = "Content-Type: application/json\r\n"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of every WebSocket handshake
GENERAL = "https://api.slack.com/apps/A0BRIDGE/general"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with make_world(tmp_path_factory.mktemp("slack")) as world:
        yield world


@pytest.fixture
def world(shared: World) -> World:
    shared.heal()
    return shared


def test_the_bot_token_is_known_by_whose_it_is(world: World) -> None:
    finding = look(world, "bot-token")

    assert finding.state is State.OK
    assert finding.fact == "@whatsapp-bridge in Sandbox (T0SANDBOX)"


@pytest.mark.parametrize(
    ("code", "fact", "fix"),
    [
        ("invalid_auth", "Slack does not know it", "Copy it again from your app's"),
        ("token_revoked", "it was revoked", "Install the app again and copy the new"),
        ("account_inactive", "the app was removed", "Install it again."),
        ("token_expired", "it has expired", "Turn token rotation off"),
        ("not_allowed_token_type", "token of another kind", "begins with xoxb-"),
        ("org_login_required", "Slack refused it", "Copy it again."),
    ],
)
def test_a_refused_bot_token_leads_to_the_page_that_has_another(
    world: World, code: str, fact: str, fix: str
) -> None:
    world.slack.fault("auth.test", error=code)

    finding = look(world, "bot-token")

    assert finding.state is State.PROBLEM
    assert finding.fact.startswith(f"SLACK_BOT_TOKEN was refused ({code}): ")
    assert fact in finding.fact
    assert fix in (finding.fix or "")
    assert finding.link == OAUTH


def test_what_depends_on_a_refused_token_is_not_asked(world: World) -> None:
    world.slack.fault("auth.test", error="invalid_auth", times=2)

    assert look(world, "scopes").fact == "not asked: see bot token"
    assert look(world, "channel", BRIDGE_ADMIN_CHANNEL="C0TEAM").state is State.SKIPPED


def test_a_slack_that_is_busy_is_no_refusal(world: World) -> None:
    world.slack.fault("auth.test", retry_after=1)

    finding = look(world, "bot-token")

    assert finding.state is State.WARNING
    assert finding.fact == "Slack does not answer this at the moment (ratelimited)"


def test_a_slack_in_trouble_is_no_refusal_either(world: World) -> None:
    world.slack.outage()

    finding = look(world, "bot-token")

    assert finding.state is State.WARNING
    assert "https://slack-status.com" in (finding.fix or "")


def test_a_slack_that_can_not_be_reached_is_about_the_network(world: World) -> None:
    world.slack.fault("*", drop="before", times=None)
    client = client_of(f"{world.server.url}/api/")

    bot, scopes, app, socket_, *_ = look_at_all(world, "slack")
    asked_alone = slack.check_app_token(client, APP_TOKEN)

    for finding in (bot, asked_alone):
        assert finding.state is State.PROBLEM
        assert finding.fact == "Slack can't be reached"
        assert "proxy" in (finding.fix or "")
    # Each of them would wait for its own time-out.
    assert {f.state for f in (scopes, app, socket_)} == {State.SKIPPED}


def test_a_missing_scope_is_named_with_what_it_is_for(world: World) -> None:
    world.slack.set_scopes(set(DEFAULT_SCOPES) - {"im:write", "users:read"})

    finding = look(world, "scopes")

    assert finding.state is State.PROBLEM
    assert finding.fact == (
        "missing: im:write (to report in direct messages where a channel is closed to "
        "it), users:read (to tell members from guests; without it nobody may send)"
    )
    assert "Reinstall to Workspace" in (finding.fix or "")
    assert finding.link == OAUTH


def test_the_scopes_asked_for_are_those_of_the_manifest(world: World) -> None:
    manifest = yaml.safe_load((REPOSITORY / "manifest.yml").read_text("utf-8"))

    finding = look(world, "scopes")

    assert list(SCOPES) == manifest["oauth_config"]["scopes"]["bot"]
    assert (finding.state, finding.fact) == (State.OK, "all 8 that are needed")


def test_the_app_token_is_tried_without_a_connection(world: World) -> None:
    finding = look(world, "app-token")

    assert (finding.state, finding.fact) == (
        State.OK,
        "Socket Mode for app A0BRIDGE",
    )
    assert world.slack.socket_mode.connections == 0


@pytest.mark.parametrize(
    ("code", "words", "link"),
    [
        ("missing_scope", "may not open connections", GENERAL),
        ("invalid_auth", "Slack does not know it", GENERAL),
        (
            "forbidden_team",
            "opens no connection",
            "https://api.slack.com/apps/A0BRIDGE/socket-mode",
        ),
    ],
)
def test_a_refused_app_token_says_what_to_do(
    world: World, code: str, words: str, link: str
) -> None:
    world.slack.fault("apps.connections.open", error=code)

    finding = look(world, "app-token")

    assert finding.state is State.PROBLEM
    assert words in finding.fact
    assert finding.link == link


def test_the_app_token_is_not_asked_for_in_http_mode(world: World) -> None:
    http = {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "c0ffee" * 5}

    assert look(world, "app-token", **http).fact == "not used: Slack comes over HTTP"
    assert look(world, "socket", **http).state is State.SKIPPED


def test_a_socket_opens_says_hello_and_is_gone_again(world: World) -> None:
    finding = look(world, "socket")

    assert finding.state is State.OK
    assert finding.fact == ("a connection opens; no other program uses this app token")
    world.wait_for(lambda: world.slack.socket_mode.connections == 0)


def test_another_copy_on_the_same_app_token_is_noticed(
    world: World, tmp_path: Path
) -> None:
    """Three days of wrong diagnosis in one public case."""
    stranger = make_world(tmp_path, slack=world.slack)
    with stranger as other:
        other.bridge.settings["SLACK_API_URL"] = f"{world.server.url}/api/"
        other.bridge.start()
        world.wait_for(lambda: world.slack.socket_mode.connections == 2)

        finding = look(world, "socket")

    assert finding.state is State.WARNING
    assert finding.fact == (
        "2 others use this app token; Slack gives each only part of the commands"
    )
    assert "second Slack app" in (finding.fix or "")


def test_more_connections_than_slack_allows(world: World) -> None:
    client = client_of(f"{world.server.url}/api/")
    lines = [connection(client) for _ in range(10)]
    world.wait_for(lambda: world.slack.socket_mode.connections == 10)

    finding = look(world, "socket")

    for line in lines:
        line.disconnect()
    world.wait_for(lambda: world.slack.socket_mode.connections == 0)
    assert finding.state is State.PROBLEM
    assert finding.fact == "10 connections use this app token; Slack allows no more"


def connection(client: WebClient) -> Connection:
    url = client.apps_connections_open(app_token=APP_TOKEN)["url"]
    line = Connection(url=str(url), logger=logging.getLogger("test"))
    line.connect()
    return line


def test_a_slack_without_websockets_is_about_firewall_and_proxy() -> None:
    with web_api("ws://127.0.0.1:9/link/?ticket=s3cret") as url:
        finding = slack.check_socket(client_of(url), APP_TOKEN, 0)

    assert finding.state is State.PROBLEM
    assert "no WebSocket opens (ConnectionRefusedError)" in finding.fact
    assert "firewall" in (finding.fix or "")
    assert "s3cret" not in str(finding)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (None, "silence"),
        (b"", "ResetError|BrokenPipeError"),  # it hangs up
        (b"what?", "nonsense"),
        (b'{"type": "disconnect", "reason": "link_disabled"}', "link_disabled"),
    ],
)
def test_a_hello_that_does_not_come_is_not_waited_for_long(
    said: bytes | None, why: str
) -> None:
    with (
        RawServer(websocket(said)) as server,
        web_api(f"{server.url.replace('http', 'ws')}/link/?ticket=1") as url,
        pytest.raises(NoHello, match=why),
    ):
        count_connections(client_of(url), APP_TOKEN, patience=0.2)


def test_a_slack_that_has_socket_mode_off_leads_to_its_page() -> None:
    off = websocket(b'{"type": "disconnect", "reason": "link_disabled"}')
    with (
        RawServer(off) as server,
        web_api(f"{server.url.replace('http', 'ws')}/link/?ticket=1") as url,
    ):
        finding = slack.check_socket(client_of(url), APP_TOKEN, 0)

    assert (finding.fact, finding.link) == (
        "Socket Mode is off for this app",
        "https://api.slack.com/apps/A0BRIDGE/socket-mode",
    )


def websocket(said: bytes | None) -> Answer:
    """Shake hands, then say one message; b"" hangs up, None says nothing."""

    def answer(server: RawServer, sock: socket.socket) -> object:
        (key,) = re.findall(rb"Sec-WebSocket-Key: (\S+)", server.requests[-1])
        digest = hashlib.sha1(key + GUID, usedforsecurity=False).digest()
        proof = base64.b64encode(digest).decode()
        head = f"Upgrade: websocket\r\nSec-WebSocket-Accept: {proof}\r\n\r\n"
        server.send(sock, f"HTTP/1.1 101 Switching Protocols\r\n{head}".encode())
        if said:
            server.send(sock, bytes([0x81, len(said)]) + said)
        return RawServer.CLOSE if said == b"" else None

    return answer


@contextmanager
def web_api(socket_url: str) -> Iterator[str]:
    """A Web API that sends whoever asks to this address."""
    answer = json.dumps({"ok": True, "url": socket_url}).encode()
    with RawServer(says(reply(answer, headers=AS_JSON))) as server:
        yield f"{server.url}/api/"


def client_of(url: str) -> WebClient:
    settings = {
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_APP_TOKEN": APP_TOKEN,
        "SLACK_API_URL": url,
        "GREEN_API_ID_INSTANCE": "1",
        "GREEN_API_TOKEN_INSTANCE": "t",
    }
    return make_slack_client(load(settings))


@pytest.mark.parametrize(
    ("off", "is_http", "state", "words"),
    [
        (1.0, True, State.OK, "the same as Slack's"),
        (30.0, True, State.OK, "30 s off Slack's"),
        (61.0, True, State.WARNING, "at 300 s signed requests are refused"),
        (300.0, False, State.WARNING, "300 s off"),
        (300.0, True, State.PROBLEM, "signatures are good for 300 s"),
        (None, True, State.SKIPPED, "did not tell the time"),
    ],
)
def test_a_wrong_clock_counts_more_where_signatures_age(
    off: float | None, is_http: bool, state: State, words: str
) -> None:
    finding = slack.check_clock(Bot(clock_off=off), signs_requests=is_http)

    assert finding.state is state
    assert words in finding.fact


def test_the_clock_is_read_from_slacks_answer() -> None:
    date = f"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n{AS_JSON}"
    with RawServer(says(reply(b'{"ok": true}', headers=date))) as server:
        bot = slack.ask_bot(client_of(f"{server.url}/api/"))

    assert bot.clock_off is not None
    assert bot.clock_off > 86_400
    assert bot.scopes is None


def test_the_channel_of_the_admins_is_looked_into(world: World) -> None:
    inside = world.room()
    outside = world.room(has_bot=False)
    hidden = world.room(kind=Kind.PRIVATE, has_bot=False)
    assert BOT_USER not in world.slack.workspace.channels[outside].members

    assert look(world, "channel", BRIDGE_ADMIN_CHANNEL=inside).state is State.OK
    not_in = look(world, "channel", BRIDGE_ADMIN_CHANNEL=outside)
    unseen = look(world, "channel", BRIDGE_ADMIN_CHANNEL=hidden)
    assert (not_in.state, unseen.state) == (State.WARNING, State.WARNING)
    assert "/invite @bridge" in (not_in.fix or "")
    assert "does not exist, or is private" in unseen.fact


def test_without_a_channel_it_says_who_is_told_instead(world: World) -> None:
    nobody = look(world, "channel")
    admin = look(world, "channel", BRIDGE_ADMINS="U0DANA")

    assert nobody.state is State.SKIPPED
    assert nobody.fact.startswith("none: nobody is told")
    assert (admin.state, "direct messages" in admin.fact) == (State.OK, True)
