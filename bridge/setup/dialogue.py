"""The terminal: calm lines, questions, and pastes that nobody can read over a shoulder.

Everything is said on standard error; standard output is for what ``--print`` prints.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import click

from bridge.errors import BridgeError

if sys.platform != "win32":
    import termios

WIDTH = 80
INDENT = "  "
_REST_SECONDS = 0.1  # after a line: the rest of a paste of several lines


class NoTerminal(BridgeError):
    """A question that nobody is there to answer."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"bridge init has to ask for {what}, and there is no terminal to ask on. "
            "Run it in a terminal, or write .env by hand: see .env.example."
        )


class Dialogue:
    """Says and asks; whatever is typed between the questions stays invisible too.

    Args:
        yes: answer yes to every question that ``confirm`` asks.
    """

    def __init__(self, *, yes: bool = False) -> None:
        self._yes = yes
        self.is_terminal = sys.stdin.isatty() and sys.stderr.isatty()
        # A line that is written over needs a terminal that can.
        self.can_overwrite = self.is_terminal and os.environ.get("TERM") != "dumb"
        self._count = 0  # characters of the line that will be written over
        self._pictured = 0  # lines of the picture that was said last

    @contextmanager
    def unseen(self) -> Iterator[None]:
        """Show nothing of what is typed until the end, but for answers to ``ask``."""
        with self._echo(False):
            yield

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._put(f"\n{text}\n")

    def say(self, text: str) -> None:
        """Say a paragraph, wrapped; addresses stay whole."""
        self._put(_wrapped(text, INDENT, INDENT))

    def item(self, text: str) -> None:
        """Say one of several things, each on a line of its own."""
        self._put(_wrapped(text, f"{INDENT}- ", f"{INDENT}  "))

    def verbatim(self, text: str) -> None:
        """Say something to be copied: as it is, from the left edge."""
        self._put(text)

    def gap(self) -> None:
        """Leave a line blank."""
        self._put("")

    def picture(self, lines: list[str]) -> None:
        """Show lines, in the place of the picture before if nothing came between."""
        if self._pictured and self.can_overwrite:
            click.echo(f"\x1b[{self._pictured}A\r\x1b[J", nl=False, err=True)
        self._put("\n".join(lines))
        self._pictured = len(lines)

    def progress(self, text: str) -> None:
        """Write a line over the one before; where that can't be, say nothing."""
        if self.can_overwrite:
            line = f"{INDENT}{text}"
            click.echo(f"\r{line.ljust(self._count)}", nl=False, err=True)
            self._count = len(line)

    def paste(self, what: str) -> str:
        """Ask for something that is not shown; return all lines of it.

        Raises:
            NoTerminal: nobody is there.
            KeyboardInterrupt: Ctrl-D; like Ctrl-C.
        """
        self._need_terminal(what)
        if sys.platform == "win32":
            return str(click.prompt(f"{INDENT}Paste {what}", hide_input=True, err=True))
        self._prompt(f"Paste {what}: ")
        with self._echo(False):
            text = self._line()
            while _more_is_there():
                text += self._line()
        self._put("")
        return text

    def ask(self, question: str, what: str) -> str:
        """Ask for something that is shown as it is typed.

        Raises:
            NoTerminal: nobody is there.
            KeyboardInterrupt: Ctrl-D; like Ctrl-C.
        """
        self._need_terminal(what)
        self._prompt(f"{question} ")
        with self._echo(True):
            return self._line().strip()

    def confirm(
        self, question: str, *, default: bool, even_with_yes: bool = True
    ) -> bool:
        """Ask yes or no; Enter takes the default.

        Args:
            question: with its question mark.
            default: what Enter means.
            even_with_yes: whether ``--yes`` says yes to this as well. If not, and
                nobody is there, the answer is no.
        """
        if self._yes and even_with_yes:
            return True
        if not self.is_terminal and not even_with_yes:
            return False
        hint = "[Y/n]" if default else "[y/N]"
        while True:
            answer = self.ask(f"{question} {hint}", "your consent").lower()
            if answer in {"", "y", "yes", "n", "no"}:
                return default if not answer else answer.startswith("y")
            self.say("Please type y or n.")

    def room(self) -> tuple[int, int]:
        """Return the columns and lines of the terminal."""
        try:
            size = os.get_terminal_size(sys.stderr.fileno())
        except OSError:
            size = shutil.get_terminal_size()
        return size.columns, size.lines

    def _need_terminal(self, what: str) -> None:
        if not self.is_terminal:
            raise NoTerminal(what)

    def _prompt(self, text: str) -> None:
        self._end_progress()
        click.echo(f"{INDENT}{text}", nl=False, err=True)

    def _put(self, text: str) -> None:
        self._end_progress()
        self._pictured = 0
        click.echo(text, err=True)

    def _end_progress(self) -> None:
        if self._count:
            click.echo(f"\r{' ' * self._count}\r", nl=False, err=True)
            self._count = 0

    def _line(self) -> str:
        line = sys.stdin.readline()
        if not line:
            self._put("")
            raise KeyboardInterrupt
        return line

    @contextmanager
    def _echo(self, is_on: bool) -> Iterator[None]:
        if sys.platform == "win32" or not self.is_terminal:
            yield
            return
        stdin = sys.stdin.fileno()
        before = termios.tcgetattr(stdin)
        wanted = before[3] | termios.ECHO if is_on else before[3] & ~termios.ECHO
        # Not TCSAFLUSH, as getpass has it: that would throw away the second line of a
        # paste, and what was pasted while the first value was being checked.
        termios.tcsetattr(stdin, termios.TCSADRAIN, [*before[:3], wanted, *before[4:]])
        try:
            yield
        finally:
            termios.tcsetattr(stdin, termios.TCSADRAIN, before)


def _wrapped(text: str, first: str, rest: str) -> str:
    # Names from elsewhere must not steer the terminal.
    plain = "".join(c if c.isprintable() else " " for c in text)
    return textwrap.fill(
        plain,
        WIDTH - 1,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _more_is_there() -> bool:
    return bool(select.select([sys.stdin], [], [], _REST_SECONDS)[0])
