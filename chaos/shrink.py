"""Making a failing plan smaller: what can be left out, is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chaos.plan import Step

MOST_TRIES = 40


def shrink(
    steps: Sequence[Step],
    fails: Callable[[tuple[Step, ...]], bool],
    most_tries: int = MOST_TRIES,
) -> tuple[Step, ...]:
    """Return fewer steps with which it still fails.

    First halves are left out, then quarters, and so on.

    Args:
        steps: Steps with which it fails.
        fails: Plays a round; whether it failed.
        most_tries: How often ``fails`` may be called.

    >>> ten = [Step(n, "command", {}) for n in range(10)]
    >>> [step.at for step in shrink(ten, lambda some: {3, 7} <= {s.at for s in some})]
    [3, 7]
    """
    left, size = tuple(steps), max(1, len(steps) // 2)
    tries = 0
    while True:
        start, before = 0, len(left)
        while start < len(left) and tries < most_tries:
            fewer = left[:start] + left[start + size :]
            tries += 1
            if fewer and fails(fewer):
                left = fewer
            else:
                start += size
        if tries >= most_tries or (size == 1 and len(left) == before):
            return left
        size = max(1, size // 2)
