"""What remembers, beside the database, how far it had come.

A database that is behind its marker was put back from a backup: what waits in it may
have been sent since.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)


class Marker:
    """A file with one number, the ``beats`` of the database it belongs to."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> int:
        """Return the number; 0 if nothing was ever marked."""
        with suppress(OSError, ValueError):
            return int(self._path.read_text("ascii") or 0)
        return 0

    def write(self, beats: int) -> None:
        """Remember a number that the database has stored; a failure is only logged."""
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            new.write_text(str(beats), "ascii")
            os.replace(new, self._path)  # noqa: PTH105 - the plain name of it
        except OSError as err:
            log.warning("the marker can't be written: %s", err.strerror)
