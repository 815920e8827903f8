"""The HTTP face of the emulated GREEN-API: routes, error forms, broken answers."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from bridge.sandbox.green_api.answers import (
    MAX_JSON,
    Answer,
    Call,
    Refused,
    Rejected,
    nginx_page,
)
from bridge.sandbox.green_api.control import add_control
from bridge.sandbox.green_api.faults import HEALTHY, Fault
from bridge.sandbox.green_api.methods import BY_LOWER_NAME, execute
from bridge.sandbox.masking import MASK, clipped
from bridge.sandbox.server import NoAnswer

if TYPE_CHECKING:
    from flask.blueprints import BlueprintSetupState

    from bridge.sandbox.green_api import GreenApiSandbox

VERBS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
HOLD_SECONDS: Final = 60.0  # emulated; then the silent connection closes
LOGGED: Final = 8000  # characters of an answer; a request is logged whole


def make_blueprint(green: GreenApiSandbox) -> Blueprint:
    """Return the routes of one emulated instance."""
    routes = Blueprint("green_api", __name__)

    @routes.route(
        "/waInstance<path:rest>",
        methods=VERBS,
        provide_automatic_options=False,
    )
    def api(rest: str) -> Response:
        call = _read(rest)
        if call is None:
            return Response(nginx_page(404), 404)
        return _serve(green, call)

    @routes.record_once
    def follow_the_server(state: BlueprintSetupState) -> None:
        server = state.app.extensions.get("sandbox")
        if server is not None:
            server.on_start(lambda _url: green.open())
            server.on_stop(green.close)

    add_control(routes, green)
    return routes


def _read(rest: str) -> Call | None:
    parts = rest.split("/")
    if len(parts) not in {3, 4} or parts[1].lower() not in BY_LOWER_NAME:
        return None
    return Call(
        verb=request.method,
        path=request.path,
        id_instance=parts[0],
        method=BY_LOWER_NAME[parts[1].lower()],
        token=parts[2],
        receipt_id=parts[3] if len(parts) == 4 else None,
        query=request.args.to_dict(),
        headers=dict(request.headers),
        raw=request.get_data(),
    )


def _serve(green: GreenApiSandbox, call: Call) -> Response:
    began = time.monotonic()
    green.note_request(call)
    fault = green.take_fault(call)
    answer = _answer(green, call, fault)
    took = round((time.monotonic() - began) * 1000)
    _log(green, call, fault, answer, took)
    if fault.hold:
        return _hold(green)
    if fault.drop is not None:
        return NoAnswer(reset=True)
    if fault.raw is not None:
        return _raw(fault.raw)
    return _respond(green, fault, answer)


def _is_silent(fault: Fault) -> bool:
    return fault.hold or fault.drop is not None


def _answer(green: GreenApiSandbox, call: Call, fault: Fault) -> Answer:
    if not green.timeline.wait(fault.delay_execution):
        return Answer(503, nginx_page(503))  # the emulator closed meanwhile
    try:
        true_answer = None
        if fault.is_executed():
            true_answer = execute(green, call)
            green.tell_executed(call)
        answer = fault.answer(true_answer)
    except Rejected as err:
        answer = err.answer
    except Refused as err:
        answer = _error(green, call, err)
    green.timeline.wait(fault.delay)
    return answer


def _error(green: GreenApiSandbox, call: Call, err: Refused) -> Answer:
    if green.switches.errors == "text":
        return Answer(err.status, err.message)
    return Answer(
        err.status,
        {
            "statusCode": err.status,
            "timestamp": f"{green.timeline.now():%Y-%m-%dT%H:%M:%S.%f}000Z",
            "path": call.path,
            "message": err.message,
        },
    )


def _log(
    green: GreenApiSandbox, call: Call, fault: Fault, answer: Answer, milliseconds: int
) -> None:
    shown = None if _is_silent(fault) else answer
    content = b"" if shown is None else shown.content()[0]
    response = _content(call, content, LOGGED)
    entry: dict[str, Any] = {
        "side": "green",
        "direction": "out",
        "method": call.method,
        "verb": call.verb,
        "path": _path(call),
        "status": None if shown is None else shown.status,
        "ok": shown is not None and shown.status == HTTPStatus.OK,
        "error": response.get("message") if isinstance(response, dict) else None,
        "ms": milliseconds,
        "request": _content(call, call.raw, MAX_JSON),
        "response": response,
        "by_fault": fault is not HEALTHY,
        "replay_of": request.headers.get("X-Sandbox-Replay", type=int),
    }
    if _is_a_question(call, response) and entry["ok"] and not entry["replay_of"]:
        told = hash((entry["path"], json.dumps(response)))
        green.log.append_newest(told, "api_call", **entry)
    else:
        green.log.append("api_call", **entry)


def _path(call: Call) -> str:
    """Return the path with its query, and a mask in the place of the token."""
    receipt = "" if call.receipt_id is None else f"/{call.receipt_id}"
    query = f"?{urlencode(call.query)}" if call.query else ""
    return f"/waInstance{call.id_instance}/{call.method}/{MASK}{receipt}{query}"


def _content(call: Call, content: bytes, limit: int) -> Any:
    """Return a body for the log: JSON if it is, else text; None for no body."""
    # Whatever was sent as a token may have been one.
    text = content.decode(errors="replace")
    text = text.replace(call.token, MASK) if call.token else text
    try:
        return json.loads(text) if len(text) <= limit else clipped(text, limit)
    except (ValueError, RecursionError):  # the latter: nested to hurt
        return clipped(text, limit) or None


def _is_a_question(call: Call, response: Any) -> bool:
    """Whether the bridge just asks, perhaps again and again.

    In the log the same answer to the same question then takes the place of the last.
    """
    is_news = call.method == "receiveNotification" and response is not None
    return call.verb == "GET" and not is_news


def _hold(green: GreenApiSandbox) -> Response:
    """Say nothing until the client goes, the server stops, or a minute is over."""
    sock = _socket()
    if sock is not None:
        select.select([sock], [], [], green.timeline.real(HOLD_SECONDS))
    return NoAnswer(reset=False)


def _raw(content: bytes) -> Response:
    sock = _socket()
    if sock is not None:
        sock.sendall(content)
    return NoAnswer(reset=False)


def _socket() -> socket.socket | None:
    sock: Any = request.environ.get("werkzeug.socket")
    return sock if isinstance(sock, socket.socket) else None


def _respond(green: GreenApiSandbox, fault: Fault, answer: Answer) -> Response:
    content, content_type = answer.content()
    length = len(content)
    if fault.truncate:
        content = content[: length // 2]
    response = Response(
        _drip(green, content, fault.drip) if fault.drip else iter((content,)),
        answer.status,
        {"Content-Length": str(length)},
        content_type=content_type,
    )
    response.headers.update(dict(answer.headers))
    return response


def _drip(green: GreenApiSandbox, content: bytes, seconds: float) -> Iterator[bytes]:
    for byte in content:
        yield bytes((byte,))
        green.timeline.wait(seconds)
