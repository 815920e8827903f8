"""One Socket Mode connection that is closed again as soon as Slack has said hello.

Slack gives each command to one of the app's connections, whichever. So this one is
open for as short as can be, and acks nothing.
"""

from __future__ import annotations

import json
import logging
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.proxy_env_variable_loader import load_http_proxy_from_env
from slack_sdk.socket_mode.builtin.connection import Connection, ConnectionState

from bridge.settings_table import LOOPBACK
from bridge.slack.app import RECEIVE_BYTES, LoudSocket

HELLO_SECONDS = 10.0


class NoHello(Exception):
    """The connection came about, but Slack's word on it did not come or was a no."""


def count_connections(
    client: WebClient, app_token: str, patience: float = HELLO_SECONDS
) -> int:
    """Return how many connections the app has, this one included.

    Source: https://docs.slack.dev/apis/events-api/using-socket-mode

    Args:
        client: of the Web API; its address decides which Slack it is.
        app_token: with the scope connections:write.
        patience: seconds to wait for the hello.

    Raises:
        SlackApiError: Slack gives no address to connect to.
        NoHello: it did not work after that; the text is one word for why.
        OSError: there is no way to that address.
    """
    url = str(client.apps_connections_open(app_token=app_token)["url"])
    hello = _first_message(url, patience)
    if hello.get("type") != "hello":
        raise NoHello(str(hello.get("reason") or hello.get("type") or "silence"))
    count = hello.get("num_connections")
    return count if isinstance(count, int) else 1


def _first_message(url: str, patience: float) -> dict[str, Any]:
    heard: list[str] = []
    errors: list[Exception] = []
    state = ConnectionState()  # type: ignore[no-untyped-call]  # slack_sdk's

    def hear(message: str) -> None:
        heard.append(message)
        state.terminated = True

    connection = Connection(
        url=url,
        logger=_quiet(),
        proxy=None
        if urlsplit(url).hostname in LOOPBACK
        else load_http_proxy_from_env(),
        receive_timeout=patience,
        receive_buffer_size=RECEIVE_BYTES,
        on_message_listener=hear,
        on_error_listener=errors.append,
    )
    connection.connect()
    if connection.sock is None:
        raise NoHello(type(errors[0]).__name__ if errors else "handshake")
    sock = LoudSocket(connection.sock)
    connection.sock = sock  # type: ignore[assignment]

    def give_up() -> None:
        state.terminated = True
        sock.stop_reading()

    end = threading.Timer(patience, give_up)
    end.start()
    try:
        connection.run_until_completion(state)
    finally:
        end.cancel()
        with suppress(OSError):
            connection.disconnect()
    if not heard:
        raise NoHello(type(errors[0]).__name__ if errors else "silence")
    try:
        message = json.loads(heard[0])
    except ValueError:
        raise NoHello("nonsense") from None
    return message if isinstance(message, dict) else {}


def _quiet() -> logging.Logger:
    # Its lines hold the address with the ticket.
    logger = logging.getLogger("slack_sdk.socket_mode.hello")
    logger.disabled = True
    return logger
