"""The demo from its first line to its exit code."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from bridge.sandbox.demo import tour
from bridge.sandbox.demo.audience import Audience
from bridge.sandbox.demo.child import LOG, Child, ChildEnded, make_settings
from bridge.sandbox.demo.screen import Screen
from bridge.sandbox.demo.stage import PATIENCE, Stage
from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.page import Sandbox, parts
from bridge.sandbox.server import SandboxServer
from bridge.sandbox.slack import SlackSandbox

OK = 0
FAILED = 1
USAGE = 2
INTERRUPTED = 130

PORT = 8765
_PORTS = 20  # tried one after another; then any free one
_FASTER = 20  # times: the waits of the bridge, and those of GREEN-API
_AS_IN_LIFE = 1.0  # the pace of the phones once a person plays
_STOP_SECONDS = 5.0  # for an outbox that is kept; otherwise nothing is to tidy up
_BURST = 100  # messages at once in a channel; the faster bridge outruns Slack's pace
_GLANCE = 0.5  # seconds from one look at the bridge to the next


def play(
    data: Path | None = None,
    out: IO[str] | None = None,
    *,
    steps: Sequence[tour.Step] = tour.STEPS,
    port: int = PORT,
    audience: Audience | None = None,
) -> int:
    """Play the tour and return the exit code.

    Args:
        data: a new or empty folder that keeps the outbox; None keeps nothing.
        out: where the tour is printed; None is the standard output.
        steps: what is played.
        port: the sandbox listens on this one, or on the next one that is free.
        audience: stays on the page until Ctrl-C; None: the demo ends with the tour.

    Returns:
        0: all as expected. 1: a step differs or the bridge does not run; its log is
        kept. 2: ``data`` is in use. 130: Ctrl-C during the tour.
    """
    screen = Screen(out or sys.stdout)
    if data is not None and not _is_unused(data):
        # Real messages may wait there: the emulators would swallow them.
        screen.say(f"{data} is not empty. Name a new or an empty folder for the demo.")
        return USAGE
    folder = Path(tempfile.mkdtemp(prefix="bridge-demo-"))
    code = OK
    try:
        with _ended_by_signals():
            demo = _Demo(folder, data, screen, steps, audience)
            code = demo.play(port)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if code != FAILED:
            shutil.rmtree(folder, ignore_errors=True)
    return code


def _is_unused(data: Path) -> bool:
    return not data.exists() or (data.is_dir() and not any(data.iterdir()))


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have SIGTERM, or a closed terminal, end the demo in order: nothing is left."""

    def end(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), end) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


@dataclass(frozen=True, slots=True)
class _Demo:
    folder: Path  # its own, for the bridge
    data: Path | None
    screen: Screen
    steps: Sequence[tour.Step]
    audience: Audience | None

    def play(self, port: int) -> int:
        sandbox = _make_sandbox()
        server = serve(sandbox, port)
        try:
            self._welcome(server.url, port)
            settings = make_settings(
                server.url,
                sandbox.slack,
                sandbox.green,
                data=self.data or self.folder / "data",
                scale=1 / _FASTER,
            )
            with Child(
                self.folder, settings, _STOP_SECONDS if self.data else 0.0
            ) as child:
                if self._run(sandbox, child):
                    return OK
        finally:
            server.stop()
        self.screen.line("bridge log", str(self.folder / LOG))
        return FAILED

    def _welcome(self, url: str, wanted: int) -> None:
        say = self.screen.say
        if self.audience is not None:
            say(f"The page is at {url}/")
            if self.audience.why_not:
                say(f"No browser is opened {self.audience.why_not}: open it yourself.")
        address = url.partition("://")[2]
        if wanted and not address.endswith(f":{wanted}"):
            say(f"Port {wanted} is taken, so this demo is at {address}.")
        say(
            f"A built-in Slack and a built-in GREEN-API listen on {address}, and the "
            "real bridge runs between them. You are @dana in #support. To keep it "
            f"short, every wait is {_FASTER} times shorter than in real life."
        )
        if self.data is not None:
            say(f"The outbox stays in {self.data}.")
        if self.audience is not None and self.audience.open_page is not None:
            self.audience.open_page(f"{url}/")

    def _run(self, sandbox: Sandbox, child: Child) -> bool:
        """Play, and stay if somebody does; return whether all went as expected."""
        stage = Stage(sandbox, self.screen, child.check)
        try:
            is_fine = _tour(stage, child, self.steps)
            if self.audience is not None:
                self._stay(sandbox, child)
        except ChildEnded as err:
            problem = str(err)
        except TimeoutError:
            problem = f"The bridge did not connect to Slack within {PATIENCE:g} s."
        else:
            return is_fine
        self.screen.say()
        self.screen.say(f"{problem} Its last lines:")
        for line in child.last_words():
            self.screen.say(line)
        return False

    def _stay(self, sandbox: Sandbox, child: Child) -> None:
        """Leave the page to whoever plays there, until Ctrl-C."""
        sandbox.clock(_AS_IN_LIFE)
        self.screen.say()
        self.screen.say(
            f"Now it is yours: {sandbox.url}/ stays until you press Ctrl-C here."
        )
        pause = threading.Event()
        with suppress(KeyboardInterrupt):
            while not pause.wait(_GLANCE):
                child.check()
        self.screen.say()
        self.screen.say("The demo has ended.")


def _make_sandbox() -> Sandbox:
    slack = SlackSandbox(burst=_BURST)
    green = GreenApiSandbox(speed=_FASTER, notifications=True, log=slack.log)
    # As the live service does; taking a text and keeping it is the older way.
    green.switches.when_unauthorized = "refuse"
    return Sandbox(slack, green)


def serve(sandbox: Sandbox, port: int) -> SandboxServer:
    """Start the sandbox on a port, on one of the next ones, or on any."""
    for candidate in range(port, port + _PORTS):
        try:
            return SandboxServer(parts(sandbox), port=candidate).start()
        except (OSError, OverflowError):
            continue  # taken, not ours to take, or there is none of that number
    return SandboxServer(parts(sandbox)).start()


def _tour(stage: Stage, child: Child, steps: Sequence[tour.Step]) -> bool:
    def is_connected() -> bool:
        child.check()
        return stage.slack.socket_mode.connections > 0

    stage.slack.wait_for(is_connected, PATIENCE)
    return tour.run(stage, steps)
