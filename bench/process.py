"""One measured process: starting it, its CPU time, its memory, its end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_PROC = Path("/proc/self/stat").exists()


class Process:
    """A child process whose output goes to a file."""

    def __init__(
        self, module: list[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self._log = log
        with log.open("wb") as output:
            self._popen = subprocess.Popen(  # noqa: S603 - our own modules only
                [sys.executable, "-m", *module],
                env=dict(environment),
                cwd=log.parent,  # where no .env is
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def has_ended(self) -> bool:
        """Whether it is no longer there."""
        return self._popen.poll() is not None

    def cpu_seconds(self) -> float:
        """Return the CPU time of all its threads so far, its own and the kernel's."""
        if not _PROC:
            return _clock(self._ps("time"))
        fields = self._proc("stat").rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])  # utime and stime, of proc(5)
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self) -> int:
        """Return how much memory it holds (RSS)."""
        if not _PROC:
            return int(self._ps("rss")) * 1024
        pages = int(self._proc("statm").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def last_words(self) -> str:
        """Return the last line it wrote."""
        lines = self._log.read_text("utf-8", "replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "no output")

    def kill(self) -> None:
        """End it at once."""
        self._popen.kill()
        self._popen.wait()

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self._popen.pid}/{name}").read_text("ascii", "replace")

    def _ps(self, column: str) -> str:
        command = ["ps", "-o", f"{column}=", "-p", str(self._popen.pid)]
        return subprocess.check_output(command, text=True).strip()  # noqa: S603


def _clock(text: str) -> float:
    """Return seconds.

    >>> _clock("1:02.50"), _clock("1:00:00")
    (62.5, 3600.0)
    """
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds
