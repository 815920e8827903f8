"""The harness is tested: each protocol that is known to be wrong has to be caught.

Each is a small variant of the bridge, played through the same scenarios. The first
four are what most bots do, or are tempted to do.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import text

from bridge.errors import Retryable, SendError, Unknown
from bridge.flows.outbound import request_delivery
from bridge.flows.poll import Poller
from bridge.flows.receive import receive
from bridge.model import Delivery, NewDelivery, Receipt
from bridge.reasons import Reason
from bridge.store import Store
from bridge.store.database import Database
from bridge.store.evidence import Evidence
from bridge.store.outbox import Outbox, Stored
from bridge.store.replicas import Replicas
from bridge.store.rows import Search
from bridge.store.spool import Spool
from tests.test_crash_points import sweep
from tests.test_state_machine import QUICK, Story
from tests.truth.green_api import Post
from tests.truth.invariants import violations
from tests.truth.life import Life
from tests.truth.scenarios import SCENARIOS, play, posts, say, wait, while_posting, work
from tests.truth.slack import SimulatedSlack
from tests.truth.world import World

_NOW = "(SELECT max(beat_at) FROM replicas)"
_OPEN_THE_LANE = text(
    f"UPDATE lanes SET owner = NULL, due_at = {_NOW} WHERE chat_id = :chat"  # noqa: S608
)
_OPEN_DEAD_LANES = text(
    f"UPDATE lanes SET owner = NULL, due_at = {_NOW} WHERE owner IS NOT NULL"  # noqa: S608
)
_FAIL_WHAT_WAS_SENT = text(
    "UPDATE deliveries SET status = 'failed', reason = 'crashed', report_at = 0 "
    "WHERE status = 'sending'"
)


# --- variants of the bridge -------------------------------------------------------


class RetryInMemory(Life):
    """Acks, keeps the text in memory, and posts until it gets an answer."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.jobs: list[NewDelivery] = []

    def request(self, new: NewDelivery, repeats: int = 0) -> Stored | None:
        self.jobs.append(new)
        return None

    def deliver(self) -> bool:
        if not self.jobs:
            return False
        new = self.jobs.pop(0)
        for _ in range(4):
            try:
                id_message = self.world.green.send_message(new.chat_id, new.text)
            except (Unknown, Retryable):
                continue
            except SendError:
                return True
            self.write_down(new, id_message)
            return True
        return True

    def write_down(self, new: NewDelivery, id_message: str) -> None:
        outbox, clock = self.store.outbox, self.clock
        stored = request_delivery(outbox, new, clock, self.schedule)
        delivery = outbox.get(stored.id)
        assert delivery is not None
        outbox.begin_attempt(delivery, new.text, clock())
        outbox.accept(delivery, id_message, clock())


class OtherStore(Life):
    """A bridge whose store differs in one part."""

    part = ""

    def make_store(self, database: Database) -> Store:
        store = super().make_store(database)
        return replace(store, **{self.part: self.make_part(database)})

    def make_part(self, database: Database) -> object:
        raise NotImplementedError


class _RedoingReplicas(Replicas):
    def join(self, now: datetime) -> None:
        super().join(now)
        with self._database.write() as connection:
            redo = "UPDATE deliveries SET status = 'queued' WHERE status = 'sending'"
            connection.execute(text(redo))
            connection.execute(_OPEN_DEAD_LANES)


class RedoOnRestart(OtherStore):
    """Sends again at the start whatever was not finished."""

    part = "replicas"

    def make_part(self, database: Database) -> Replicas:
        return _RedoingReplicas(database, self.schedule)


class _FailingReplicas(Replicas):
    def join(self, now: datetime) -> None:
        super().join(now)
        with self._database.write() as connection:
            connection.execute(_FAIL_WHAT_WAS_SENT)


class CallItFailed(OtherStore):
    """Never sends twice, and says that what it does not know has failed."""

    part = "replicas"

    def make_part(self, database: Database) -> Replicas:
        return _FailingReplicas(database, self.schedule)


class _ResendingEvidence(Evidence):
    def give_up(
        self, search: Search, reason: Reason, next_at: datetime | None, now: datetime
    ) -> None:
        row = {"this": search.delivery.id, "chat": search.delivery.chat_id}
        again = (
            "UPDATE deliveries SET status = 'queued', look_at = NULL WHERE id = :this"
        )
        with self._database.write() as connection:
            connection.execute(text(again), row)
            connection.execute(_OPEN_THE_LANE, row)


class SendWhatIsNotFound(OtherStore):
    """Takes it for proof that the journal does not show a text."""

    part = "evidence"

    def make_part(self, database: Database) -> Evidence:
        return _ResendingEvidence(database, self.schedule)


class _DeletingPoller(Poller):
    def poll_once(self) -> float:
        found = self._source.receive_notification(0)
        if found is not None:
            self._source.delete_notification(found.receipt_id)
            receive(self._desk, found.body)
        return 0.0


class DeleteBeforeCommit(Life):
    """Deletes a notification, then stores it."""

    def make_poller(self) -> Poller:
        return _DeletingPoller(self.receiving, self.world.green, self.schedule, 0)


class DedupeInMemory(Life):
    """Knows the commands it had, as long as it lives."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.seen: set[str] = set()

    def request(self, new: NewDelivery, repeats: int = 0) -> Stored | None:
        if new.source in self.seen:
            return None
        self.seen.add(new.source)
        return super().request(
            replace(new, source=f"{new.source}:{secrets.token_hex()}")
        )


class DropRetries(Life):
    """Takes a command that Slack delivers again for one it has."""

    def request(self, new: NewDelivery, repeats: int = 0) -> Stored | None:
        return None if repeats > 0 else super().request(new)


class _HastyOutbox(Outbox):
    def begin_attempt(self, delivery: Delivery, words: str, now: datetime) -> bool:
        if not super().begin_attempt(delivery, words, now):
            return False
        with self._database.write() as connection:
            connection.execute(_OPEN_THE_LANE, {"chat": delivery.chat_id})
        return True


class UnlockBeforeCommit(OtherStore):
    """Lets the next one leave before it knows what became of the first."""

    part = "outbox"

    def make_part(self, database: Database) -> Outbox:
        return _HastyOutbox(database, self.schedule, Spool(None))


class _ForgetfulEvidence(Evidence):
    def add_receipt(self, receipt: Receipt, now: datetime) -> None:
        super().add_receipt(receipt, now)
        row = {"word": receipt.status, "message": receipt.id_message}
        last = (
            "UPDATE deliveries SET status = :word "
            "WHERE id_message = :message AND :word IN ('sent', 'delivered', 'read')"
        )
        with self._database.write() as connection:
            connection.execute(text(last), row)


class LastReceiptWins(OtherStore):
    """Shows whichever status came last."""

    part = "evidence"

    def make_part(self, database: Database) -> Evidence:
        return _ForgetfulEvidence(database, self.schedule)


class _UnsearchableSlack(SimulatedSlack):
    def find(self, *_: object, **__: object) -> None:  # type: ignore[override]
        return None


class PostWithoutLooking(Life):
    """Posts a line again whose answer was lost."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        blind = _UnsearchableSlack(world.clock, world.doom)
        blind.__dict__ = world.slack.__dict__
        self.reporting = replace(self.reporting, slack=blind)


# --- and what catches them --------------------------------------------------------


@dataclass(frozen=True)
class Case:
    life: type[Life]
    scenario: str
    caught_by: str  # the beginning of a violation
    says: str


OVERTAKEN = (posts(Post.BUSY), while_posting(say("b"), work), say("a"), wait(30))
CASES = [
    Case(RetryInMemory, "plain send", "I1", "is not stored"),
    Case(RetryInMemory, "f05_ answer lost, taken", "I2", "was taken 2 times"),
    Case(RetryInMemory, "plain send", "I11", "without an attempt"),
    Case(RedoOnRestart, "plain send", "I2", "was taken 2 times"),
    Case(CallItFailed, "plain send", "I3", "told as ['failed']"),
    Case(SendWhatIsNotFound, "f28_ journal lags by ten minutes", "I2", "was taken"),
    Case(DeleteBeforeCommit, "plain send", "I5", "before it was stored"),
    Case(
        DedupeInMemory, "f32_ the same command three times", "I1", "is stored 2 times"
    ),
    Case(DropRetries, "f34_ delivered until acked", "I1", "is not stored"),
    Case(UnlockBeforeCommit, "overtaken", "I4", "was overtaken"),
    Case(LastReceiptWins, "f45_ receipts reversed", "I3", "receipts say read"),
    Case(PostWithoutLooking, "plain send", "LINES", "was posted 2 times"),
]
SLOWLY_FOUND = [CallItFailed, LastReceiptWins, UnlockBeforeCommit]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("world")


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.life.__name__}-{case.caught_by}"
)
def test_a_broken_protocol_is_caught(folder: Path, case: Case) -> None:
    scenario = {**SCENARIOS, "overtaken": OVERTAKEN}[case.scenario]

    found = sweep(folder, scenario, case.life)

    assert any(f" {case.caught_by}: " in each and case.says in each for each in found)


@pytest.mark.parametrize(
    "life",
    [
        RedoOnRestart,
        *(pytest.param(life, marks=pytest.mark.chaos) for life in SLOWLY_FOUND),
    ],
    ids=lambda life: life.__name__,
)
def test_the_state_machine_catches_it_as_well(life: type[Life]) -> None:
    class BrokenStory(Story):
        pass

    BrokenStory.life = life
    quick = settings(
        QUICK,
        max_examples=300,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
    )

    with pytest.raises(AssertionError):
        run_state_machine_as_test(BrokenStory, settings=quick)


def test_the_bridge_itself_is_not_caught_in_the_same_scenarios(folder: Path) -> None:
    world = World(folder)
    try:
        play(world, OVERTAKEN)
        assert violations(world) == []
    finally:
        world.close()
