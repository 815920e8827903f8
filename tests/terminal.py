"""``bridge`` at a real terminal: a pseudo-terminal, and a person who types into it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.harness import PATIENCE, REPOSITORY, SECRETS

# Opened by the leader of a session, the terminal becomes its own: Ctrl-C works.
_LAUNCH = """\
import os, sys
tty = os.open(sys.argv[1], os.O_RDWR)
for number in (0, 1, 2):
    os.dup2(tty, number)
os.close(tty)
if sys.argv[2]:
    os.dup2(os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT, 0o600), 1)
os.execv(sys.executable, [sys.executable, "-m", "bridge", *sys.argv[3:]])
"""
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A program at a terminal; a context manager.

    Args:
        folder: its working directory.
        arguments: of ``bridge``.
        environment: of the program, besides what any program needs.
        size: columns and lines.
        output: a file for its standard output, instead of the terminal.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        environment: Mapping[str, str],
        size: tuple[int, int] = (80, 50),
        output: Path | None = None,
    ) -> None:
        self._ours, theirs = os.openpty()
        termios.tcsetwinsize(self._ours, (size[1], size[0]))
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self._raw = b""
        self._news = threading.Condition()
        self._read_to = 0
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", _LAUNCH),
                *(os.ttyname(theirs), str(output or "")),
                *arguments,
            ],
            cwd=folder,
            env={
                **kept,
                "PYTHONPATH": str(REPOSITORY),
                "PYTHONUTF8": "1",
                "TERM": "xterm",
                **environment,
            },
            start_new_session=True,
        )
        self._theirs = theirs  # kept open: what the program said is read after its end
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        os.close(self._theirs)
        self._reader.join(PATIENCE)
        os.close(self._ours)
        for secret in SECRETS:
            assert secret not in self.raw

    def _read(self) -> None:
        while True:
            try:
                found = os.read(self._ours, 65_536)
            except OSError:  # the other side is closed
                return
            with self._news:
                self._raw += found
                self._news.notify_all()

    @property
    def raw(self) -> str:
        """Everything that reached the screen, with its control characters."""
        return self._raw.decode("utf-8", "replace")

    @property
    def text(self) -> str:
        """The same as one reads it: one blank between words, whatever the line."""
        return " ".join(_ESCAPES.sub("", self.raw).split())

    def wait_for(self, words: str) -> str:
        """Wait until words are said that were not waited for yet; return all since."""
        ends_at = time.monotonic() + PATIENCE
        with self._news:
            while (at := self.text.find(words, self._read_to)) < 0:
                # An ended program says no more, but its last words may be on the way.
                has_ended = self._process.poll() is not None
                if not self._news.wait(0.5) and (
                    has_ended or time.monotonic() > ends_at
                ):
                    unread = self.text[self._read_to :]
                    raise AssertionError(f"{words!r} did not come:\n{unread}")
            said = self.text[self._read_to : at + len(words)]
            self._read_to = at + len(words)
            return said

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; it is asked after each news."""
        with self._news:
            if not self._news.wait_for(condition, PATIENCE):
                raise AssertionError(f"it did not come:\n{self.text}")

    def type(self, text: str, end: str = "\n") -> None:
        """Type or paste a text, and press Enter."""
        os.write(self._ours, (text + end).encode())

    def press_ctrl_c(self) -> None:
        """Press Ctrl-C."""
        os.write(self._ours, b"\x03")

    def shows_typing(self) -> bool:
        """Whether the terminal shows what is typed, at this moment."""
        return bool(termios.tcgetattr(self._ours)[3] & termios.ECHO)

    def resize(self, columns: int, lines: int) -> None:
        """Make the window another size."""
        termios.tcsetwinsize(self._ours, (lines, columns))

    def end(self) -> int:
        """Wait until the program has ended by itself; return its exit code."""
        return self._process.wait(PATIENCE)
