"""The control API below ``/_sandbox/slack``: what the page and scripts use.

POST takes JSON from the same origin only: another page in the same browser must
not play with the sandbox. Bodies carry the arguments of the ``SlackSandbox``
method of the same name.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

from bridge.sandbox.guards import problem, refuse_foreign_pages
from bridge.sandbox.slack.call import ApiError
from bridge.sandbox.slack.workspace import Json, Kind, User

if TYPE_CHECKING:
    from bridge.sandbox.slack import SlackSandbox

_MAX_WAIT = 60.0  # seconds
_ACTIONS = frozenset(
    {
        "archive",
        "clear_faults",
        "disconnect",
        "fault",
        "invite",
        "kick",
        "mute_pongs",
        "outage",
        "reset",
        "revoke",
        "set_scopes",
    }
)


def control_blueprint(slack: SlackSandbox) -> Blueprint:
    """Return the routes of the control API."""
    blueprint = Blueprint("control", __name__, url_prefix="/_sandbox/slack")
    blueprint.before_request(refuse_foreign_pages)
    for error in (ApiError, LookupError, TypeError, ValueError):
        blueprint.register_error_handler(error, _bad_request)
    _add_people(blueprint, slack)
    _add_actions(blueprint, slack)
    _add_queries(blueprint, slack)
    return blueprint


def _add_people(blueprint: Blueprint, slack: SlackSandbox) -> None:
    @blueprint.post("/say")
    def say() -> Response:
        return jsonify(ok=True, **_say(slack, _body()))

    @blueprint.post("/press")
    def press() -> Response:
        return jsonify(ok=True, **asdict(slack.press(**_body())))

    @blueprint.post("/redeliver")
    def redeliver() -> Response:
        return jsonify(ok=True, **asdict(slack.redeliver(**_body())))


def _add_actions(blueprint: Blueprint, slack: SlackSandbox) -> None:
    @blueprint.post("/event")
    def event() -> Response:
        return jsonify(ok=True, event_id=slack.send_event(**_body()).event_id)

    @blueprint.post("/user")
    def user() -> Response:
        slack.add_user(User(**_body()))
        return jsonify(ok=True)

    @blueprint.post("/channel")
    def channel() -> Response:
        body = _body()
        slack.add_channel(**body | {"kind": Kind(body["kind"])})
        return jsonify(ok=True)

    @blueprint.post("/clock")
    def clock() -> Response:
        slack.clock.advance(float(_body()["seconds"]))
        return jsonify(ok=True, now=slack.clock.now())

    @blueprint.post(f"/<any({', '.join(sorted(_ACTIONS))}):action>")
    def act(action: str) -> Response:
        getattr(slack, action)(**_body())
        return jsonify(ok=True)


def _add_queries(blueprint: Blueprint, slack: SlackSandbox) -> None:
    @blueprint.get("/log")
    def log() -> Response:
        since, kind = int(request.args.get("since", 0)), request.args.get("kind")
        return jsonify(
            ok=True, entries=[asdict(entry) for entry in slack.log.since(since, kind)]
        )

    @blueprint.get("/wait")
    def wait() -> Response:
        kind, since = request.args["kind"], int(request.args.get("since", 0))
        timeout = min(float(request.args.get("timeout", 5)), _MAX_WAIT)
        try:
            entry = slack.wait(lambda entry: entry.kind == kind, timeout, since)
        except TimeoutError as error:
            return problem(408, str(error))
        return jsonify(ok=True, entry=asdict(entry))

    @blueprint.get("/state")
    def state() -> Response:
        return jsonify(ok=True, **_state(slack))


def _say(slack: SlackSandbox, body: Json) -> Json:
    """Run a command if the text is one; otherwise post it as a message."""
    text = str(body["text"])
    if not text.startswith("/"):
        return {"message": slack.say(**body)}
    name, _, rest = text.partition(" ")
    command = slack.command(name=name, **body | {"text": rest})
    return asdict(command)


def _state(slack: SlackSandbox) -> Json:
    workspace = slack.workspace
    with workspace.lock:
        return {
            "mode": "http" if slack.request_url else "socket",
            "connections": slack.socket_mode.connections,
            "outage": slack.api.faults.outage,
            "faults": slack.api.faults.to_json(),
            "users": [user.to_json() for user in workspace.users.values()],
            "channels": [
                channel.to_json()
                | {
                    "members": sorted(channel.members),
                    "messages": list(channel.messages.values()),
                }
                for channel in workspace.channels.values()
            ],
        }


def _body() -> dict[str, Any]:
    body: dict[str, Any] = request.get_json()  # an object: see the guards
    return body


def _bad_request(error: Exception) -> Response:
    return problem(400, f"{type(error).__name__}: {error}")
