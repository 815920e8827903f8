"""The control API: the same calls for the page, for tests and for the tour.

``docs/sandbox.md`` lists them. Errors are ``{"ok": false, "error": sentence}``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request

from bridge.sandbox.guards import problem
from bridge.sandbox.page.copied import copied_test
from bridge.sandbox.page.fields import Body, Mistake, check
from bridge.sandbox.page.replay import as_curl, replay
from bridge.sandbox.page.sandbox import Sandbox
from bridge.sandbox.page.standing import state

Action = Callable[[Sandbox, Body], dict[str, Any] | None]
Fields = dict[str, type]

_MAX_WAIT: Final = 60.0  # seconds

_PLACE: Final[Fields] = {"user": str, "channel": str}

# What each action takes: needed fields, others, and what it does.
ACTIONS: Final[dict[str, tuple[Fields, Fields, Action]]] = {
    "say": (
        {"text": str},
        _PLACE | {"thread_ts": str, "typed_on_a_phone": bool},
        lambda sandbox, body: sandbox.say(**body),
    ),
    "reply": (
        {"chat_id": str, "text": str},
        {},
        lambda sandbox, body: {"idMessage": sandbox.reply(**body)},
    ),
    "click": (
        {"message_ts": str, "action_id": str},
        _PLACE,
        lambda sandbox, body: {"press": sandbox.click(**body)},
    ),
    "phone": (
        {"is_on": bool},
        {"chat_id": str},
        lambda sandbox, body: sandbox.phone(**body),
    ),
    "status": ({"state": str}, {}, lambda sandbox, body: sandbox.status(**body)),
    "fault": (
        {"side": str, "kind": str},
        {"apply": str, "times": int, "number": str},
        lambda sandbox, body: sandbox.fault(**body),
    ),
    "clock": ({"speed": float}, {}, lambda sandbox, body: sandbox.clock(**body)),
    "reset": ({}, {}, lambda sandbox, _: sandbox.reset()),
    "replay": ({"seq": int}, {"body": dict}, lambda s, body: replay(s, **body)),
}


def add_control(routes: Blueprint, sandbox: Sandbox) -> None:
    """Add the routes of the control API; the guards are the blueprint's."""
    routes.register_error_handler(Mistake, lambda err: problem(400, str(err)))
    for name, (required, optional, action) in ACTIONS.items():
        routes.add_url_rule(
            f"/_sandbox/{name}",
            name,
            _view(sandbox, required, optional, action),
            methods=["POST"],
        )
    _add_queries(routes, sandbox)


def _view(
    sandbox: Sandbox, required: Fields, optional: Fields, action: Action
) -> Callable[[], Response]:
    def act() -> Response:
        body = check(request.get_json(), required, optional)
        return jsonify(ok=True, **(action(sandbox, body) or {}))

    return act


def _add_queries(routes: Blueprint, sandbox: Sandbox) -> None:
    @routes.get("/_sandbox/log")
    def log() -> Response:
        entries = sandbox.log.since(number("since"), request.args.get("kind"))
        return jsonify(ok=True, entries=[asdict(entry) for entry in entries])

    @routes.get("/_sandbox/wait")
    def wait() -> Response:
        kind, seconds = request.args.get("kind"), number("timeout", 5)
        try:
            entry = sandbox.log.wait(
                lambda entry: kind in (None, entry.kind),
                min(seconds, _MAX_WAIT),
                number("since"),
            )
        except TimeoutError as err:
            return problem(408, str(err))
        return jsonify(ok=True, entry=asdict(entry))

    @routes.get("/_sandbox/state", endpoint="state")
    def show_state() -> Response:
        return jsonify(ok=True, **state(sandbox))

    @routes.get("/_sandbox/curl")
    def curl() -> Response:
        return jsonify(ok=True, curl=as_curl(sandbox, number("seq")))

    @routes.get("/_sandbox/test")
    def test() -> Response:
        return jsonify(ok=True, test=copied_test(sandbox.log, sandbox.url))


def number(name: str, default: int = 0) -> int:
    """Return a whole number from the query.

    Raises:
        Mistake: it is something else.
    """
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise Mistake(f"“{name}” must be a whole number.")
    return int(text)
