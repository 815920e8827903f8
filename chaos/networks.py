"""Steps that the emulators take: what GREEN-API and Slack do wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Literal

from chaos.stage import Stage

RECONNECT_SECONDS = 20.0

# Status and emulated seconds since the one before.
RECEIPTS: dict[str, tuple[tuple[str, float], ...]] = {
    "reversed": (("read", 0.2), ("delivered", 0.2), ("sent", 0.2)),
    "doubled": (("sent", 0.2), ("sent", 0.1), ("delivered", 0.1), ("delivered", 0.1)),
    "failed, then delivered": (("failed", 0.2), ("delivered", 0.5)),
    "no account": (("noAccount", 0.2),),
}


def green(stage: Stage, **fault: Any) -> None:
    """Have the next ``sendMessage`` go wrong."""
    stage.green.fault(**fault)


def receipts(stage: Stage, *, how: str, number: int) -> None:
    """Have the receipts of one chat come as GREEN-API sometimes sends them."""
    stage.green.script(f"{stage.numbers[number][1:]}@c.us", *RECEIPTS[how])


def incoming(stage: Stage, *, number: int, times: int) -> None:
    """Have a customer write, and GREEN-API tell of it several times."""
    chat_id = f"{stage.numbers[number][1:]}@c.us"
    text = f"customer {len(stage.incoming)} asks where the parcel is"
    key = stage.green.receive(chat_id, text, "Jane")
    stage.incoming.append(key)
    for body in stage.green.notifications():
        if isinstance(body, dict) and body.get("idMessage") == key:
            for _ in range(times - 1):
                stage.green.notify(body)


def odd(stage: Stage) -> None:
    """Send a notification that nobody can understand."""
    stage.odd += 1
    bodies: list[object] = [
        {"typeWebhook": "outgoingMessageStatus", "n": stage.odd},
        {"typeWebhook": 7, "n": stage.odd},
        [stage.odd],
        f"not an object {stage.odd}",
    ]
    stage.green.notify(bodies[stage.odd % len(bodies)])


def state(
    stage: Stage,
    *,
    state: str,
    how: Literal["queue", "refuse", "reason"],
    seconds: float,
) -> None:
    """Take the WhatsApp account away for a while."""
    stage.green.switches.when_unauthorized = how
    stage.green.set_state(state)
    stage.later(seconds, lambda: stage.green.set_state("authorized"))


def journal(stage: Stage, *, lag: float | None, seconds: float) -> None:
    """Have the journal show messages late, or not at all, for a while."""
    stage.green.journal.lag = lag
    stage.later(seconds, lambda: setattr(stage.green.journal, "lag", 0.0))


def echoes(stage: Stage, *, seconds: float) -> None:
    """Have no echo of what is sent for a while; the journal misses it then, too."""
    stage.green.apply_settings(outgoingAPIMessageWebhook="no")
    stage.later(
        seconds, lambda: stage.green.apply_settings(outgoingAPIMessageWebhook="yes")
    )


def slack(stage: Stage, *, method: str, **fault: Any) -> None:
    """Have the next call of a Slack method go wrong."""
    stage.slack.fault(method, **fault)


def slack_down(stage: Stage, *, seconds: float) -> None:
    """Have Slack's Web API answer with an error page for a while."""
    stage.slack.outage()
    stage.later(seconds, lambda: stage.slack.outage(False))


def sockets(stage: Stage, *, how: str) -> None:
    """End all Socket Mode connections."""
    if stage.plan.transport == "http":
        return
    if how == "refresh_requested":  # announced ten seconds before
        stage.slack.disconnect(how)
        return
    disturbance = stage.weather.begin()
    stage.slack.disconnect(how)

    def wait() -> None:
        ends_at = time.monotonic() + RECONNECT_SECONDS
        while not stage.slack.socket_mode.connections:
            if time.monotonic() > ends_at:
                break
            time.sleep(0.02)
        disturbance.end()

    threading.Thread(target=wait, name="chaos-reconnect", daemon=True).start()


ACTS: dict[str, Callable[..., None]] = {
    "green": green,
    "receipts": receipts,
    "incoming": incoming,
    "odd": odd,
    "state": state,
    "journal": journal,
    "echoes": echoes,
    "slack": slack,
    "slack_down": slack_down,
    "sockets": sockets,
}
