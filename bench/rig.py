"""Starts the stubs and the apps, each in a process of its own, and asks the stubs."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from bench.load import SIGNING_SECRET, Http, Typist, exchange
from bench.process import Process
from bench.sockets import Sockets
from bench.stubs import TLS_ENV
from bench.wire import request

ROOT = Path(__file__).parent.parent
CERTS = ROOT / "tests" / "certs"
GREEN_SECONDS = 0.1  # how long the stub GREEN-API takes to answer
SLACK_SECONDS = 0.08  # how long the stub Slack takes
START_SECONDS = 30.0
QUIET_SECONDS = 1.3  # longer than the gap that the bridge keeps in a channel


class NotMeasured(Exception):
    """A measurement could not be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Something to measure."""

    name: str
    module: tuple[str, ...]
    connections: int = 1  # that it opens in Socket Mode
    settings: tuple[tuple[str, str], ...] = ()


ECHO = Kind("echo", ("bench.echo",))
DEFAULT = Kind("bare Bolt", ("bench.bare",))
BEFORE = Kind(
    "bare Bolt, process_before_response",
    ("bench.bare",),
    settings=(("BENCH_BEFORE_RESPONSE", "1"),),
)
SCRIPT = Kind("the script", ("bench.script",))
BRIDGE = Kind("bridge", ("bridge", "run"), connections=2)


@dataclass(frozen=True, slots=True)
class App:
    """A running app and the way into it."""

    kind: Kind
    process: Process
    typist: Typist


class Rig:
    """Everything around the apps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.has_tls = (CERTS / "server.pem").exists()
        self._ports: dict[str, int] = {}
        self._stubs = self._start_stubs()
        self._started = 0

    def close(self) -> None:
        """End the stubs."""
        self._stubs.communicate()  # the end of their input

    @asynccontextmanager
    async def app(
        self,
        kind: Kind,
        *,
        socket_mode: bool = False,
        tls: bool = False,
        **settings: str,
    ) -> AsyncIterator[App]:
        """Start an app, wait until it serves, and end it afterwards.

        Args:
            kind: which one.
            socket_mode: reach it through Socket Mode rather than over HTTP.
            tls: let it reach Slack and GREEN-API over TLS.
            settings: more of its environment.
        """
        self._started += 1
        port = free_port()
        sockets = Sockets()
        server = await self._socket_server(sockets, tls=tls)
        own = {**dict(kind.settings), "PORT": str(port), **settings}
        environment = self._environment(server.sockets[0].getsockname()[1], tls=tls)
        if socket_mode:
            own["SLACK_APP_TOKEN"] = "xapp-bench"  # noqa: S105 - opens nothing
        log = self.folder / f"{self._started}.log"
        process = Process(list(kind.module), {**environment, **own}, log)
        typist: Typist = sockets if socket_mode else Http(port)
        try:
            if socket_mode:
                await _until(
                    lambda: len(sockets.connections) >= kind.connections, process
                )
            else:
                await _until(lambda: _accepts(port), process)
            yield App(kind, process, typist)
        finally:
            process.kill()  # a clean end takes seconds, and nothing here needs one
            server.close()

    async def reset(
        self, green: float = GREEN_SECONDS, slack: float = SLACK_SECONDS
    ) -> None:
        """Let the stubs forget what arrived and answer after so many seconds."""
        await self._ask("reset", {"green": green, "slack": slack})

    async def counts(self) -> dict[str, Any]:
        """Return how much arrived."""
        return await self._ask("counts")

    async def posts(self) -> list[tuple[float, dict[str, Any]]]:
        """Return what GREEN-API got: monotonic seconds and the JSON body of each."""
        return [(at, body) for at, body in (await self._ask("posts"))["posts"]]

    async def until_posted(self, count: int, seconds: float) -> None:
        """Wait until GREEN-API got so many messages, or the time is over."""
        end = time.monotonic() + seconds
        while (await self.counts())["posts"] < count and time.monotonic() < end:
            await asyncio.sleep(0.05)

    async def until_told(self, count: int, seconds: float) -> None:
        """Wait until Slack got so many replies and is quiet, or the time is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            seen = await self.counts()
            if seen["replies"] >= count and seen["slack_quiet"] > QUIET_SECONDS:
                return
            await asyncio.sleep(0.1)

    @property
    def green_port(self) -> int:
        """Where the stub GREEN-API listens, without TLS."""
        return self._ports["plain"]

    def _start_stubs(self) -> subprocess.Popen[str]:
        environment = {**plain_environment()}
        if self.has_tls:
            environment[TLS_ENV] = str(CERTS / "server.pem")
        started = subprocess.Popen(
            [sys.executable, "-m", "bench.stubs"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert started.stdout is not None  # noqa: S101 - it is a pipe
        self._ports = json.loads(started.stdout.readline())
        return started

    async def _socket_server(
        self, sockets: Sockets, *, tls: bool
    ) -> asyncio.base_events.Server:
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTS / "server.pem")
        loop = asyncio.get_running_loop()
        return await loop.create_server(sockets.protocol, "127.0.0.1", 0, ssl=context)

    def _environment(self, socket_port: int, *, tls: bool) -> dict[str, str]:
        stub = f"https://127.0.0.1:{self._ports['tls']}" if tls else ""
        stub = stub or f"http://127.0.0.1:{self._ports['plain']}"
        environment = {
            **plain_environment(),
            "SLACK_API_URL": f"{stub}/{socket_port}/api/",
            "SLACK_BOT_TOKEN": "xoxb-bench",
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "GREEN_API_URL": stub,
            "GREEN_API_ID_INSTANCE": "1101000001",
            "GREEN_API_TOKEN_INSTANCE": "bench",
            "BRIDGE_DATA_DIR": str(self.folder / f"data-{self._started}"),
        }
        if tls:
            bundle = str(self._bundle())
            environment |= {"SSL_CERT_FILE": bundle, "REQUESTS_CA_BUNDLE": bundle}
        return environment

    def _bundle(self) -> Path:
        """Return a file with all public CAs and ours: real ones are as long."""
        path = self.folder / "ca-bundle.pem"
        public = Path(DEFAULT_CA_BUNDLE_PATH).read_text("utf-8")
        path.write_text(public + (CERTS / "ca.pem").read_text("utf-8"), "utf-8")
        return path

    async def _ask(self, what: str, body: object = None) -> dict[str, Any]:
        data = request(f"/bench/{what}", json.dumps(body).encode())
        _, found, _ = await exchange(self._ports["plain"], data)
        answer: dict[str, Any] = json.loads(found)
        return answer


@asynccontextmanager
async def open_rig() -> AsyncIterator[Rig]:
    """Yield a rig with running stubs and a folder that goes away with it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        rig = Rig(Path(folder))
        try:
            yield rig
        finally:
            rig.close()


def plain_environment() -> dict[str, str]:
    """Return this process's environment without proxies and without settings."""
    ours = ("SLACK_", "GREEN_API_", "BRIDGE_", "BENCH_")
    kept: Mapping[str, str] = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(ours)
        and not name.lower().endswith("_proxy")
        and name not in {"DATABASE_URL", "HOST", "PORT", "STATE_DIRECTORY"}
    }
    return {**kept, "PYTHONPATH": str(ROOT)}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


async def _until(is_ready: Any, process: Process) -> None:
    end = time.monotonic() + START_SECONDS
    while not is_ready():
        if process.has_ended or time.monotonic() > end:
            raise NotMeasured(f"an app did not start: {process.last_words()}")
        await asyncio.sleep(0.02)
