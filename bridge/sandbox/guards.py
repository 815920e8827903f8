"""Who may use the control API: this page and local programs, no other web page.

The server itself refuses foreign ``Host`` headers (DNS rebinding). Here a browser's
``Origin`` must be the page's own, and a POST must be JSON, which no page can send to
another origin without asking first; and it is never told yes. Where the page is served,
a POST must also bring the token of this run, which only its own origin can read.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Final

from flask import Response, current_app, jsonify, request

TOKEN: Final = "SANDBOX_TOKEN"  # noqa: S105 - the name of the app's own setting
HEADER: Final = "X-Sandbox-Token"


def refuse_foreign_pages() -> Response | None:
    """Return a refusal of the request at hand, or None when it may go on.

    403 for a foreign origin or a missing token, 415 for a POST that is not JSON, 400
    for one whose JSON is not an object.
    """
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        return problem(403, "Only the sandbox's own page may do that.")
    if request.method != "POST":
        return None
    if request.mimetype != "application/json":
        return problem(415, "Send application/json.")
    if not isinstance(request.get_json(silent=True), dict):
        return problem(400, "Send a JSON object.")
    token = current_app.config.get(TOKEN, "")
    if not compare_digest(request.headers.get(HEADER, "").encode(), token.encode()):
        return problem(403, f"Send {HEADER} with what /_sandbox/token says.")
    return None


def problem(status: int, text: str) -> Response:
    """Return ``{"ok": false, "error": text}``."""
    response = jsonify(ok=False, error=text)
    response.status_code = status
    return response
