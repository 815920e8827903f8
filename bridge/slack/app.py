"""The Bolt app, and the two ways into it: Socket Mode and HTTP."""

from __future__ import annotations

import json
import logging
import re
import socket
import time
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from slack_bolt import App, BoltRequest, BoltResponse
from slack_bolt.adapter.socket_mode.internals import build_headers, send_response
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bridge.intake import Intake
from bridge.slack.listeners import Desk, listen
from bridge.slack.presses import is_readable

log = logging.getLogger(__name__)

PING_SECONDS = 2.5  # a dead connection is noticed after about four of them
RECEIVE_BYTES = 65_536  # slack_sdk's 1,024 fails on long messages
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


def make_app(client: WebClient, desk: Desk) -> App:
    """Return the Bolt app with all its listeners.

    ``process_before_response`` runs a listener in the thread that received the
    request. Bolt's default hands it to a pool of five and polls for the ack every
    10 ms: slower, and slow listeners starve the acks of others.
    """
    app = App(
        client=client,
        authorize=_authorize(client.token or ""),
        process_before_response=True,
        # Both ways in verify for themselves before Bolt sees anything.
        request_verification_enabled=False,
        logger=logging.getLogger("slack_bolt.bridge"),
    )
    listen(app, desk)
    return app


def _authorize(bot_token: str) -> Any:
    def authorize(
        enterprise_id: str | None, team_id: str | None, **_: Any
    ) -> AuthorizeResult:
        # Bolt's own asks Slack first: no network before an ack.
        return AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_token=bot_token
        )

    return authorize


class _Stamped(str):
    """A message of the socket that knows when it came."""

    received_at: float
    is_request: bool  # Slack waits for an ack


class LoudSocket:
    """A socket that says when the other side has hung up.

    slack_sdk takes the empty read at the end for no news and reads again, with a whole
    CPU, until its pings have failed five times.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._is_ours_to_end = False

    def recv(self, size: int) -> bytes:
        """Return what came, at least one byte."""
        received = self._sock.recv(size)
        if received:
            return received
        if self._is_ours_to_end:
            raise TimeoutError  # no error to slack_sdk: it looks whether to go on
        raise ConnectionResetError("the other side has hung up")

    def stop_reading(self) -> None:
        """End a read under way, which holds a lock that closing needs, at once."""
        self._is_ours_to_end = True
        with suppress(OSError):
            # Not SSLSocket's own shutdown: that one would go on in plain text.
            socket.socket.shutdown(self._sock, socket.SHUT_RD)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class SocketConnection(SocketModeClient):
    """One Socket Mode connection that hands its envelopes to a Bolt app."""

    def __init__(self, app: App, app_token: str, intake: Intake) -> None:
        super().__init__(
            app_token=app_token,
            web_client=app.client,
            logger=logging.getLogger("slack_sdk.socket_mode"),
            ping_interval=PING_SECONDS,
            receive_buffer_size=RECEIVE_BYTES,
        )
        self._app = app
        self._intake = intake

    def connect(self) -> None:
        """Connect, or replace the connection there is."""
        super().connect()
        session = self.current_session
        if session is None or session.sock is None:
            return
        sock = LoudSocket(session.sock)
        disconnect = session.disconnect

        def disconnect_at_once() -> None:
            sock.stop_reading()
            disconnect()

        def give_up(error: Exception) -> None:
            # This session and no other: a newer one may be in its place already.
            if not self.closed:
                log.info("a connection to Slack broke: %s", type(error).__name__)
                disconnect_at_once()

        session.sock = sock  # type: ignore[assignment]
        session.on_error_listener = give_up
        session.disconnect = disconnect_at_once  # type: ignore[method-assign]

    def process_message(self) -> None:
        """Handle one message; Slack may refuse the new connection that it asks for."""
        try:
            super().process_message()  # type: ignore[no-untyped-call]  # slack_sdk's
        except (SlackClientError, OSError) as err:
            # The other connection serves, and slack_sdk looks after this one again.
            log.info("no new connection to Slack: %s", type(err).__name__)

    def _on_error(self, error: Exception) -> None:
        """Note a connection that could not be made; slack_sdk tries again."""
        log.info("no new connection to Slack: %s", type(error).__name__)

    def close(self) -> None:
        """Close without the seconds that slack_sdk waits for its own threads."""
        self.closed = True
        self.auto_reconnect_enabled = False
        self.message_queue.put(None)  # ends the wait for a message
        super().close()

    def enqueue_message(self, message: str) -> None:
        """Note the time of arrival: the ack's deadline counts from here."""
        stamped = _Stamped(message)
        stamped.received_at = time.monotonic()
        stamped.is_request = '"envelope_id"' in message
        if stamped.is_request:
            self._intake.arrived()
        super().enqueue_message(stamped)

    def run_message_listeners(self, message: dict[str, Any], raw_message: str) -> None:
        """Dispatch one envelope and send its ack."""
        if not isinstance(raw_message, _Stamped) or not raw_message.is_request:
            super().run_message_listeners(message, raw_message)
            return
        try:
            self._answer(message, raw_message.received_at)
        except Exception as err:  # noqa: BLE001 - slack_sdk raises what sockets raise
            # What was stored stays stored: the thread will answer.
            log.warning("an ack could not be sent: %s", type(err).__name__)
        finally:
            self._intake.answered(raw_message.received_at)

    def _answer(self, message: dict[str, Any], received_at: float) -> None:
        request = SocketModeRequest.from_dict(message)
        if request is not None:
            headers = build_headers(request)
            response = dispatch(self._app, request.payload, received_at, headers)
            send_response(self, request, response, time.time())


def dispatch(
    app: App, body: dict[str, Any], received_at: float, headers: Any = None
) -> BoltResponse:
    """Run a verified payload through Bolt.

    ``mode="socket_mode"`` also for HTTP: Bolt's own reading of a form body loses any
    command that contains the word "payload".
    """
    if not is_readable(body):
        # An ack: it would make no more sense the next time.
        log.warning("a payload of Slack made no sense")
        return BoltResponse(status=200)
    request = BoltRequest(
        mode="socket_mode",
        body=body,
        headers=headers,
        context={"received_at": received_at},
    )
    return app.dispatch(request)


def is_signed(secret: str, body: bytes, headers: Any) -> bool:
    """Whether Slack signed these bytes within the last five minutes.

    Args:
        secret: the app's signing secret.
        body: the raw bytes of the request.
        headers: case-insensitive, as of Werkzeug.
    """
    timestamp = headers.get("X-Slack-Request-Timestamp", "")
    signature = headers.get("X-Slack-Signature", "")
    # slack_sdk raises on forms like these, which would look like our own bug.
    if not _TIMESTAMP.fullmatch(timestamp) or not _SIGNATURE.fullmatch(signature):
        return False
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return SignatureVerifier(secret).is_valid(text, timestamp, signature)


def parse_form(raw: str) -> dict[str, Any] | None:
    """Return the payload of a verified HTTP body, or None if it has none.

    Commands come as a form, buttons as a form with JSON in ``payload``, events as
    JSON.
    """
    try:
        if raw.startswith("{"):
            body = json.loads(raw)
        else:
            form = dict(parse_qsl(raw, keep_blank_values=True))
            body = json.loads(form["payload"]) if "payload" in form else form
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
