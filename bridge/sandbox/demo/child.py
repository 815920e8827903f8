"""The bridge of the demo: a process of its own, with nothing of the user's in it.

Safe where live credentials are around: its environment is made from scratch, its
working directory is empty, so that there is no ``.env`` to read, every address it
gets is on loopback and every token is fake.

It ends with the demo, however that ends. Left behind it would knock at the demo's
port for ever, and take the commands of the next one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.slack import SlackSandbox

LOG = "bridge.log"
_TTL_SECONDS = 15 * 60
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# What any program needs to start, and nothing that a bridge would read.
_KEPT = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_CODE = Path(__file__).resolve().parents[3]
# `python -m bridge run`, which also ends when its standard input does: the other end
# of that pipe is the demo's, and closes even if the demo is killed.
_PROGRAM = """\
import os, runpy, sys, threading

def end_with_the_demo():
    os.read(0, 1)
    os._exit(1)

threading.Thread(target=end_with_the_demo, daemon=True).start()
sys.argv[:] = ["bridge", "run"]
runpy.run_module("bridge", run_name="__main__")
"""


class ChildEnded(Exception):
    """The bridge ended by itself."""


class Child:
    """``bridge run``; a context manager that starts and ends it.

    Args:
        folder: empty; its working directory, and where its log is written.
        settings: all of its settings.
        stop_seconds: how long it may tidy up at the end before it is killed.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str], stop_seconds: float
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._stop_seconds = stop_seconds

    def __enter__(self) -> Self:
        with (self._folder / LOG).open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-c", _PROGRAM],
                cwd=self._folder,
                env=_environment(self._settings),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the demo, which then ends the bridge in order.
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._process as process:  # closes the pipe at last
            process.terminate()
            try:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(self._stop_seconds)
            finally:  # an impatient second Ctrl-C comes through here
                process.kill()

    def check(self) -> None:
        """Raise ChildEnded when the process is gone."""
        code = self._process.poll()
        if code is not None:
            raise ChildEnded(f"The bridge ended with exit code {code}.")

    def last_words(self, count: int = 12) -> list[str]:
        """Return the last lines of its log."""
        log = (self._folder / LOG).read_text("utf-8", errors="replace")
        return log.splitlines()[-count:]


def make_settings(
    url: str, slack: SlackSandbox, green: GreenApiSandbox, *, data: Path, scale: float
) -> dict[str, str]:
    """Return all settings of the bridge.

    Args:
        url: where both emulators listen.
        slack: its tokens are used.
        green: likewise.
        data: the folder of the outbox.
        scale: what the bridge's waits are multiplied by.

    Raises:
        ValueError: ``url`` is not on loopback.
    """
    if urlsplit(url).hostname not in _LOOPBACK:
        raise ValueError(f"the demo stays on this machine; not at {url}")
    return {
        "SLACK_API_URL": f"{url}/api/",
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "GREEN_API_URL": url,
        "GREEN_API_ID_INSTANCE": green.id_instance,
        "GREEN_API_TOKEN_INSTANCE": green.token,
        "PORT": "0",
        "BRIDGE_DATA_DIR": str(data.absolute()),
        "BRIDGE_TIME_SCALE": str(scale),
        # By that scale, too: whoever plays "logged out" has a quarter of an hour.
        "BRIDGE_TTL": f"{round(_TTL_SECONDS / scale)}s",
        "BRIDGE_LOG_FORMAT": "text",
    }


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    python = {"PYTHONPATH": str(_CODE), "PYTHONUTF8": "1"}
    # Also turns off a proxy that is set for the whole system.
    return {**kept, **python, "NO_PROXY": "*", **settings}
