"""Whether the disk has room for more work.

A full disk stops everything at once: also the answers of what is under way. So new
commands are refused a little earlier.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import NoRoom

LEAST = 200 * 1024 * 1024  # bytes
LEAST_SHARE = 0.05  # of a small disk
BELIEVED_SECONDS = 2.0

Usage = Callable[[Path], tuple[int, int, int]]
"""Returns the total, used and free bytes of the disk that a folder is on."""


class Room:
    """The free space beside a SQLite file.

    Args:
        folder: where the file lies; None: the disk is a server's, and its business.
        usage: of a disk.
    """

    def __init__(
        self,
        folder: Path | None,
        usage: Usage = shutil.disk_usage,
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
        disk = disk_of(folder, self._usage)
        # Where nothing can be said, the database itself will say what is wrong.
        return disk is not None and disk.is_low


@dataclass(frozen=True, slots=True)
class Disk:
    """The room on a disk."""

    free: int  # bytes
    is_low: bool  # so little that new commands are refused


def disk_of(folder: Path, usage: Usage = shutil.disk_usage) -> Disk | None:
    """Return the room where a folder is, or will be; None if that can't be said."""
    try:
        there = next(each for each in (folder, *folder.parents) if each.is_dir())
        total, _, free = usage(there)
    except (OSError, StopIteration):
        return None
    return Disk(free, _is_low(total, free))


def _is_low(total: int, free: int) -> bool:
    """Whether that is too little.

    >>> _is_low(10**12, 10**9), _is_low(10**12, 10**8), _is_low(10**9, 10**8)
    (False, True, False)
    """
    return free < min(LEAST, LEAST_SHARE * total)
