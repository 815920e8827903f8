"""Webhook mode: is what GREEN-API calls really this bridge?

A request without the token is made to the public address, as anybody could make it. A
bridge answers 401 and stores nothing; so the way there, the certificate, the path and
the lock on the door are all tried at once, and nothing is changed.
"""

from __future__ import annotations

import requests

from bridge.doctor.findings import Area, Finding, Row
from bridge.doctor.wishes import WEBHOOK_PATH, site

SECONDS = 10.0
_PROXY_FIX = (
    "Look at the reverse proxy: it has to pass POST "
    f"{WEBHOOK_PATH} on to HOST and PORT of the bridge."
)


def check_webhook(url: str, *, is_running: bool) -> Finding:
    """Call the public address as GREEN-API would, but without the token.

    Args:
        url: the instance's ``webhookUrl``.
        is_running: whether a bridge runs, as far as can be seen from here.
    """
    row = Row("webhook", Area.GREEN_API)
    try:
        status = requests.post(
            url, data=b"", timeout=SECONDS, allow_redirects=False
        ).status_code
    except requests.exceptions.SSLError:
        return row.problem(
            f"the certificate of {site(url)} is not valid",
            "Renew it, with its chain; or correct webhookUrl in the console.",
        )
    except (requests.RequestException, ValueError) as err:
        return row.problem(
            f"{site(url)} can't be reached from here ({type(err).__name__})",
            "Look at DNS, firewall and reverse proxy. If only this machine can't reach "
            "it, look whether ticks arrive instead.",
        )
    return _judge(row, url, status, is_running=is_running)


def _judge(row: Row, url: str, status: int, *, is_running: bool) -> Finding:
    if status == 401:
        return row.ok(f"{site(url)} leads to the bridge and asks for the token")
    if status in {502, 503, 504} and not is_running:
        return row.warning(
            f"{site(url)} answers {status}: the bridge does not run", "bridge run"
        )
    if status == 200:
        return row.problem(
            f"{site(url)} takes notifications from anybody (HTTP 200): that is not "
            "the bridge",
            "Correct webhookUrl in the console, or the reverse proxy.",
        )
    return row.problem(f"{site(url)} answers {status}, not 401", _PROXY_FIX)
