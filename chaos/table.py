"""The ledger of a run, for people."""

from __future__ import annotations

from collections import Counter

from chaos.promises import Kind
from chaos.rounds import Verdict

# What must be nought, and the words for it in the ledger.
NOUGHT = {
    Kind.LOST: "lost",
    Kind.DOUBLED: "doubled",
    Kind.OUT_OF_ORDER: "out of order",
    Kind.FALSE_CLAIM: "false claims",
    Kind.WRONG_TICK: "wrong ticks",
    Kind.REPLIED_TWICE: "replied twice",
    Kind.UNSEEN_EVIDENCE: "evidence ignored",
    Kind.STORED_THOUGH_REFUSED: "stored though refused",
    Kind.POST_WITHOUT_ATTEMPT: "POSTs without an attempt",
    Kind.INBOUND_LOST: "inbound lost",
    Kind.LEFT_OVER: "left over",
    Kind.LATE_ACK: "late acks",
    Kind.LEAK: "leaks",
    Kind.DAMAGED: "damaged databases",
    Kind.BUG: "bugs",
}
_LIVES = ("kills", "stops", "freezes", "ended by itself")
_COMMANDS = ("commands", "acked queued", "refused", "no answer")
_NO_FAULTS = {*_LIVES, *_COMMANDS, "accepted by GREEN-API", "command", "stop", "freeze"}
_NO_FAULTS |= {"kill", "kill_at"}


def render(total: Verdict, rounds: int, seed: int) -> str:
    """Return the ledger of all rounds together."""
    figures, wrong = total.figures, Counter(v.kind for v in total.violations)
    found = ["accepted by GREEN-API"]
    rows = [(name, figures[name]) for name in (*_COMMANDS, *found, *_LIVES)]
    rows.append(("faults", sum(_faults(figures).values())))
    rows += sorted(total.statuses.items())
    rows += [(name, wrong[kind]) for kind, name in NOUGHT.items()]
    lines = [f"{name:26} {count:>8,}" for name, count in rows]
    lines.append(f"{'slowest undisturbed ack':26} {total.slowest_ack * 1000:>5.0f} ms")
    lines.append(
        f"{'time':26} {total.seconds:>6.0f} s  in {rounds} rounds, seed {seed}"
    )
    return "\n".join(lines)


def render_faults(figures: Counter[str]) -> str:
    """Return how often what went wrong, most frequent first."""
    faults = _faults(figures).most_common()
    return "faults: " + " · ".join(f"{name} {count}" for name, count in faults)


def _faults(figures: Counter[str]) -> Counter[str]:
    return Counter(
        {name: count for name, count in figures.items() if name not in _NO_FAULTS}
    )
