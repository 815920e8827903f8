"""The customers' phones: one that is off gets nothing until it is on again."""

from __future__ import annotations

from collections.abc import Callable

Action = Callable[[], None]


class PhoneOff(ValueError):
    """Nobody can write on a phone that is off."""


class Phones:
    """Which phones are on, and what waits for the others. Not locked by itself."""

    def __init__(self) -> None:
        self._others: set[str] = set()  # chats that are not as usual
        self._waiting: list[tuple[str, Action]] = []
        self.reset()

    @property
    def all_off(self) -> bool:
        """Whether phones are off unless switched on one by one."""
        return not self._usually_on

    @property
    def exceptions(self) -> list[str]:
        """The chats that are not like all others."""
        return sorted(self._others)

    def is_on(self, chat_id: str) -> bool:
        """Whether the phone of this chat is on."""
        return (chat_id in self._others) is not self._usually_on

    def switch(self, chat_id: str | None, is_on: bool) -> list[Action]:
        """Switch one phone, or all of them; return what has waited for that."""
        if chat_id is None:
            self._usually_on = is_on
            self._others.clear()
        elif is_on is self._usually_on:
            self._others.discard(chat_id)
        else:
            self._others.add(chat_id)
        due = [action for chat, action in self._waiting if self.is_on(chat)]
        self._waiting = [each for each in self._waiting if not self.is_on(each[0])]
        return due

    def when_on(self, chat_id: str, action: Action) -> None:
        """Do something as soon as a phone is on: now, or later."""
        if self.is_on(chat_id):
            action()
        else:
            self._waiting.append((chat_id, action))

    def reset(self) -> None:
        """Switch every phone on and forget what waits."""
        self._usually_on = True
        self._others.clear()
        self._waiting.clear()
