"""Whether the disk has room for more work.

A full disk stops everything at once: also the answers of what is under way. So new
commands are refused a little earlier.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from bridge.errors import NoRoom

LEAST = 200 * 1024 * 1024  # bytes
LEAST_SHARE = 0.05  # of a small disk
BELIEVED_SECONDS = 2.0


class Room:
    """The free space beside a SQLite file.

    Args:
        folder: where the file lies; None: the disk is a server's, and its business.
        usage: returns total, used and free bytes of the disk that a folder is on.
    """

    def __init__(
        self,
        folder: Path | None,
        usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage,
    ) -> None:
        self._folder = folder
        self._usage = usage
        self._is_low = False
        self._look_at = 0.0

    def check(self) -> None:
        """Raise NoRoom if the disk is nearly full; what it saw counts for a while."""
        if self._folder is None:
            return
        if time.monotonic() >= self._look_at:
            self._is_low = self._is_low_now(self._folder)
            self._look_at = time.monotonic() + BELIEVED_SECONDS
        if self._is_low:
            raise NoRoom("the disk is nearly full")

    def _is_low_now(self, folder: Path) -> bool:
        try:
            total, _, free = self._usage(folder)
        except OSError:
            return False  # the database itself will say what is wrong
        return free < min(LEAST, LEAST_SHARE * total)
