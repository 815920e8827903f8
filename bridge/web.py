"""The web server: Slack over HTTP, GREEN-API's webhook, and the health pages."""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from flask import Flask, Response, jsonify, request
from slack_bolt import App
from waitress.server import create_server

from bridge.errors import StoreError
from bridge.flows.receive import Outcome
from bridge.intake import Intake
from bridge.slack.app import dispatch, is_signed, parse_form

log = logging.getLogger(__name__)

MAX_BODY = 1 << 20
THREADS = 16
CONNECTIONS = 2000


class Condition(NamedTuple):
    """How the bridge is, by part; the sentences say what is wrong and what to do."""

    reasons: dict[str, str]  # why no command can be taken
    warnings: dict[str, str]  # why messages wait


Receive = Callable[[bytes], Outcome]
"""Stores one notification of GREEN-API, or raises StoreError."""

SCHEMES = {"bearer", "basic"}


def make_web(
    condition: Callable[[], Condition],
    slack: App | None = None,
    secret: str | None = None,
    intake: Intake | None = None,
    *,
    receive: Receive | None = None,
    webhook_token: str | None = None,
) -> Flask:
    """Return the WSGI app.

    Args:
        condition: for ``/readyz``.
        slack: the Bolt app behind ``/slack/events``; None in Socket Mode.
        secret: Slack's signing secret; needed with ``slack``.
        intake: counts Slack's requests.
        receive: takes what comes to ``/green-api/webhook``; None when polling.
        webhook_token: what GREEN-API proves itself with; needed with ``receive``.
    """
    web = Flask("bridge", static_folder=None)
    web.config["MAX_CONTENT_LENGTH"] = MAX_BODY

    @web.get("/livez")
    @web.get("/healthz")
    def livez() -> Response:
        return jsonify(status="ok")

    @web.get("/readyz")
    def readyz() -> tuple[Response, int]:
        reasons, warnings = condition()
        status = "not ready" if reasons else "ready"
        answer = jsonify(status=status, reasons=reasons, warnings=warnings)
        return answer, 503 if reasons else 200

    if slack is not None and secret:
        _add_slack(web, slack, secret, intake or Intake())
    if receive is not None and webhook_token:
        _add_webhook(web, receive, webhook_token)
    return web


def _add_slack(web: Flask, slack: App, secret: str, intake: Intake) -> None:
    @web.post("/slack/events")
    def slack_events() -> Response:
        received_at = _received_at(request.environ)
        body = request.get_data()
        if not is_signed(secret, body, request.headers):
            log.warning("a request to /slack/events was not signed by Slack")
            return Response(status=401)
        payload = parse_form(body.decode("utf-8"))
        if payload is None:
            return Response(status=400)
        intake.arrived()
        answer = dispatch(slack, payload, received_at, dict(request.headers))
        response = Response(
            answer.body,
            status=answer.status,
            content_type=answer.first_headers().get("content-type"),
        )
        response.call_on_close(
            lambda: intake.answered(received_at)
        )  # when the bytes are written
        return response


def _received_at(environ: dict[str, Any]) -> float:
    """Return the ``time.monotonic()`` at which the request was read from its socket.

    It may have waited for a thread since then, and Slack's three seconds ran.
    """
    check = environ.get("waitress.client_disconnected")
    channel = getattr(check, "__self__", None)
    last_read = getattr(channel, "last_activity", None)
    waited = max(0.0, time.time() - last_read) if last_read else 0.0
    return time.monotonic() - waited


def _add_webhook(web: Flask, receive: Receive, token: str) -> None:
    """Add the way in of GREEN-API's notifications.

    Only 200 takes one off its queue; after anything else the same one comes again a
    minute later, and none overtakes it.

    Source: https://green-api.com/en/docs/api/receiving/technology-webhook-endpoint/
    """

    @web.post("/green-api/webhook")
    def webhook() -> Response:
        if not is_authorized(request.headers.get("Authorization", ""), token):
            log.warning("a request to /green-api/webhook did not have the token")
            return Response(status=401)
        try:
            outcome = receive(request.get_data())
        except StoreError as err:
            log.warning("a notification could not be stored: %s", err)
            return Response(status=503)
        if outcome is Outcome.FOREIGN:
            log.warning("a notification of another instance was refused")
            return Response(status=403)
        return Response(status=200)


def is_authorized(header: str, token: str) -> bool:
    """Whether an ``Authorization`` header holds the token.

    GREEN-API sends it as it was entered, with or without a scheme, and may put
    ``Bearer`` in front.

    >>> [is_authorized(h, "t0ken") for h in ("t0ken", "Bearer t0ken", "Bearer", "x")]
    [True, True, False, False]
    """
    *schemes, given = header.split()[:4] or [""]
    fits = len(schemes) <= 2 and all(word.casefold() in SCHEMES for word in schemes)
    is_same = hmac.compare_digest(given.encode(), token.encode())
    return fits and is_same


class WebServer:
    """Waitress in a thread of its own."""

    def __init__(self, web: Flask, host: str, port: int) -> None:
        """Bind the port.

        Raises:
            OSError: the port is taken, or not ours to take.
        """
        self._server = create_server(
            web,
            host=host,
            port=port,
            threads=THREADS,
            connection_limit=CONNECTIONS,
            asyncore_use_poll=True,  # select() dies of the 1,024th open file
            backlog=1024,
            channel_timeout=10,  # a client that never finishes its request
            max_request_body_size=MAX_BODY,
            channel_request_lookahead=1,  # tells when a request was read
            ident=None,
        )
        self._thread = threading.Thread(
            target=self._server.run, name="web", daemon=True
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(getattr(self._server, "effective_port", 0))

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def stop(self) -> None:
        """Take no new requests and end those under way."""
        self._server.close()
        self._server.task_dispatcher.shutdown(timeout=3)
        self._thread.join(timeout=5)
