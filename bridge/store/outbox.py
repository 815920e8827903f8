"""The outbox: deliveries, the attempts to send them, and the lanes that order them."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    String,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from bridge.errors import StoreError
from bridge.model import (
    ChatId,
    Delivery,
    DeliveryId,
    MessageId,
    NewDelivery,
    Place,
    Status,
)
from bridge.store.database import Database
from bridge.store.rows import DELIVERY, delivery_of, new_row
from bridge.store.tables import IS_SENDING, WAITING, Moment, attempts, deliveries, lanes

log = logging.getLogger(__name__)

# Statements are built once: building one costs more than running it.
# In words, not in parameters: only then does SQLite see that a partial index fits.
_IS_WAITING = text(WAITING)
_IS_SENDING = text(IS_SENDING)
_THIS = deliveries.c.id == bindparam("this")
_CHAT = bindparam("chat", type_=String)
_NOW = bindparam("now", type_=Moment)
_CHANGE = {
    "updated_at": _NOW,
    # Slack is told of the change, if anybody there asked.
    "report_at": case((deliveries.c.place == Place.NOWHERE, None), else_=_NOW),
}

_FIND_SOURCE = select(deliveries.c.id).where(deliveries.c.source == bindparam("source"))
_CHATS_DUE = (
    select(lanes.c.chat_id)
    .where(lanes.c.due_at <= _NOW)
    .order_by(lanes.c.due_at)
    .limit(bindparam("most"))
)
_HEAD = (
    select(*DELIVERY)
    .where(deliveries.c.chat_id == _CHAT, _IS_WAITING)
    .order_by(deliveries.c.seq)
    .limit(1)
)
_TAKE_LANE = (
    update(lanes)
    .where(lanes.c.chat_id == _CHAT, lanes.c.due_at.is_not(None))
    .values(due_at=None)
)
_TAKE_DELIVERY = (
    update(deliveries)
    .where(_THIS, _IS_WAITING)
    .values(
        status=Status.SENDING,
        attempts=bindparam("attempt"),
        text=bindparam("words"),
        markup=None,
        updated_at=_NOW,
    )
)
_ADD_ATTEMPT = insert(attempts)
_END_ATTEMPT = (
    update(attempts)
    .where(attempts.c.delivery_id == bindparam("this"))
    .where(attempts.c.n == bindparam("attempt"))
    .values(ended_at=_NOW, outcome=bindparam("outcome"), reason=bindparam("why"))
)
_END_SENDING = (
    update(deliveries)
    .where(_THIS, _IS_SENDING)
    .values(
        status=bindparam("becomes"),
        reason=bindparam("why"),
        id_message=bindparam("message"),
        due_at=bindparam("due", type_=Moment),
        **_CHANGE,
    )
)
_CHANGE_WAITING = (
    update(deliveries)
    .where(_THIS, _IS_WAITING)
    .values(
        status=bindparam("becomes"),
        reason=bindparam("why"),
        due_at=bindparam("due", type_=Moment),
        **_CHANGE,
    )
)
_LOCK_LANE = select(lanes.c.chat_id).where(lanes.c.chat_id == _CHAT).with_for_update()
_NEXT_DUE = (
    select(deliveries.c.due_at)
    .where(deliveries.c.chat_id == _CHAT, _IS_WAITING)
    .order_by(deliveries.c.seq)
    .limit(1)
)
_OPEN_LANE = (
    update(lanes)
    .where(lanes.c.chat_id == _CHAT)
    .values(due_at=bindparam("due", type_=Moment))
)
_CLOSE_LANE = delete(lanes).where(lanes.c.chat_id == _CHAT)

_LOSE_ANSWERS = (
    update(deliveries)
    .where(_IS_SENDING)
    .values(status=Status.UNKNOWN, reason="crashed", **_CHANGE)
)
_LOSE_ATTEMPTS = (
    update(attempts)
    .where(attempts.c.outcome.is_(None))
    .where(attempts.c.delivery_id.in_(select(deliveries.c.id).where(_IS_SENDING)))
    .values(outcome="unknown", reason="crashed")
)
_TAKEN_LANES = select(lanes.c.chat_id).where(lanes.c.due_at.is_(None))

_PATIENCE = (0.1, 0.5, 1.0, 2.0, 5.0)  # seconds between tries to store an answer


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a request: its delivery, and whether it was new."""

    id: DeliveryId
    is_new: bool


class Outbox:
    """The truth about every delivery."""

    def __init__(self, database: Database) -> None:
        self._database = database
        dialect = sqlite if database.is_sqlite else postgresql
        self._add = (
            dialect.insert(deliveries)
            .on_conflict_do_nothing(index_elements=["source"])
            .returning(deliveries.c.seq)  # nothing comes back from a conflict
        )
        # Writing the lane's own value back locks its row on PostgreSQL: a lane that is
        # just being closed must see this delivery first, or nobody would ever send it.
        self._touch_lane = dialect.insert(lanes).on_conflict_do_update(
            index_elements=["chat_id"], set_={"due_at": lanes.c.due_at}
        )

    # --- a request comes in -------------------------------------------------------

    def add(
        self,
        new: NewDelivery,
        now: datetime,
        time_to_live: timedelta,
        deadline: float | None = None,
    ) -> Stored:
        """Store a request; the same ``source`` again finds the first one.

        Args:
            new: what to send, and for whom.
            now: the moment of acceptance.
            time_to_live: how long it may wait before it expires unsent.
            deadline: ``time.monotonic()`` after which it must not be stored.

        Raises:
            NotStored: the deadline passed.
            StoreError: the database can't store anything at the moment.
        """
        delivery_id = DeliveryId(secrets.token_hex(16))
        row = new_row(delivery_id, new, now, time_to_live)
        with self._database.write(deadline) as connection:
            if connection.execute(self._add, row).one_or_none() is not None:
                lane = {"chat_id": new.chat_id, "due_at": now}
                connection.execute(self._touch_lane, lane)
                return Stored(delivery_id, is_new=True)
            first = connection.execute(_FIND_SOURCE, {"source": new.source})
            return Stored(first.scalar_one(), is_new=False)

    # --- the lanes ----------------------------------------------------------------

    def chats_due(self, now: datetime, limit: int) -> list[ChatId]:
        """Return chats whose first waiting delivery is due, longest due first."""
        with self._database.read() as connection:
            values = {"now": now, "most": limit}
            return list(connection.scalars(_CHATS_DUE, values))

    def head(self, chat_id: ChatId) -> Delivery | None:
        """Return the delivery whose turn it is in a chat."""
        with self._database.read() as connection:
            row = connection.execute(_HEAD, {"chat": chat_id}).one_or_none()
        return None if row is None else delivery_of(row)

    def begin_attempt(self, delivery: Delivery, words: str, now: datetime) -> bool:
        """Store that one POST of ``words`` is about to be made.

        False when the lane is no longer free: somebody else is sending.
        """
        chat = {"chat": delivery.chat_id}
        attempt = delivery.attempts + 1
        taken = {"this": delivery.id, "attempt": attempt, "words": words, "now": now}
        row = {"delivery_id": delivery.id, "n": attempt, "started_at": now}
        with self._database.write() as connection:
            if connection.execute(_TAKE_LANE, chat).rowcount != 1:
                return False
            if connection.execute(_TAKE_DELIVERY, taken).rowcount != 1:
                _release_lane(connection, delivery.chat_id)
                return False
            connection.execute(_ADD_ATTEMPT, row)
            return True

    def accept(self, delivery: Delivery, id_message: MessageId, now: datetime) -> None:
        """Store GREEN-API's word that it took the text."""
        end = _End("accepted", Status.ACCEPTED, delivery.due_at, message=id_message)
        self._end_attempt(delivery, end, now)

    def finish(
        self, delivery: Delivery, status: Status, reason: str, now: datetime
    ) -> None:
        """Store an attempt's end that leaves nothing more to try."""
        outcome = "unknown" if status is Status.UNKNOWN else "permanent"
        self._end_attempt(delivery, _End(outcome, status, delivery.due_at, reason), now)

    def put_back(
        self,
        delivery: Delivery,
        status: Status,
        reason: str,
        due_at: datetime,
        now: datetime,
    ) -> None:
        """Store that nothing was accepted and the delivery waits until ``due_at``."""
        self._end_attempt(delivery, _End("retryable", status, due_at, reason), now)

    def postpone(
        self, delivery: Delivery, reason: str, due_at: datetime, now: datetime
    ) -> None:
        """Let a waiting delivery wait until ``due_at``; no attempt was made."""
        self._change_waiting(delivery, delivery.status, reason, due_at, now)

    def drop(
        self, delivery: Delivery, status: Status, reason: str | None, now: datetime
    ) -> None:
        """Give a waiting delivery up; no attempt was made, nothing was sent."""
        self._change_waiting(delivery, status, reason, delivery.due_at, now)

    def recover(self, now: datetime) -> int:
        """Judge what a dead copy left behind; return how many answers are lost.

        A delivery in ``sending`` may or may not have been accepted. It becomes
        ``unknown`` and is never sent again by itself. Call it only while no other
        copy runs.
        """
        with self._database.write() as connection:
            connection.execute(_LOSE_ATTEMPTS)
            lost = connection.execute(_LOSE_ANSWERS, {"now": now}).rowcount
            for chat_id in list(connection.scalars(_TAKEN_LANES)):
                _release_lane(connection, chat_id)
        return lost

    def _end_attempt(self, delivery: Delivery, end: _End, now: datetime) -> None:
        values = {
            "this": delivery.id,
            "attempt": delivery.attempts + 1,
            "outcome": end.outcome,
            "becomes": end.status,
            "why": end.reason,
            "message": end.message,
            "due": end.due_at,
            "now": now,
        }

        def store() -> None:
            with self._database.write() as connection:
                connection.execute(_END_ATTEMPT, _only(_END_ATTEMPT_NAMES, values))
                connection.execute(_END_SENDING, _only(_END_SENDING_NAMES, values))
                _release_lane(connection, delivery.chat_id)

        _insist(store)

    def _change_waiting(
        self,
        delivery: Delivery,
        status: Status,
        reason: str | None,
        due_at: datetime,
        now: datetime,
    ) -> None:
        values = {
            "this": delivery.id,
            "becomes": status,
            "why": reason,
            "due": due_at,
            "now": now,
        }
        with self._database.write() as connection:
            connection.execute(_CHANGE_WAITING, values)
            _release_lane(connection, delivery.chat_id)

    # --- looking ------------------------------------------------------------------

    def get(self, delivery_id: str) -> Delivery | None:
        """Return one delivery by its whole id."""
        found = self._list(deliveries.c.id == delivery_id, limit=1)
        return found[0] if found else None

    def find(self, word: str, user_id: str | None = None) -> list[Delivery]:
        """Return deliveries by id (eight digits or more suffice) or ``idMessage``.

        Args:
            word: the id, the beginning of one, or an ``idMessage``.
            user_id: only this user's; None finds anybody's.
        """
        named = deliveries.c.id_message == word
        if len(word) >= 8:
            named = named | deliveries.c.id.startswith(word, autoescape=True)
        mine = deliveries.c.user_id == user_id
        return self._list(named & mine if user_id is not None else named, limit=5)

    def latest(self, limit: int, user_id: str | None = None) -> list[Delivery]:
        """Return the newest deliveries, newest first; of one user if named."""
        mine = deliveries.c.user_id == user_id
        return self._list(mine if user_id is not None else None, limit)

    def waiting(self) -> tuple[int, datetime | None]:
        """Return how many deliveries have yet to leave, and since when the oldest."""
        query = select(func.count(), func.min(deliveries.c.created_at))
        with self._database.read() as connection:
            count, oldest = connection.execute(query.where(_IS_WAITING)).one()
        return count, oldest

    def _list(self, condition: Any, limit: int) -> list[Delivery]:
        query = select(*DELIVERY).order_by(deliveries.c.seq.desc()).limit(limit)
        if condition is not None:
            query = query.where(condition)
        with self._database.read() as connection:
            return [delivery_of(row) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class _End:
    """How an attempt ended, and what becomes of its delivery."""

    outcome: str
    status: Status
    due_at: datetime
    reason: str | None = None
    message: MessageId | None = None


_END_ATTEMPT_NAMES = ("this", "attempt", "outcome", "why", "now")
_END_SENDING_NAMES = ("this", "becomes", "why", "message", "due", "now")


def _only(names: tuple[str, ...], values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in names}


def _insist(store: Callable[[], None]) -> None:
    """Store an answer that exists nowhere else, however long the disk makes us wait.

    While this process lives the answer is not lost; if it dies, the delivery is
    unknown, which is the truth.
    """
    tries = 0
    while True:
        try:
            return store()
        except StoreError as err:
            wait = _PATIENCE[min(tries, len(_PATIENCE) - 1)]
            log.warning("an answer can't be stored yet. %s", err)
            time.sleep(wait)
            tries += 1


def _release_lane(connection: Connection, chat_id: str) -> None:
    """Make a lane due again for its next delivery, or close it when there is none."""
    chat = {"chat": chat_id}
    if connection.dialect.name == "postgresql":
        # A delivery that is just being added must be seen by the next query.
        connection.execute(_LOCK_LANE, chat)
    due_at = connection.scalar(_NEXT_DUE, chat)
    if due_at is None:
        connection.execute(_CLOSE_LANE, chat)
    else:
        connection.execute(_OPEN_LANE, {"chat": chat_id, "due": due_at})
