"""Ask the running bridge how it is: ``bridge healthcheck``, and a check of the doctor.

Imports next to nothing, because Docker asks every half minute.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

SECONDS = 5.0
READY = "/readyz"
ALIVE = "/livez"
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


@dataclass(frozen=True, slots=True)
class Page:
    """What a web server answered.

    ``status`` is None where nothing answered at all; ``is_ours`` says that it was a
    bridge. The sentences are those of ``bridge.readiness``, by part.
    """

    status: int | None
    is_ours: bool = False
    reasons: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)


def ask_page(host: str, port: int, path: str = READY) -> Page:
    """Ask for a health page of a bridge.

    Args:
        host: ``HOST``; one that means every address is asked on this machine.
        port: ``PORT``, not 0.
        path: ``READY`` or ``ALIVE``.
    """
    connection = HTTPConnection(_EVERYWHERE.get(host, host), port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(65_536)
        status = answer.status
    except (OSError, HTTPException):
        return Page(None)
    finally:
        connection.close()
    return _read(status, body)


def _read(status: int, body: bytes) -> Page:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return Page(status)
    if not isinstance(told, dict) or told.get("status") not in _WORDS:
        return Page(status)
    return Page(status, True, _sentences(told, "reasons"), _sentences(told, "warnings"))


_WORDS = {"ok", "ready", "not ready"}


def _sentences(told: dict[str, object], key: str) -> dict[str, str]:
    found = told.get(key)
    if not isinstance(found, dict):
        return {}
    return {str(part): str(sentence) for part, sentence in found.items()}


def verdict(host: str, port: int, path: str) -> tuple[bool, str]:
    """Ask for a page; return whether the bridge is well, and a line for a person.

    Args:
        host: ``HOST``.
        port: ``PORT``; with 0 there is nobody to ask.
        path: ``READY`` or ``ALIVE``.
    """
    if port == 0:
        return False, "PORT is 0, so nobody can be asked. Set PORT, e.g. to 3000."
    page = ask_page(host, port, path)
    where = f"{host}:{port}"
    if page.status is None:
        return False, f"No bridge answers at {where}. Start it with: bridge run"
    if not page.is_ours:
        return False, f"What answers at {where} is no bridge (HTTP {page.status})."
    if page.status != 200:
        return False, " ".join(page.reasons.values()) or f"HTTP {page.status}."
    said = " ".join(page.warnings.values())
    return True, f"The bridge at {where} is well.{' ' + said if said else ''}"
