"""What operators read: ``bridge stats`` and the reasons of ``/readyz``.

One fact a line and its name in full, so that it also reads well aloud.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.figures import ACCOUNT_STATES, AccountView, Flow, Standing
from bridge.wording.deliveries import REASONS

NO_SLACK = "There is no Socket Mode connection to Slack."
WIDTH = 26  # of the names


def stats(standing: Standing, flow: Flow, account: AccountView, now: datetime) -> str:
    """The answer of ``bridge stats``; ``flow`` is that of the last 24 hours."""
    parts = [
        ("Now", _now(standing, now)),
        ("WhatsApp account", _account(account, now)),
        ("Stored in the last 24 hours", _last_day(flow)),
    ]
    return "\n\n".join(_part(title, rows) for title, rows in parts)


def _part(title: str, rows: list[tuple[str, str]]) -> str:
    return "\n".join([title, *(f"  {name:<{WIDTH}} {said}" for name, said in rows)])


def _now(standing: Standing, now: datetime) -> list[tuple[str, str]]:
    unknown = _aged(standing.unknown, standing.oldest_unknown_at, now)
    untold = _aged(standing.slack_untold, standing.oldest_untold_at, now)
    return [
        ("Waiting", _aged(standing.waiting, standing.oldest_waiting_at, now)),
        ("Being sent", str(standing.sending)),
        ("Checking", unknown),
        ("Waiting for a decision", str(standing.unconfirmed)),
        ("Not yet told in Slack", untold),
        ("Dead letters", str(standing.dead_letters)),
    ]


def _aged(count: int, oldest_at: datetime | None, now: datetime) -> str:
    if not count or oldest_at is None:
        return str(count)
    return f"{count}, the oldest for {span(now - oldest_at)}"


def _account(account: AccountView, now: datetime) -> list[tuple[str, str]]:
    state = account.state or "not asked yet"
    if account.state and account.state not in ACCOUNT_STATES:
        state = "one that the bridge does not know"
    on_hold = "no"
    if account.hold is not None:
        for_long = f" for {span(now - account.hold_at)}" if account.hold_at else ""
        on_hold = f"yes{for_long}. {why(account.hold)}"
    return [("State", state), ("On hold", on_hold)]


def _last_day(flow: Flow) -> list[tuple[str, str]]:
    counts = {
        "All": flow.stored,
        "Accepted by GREEN-API": flow.accepted,
        "Sent": flow.sent,
        "Delivered": flow.delivered,
        "Read": flow.read,
        "Will not arrive": flow.undelivered,
        "Failed": flow.failed,
        "Expired": flow.expired,
        "Unconfirmed": flow.unconfirmed,
    }
    rows = [(name, str(count)) for name, count in counts.items()]
    return [*rows, ("Time to be accepted", _time_to_accept(flow))]


def _time_to_accept(flow: Flow) -> str:
    if flow.median_seconds is None or flow.p95_seconds is None:
        return "none was accepted"
    half, most = _short(flow.median_seconds), _short(flow.p95_seconds)
    return f"half within {half}, 95 % within {most}"


def _short(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.2f} s"
    return span(timedelta(seconds=seconds))


def why(hold: str) -> str:
    """The sentence for why the WhatsApp account sends nothing."""
    known = {str(reason): sentence for reason, sentence in REASONS.items()}
    return known.get(hold, "The WhatsApp account can't send at the moment.")


def late_poll(polled_ago: timedelta) -> str:
    """GREEN-API's notifications are not being fetched."""
    return f"No notifications were fetched from GREEN-API for {span(polled_ago)}."


def silent(silent_for: timedelta) -> str:
    """No call to GREEN-API was answered for a while."""
    return f"GREEN-API has not answered for {span(silent_for)}."


def span(length: timedelta) -> str:
    """Say how long in the largest unit that fits.

    >>> span(timedelta(seconds=5)), span(timedelta(seconds=90)), span(timedelta(3))
    ('5 s', '1 min', '3 d')
    """
    seconds = max(0, int(length.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
