"""The page, its files, and the event log as server-sent events."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, jsonify, request, send_from_directory
from flask.blueprints import BlueprintSetupState

from bridge.sandbox.guards import TOKEN, refuse_foreign_pages
from bridge.sandbox.log import EventLog
from bridge.sandbox.page.control import add_control, number
from bridge.sandbox.page.sandbox import Sandbox

_STATIC: Final = Path(__file__).parent / "static"
_STILL_HERE: Final = 15.0  # seconds; a comment shows whether the reader is, too

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def page_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the routes of the page, its events and its control API."""
    routes = Blueprint("page", __name__)
    # Another sandbox may answer at this address tomorrow, and number from 1 again.
    run = secrets.token_hex(4)
    token = secrets.token_urlsafe(16)

    routes.before_request(refuse_foreign_pages)
    routes.after_request(_harden)

    @routes.record_once
    def join(state: BlueprintSetupState) -> None:
        state.app.config[TOKEN] = token
        if server := state.app.extensions.get("sandbox"):
            server.on_start(sandbox.started)

    @routes.get("/")
    def page() -> Response:
        return send_from_directory(_STATIC, "index.html")

    @routes.get("/page/<path:name>")
    def file(name: str) -> Response:
        return send_from_directory(_STATIC, name)

    @routes.get("/_sandbox/token")
    def tell_token() -> Response:
        return jsonify(ok=True, token=token)

    @routes.get("/_sandbox/events")
    def events() -> Response:
        since = _since(request.headers.get("Last-Event-ID", ""), run)
        return Response(
            _stream(sandbox.log, number("since") if since is None else since, run),
            mimetype="text/event-stream",
        )

    add_control(routes, sandbox)
    return routes


def _harden(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


def _since(last_event_id: str, run: str) -> int | None:
    """Return where a reader goes on; None when it begins, or comes from another run.

    >>> _since("c0ffee-12", "c0ffee"), _since("decaf-12", "c0ffee"), _since("", "x")
    (12, 0, None)
    """
    if not last_event_id:
        return None
    told_by, _, seq = last_event_id.partition("-")
    return int(seq) if told_by == run and seq.isdecimal() else 0


def _stream(log: EventLog, seq: int, run: str) -> Iterator[str]:
    yield "retry: 1000\n\n"  # milliseconds until a browser comes back
    while not log.is_closed:
        entries = log.follow(seq, _STILL_HERE)
        if not entries:
            yield ": still here\n\n"
        for entry in entries:
            # Escaped to ASCII, so half an emoji harms nothing, and on one line.
            yield f"id: {run}-{entry.seq}\ndata: {json.dumps(asdict(entry))}\n\n"
            seq = entry.seq
