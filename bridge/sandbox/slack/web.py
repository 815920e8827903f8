"""Slack's own addresses over HTTP: the Web API, ``/link/`` and response URLs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState

from bridge.sandbox.server import NoAnswer
from bridge.sandbox.slack.faults import Answer
from bridge.sandbox.slack.workspace import Json
from bridge.sandbox.websocket import WebSocket, handshake

if TYPE_CHECKING:
    from bridge.sandbox.slack import SlackSandbox


def web_blueprint(slack: SlackSandbox) -> Blueprint:
    """Return the routes an app uses."""
    blueprint = Blueprint("slack", __name__)

    @blueprint.record_once
    def attach(state: BlueprintSetupState) -> None:
        if server := state.app.extensions.get("sandbox"):
            server.on_start(slack.started)
            server.on_stop(slack.stop)

    @blueprint.post("/api/<method>")
    def call_method(method: str) -> Response:
        replayed = request.headers.get("X-Sandbox-Replay", type=int)
        return _respond(
            slack.api.handle(method, _token(), _arguments(), _base_url(), replayed)
        )

    @blueprint.post("/commands/<team>/<interaction_id>/<secret>")
    @blueprint.post("/actions/<team>/<interaction_id>/<secret>")
    def use_response_url(team: str, interaction_id: str, secret: str) -> Response:
        return _respond(slack.respond(interaction_id, secret, _json_body()))

    @blueprint.get("/link/", websocket=False)
    def link_without_upgrade() -> Response:
        return Response("Upgrade required\n", 426)

    @blueprint.get("/link/", websocket=True)
    def link() -> Response:
        return _link(slack)

    return blueprint


def _link(slack: SlackSandbox) -> Response:
    """Upgrade the connection and serve it until it ends."""
    answer = handshake(request.environ)
    if answer is None:
        return Response("Bad handshake\n", 400)
    if not slack.socket_mode.redeem(request.args.get("ticket", "")):
        return Response("Invalid ticket\n", 403)
    sock = request.environ["werkzeug.socket"]
    sock.sendall(answer)
    websocket = WebSocket(sock, request.environ["wsgi.input"])
    slack.socket_mode.serve(websocket)
    return NoAnswer(reset=websocket.is_reset)


def _respond(answer: Answer) -> Response:
    if answer.body is None:
        return NoAnswer()
    if isinstance(answer.body, dict):
        body = json.dumps(answer.body, ensure_ascii=False)
        content_type = "application/json; charset=utf-8"
    else:
        body, content_type = answer.body, "text/html; charset=utf-8"
    return Response(body, answer.status, answer.headers, content_type=content_type)


def _base_url() -> str:
    return f"{request.scheme}://{request.host}"


def _token() -> str | None:
    """Return the bearer token; one among the arguments does not count."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _arguments() -> Json:
    """Return the arguments of query, form and JSON body together."""
    body = _json_body()
    return {
        **request.args.to_dict(),
        **request.form.to_dict(),
        **(body if isinstance(body, dict) else {}),
    }


def _json_body() -> Any:
    """Return the JSON body whatever its content type; None if it is no JSON."""
    if request.mimetype.startswith(("application/x-www-form", "multipart/")):
        return None
    return request.get_json(force=True, silent=True)
