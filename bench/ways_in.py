"""How the baselines are reached: as Bolt's documentation shows it."""

from __future__ import annotations

import os

import waitress
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.adapter.wsgi import SlackRequestHandler

THREADS = 16  # as many as the bridge's web server has
CONNECTIONS = 2000  # likewise; waitress's own 100 would be the narrowest place


def serve(app: App) -> None:
    """Serve over Socket Mode if there is an app-level token, else over HTTP."""
    app_token = os.environ.get("SLACK_APP_TOKEN")
    if app_token:
        SocketModeHandler(app, app_token).start()  # type: ignore[no-untyped-call]
        return
    waitress.serve(
        SlackRequestHandler(app),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        threads=THREADS,
        connection_limit=CONNECTIONS,
        backlog=1024,
        ident=None,
    )
