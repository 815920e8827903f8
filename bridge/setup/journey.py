"""The whole way of ``bridge init``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from bridge.errors import SettingsError
from bridge.parts import keep_off_proxies
from bridge.setup import first_message, instance, linking, preferences, slack_app
from bridge.setup.dialogue import Dialogue, NoTerminal
from bridge.setup.draft import Draft, open_draft
from bridge.setup.env_file import EnvFile, NotWritten, as_lines
from bridge.setup.pastes import ID_INSTANCE
from bridge.setup.waits import Waits

FAILED = 1
USAGE = 2
CONFIGURATION = 78
STOPPED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked for on the command line."""

    env_file: Path | None = None
    prints: bool = False  # to standard output; then nothing is written
    by_qr: bool = False
    opens_browser: bool = True
    waits: bool = True  # for the first message
    yes: bool = False


def run(wish: Wish) -> int:
    """Go the whole way; return the exit code.

    Raises:
        StoreError: the bridge's database can't be used.
    """
    dialogue = Dialogue(yes=wish.yes)
    if not dialogue.is_terminal and not wish.yes:
        return _end(dialogue, str(NoTerminal("two tokens and more")), USAGE)
    file = EnvFile(wish.env_file or Path(".env"))
    try:
        draft = open_draft(wish.env_file)
        with dialogue.unseen():
            return _Journey(dialogue, draft, file, wish).go()
    except KeyboardInterrupt:
        dialogue.gap()
        return _end(dialogue, f"Stopped. {_state_of(file)}", STOPPED)
    except NoTerminal as err:
        return _end(dialogue, str(err), USAGE)
    except NotWritten as err:
        return _end(dialogue, str(err), FAILED)
    except SettingsError as err:
        return _end(dialogue, " ".join(err.problems), CONFIGURATION)


def _end(dialogue: Dialogue, text: str, code: int) -> int:
    dialogue.say(text)
    return code


def _state_of(file: EnvFile) -> str:
    if file.was_written:
        return f"What was saved is in {file.path}; bridge init goes on from there."
    return f"{file.path} is as it was."


class _Journey:
    """The parts in their order, each saved before the next begins."""

    def __init__(
        self, dialogue: Dialogue, draft: Draft, file: EnvFile, wish: Wish
    ) -> None:
        self._dialogue = dialogue
        self._draft = draft
        self._file = file
        self._wish = wish
        self._waits = Waits(draft.settings().time_scale)
        self._saved: dict[str, str] = {}

    def go(self) -> int:
        """Return the exit code."""
        say = self._dialogue.say
        say(
            "This connects Slack and WhatsApp, in about five minutes. Ctrl-C stops at "
            "any time; each of the three parts is kept when it is done."
        )
        for sentence in self._draft.doubts():
            say(sentence)
        keep_off_proxies(self._draft.settings().slack_api_url)
        team = self._slack()
        is_usable = self._green_api()
        if self._wish.prints:
            click.echo(as_lines(self._draft.accepted), nl=False)
        if not is_usable:
            return FAILED
        if self._wish.waits and not self._wish.prints:
            self._first_message(team)
        self._say_how_to_go_on()
        return 0

    def _slack(self) -> str:
        self._dialogue.heading("1 of 3  Slack")
        opens = self._wish.opens_browser
        team = slack_app.connect(self._dialogue, self._draft, may_open_browser=opens)
        self._save()
        return team

    def _green_api(self) -> bool:
        dialogue, draft, waits = self._dialogue, self._draft, self._waits
        dialogue.heading("2 of 3  WhatsApp")
        console, state = instance.connect(dialogue, draft, waits)
        try:
            self._save()
            is_usable = linking.link(
                dialogue,
                console,
                state,
                waits,
                id_instance=draft.accepted[ID_INSTANCE],
                by_qr=self._wish.by_qr,
            )
            if is_usable:
                preferences.settle(dialogue, console, draft.settings(), waits)
        finally:
            console.close()
        return is_usable

    def _save(self) -> None:
        """Write what is new, or what of the file others may read."""
        if self._wish.prints:
            return
        news = {n: v for n, v in self._draft.news().items() if n not in self._saved}
        if not news and not self._file.is_exposed():
            return
        self._file.write(news)
        self._saved |= news
        self._dialogue.say(f"Saved in {self._file.path}.")
        for name in self._draft.overruled(news):
            self._dialogue.say(
                f"But {name} is also set in the environment, which wins over the "
                "file. Remove it there."
            )

    def _first_message(self, team: str) -> None:
        self._dialogue.heading("3 of 3  The first message")
        settings = self._draft.final()
        first_message.await_first(self._dialogue, settings, team, self._waits)

    def _say_how_to_go_on(self) -> None:
        named = f" --env-file {self._wish.env_file}" if self._wish.env_file else ""
        self._dialogue.gap()
        self._dialogue.say(f"All is set. From now on: bridge run{named}")
