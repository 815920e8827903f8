"""What the tests of the emulated Slack share."""

import pytest
from flask import Blueprint, request
from slack_bolt import App
from slack_bolt.adapter.flask import SlackRequestHandler

from bridge.sandbox.server import SandboxServer


@pytest.fixture
def bolt(slack, client):
    """Return a real Bolt app that takes its requests over HTTP."""
    app = App(client=client, signing_secret=slack.signing_secret)
    blueprint = Blueprint("app", __name__)
    blueprint.post("/slack/events", endpoint="events")(
        lambda: SlackRequestHandler(app).handle(request)
    )
    with SandboxServer([blueprint]) as app_server:
        slack.request_url = f"{app_server.url}/slack/events"
        yield app
    app.listener_runner.listener_executor.shutdown()
