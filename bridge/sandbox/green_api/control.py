"""The control API: what the page and tests in other processes may do.

All below ``/_sandbox/green-api/``; POST wants JSON and no foreign ``Origin``:

- ``POST fault`` (the arguments of ``GreenApiSandbox.fault``), ``faults/clear``,
  ``state`` ``{"state"}``, ``settings``, ``switches``, ``quota`` ``{"limit"}``,
  ``script`` ``{"chat_id", "steps": [[status, seconds], …]}``,
  ``receive`` ``{"chat_id", "text", "sender_name"?, "sender"?}``, ``notify`` (any
  body), ``clock`` ``{"advance": seconds}``, ``reset``
- ``GET log?since=``, ``ledger``, ``posts``, ``state``
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, jsonify, request

from bridge.sandbox.green_api.answers import Refused
from bridge.sandbox.guards import problem, refuse_foreign_pages

if TYPE_CHECKING:
    from bridge.sandbox.green_api import GreenApiSandbox

PREFIX: Final = "/_sandbox/green-api"

Body = dict[str, Any]
Action = Callable[["GreenApiSandbox", Body], object]


def _script(green: GreenApiSandbox, body: Body) -> None:
    steps = [(str(status), float(after)) for status, after in body["steps"]]
    green.script(body["chat_id"], *steps)


def _set_switches(green: GreenApiSandbox, body: Body) -> None:
    for name, value in body.items():
        if not hasattr(green.switches, name):
            raise ValueError(f"no switch {name}")
        setattr(green.switches, name, value)


def _set_quota(green: GreenApiSandbox, body: Body) -> None:
    green.quota.limit = body["limit"]


ACTIONS: Final[dict[str, Action]] = {
    "fault": lambda green, body: green.fault(**body),
    "faults/clear": lambda green, _: green.clear_faults(),
    "state": lambda green, body: green.set_state(body["state"]),
    "settings": lambda green, body: green.apply_settings(**body),
    "switches": _set_switches,
    "quota": _set_quota,
    "script": _script,
    "receive": lambda green, body: {"idMessage": green.receive(**body)},
    "notify": lambda green, body: green.notify(body),
    "clock": lambda green, body: green.advance(float(body["advance"])),
    "reset": lambda green, _: green.reset(),
}


def add_control(routes: Blueprint, green: GreenApiSandbox) -> None:
    """Add the control routes of one emulated instance."""

    @routes.post(f"{PREFIX}/<path:action>")
    def act(action: str) -> Response:
        if refusal := refuse_foreign_pages():
            return refusal
        if action not in ACTIONS:
            return problem(404, f"no action {action}")
        try:
            result = ACTIONS[action](green, request.get_json())
        except (KeyError, TypeError, ValueError, Refused) as err:
            return problem(400, f"{type(err).__name__}: {err}")
        return jsonify(result or {"ok": True})

    @routes.get(f"{PREFIX}/<view>")
    def look(view: str) -> Response:
        if view not in VIEWS:
            return problem(404, f"nothing called {view}")
        return jsonify(VIEWS[view](green))


def _log(green: GreenApiSandbox) -> object:
    since = request.args.get("since", 0, int)
    return [asdict(entry) for entry in green.log.since(since)]


def _ledger(green: GreenApiSandbox) -> object:
    return [
        {**asdict(accepted), "accepted_at": accepted.accepted_at.isoformat()}
        for accepted in green.ledger
    ]


def _posts(green: GreenApiSandbox) -> object:
    return [
        {"order": post.order, "at": post.at.isoformat(), "body": post.body}
        for post in green.posts
    ]


def _state(green: GreenApiSandbox) -> object:
    with green.instance.changed:
        return {
            "idInstance": green.id_instance,
            "stateInstance": green.state,
            "profile": green.profile,
            "speed": green.timeline.speed,
            "settings": dict(green.instance.settings),
            "switches": asdict(green.switches),
            "quota": green.quota.limit,
            "queued": [message.id for message in green.instance.queue.waiting()],
            "notifications": len(green.notifications()),
            "accepted": len(green.ledger),
            "posts": len(green.posts),
        }


VIEWS: Final[dict[str, Callable[[GreenApiSandbox], object]]] = {
    "log": _log,
    "ledger": _ledger,
    "posts": _posts,
    "state": _state,
}
