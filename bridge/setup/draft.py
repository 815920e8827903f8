"""The values so far: what was found or pasted, and what of it was accepted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from bridge import settings as module
from bridge.errors import SettingsError
from bridge.settings import Settings
from bridge.setup.dialogue import Dialogue
from bridge.setup.pastes import (
    API_URL,
    APP_TOKEN,
    BOT_TOKEN,
    ID_INSTANCE,
    TOKEN_INSTANCE,
    Paste,
    recognise,
)

NAMES = (BOT_TOKEN, APP_TOKEN, ID_INSTANCE, TOKEN_INSTANCE, API_URL)


class Draft:
    """Collects the five values that only a person can bring.

    Attributes:
        offers: values that have yet to be checked.
        accepted: values that Slack or GREEN-API took.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._before, _ = module.read(environment)
        self.offers = {n: v for n, v in self._before.items() if n in NAMES}
        self.accepted: dict[str, str] = {}

    @property
    def uses_http(self) -> bool:
        """Whether Slack shall call the bridge, instead of Socket Mode."""
        named = {**self._before, **self.offers, **self.accepted}
        return "SLACK_SIGNING_SECRET" in named and APP_TOKEN not in named

    def take(self, dialogue: Dialogue, text: str) -> None:
        """Sort what was pasted into the offers; say what is none of them."""
        said = set()
        for found in recognise(text):
            if isinstance(found, Paste):
                self._offer(found)
            elif found.say not in said:
                dialogue.say(found.say)
                said.add(found.say)

    def _offer(self, paste: Paste) -> None:
        if paste.name == ID_INSTANCE:
            before = self.offers.get(ID_INSTANCE, paste.value)
            url = self.offers.get(API_URL, "")
            if before[:4] != paste.value[:4] and f"//{before[:4]}." in url:
                del self.offers[API_URL]  # the address of the other instance's pool
        self.offers[paste.name] = paste.value

    def accept(self, *names: str) -> None:
        """Keep offers that were found to be right."""
        for name in names:
            self.accepted[name] = self.offers.pop(name)

    def settings(self, trial: Mapping[str, str] | None = None) -> Settings:
        """Return the settings as they would be, as far as they can be used."""
        return module.usable({**self._environment, **self.accepted, **(trial or {})})

    def final(self) -> Settings:
        """Return the settings for ``bridge run``.

        Raises:
            SettingsError: other settings than ours are wrong.
        """
        return module.load({**self._environment, **self.accepted})

    def doubts(self) -> list[str]:
        """Return a sentence for each name that looks like a setting but is none."""
        return module.doubtful(self._environment)

    def news(self) -> dict[str, str]:
        """Return what is accepted and not the same as before."""
        before = self._before
        return {n: v for n, v in self.accepted.items() if before.get(n) != v}

    def overruled(self, names: Iterable[str]) -> list[str]:
        """Return those whose value in the file the shell's own environment hides."""
        return [name for name in names if os.environ.get(name)]


def open_draft(env_file: Path | None) -> Draft:
    """Return the draft with what the environment and the file say already.

    Raises:
        SettingsError: there is a file, and it can't be read.
    """
    if env_file is not None and not env_file.exists():
        return Draft(os.environ)
    if env_file is not None and not env_file.is_file():
        raise SettingsError([f"{env_file} is not a file. Correct --env-file."])
    return Draft(module.environment_as_it_is(env_file))
