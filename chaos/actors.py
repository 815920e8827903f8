"""What the steps of a plan do: one function for each kind."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bridge.sandbox.slack.command import Command
from chaos import networks, trouble
from chaos.evidence import Asked
from chaos.stage import Stage
from chaos.traps import Trap
from chaos.words import says_queued

MENTION = re.compile(r"<@(U\w+)>")
SOON = 0.02  # seconds after a command was typed: it may be at any point of its way


def act(stage: Stage, kind: str, args: dict[str, Any]) -> None:
    """Take one step of the plan."""
    stage.tally[_name(kind, args)] += 1
    ACTS[kind](stage, **args)


def _name(kind: str, args: dict[str, Any]) -> str:
    """Return the word under which a step is counted.

    >>> _name("green", {"status": 502, "executes": True})
    'green 502, executed'
    """
    if kind not in {"green", "slack"}:
        return kind
    words = [str(args[key]) for key in ("method", "shape", "status") if key in args]
    words += [f"drop {args['drop']}"] if "drop" in args else []
    words += [key for key in ("hold", "message", "delay_execution") if key in args]
    words += ["429"] if "retry_after" in args else []
    return f"{kind} {' '.join(words)}{', executed' if args.get('executes') else ''}"


# --- people ---------------------------------------------------------------------------


def command(
    stage: Stage,
    *,
    room: int,
    number: int,
    person: int,
    words: int,
    attempts: list[int],
) -> None:
    """Have a person type a command; Slack delivers it as often as ``attempts`` say."""
    text = f"chaos {stage.plan.seed}-{words:05} please call us back"
    to = stage.numbers[number]

    def typed() -> None:
        began_at = time.monotonic()
        answer = stage.slack.command(
            user=stage.people[person],
            channel=stage.rooms[room],
            text=f"{to} {text}",
            attempts=attempts,
        )
        _note(stage, answer, Asked(text, f"{to[1:]}@c.us", began_at, 0.0, None))

    stage.typists.submit(typed)
    if stage.doomed:
        doomed = stage.doomed.pop()
        stage.later(stage.chance.uniform(0, SOON), lambda: stage.kill(doomed))


def _note(stage: Stage, answer: Command, asked: Asked) -> None:
    now = time.monotonic()
    stage.asked[answer.id] = replace(
        asked,
        answered_at=now,
        ack=answer.ephemeral,
        is_undisturbed=stage.weather.was_calm(asked.typed_at, now),
    )


def redeliver(stage: Stage) -> None:
    """Have Slack deliver some earlier command once more."""
    # A command that the bridge refused has been answered: Slack would not.
    known = [
        name
        for name, asked in list(stage.asked.items())
        if asked.ack is None or says_queued(asked.ack)
    ]
    if known:
        name = stage.chance.choice(known)
        stage.typists.submit(_redelivered, stage, name)


def _redelivered(stage: Stage, name: str) -> None:
    before = stage.asked[name]
    answer = stage.slack.redeliver(name)
    if before.ack is None and answer.ephemeral is not None:
        # It may have been stored only now.
        stage.asked[name] = replace(
            before,
            answered_at=time.monotonic(),
            ack=answer.ephemeral,
            is_undisturbed=False,
        )


def press(stage: Stage, *, choice: str, attempts: list[int]) -> None:
    """Have people press a button under a reply that leaves them in doubt."""
    with stage.slack.workspace.lock:
        doubtful = list(_buttons(stage, choice))
    if doubtful:
        user, channel, ts = stage.chance.choice(doubtful)

        def pressed() -> None:
            with suppress(LookupError):  # it has gone meanwhile
                done = stage.slack.press(user, channel, ts, choice, attempts=attempts)
                if choice == "send_again":
                    stage.pressed.add(str(done.value))

        stage.typists.submit(pressed)


def _buttons(stage: Stage, choice: str) -> Iterator[tuple[str, str, str]]:
    """Yield user, channel and ``ts`` of each reply that asks its sender."""
    for channel in stage.slack.workspace.channels.values():
        for ts, message in channel.messages.items():
            sender = MENTION.search(message["text"])
            if sender and f'"action_id": "{choice}"' in json.dumps(message):
                yield sender[1], channel.id, ts


# --- lives ----------------------------------------------------------------------------


def kill(stage: Stage, *, replica: int) -> None:
    """Kill a bridge now, in a thread: the plan goes on."""
    threading.Thread(target=stage.kill, args=(replica,), daemon=True).start()


def kill_at(stage: Stage, *, replica: int, method: str, is_executed: bool) -> None:
    """Kill a bridge at the next request of a kind, or at the next command."""
    if method == "command":
        stage.doomed.append(replica)
    else:
        stage.traps.set(Trap(method, is_executed, replica))


def freeze(stage: Stage, *, replica: int, seconds: float) -> None:
    """Take a bridge its processor for a while."""
    target = stage.replicas[replica].freeze
    threading.Thread(target=target, args=(seconds,), daemon=True).start()


def stop(stage: Stage, *, replica: int) -> None:
    """Stop a bridge as an upgrade does."""
    stage.replicas[replica].stop()


ACTS: dict[str, Callable[..., None]] = {
    "command": command,
    "redeliver": redeliver,
    "press": press,
    "kill": kill,
    "kill_at": kill_at,
    "freeze": freeze,
    "stop": stop,
    **networks.ACTS,
    **trouble.ACTS,
}
"""Every kind of step; each takes the stage and the step's arguments."""
