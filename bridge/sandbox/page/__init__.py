"""The sandbox page: a channel, a phone and the calls between, from one event log.

::

    page ──POST──▶ control ─▶ Sandbox ─▶ the two emulators ─▶ EventLog ──SSE──▶ page
"""

from flask import Blueprint

from bridge.sandbox.page.sandbox import Sandbox
from bridge.sandbox.page.web import page_blueprint

__all__ = ["Sandbox", "parts"]


def parts(sandbox: Sandbox) -> list[Blueprint]:
    """Return the routes of one server: the page, its control API, both emulators."""
    slack, green = sandbox.slack, sandbox.green
    return [slack.blueprint(), green.blueprint(), page_blueprint(sandbox)]
