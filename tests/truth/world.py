"""The world of one scenario: disk, networks, people, time, and the bridge's lives."""

from __future__ import annotations

import pickle
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from bridge.model import Caller, ChatId, Choice, NewDelivery
from bridge.store import open_store
from bridge.store.tables import EPOCH
from tests.payloads import POISON
from tests.truth.doom import Doom, SimulatedCrash
from tests.truth.green_api import SimulatedGreenApi
from tests.truth.life import Life, SimulatedClock
from tests.truth.slack import SimulatedSlack

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ANN = ChatId("14155550100@c.us")
BEN = ChatId("4915123456789@c.us")
GROUP = ChatId("120363043968066561@g.us")
CHANNEL = "C0SALES"
DANA = "U0DANA"
MOST_ROUNDS = 3000
SUFFIXES = ("", "-wal", "-shm", ".used", ".backup")
OUTLIVE = ("asks", "again", "unacked", "trouble", "is_restored", "steps_done")
WIRING = {"clock", "pass_seconds", "doom", "has_attempt", "is_stored", "during"}
NOT_OURS = {"beat_at", "state_at", "received_at", "learned_at"}


@dataclass
class Ask:
    """One command of a person in Slack."""

    source: str
    chat_id: ChatId
    text: str
    is_acked: bool = False  # the person read "queued"
    is_forgotten: bool = False  # by a database that was put back from a backup


@dataclass(frozen=True)
class Remains:
    """What a death leaves: the files, and everybody else."""

    number: int  # of the point it died at
    disk: dict[str, bytes]
    rest: bytes


class StuckError(AssertionError):
    """Something is owed, and nothing will ever do it."""


class World:
    """Everything that outlives a crash, and the life of the bridge in it.

    Args:
        folder: for the database.
        life: how the bridge works; the broken protocols bring their own.
        at: the points at which it dies.
    """

    def __init__(
        self,
        folder: Path,
        life: type[Life] = Life,
        at: Sequence[int] = (),
        remains: Remains | None = None,
    ) -> None:
        random.seed(7)  # the waits' jitter: the same points in each run
        self.path = folder / "bridge.db"
        self.marker = folder / "bridge.db.used"
        self.backup = folder / "bridge.db.backup"
        self._lay_out(remains.disk if remains else {"": template(folder)})
        self.clock = SimulatedClock(NOW)
        self.doom = Doom(list(at))
        self.green = SimulatedGreenApi(
            self.clock, self.advance, self.doom, self.has_attempt, self.is_stored
        )
        self.slack = SimulatedSlack(self.clock, self.doom)
        self.asks: list[Ask] = []
        self.again: dict[str, int] = {}  # text: copies a person asked for
        self.unacked: dict[str, tuple[ChatId, int]] = {}  # and how often it came
        self.is_restored = False  # what came after the backup is forgotten
        self.trouble: list[str] = []  # what was wrong on the way
        self._kind = life
        self.steps_done = 0  # of the scenario
        if remains is not None:
            self._remember(remains)
        self._eye = _eye(self.path)
        self.life = self._kind(self)
        self.survive(self.life.begin)

    # --- living and dying ---------------------------------------------------------

    def survive(self, what: Callable[[], object]) -> bool:
        """Do something; False if the bridge died of it. Then it lives again."""
        try:
            what()
        except SimulatedCrash:
            self.restart()
            return False
        return True

    def restart(self) -> None:
        """End this life wherever it is, and begin the next one."""
        while True:
            self.life.end()
            self.doom.revive()
            self.green.during = None
            try:
                self.life = self._kind(self)
                self.life.begin()
            except SimulatedCrash:
                continue
            return

    def close(self) -> None:
        """End for good."""
        self.life.end()
        self._eye.close()

    # --- what a death leaves behind -----------------------------------------------

    def remains(self) -> Remains:
        """Return what would be left if the process were killed at this moment."""
        disk = {
            suffix: path.read_bytes()
            for suffix in SUFFIXES
            if (path := Path(f"{self.path}{suffix}")).exists()
        }
        mine = {name: getattr(self, name) for name in OUTLIVE}
        networks = [_data_of(self.green), _data_of(self.slack), self.clock.now]
        return Remains(self.doom.passed, disk, pickle.dumps([mine, networks]))

    def _remember(self, remains: Remains) -> None:
        mine, (green, slack, self.clock.now) = pickle.loads(remains.rest)  # noqa: S301
        for target, values in ((self, mine), (self.green, green), (self.slack, slack)):
            for name, value in values.items():
                setattr(target, name, value)
        self.doom.deaths += 1

    def _lay_out(self, disk: dict[str, bytes]) -> None:
        for suffix in SUFFIXES:
            path = Path(f"{self.path}{suffix}")
            path.unlink(missing_ok=True)
            if suffix in disk:
                path.write_bytes(disk[suffix])

    # --- time ---------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let time pass while somebody waits, and the networks do their part."""
        self.clock.now += timedelta(seconds=seconds)
        self.green.settle()

    def run(self, seconds: float) -> None:
        """Let the bridge work for so long."""
        end = self.clock() + timedelta(seconds=seconds)
        self._run(end)
        self.clock.now = max(end, self.clock.now)
        self.green.settle()

    def run_to_rest(self) -> None:
        """Let the bridge work until nothing is owed to anybody."""
        while not self.survive(lambda: self._run(None)):
            pass

    def _run(self, end: datetime | None) -> None:
        for _ in range(MOST_ROUNDS):
            self.green.settle()
            if self.life.do_what_is_due():
                continue
            self._watch_the_waiting()
            moment = self._next_moment()
            if moment is None or (end is not None and moment > end):
                return
            self.clock.now = moment
        raise StuckError(f"it never comes to rest:\n{self.describe()}")

    def _next_moment(self) -> datetime | None:
        """Return when something is due next; None: nothing ever will be."""
        now = self.clock()
        moments = list(self._moments())
        later = [moment for moment in moments if moment > now]
        if later:
            return min(later)
        if moments:
            raise StuckError(f"nobody does what is due:\n{self.describe()}")
        return None

    def _moments(self) -> Iterator[datetime]:
        now = self.clock()
        account = self.rows("SELECT * FROM accounts")
        hold = account[0]["hold"] if account else None
        row = self.rows(_OWED, _micros(now))[0]
        owed = [row["look"], row["report"], row["watch"]]
        owed += [row["expiry"]] if hold else [row["lane"], row["expiry"]]
        yield from (_moment(micros) for micros in owed if micros is not None)
        if (plan := self.green.next_plan()) is not None:
            yield plan
        if self.green.notifications:
            yield self.life.rests.get("poll", now)
        is_news = hold is not None and self.green.state == "authorized"
        if is_news and hold != "other_number":
            soon = now + timedelta(seconds=1)
            yield max(self.life.watch.next_at or soon, soon)
        for key, until in self.life.rests.items():
            if until > now and (any(owed) or key == "poll"):
                yield until

    def _watch_the_waiting(self) -> None:
        limit = self.clock() - timedelta(seconds=61)
        late = self.rows(
            "SELECT id FROM deliveries WHERE status IN ('queued', 'held') "
            "AND expires_at < ?",
            _micros(limit),
        )
        self.trouble += [f"I6: {row['id']} waits beyond its time" for row in late]

    # --- people -------------------------------------------------------------------

    def command(
        self,
        text: str,
        chat_id: ChatId = ANN,
        *,
        source: str | None = None,
        channel: str = CHANNEL,
        markup: str | None = None,
        repeats: int = 0,
    ) -> bool:
        """Let a person type a command; False if the bridge died of it.

        The same ``source`` is the same command, delivered again by Slack.
        """
        source = source or f"slack:{text}"
        ask = next((a for a in self.asks if a.source == source), None)
        if ask is None:
            ask = Ask(source, chat_id, text)
            self.asks.append(ask)
        caller = Caller(DANA, "T0", channel, f"https://hooks/{text}")
        new = NewDelivery(source, chat_id, text, caller, markup)

        def handle() -> None:
            self.life.request(new, repeats)
            self.doom.reach("before the ack")
            ask.is_acked = True

        return self.survive(handle)

    def deliver_command(self, text: str, chat_id: ChatId = ANN) -> None:
        """Let Slack deliver a command until it is acked, as the Events API does."""
        self.unacked[text] = (chat_id, 0)
        self.deliver_unacked()

    def deliver_unacked(self) -> None:
        """Let Slack repeat what nobody acked."""
        for text, (chat_id, repeats) in list(self.unacked.items()):
            self.unacked[text] = (chat_id, repeats + 1)
            while not self.command(text, chat_id, repeats=repeats):
                repeats += 1
            del self.unacked[text]

    def press(
        self, text: str, choice: Choice, by: str = DANA, *, stale: bool = False
    ) -> bool:
        """Let a person press a button under a text, if Slack shows it there."""
        found = self.delivery(text)
        if found is None or not (stale or self._shows_buttons(found["id"])):
            return False
        if choice is Choice.SEND_AGAIN:
            self.again[text] = 1  # however often it is pressed
        who = Caller(by, "T0", CHANNEL)
        self.survive(lambda: self.life.press(choice, found["id"], who))
        return True

    def _shows_buttons(self, delivery_id: str) -> bool:
        key = f"{delivery_id}:reply"
        return any(
            line.card.choices for line in self.slack.lines if line.card.key == key
        )

    # --- backups ------------------------------------------------------------------

    def back_up(self) -> None:
        """Copy the database as a backup does."""
        target = sqlite3.connect(self.backup)
        self._eye.backup(target)
        target.close()

    def put_back(self) -> None:
        """Stop, put the backup back, and start."""
        self.is_restored = True
        self.life.end()
        self._eye.close()
        for suffix in ("-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        shutil.copy(self.backup, self.path)
        self._eye = _eye(self.path)
        known = {row["source"] for row in self.rows("SELECT source FROM deliveries")}
        for ask in self.asks:
            ask.is_forgotten = ask.source not in known
        self.restart()

    # --- looking, as an outsider --------------------------------------------------

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Ask the database through a connection of our own: only commits are seen."""
        return self._eye.execute(query, values).fetchall()

    def delivery(self, text: str) -> sqlite3.Row | None:
        """Return the first delivery of a text."""
        found = self.rows("SELECT * FROM deliveries WHERE text = ? ORDER BY seq", text)
        return found[0] if found else None

    def has_attempt(self, chat_id: ChatId, text: str) -> bool:
        """Return whether an open attempt for such a text is on the disk."""
        return bool(
            self.rows(
                "SELECT 1 FROM deliveries d JOIN attempts a "
                "ON a.delivery_id = d.id AND a.n = d.attempts "
                "WHERE d.chat_id = ? AND d.text = ? AND d.status = 'sending' "
                "AND a.outcome IS NULL",
                chat_id,
                text,
            )
        )

    def is_stored(self, body: object) -> bool:
        """Return whether a notification's own row is on the disk."""
        if not isinstance(body, dict) or body in POISON.values():
            return bool(self.rows("SELECT 1 FROM dead_letters"))
        match body.get("typeWebhook"):
            case "outgoingMessageStatus":
                query = "SELECT 1 FROM receipts WHERE id_message = ?"
            case "incomingMessageReceived":
                query = "SELECT 1 FROM inbox WHERE key LIKE '%' || ?"
            case "outgoingAPIMessageReceived":
                query = (
                    "SELECT 1 FROM sightings WHERE id_message = ?1 UNION "
                    "SELECT 1 FROM deliveries WHERE id_message = ?1"
                )
            case _:
                return True
        return bool(self.rows(query, body.get("idMessage")))

    def fingerprint(self) -> str:
        """Return all that the next life can see, as one text."""
        tables = ("deliveries", "attempts", "lanes", "receipts", "sightings")
        state: list[Any] = [self.green.state, self.green.number]
        for table in (*tables, "aliases", "inbox", "dead_letters", "accounts"):
            for row in self.rows(f"SELECT * FROM {table}"):  # noqa: S608
                seen = dict(row).items()
                state.append([v for k, v in seen if k not in NOT_OURS])
        state += [len(self.green.posted), self.green.ledger, self.green.notifications]
        state += [list(self.green.posts), len(self.green.plans)]
        state += [self.slack.lines, self.slack.responses, self.slack.lose_answers]
        state += [self.slack.limited, self.slack.closed, self.asks]
        return repr(state)

    def describe(self) -> str:
        """Return what an engineer wants to see of a world that went wrong."""
        hidden = {"response_url", "team_id", "user_id", "markup", "retry_of"}
        parts = [f"now {self.clock()}", f"state {self.green.state}"]
        for table in ("deliveries", "attempts", "lanes", "accounts"):
            for row in self.rows(f"SELECT * FROM {table}"):  # noqa: S608
                shown = {
                    k: _readable(k, value)
                    for k, value in dict(row).items()
                    if value is not None and k not in hidden
                }
                parts.append(f"{table}: {shown}")
        parts += [f"ledger: {each}" for each in self.green.ledger]
        parts += [f"notification: {each}" for each in self.green.notifications]
        parts += [
            f"line: {line.channel} {line.thread_ts} {line.card.key} "
            f"{line.card.headline} {line.card.footnote}"
            for line in self.slack.lines
        ]
        parts += [f"response: {each}" for each in self.slack.responses]
        return "\n".join(parts)


_OWED = """SELECT
    (SELECT min(look_at) FROM deliveries) AS look,
    (SELECT min(report_at) FROM deliveries) AS report,
    -- A note about silence is no duty: it may not be worth one any more.
    (SELECT min(watch_at) FROM deliveries WHERE watch_at > ?) AS watch,
    (SELECT min(expires_at) FROM deliveries WHERE status IN ('queued', 'held'))
        AS expiry,
    (SELECT min(due_at) FROM lanes) AS lane"""


def _moment(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _readable(column: str, value: Any) -> Any:
    if column.endswith("_at") and isinstance(value, int):
        return f"{_moment(value):%H:%M:%S}"
    return value


def _data_of(network: object) -> dict[str, Any]:
    return {name: v for name, v in vars(network).items() if name not in WIRING}


def _eye(path: Path) -> sqlite3.Connection:
    eye = sqlite3.connect(path, isolation_level=None)
    eye.row_factory = sqlite3.Row
    return eye


@cache
def template(folder: Path) -> bytes:
    """Return an empty database with its tables, made once in a folder."""
    path = folder / "template.db"
    open_store(f"sqlite:///{path}").database.close()
    return path.read_bytes()
