"""The real app in a process of its own, between the two emulators."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Engine, NullPool, create_engine, text

import bridge
from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.green_api.records import Accepted, Post
from bridge.sandbox.server import SandboxServer
from bridge.sandbox.slack import DEFAULT_SCOPES, Kind, SlackSandbox, User
from bridge.sandbox.slack.command import Command
from bridge.sandbox.slack.workspace import BOT_USER, Json

Transport = Literal["socket", "http"]

BOT_TOKEN = "xoxb-4711-canary-c0ffee0bot"
APP_TOKEN = "xapp-1-A0BRIDGE-4711-canary-c0ffee0app"
SIGNING_SECRET = "c0ffee0516e1c0ffee0516e1c0ffee05"
GREEN_TOKEN = "c0ffee09ree2c0ffee09ree2c0ffee09ree2c0ffee09ree2c0"
WEBHOOK_TOKEN = "c0ffee0webh00kc0ffee0webh00kc0ffee0webh00k"
SECRETS = (BOT_TOKEN, APP_TOKEN, SIGNING_SECRET, GREEN_TOKEN, WEBHOOK_TOKEN)

SCALE = 0.05  # a second of the bridge's own waiting takes so many real ones
TRACE = "Traceback"  # what a bug leaves in the log
PATIENCE = 20.0  # real seconds until a test that waits gives up: a limit, no measure
LOOK = 0.01  # real seconds between two looks at the store
REPOSITORY = Path(bridge.__file__).parents[1]

_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH")


class RunningBridge:
    """``bridge run`` in a folder of its own; it may be killed and started again.

    Args:
        folder: working directory, data and output; no ``.env`` is there.
        settings: all of its environment, but for what any program needs.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.settings = {
            "PORT": str(free_port()),
            "BRIDGE_DATA_DIR": str(folder / "data"),
            "BRIDGE_TIME_SCALE": str(SCALE),
            **settings,
        }
        self.printed = ""  # by other commands, for whoever may read the outbox
        self.pages = ""  # what its web server answered
        self.is_mute = False  # started with stdout and stderr closed
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return int(self.settings["PORT"])

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def output(self) -> str:
        """Everything it wrote to stdout and stderr, in all its lives."""
        path = self.folder / "output.txt"
        return path.read_text("utf-8") if path.exists() else ""

    def start(self, **settings: str) -> RunningBridge:
        """Start it and wait until it is ready; ``settings`` are for this life only."""
        self.launch(**settings)
        assert self._process is not None
        for _ in range(int(PATIENCE / 0.01)):
            if self._is_ready():
                return self
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(0.01)
                raise AssertionError(f"the bridge ended with {code}:\n{self.output}")
        raise AssertionError(f"the bridge did not get ready:\n{self.output}")

    def launch(self, **settings: str) -> None:
        """Start it and do not wait."""
        assert self._process is None, "it runs already"
        command = [sys.executable, "-m", "bridge", "run"]
        if self.is_mute:
            command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command]
        with (self.folder / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def run(
        self, *arguments: str, stdin: str = "", **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run another ``bridge`` command on the same settings, to its end."""
        ended = subprocess.run(
            [sys.executable, "-m", "bridge", *arguments],
            cwd=self.folder,
            env=self.environment(settings),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        with (self.folder / "output.txt").open("a", encoding="utf-8") as output:
            output.write(ended.stderr)
        self.printed += ended.stdout
        return ended

    def kill(self) -> None:
        """End it at once with SIGKILL, as a power failure would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def send_signal(self, which: signal.Signals) -> None:
        """Send it a signal and do not wait."""
        assert self._process is not None
        self._process.send_signal(which)

    def ask_to_stop(self) -> None:
        """Send SIGTERM and do not wait."""
        self.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Return the exit code of a process that ends by itself."""
        assert self._process is not None
        code = self._process.wait(PATIENCE)
        self._process = None
        return code

    def terminate(self) -> int:
        """Send SIGTERM; return the exit code."""
        self.ask_to_stop()
        return self.wait()

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a command; an empty value takes one away."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        ours = {**self.settings, **settings}
        given = {name: value for name, value in ours.items() if value}
        return {**kept, "PYTHONPATH": str(REPOSITORY), **given}

    def _is_ready(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, HTTPException):
            return False

    def get(self, path: str) -> tuple[int, str]:
        """GET a page of its web server; return status and body."""
        return self.request("GET", path)

    def request(
        self,
        verb: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        """Make one HTTP request; return status and body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest(verb, path)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body or b"")))
            # A server may refuse a body by its length and hang up. Sent whole, the rest
            # of it would meet a closed connection, and that would eat the answer.
            connection.endheaders((body or b"")[:100_000])
            answer = connection.getresponse()
            text = answer.read().decode()
            self.pages += "" if verb == "POST" and "slack" in path else text
            return answer.status, text
        finally:
            connection.close()


class World:
    """The emulators, the bridge between them, and what the tests ask of them.

    Tests share one, so each takes a channel, a person and a number of its own.

    Args:
        scale: real seconds that a second of the bridge and of GREEN-API takes.
        notifications: GREEN-API tells of states, echoes and receipts, and its journal
            fills; a new instance does neither.
        settings: of the bridge, besides those that tie it to the emulators.

    Attributes:
        on_slack: a test's hook, called with method and arguments of each request.
    """

    def __init__(
        self,
        folder: Path,
        transport: Transport,
        *,
        slack: SlackSandbox | None = None,
        green: GreenApiSandbox | None = None,
        database_url: str | None = None,
        scale: float = SCALE,
        notifications: bool = False,
        **settings: str,
    ) -> None:
        self.transport = transport
        self.slack = slack or make_slack()
        self.green = green or make_green(scale, notifications=notifications)
        self.server = SandboxServer([self.slack.blueprint(), self.green.blueprint()])
        self.server.start()
        self.bridge = RunningBridge(
            folder,
            {
                "BRIDGE_TIME_SCALE": str(scale),
                **self._settings(transport),
                **settings,
                **_database(database_url),
            },
        )
        if transport == "http":
            address = f"http://127.0.0.1:{self.bridge.port}/slack/events"
            self.slack.request_url = address
        path = folder / "data" / "bridge.db"
        self.database_url = database_url or f"sqlite:///{path}"
        self.on_slack: Callable[[str, Json], None] | None = None
        self.requests: list[tuple[str, Json]] = []  # every call of the Web API, raw
        self.slack.on_request = self._note_request
        self._numbers = itertools.count(1)
        self._engine = _engine(self.database_url)

    def _settings(self, transport: Transport) -> dict[str, str]:
        way_in = {
            "socket": {"SLACK_APP_TOKEN": APP_TOKEN},
            "http": {"SLACK_SIGNING_SECRET": SIGNING_SECRET},
        }
        return {
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_API_URL": f"{self.server.url}/api/",
            "GREEN_API_URL": self.server.url,
            "GREEN_API_ID_INSTANCE": self.green.id_instance,
            "GREEN_API_TOKEN_INSTANCE": GREEN_TOKEN,
            **way_in[transport],
        }

    def _note_request(self, method: str, args: Json) -> None:
        self.requests.append((method, args))
        if self.on_slack is not None:
            self.on_slack(method, args)

    def close(self) -> None:
        """End the bridge and the emulators; nothing may have leaked meanwhile."""
        self.bridge.kill()
        self.server.stop()
        self.green.close()
        self._engine.dispose()
        assert leaks(self) == []
        tracebacks = [line for line in self.bridge.output.splitlines() if TRACE in line]
        assert tracebacks == []

    def heal(self) -> None:
        """Undo what a test did to the emulators."""
        self.on_slack = None
        self.slack.on_reply = None
        self.green.on_request = None
        self.green.on_executed = None
        self.slack.clear_faults()
        self.slack.set_scopes(DEFAULT_SCOPES)
        self.green.clear_faults()
        self.green.set_state("authorized")
        self.green.switches.when_unauthorized = "queue"
        self.green.journal.lag = 0.0
        self.green.journal.rewrite = None

    # --- a fresh corner for a test ------------------------------------------------

    def person(self, **flags: Any) -> str:
        """Return the id of a new member of the workspace."""
        number = next(self._numbers)
        user_id = f"U1P{number:05}"
        self.slack.add_user(User(user_id, f"p{number}", f"Person {number}", **flags))
        return user_id

    def room(self, *people: str, kind: Kind = Kind.PUBLIC, has_bot: bool = True) -> str:
        """Return the id of a new channel; the bridge is in it unless told not to."""
        number = next(self._numbers)
        channel_id = f"{'D' if kind is Kind.IM else 'C'}1R{number:05}"
        members = {*people, BOT_USER} if has_bot else set(people)
        self.slack.add_channel(channel_id, f"room-{number}", kind, members)
        return channel_id

    def number(self) -> str:
        """Return a telephone number that nobody else uses: a plus and 13 digits."""
        return f"+491511{next(self._numbers):07}"

    # --- what people do and see ---------------------------------------------------

    def type(self, channel: str, text: str, user: str = "U0DANA") -> Command:
        """Type ``/whatsapp <text>``; return what its author sees at once."""
        return self.slack.command(user=user, channel=channel, text=text)

    def roots(self, channel: str) -> list[Json]:
        """Return the root cards in a channel, oldest first."""
        return [m for m in self.slack.messages(channel) if m.get("user") == BOT_USER]

    def replies(self, channel: str) -> list[str]:
        """Return the text of every answer under the root cards of a channel."""
        return [line["text"] for line in self.lines(channel) if not is_note(line)]

    def further(self, channel: str) -> list[str]:
        """Return the text of every line in the threads that came after the answer."""
        return [line["text"] for line in self.lines(channel) if is_note(line)]

    def lines(self, channel: str) -> list[Json]:
        """Return every message under the root cards of a channel."""
        return [
            line
            for root in self.roots(channel)
            for line in self.slack.thread(channel, root["ts"])[1:]
        ]

    def buttons(self, channel: str) -> list[str]:
        """Return the ids of all buttons that a channel's threads show."""
        return [
            element["action_id"]
            for line in self.lines(channel)
            for block in line.get("blocks", [])
            for element in block.get("elements", [])
            if element.get("type") == "button"
        ]

    def press(self, channel: str, button: str, user: str = "U0DANA", **how: Any) -> Any:
        """Press a button of the one answer in a channel; see ``SlackSandbox.press``."""
        (line,) = [each for each in self.lines(channel) if not is_note(each)]
        return self.slack.press(user, channel, line["ts"], button, **how)

    def wait_for_answer(self, channel: str, words: str) -> str:
        """Return the one answer in a channel once it says these words."""

        def said() -> str | None:
            return next((r for r in self.replies(channel) if words in r), None)

        answer: str = self.wait_for(said)
        assert len(self.replies(channel)) == 1
        return answer

    def settle(self, channel: str) -> None:
        """Wait until every command typed in a channel has its last word."""
        self.wait_for(lambda: not self._owed(channel))

    def answer_in(self, channel: str) -> str:
        """Return the one reply in a channel, once all that was typed there is told."""
        self.settle(channel)
        replies = self.replies(channel)
        assert len(replies) == 1, f"{replies}\n{self.bridge.output[-3000:]}"
        return replies[0]

    def wait_for_card(self, channel: str, words: str) -> Json:
        """Return the root card of a channel once it shows these words."""

        def shown() -> Json | None:
            return next((r for r in self.roots(channel) if words in str(r)), None)

        card: Json = self.wait_for(shown)
        return card

    def notes(self, user: str) -> list[str]:
        """Return the ephemeral texts that a user saw, oldest first."""
        return [note["text"] for note in self.slack.ephemerals(user)]

    def wait_for(self, condition: Callable[[], Any]) -> Any:
        """Return the first true answer; the bridge's output is in the failure.

        It is asked after everything that happens in Slack, and every ``LOOK`` seconds,
        because nobody tells what happens in the store.
        """
        ends_at = time.monotonic() + PATIENCE
        while time.monotonic() < ends_at:
            if answer := condition():
                return answer
            with suppress(TimeoutError):
                self.slack.wait_for(condition, LOOK)
        raise AssertionError(
            f"it did not come (running: {self.bridge.is_running}):\n"
            f"{self.bridge.output[-3000:]}"
        )

    # --- what the networks and the store know -------------------------------------

    def posts(self, words: str) -> list[Post]:
        """Return every ``sendMessage`` with these words that reached GREEN-API."""
        return [post for post in self.green.posts if words in str(post.body)]

    def ledger(self, words: str) -> list[Accepted]:
        """Return what GREEN-API accepted with these words."""
        return [entry for entry in self.green.ledger if words in entry.text]

    def calls(self, method: str, channel: str) -> list[Json]:
        """Return the logged calls of a Slack method for one channel."""
        return [
            entry.data
            for entry in self.slack.log.since(kind="api_call")
            if entry.data["method"] == method
            and entry.data["request"].get("channel") == channel
        ]

    def rows(self, query: str, **values: Any) -> list[Any]:
        """Return what a query finds in the bridge's database."""
        with self._engine.connect() as connection:
            return list(connection.execute(text(query), values))

    def status_of(self, words: str) -> str | None:
        """Return the status of the one delivery with these words, if there is one."""
        query = "SELECT status FROM deliveries WHERE text LIKE :words"
        found = self.rows(query, words=f"%{words}%")
        assert len(found) <= 1, "the command was stored twice"
        return found[0][0] if found else None

    def wait_for_rest(self) -> None:
        """Wait until nothing has to be sent and Slack was told everything."""
        self.wait_for(lambda: not self._owed())
        lanes = self.rows("SELECT * FROM lanes")
        assert lanes == [], lanes[:3]

    def _owed(self, channel: str = "%") -> list[Any]:
        query = (
            "SELECT id FROM deliveries WHERE coalesce(channel_id, '') LIKE :channel"
            " AND (status IN ('queued', 'held', 'sending', 'unknown')"
            " OR report_at IS NOT NULL)"
        )
        return self.rows(query, channel=channel)


@contextmanager
def open_world(
    folder: Path, transport: Transport = "socket", **options: Any
) -> Iterator[World]:
    """Yield a world whose bridge is ready; end it afterwards."""
    with make_world(folder, transport, **options) as world:
        world.bridge.start()
        yield world


@contextmanager
def make_world(
    folder: Path, transport: Transport = "socket", **options: Any
) -> Iterator[World]:
    """Yield a world whose bridge is not started; end it afterwards."""
    world = World(folder, transport, **options)
    try:
        yield world
    finally:
        world.close()


def make_green(scale: float = SCALE, **options: Any) -> GreenApiSandbox:
    """Return an instance whose time passes as fast as that of the bridge."""
    return GreenApiSandbox(token=GREEN_TOKEN, speed=1 / scale, **options)


def make_slack(**options: Any) -> SlackSandbox:
    """Return a workspace that takes many messages at once unless told otherwise."""
    defaults: dict[str, Any] = {"burst": 10_000, "retry_delays": (0, 0, 0)}
    return SlackSandbox(BOT_TOKEN, APP_TOKEN, SIGNING_SECRET, **defaults | options)


def leaks(world: World) -> list[str]:
    """Return where a secret, a whole number or a message shows that must not."""
    found = []
    logged = world.bridge.output
    sent = {accepted.text for accepted in world.green.ledger if len(accepted.text) > 15}
    numbers = {accepted.chat_id.partition("@")[0] for accepted in world.green.ledger}
    shown = logged + world.bridge.pages
    printed = shown + world.bridge.printed
    found += [f"{word} in the output" for word in SECRETS if word in printed]
    found += [f"{word} in the output" for word in sent | numbers if word in shown]
    to_slack = json.dumps(world.requests, ensure_ascii=False)
    to_slack += json.dumps([e.data for e in world.slack.log.since(kind="ephemeral")])
    found += [f"{word} in Slack" for word in SECRETS if word in to_slack]
    found += [f"{word} in Slack" for word in numbers if word in to_slack]
    for path in (world.bridge.folder / "data").rglob("*"):  # outbox, spool, marker …
        content = path.read_bytes() if path.is_file() else b""
        found += [f"{w} in {path.name}" for w in SECRETS if w.encode() in content]
    return found


def at_the_post(action: Callable[[], Any]) -> Callable[[str, Any], None]:
    """Return a hook for GREEN-API that acts at the first ``sendMessage`` it meets."""
    first = itertools.count()

    def act(method: str, _body: Any) -> None:
        if method == "sendMessage" and next(first) == 0:
            action()

    return act


def in_parallel(*steps: Callable[[], Any]) -> list[Any]:
    """Take all steps at once, each in a thread; return their results in order."""
    with ThreadPoolExecutor(len(steps)) as pool:
        return [taken.result() for taken in [pool.submit(step) for step in steps]]


def free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_note(line: Json) -> bool:
    """Whether a line is a further one, which the answer can't be edited to say."""
    key = str(line.get("metadata", {}).get("event_payload", {}).get("k", ""))
    return key.partition(":")[2] in {"undelivered", "stuck", "no_receipt"}


def _database(url: str | None) -> dict[str, str]:
    return {"DATABASE_URL": url} if url else {}


def _engine(url: str) -> Engine:
    if url.startswith("sqlite"):  # a test may put another file in its place
        return create_engine(url, poolclass=NullPool)
    address = url.replace("postgresql://", "postgresql+psycopg://")
    return create_engine(address, isolation_level="AUTOCOMMIT")
