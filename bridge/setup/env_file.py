"""``.env``, changed in one step: it is either as before or as it should be."""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bridge.errors import BridgeError
from bridge.settings import is_exposed

BACKUP = ".bak"  # behind the name of the file
_HEAD = re.compile(r"\s*(?:export\s+)?")  # what stands before the name


class NotWritten(BridgeError):
    """The file is as it was before."""


class EnvFile:
    """The file that ``bridge run`` will read its settings from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_saved = False  # the file as it was before we began is in the backup
        self.was_written = False

    def is_exposed(self) -> bool:
        """Whether others than its owner may read it."""
        if os.name != "posix" or not self.path.exists():
            return False
        return is_exposed(self.path.stat().st_mode, is_read_only=False)

    def write(self, values: Mapping[str, str]) -> None:
        """Set values; every other line and comment stays. Only its owner may read it.

        What the file was before the first change is kept beside it.

        Raises:
            NotWritten: the file is as it was.
        """
        target = self.path.resolve()  # a link stays a link
        try:
            self._save(target)
            draft = _copy(target)
            try:
                _change(draft, values)
                os.replace(draft, target)  # noqa: PTH105 - says that it replaces
            finally:
                with suppress(FileNotFoundError):
                    draft.unlink()
        except OSError as err:
            raise NotWritten(
                f"{self.path} can't be written ({err.strerror}), so nothing was saved. "
                "Correct its folder's permissions, or name another one: --env-file"
            ) from None
        _sync_folder(target.parent)
        self.was_written = True

    def _save(self, target: Path) -> None:
        if self._is_saved or not target.exists():
            self._is_saved = True
            return
        copy = _copy(target)
        os.replace(copy, f"{target}{BACKUP}")  # noqa: PTH105 - likewise
        self._is_saved = True


def _copy(path: Path) -> Path:
    """Return a copy in the same folder, for its owner only; empty if there is none."""
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    with os.fdopen(handle, "wb") as copy:
        if path.exists():
            with path.open("rb") as original:
                shutil.copyfileobj(original, copy)
    return Path(name)


def _change(draft: Path, values: Mapping[str, str]) -> None:
    text = changed(draft.read_text("utf-8"), values)
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(0o600)


def changed(text: str, values: Mapping[str, str]) -> str:
    r"""Return the text of the file with these values in it.

    ``dotenv.set_key`` is not used: it loses the blank lines above a value.

    >>> changed("# mine\n\nexport A='1'\nB=2", {"A": "3", "C": "4"})
    '# mine\n\nexport A=3\nB=2\nC=4\n'
    """
    from dotenv.parser import parse_stream

    missing = dict(values)
    parts = []
    for binding in parse_stream(io.StringIO(text)):
        original = binding.original.string
        if binding.key not in values:
            parts.append(original)
        elif binding.key in missing:
            value = missing.pop(binding.key)
            head = _HEAD.match(original)
            parts.append(f"{head[0] if head else ''}{binding.key}={value}\n")
    whole = "".join(parts)
    if whole and not whole.endswith("\n"):
        whole += "\n"
    # Without quotes: Docker's --env-file would take them for a part of the value.
    return whole + as_lines(missing)


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk as well, where folders can be synced."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def as_lines(values: Mapping[str, str]) -> str:
    """Return the values as they would stand in the file."""
    return "".join(f"{name}={value}\n" for name, value in values.items())
