"""What ``bridge demo`` puts together, without its tour: sandbox, page, real bridge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.sandbox.demo.child import Child, make_settings
from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.page import Sandbox, parts
from bridge.sandbox.server import SandboxServer
from bridge.sandbox.slack import SlackSandbox

PATIENCE = 60.0  # seconds until a test that waits gives up: a limit, no measure
_FASTER = 20  # times, as in the demo
_BURST = 100


@dataclass(frozen=True, slots=True)
class Stage:
    """A running sandbox with the bridge between its two sides."""

    sandbox: Sandbox
    server: SandboxServer

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"{self.server.url}/"


@contextmanager
def open_stage(folder: Path) -> Iterator[Stage]:
    """Start all of it; ``folder`` is empty and keeps the bridge's log and outbox."""
    slack = SlackSandbox(burst=_BURST)
    green = GreenApiSandbox(speed=_FASTER, notifications=True, log=slack.log)
    green.switches.when_unauthorized = "refuse"
    sandbox = Sandbox(slack, green)
    with SandboxServer(parts(sandbox)) as server:
        settings = make_settings(
            server.url, slack, green, data=folder / "data", scale=1 / _FASTER
        )
        with Child(folder, settings, stop_seconds=0.0) as child:

            def is_connected() -> bool:
                child.check()
                return slack.socket_mode.connections > 0

            slack.wait_for(is_connected, PATIENCE)
            yield Stage(sandbox, server)
