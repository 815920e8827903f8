"""The demo from its first line to its exit code."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

from bridge.sandbox.demo import tour
from bridge.sandbox.demo.child import LOG, Child, ChildEnded, make_settings
from bridge.sandbox.demo.screen import Screen
from bridge.sandbox.demo.stage import PATIENCE, Stage
from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.server import SandboxServer
from bridge.sandbox.slack import SlackSandbox

OK = 0
FAILED = 1
USAGE = 2
INTERRUPTED = 130

PORT = 8765
_PORTS = 20  # tried one after another; then any free one
_FASTER = 20  # times: the waits of the bridge, and those of GREEN-API
_STOP_SECONDS = 5.0  # for an outbox that is kept; otherwise nothing is to tidy up
_BURST = 100  # messages at once in a channel; the faster bridge outruns Slack's pace


def play(
    data: Path | None = None,
    out: IO[str] | None = None,
    *,
    steps: Sequence[tour.Step] = tour.STEPS,
    port: int = PORT,
) -> int:
    """Play the tour and return the exit code.

    Args:
        data: a new or empty folder that keeps the outbox; None keeps nothing.
        out: where the tour is printed; None is the standard output.
        steps: what is played.
        port: the sandbox listens on this one, or on the next one that is free.

    Returns:
        0: all as expected. 1: a step differs or the bridge does not run; its log is
        kept. 2: ``data`` is in use. 130: Ctrl-C.
    """
    screen = Screen(out or sys.stdout)
    if data is not None and not _is_unused(data):
        # Real messages may wait there: the emulators would swallow them.
        screen.say(f"{data} is not empty. Name a new or an empty folder for the demo.")
        return USAGE
    folder = Path(tempfile.mkdtemp(prefix="bridge-demo-"))
    code = OK
    try:
        with _ended_by_sigterm():
            code = _play(folder, data, screen, steps=steps, port=port)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if code != FAILED:
            shutil.rmtree(folder, ignore_errors=True)
    return code


def _is_unused(data: Path) -> bool:
    return not data.exists() or (data.is_dir() and not any(data.iterdir()))


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM end the demo in order, so that nothing is left behind."""

    def end(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _play(
    folder: Path,
    data: Path | None,
    screen: Screen,
    *,
    steps: Sequence[tour.Step],
    port: int,
) -> int:
    slack = SlackSandbox(burst=_BURST)
    green = GreenApiSandbox(speed=_FASTER, notifications=True)
    server = _serve(slack, green, port)
    try:
        screen.say(_welcome(server.url))
        if data is not None:
            screen.say(f"The outbox stays in {data}.")
        outbox = data or folder / "data"
        settings = make_settings(
            server.url, slack, green, data=outbox, scale=1 / _FASTER
        )
        with Child(folder, settings, _STOP_SECONDS if data else 0.0) as child:
            if _tour(Stage(slack, green, screen, child.check), child, steps):
                return OK
    finally:
        server.stop()
    screen.line("bridge log", str(folder / LOG))
    return FAILED


def _serve(slack: SlackSandbox, green: GreenApiSandbox, port: int) -> SandboxServer:
    """Start the sandbox on a port, on one of the next ones, or on any."""
    for candidate in range(port, port + _PORTS):
        parts = [slack.blueprint(), green.blueprint()]
        try:
            return SandboxServer(parts, port=candidate).start()
        except OSError:
            continue  # taken, or not ours to take
    return SandboxServer([slack.blueprint(), green.blueprint()]).start()


def _welcome(url: str) -> str:
    address = url.partition("://")[2]
    return (
        f"A built-in Slack and a built-in GREEN-API listen on {address}, and the real "
        "bridge runs between them. You are @dana in #support. To keep it short, every "
        f"wait is {_FASTER} times shorter than in real life."
    )


def _tour(stage: Stage, child: Child, steps: Sequence[tour.Step]) -> bool:
    def is_connected() -> bool:
        child.check()
        return stage.slack.socket_mode.connections > 0

    try:
        stage.slack.wait_for(is_connected, PATIENCE)
        return tour.run(stage, steps)
    except ChildEnded as err:
        problem = str(err)
    except TimeoutError:
        problem = f"The bridge did not connect to Slack within {PATIENCE:g} s."
    stage.screen.say()
    stage.screen.say(f"{problem} Its last lines:")
    for line in child.last_words():
        stage.screen.say(line)
    return False
