"""What is ordered for the next calls or messages: how often, and for which chat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

OnUse = Callable[[int | None], None]
"""Called at each use with how many are left; None: no end."""


@dataclass(slots=True)
class _Rule(Generic[T]):
    what: T
    method: str
    chat_id: str | None
    left: int | None
    on_use: OnUse | None

    def fits(self, method: str, chat_id: str | None) -> bool:
        if self.left == 0 or self.method.lower() != method.lower():
            return False
        return self.chat_id is None or self.chat_id == chat_id


class Rules(Generic[T]):
    """The orders in force; the oldest goes first. Not locked by itself."""

    def __init__(self) -> None:
        self._rules: list[_Rule[T]] = []

    def add(
        self,
        what: T,
        method: str,
        times: int | None,
        chat_id: str | None,
        on_use: OnUse | None = None,
    ) -> None:
        """Order something for the next ``times`` calls; None means for good."""
        self._rules.append(_Rule(what, method, chat_id, times, on_use))

    def look(self, method: str, chat_id: str | None) -> T | None:
        """Return what is ordered for such a call, without using it up."""
        rule = self._find(method, chat_id)
        return rule.what if rule else None

    def take(self, method: str, chat_id: str | None) -> T | None:
        """Use up and return what is ordered for this call, if anything is."""
        rule = self._find(method, chat_id)
        if rule is None:
            return None
        if rule.left is not None:
            rule.left -= 1
        if rule.on_use is not None:
            rule.on_use(rule.left)
        return rule.what

    def _find(self, method: str, chat_id: str | None) -> _Rule[T] | None:
        return next((r for r in self._rules if r.fits(method, chat_id)), None)

    def clear(self) -> None:
        """Cancel every order."""
        self._rules.clear()
