"""What the command line prints: the shapes of ``--json``, and words for a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bridge.command import SendText, parse_command
from bridge.errors import Code, CommandError
from bridge.figures import AccountView, Flow, Standing
from bridge.model import Delivery


def row(delivery: Delivery) -> dict[str, Any]:
    """Return what ``--json`` prints of a delivery: all but its text."""
    return {
        "id": delivery.id,
        "status": str(delivery.status),
        "chat": delivery.chat_id,
        "idMessage": delivery.id_message,
        "attempts": delivery.attempts,
        "error": delivery.reason,
        "retry_of": delivery.retry_of,
        "created_at": delivery.created_at.isoformat(),
        "updated_at": delivery.updated_at.isoformat(),
    }


def figures(
    standing: Standing, flow: Flow, account: AccountView, now: datetime
) -> dict[str, Any]:
    """Return what ``bridge stats --json`` prints.

    ``{"schema": 1, "at": when,``
    ``"now": {"waiting": n, "queued": n, "held": n, "oldest_waiting_at": when | null,
    "sending": n, "unknown": n, "oldest_unknown_at": when | null, "unconfirmed": n,
    "slack_untold": n, "oldest_untold_at": when | null, "dead_letters": n},``
    ``"account": {"state": word | null, "hold": word | null, "hold_at": when | null},``
    ``"last_24_hours": {"stored": n, "accepted": n, "sent": n, "delivered": n,
    "read": n, "undelivered": n, "failed": n, "expired": n, "unconfirmed": n,
    "seconds_to_accept": {"p50": s | null, "p95": s | null}}}``.

    A moment is ISO 8601 in UTC. ``accepted`` to ``read`` are a funnel: each counts
    those that came so far or farther.
    """
    return {
        "schema": 1,
        "at": now.isoformat(),
        "now": _open(standing),
        "account": {
            "state": account.state,
            "hold": account.hold,
            "hold_at": _moment(account.hold_at),
        },
        "last_24_hours": _funnel(flow),
    }


def _open(standing: Standing) -> dict[str, Any]:
    return {
        "waiting": standing.waiting,
        **{str(status): count for status, count in standing.open.items()},
        "oldest_waiting_at": _moment(standing.oldest_waiting_at),
        "oldest_unknown_at": _moment(standing.oldest_unknown_at),
        "slack_untold": standing.slack_untold,
        "oldest_untold_at": _moment(standing.oldest_untold_at),
        "dead_letters": standing.dead_letters,
    }


def _funnel(flow: Flow) -> dict[str, Any]:
    return {
        "stored": flow.stored,
        "accepted": flow.accepted,
        "sent": flow.sent,
        "delivered": flow.delivered,
        "read": flow.read,
        "undelivered": flow.undelivered,
        "failed": flow.failed,
        "expired": flow.expired,
        "unconfirmed": flow.unconfirmed,
        "seconds_to_accept": {"p50": flow.median_seconds, "p95": flow.p95_seconds},
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def explained(text: str) -> dict[str, Any]:
    """Return what ``bridge explain --json`` prints of a command.

    ``{"ok": true, "chat_id": str, "message": str}`` or
    ``{"ok": false, "error": errors.Code, "say": str}``.
    """
    try:
        command = parse_command(text)
    except CommandError as err:
        return {"ok": False, "error": str(err.code), "say": str(err)}
    if isinstance(command, SendText):
        return {"ok": True, "chat_id": command.chat_id, "message": command.text}
    say = f"This asks for {type(command).__name__.lower()}; it sends nothing."
    return {"ok": False, "error": str(Code.USAGE), "say": say}


def explained_in_words(answer: dict[str, Any]) -> str:
    """Return the same for a person."""
    if not answer["ok"]:
        return str(answer["say"])
    return f"Would send to {answer['chat_id']}:\n{answer['message']}"
