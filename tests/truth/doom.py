"""When the bridge dies: at the n-th commit or call to a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


class SimulatedCrash(BaseException):
    """The process is gone; nothing it would still do happens."""


@dataclass
class Doom:
    """Counts the points at which a life may end, and ends it at one of them.

    Attributes:
        at: numbers of the points to die at; each counts on from the death before.
        at_next: the name of a point; the next one of that name is the last.
        watcher: told the name of each point, in the order they are passed.
    """

    at: list[int] = field(default_factory=list)
    at_next: str | None = None
    watcher: Callable[[str], None] | None = None
    passed: int = 0
    deaths: int = 0
    is_dead: bool = False

    def reach(self, what: str) -> None:
        """Pass a point, or die at it; the dead pass nothing."""
        if self.is_dead:
            raise SimulatedCrash(what)
        self.passed += 1
        if self.watcher is not None:
            self.watcher(what)
        if self.at and self.passed == self.at[0]:
            self.at = self.at[1:]
            self._die(what)
        if what == self.at_next:
            self._die(what)

    def _die(self, what: str) -> None:
        self.passed, self.at_next = 0, None
        self.deaths += 1
        self.is_dead = True
        raise SimulatedCrash(what)

    def revive(self) -> None:
        """Let the next life begin."""
        self.is_dead = False
