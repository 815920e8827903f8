"""One Socket Mode connection, on the real client and the emulated Slack."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from slack_bolt import App
from slack_sdk import WebClient

from bridge.intake import Intake
from bridge.sandbox.server import SandboxServer
from bridge.sandbox.slack import SlackSandbox
from bridge.slack.app import LoudSocket, SocketConnection


@pytest.fixture
def slack() -> Iterator[SlackSandbox]:
    sandbox = SlackSandbox()
    with SandboxServer([sandbox.blueprint()]) as server:
        sandbox.address = f"{server.url}/api/"  # type: ignore[attr-defined]
        yield sandbox


@pytest.fixture
def connection(slack: SlackSandbox) -> Iterator[SocketConnection]:
    client = WebClient("xoxb-sandbox", slack.address, retry_handlers=[])  # type: ignore[attr-defined]
    app = App(
        client=client,
        authorize=lambda: None,
        process_before_response=True,
        request_verification_enabled=False,
    )
    app.command("/whatsapp")(lambda ack: ack("done"))
    made = SocketConnection(app, "xapp-1-A0BRIDGE-sandbox", Intake())
    made.connect()
    yield made
    made.close()


def test_the_end_of_a_stream_is_an_error_and_no_empty_message() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    loud = LoudSocket(ours)

    with pytest.raises(ConnectionResetError):
        loud.recv(10)

    loud.close()


@pytest.mark.parametrize("end", ["fin", "rst"])
def test_a_broken_connection_is_given_up_and_replaced(
    slack: SlackSandbox, connection: SocketConnection, end: str
) -> None:
    first = connection.session_id()

    slack.disconnect(end)  # type: ignore[arg-type]

    slack.wait_for(lambda: connection.session_id() != first, timeout=15)
    slack.wait_for(connection.is_connected, timeout=15)


def test_a_close_leaves_nothing_behind(
    slack: SlackSandbox, connection: SocketConnection
) -> None:
    connection.close()

    slack.wait_for(lambda: not slack.socket_mode.connections, timeout=5)
    assert not connection.is_connected()
