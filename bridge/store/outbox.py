"""The outbox: deliveries, the attempts to send them, and the lanes that order them."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from bridge.errors import CommitUnknown, NotStored, StoreError
from bridge.model import (
    ChatId,
    Delivery,
    DeliveryId,
    MessageId,
    NewDelivery,
    Status,
)
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.store import crowd
from bridge.store import outbox_queries as sql
from bridge.store.binding import bind
from bridge.store.crowd import Limits
from bridge.store.database import Database
from bridge.store.lanes import (
    IS_WAITING,
    lock_lane,
    one_by_one,
    release_lane,
)
from bridge.store.room import Room
from bridge.store.rows import DELIVERY, delivery_of, new_row
from bridge.store.spool import Spool
from bridge.store.tables import (
    deliveries,
    lanes,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

NO_LIMITS = Limits(0, 0, 0)

_PATIENCE = (0.1, 0.5, 1.0, 2.0, 5.0)  # seconds between tries to store an answer
_TRIES_BEFORE_SPOOLING = 2


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a request: its delivery, and whether it was new."""

    id: DeliveryId
    is_new: bool


class Outbox:
    """The truth about every delivery.

    Args:
        database: where it is kept.
        schedule: when to look for evidence, when a silence is worth a note.
        spool: where an ``idMessage`` goes that the database can't take.
        room: refuses new requests when the disk is nearly full; None: its own.
        limits: how much may wait.
    """

    def __init__(
        self,
        database: Database,
        schedule: Schedule,
        spool: Spool,
        room: Room | None = None,
        limits: Limits = NO_LIMITS,
    ) -> None:
        self._database = database
        self._schedule = schedule
        self._spool = spool
        self._limits = limits
        self._room = room or Room(database.path.parent if database.path else None)
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
            NoRoom: the disk is nearly full.
            TooMany: one more would only wait.
            SameAgain: the same person just asked for the same.
            CommitUnknown: the database was lost in the middle of the commit and can't
                be asked: it may be stored.
            StoreError: the database can't store anything at the moment.
        """
        self._room.check()
        try:
            with self._database.write(deadline) as connection:
                stored = self.add_in(connection, new, now, time_to_live)
                if stored.is_new:
                    crowd.check(connection, new, now, self._limits)
                return stored
        except CommitUnknown:
            return self._add_again(new, now, time_to_live, deadline)

    def _add_again(
        self,
        new: NewDelivery,
        now: datetime,
        time_to_live: timedelta,
        deadline: float | None,
    ) -> Stored:
        """Find what may have been stored, or store it now.

        Looking alone would not do: the server may still be in the middle of that
        commit. The same ``source`` once more waits for its end.
        """
        try:
            with self._database.write() as connection:
                stored = self.add_in(connection, new, now, time_to_live)
                is_late = deadline is not None and time.monotonic() > deadline
                if stored.is_new and is_late:
                    raise NotStored("too late")
        except StoreError as err:
            raise CommitUnknown(str(err)) from None
        return Stored(stored.id, is_new=True)

    def add_in(
        self,
        connection: Connection,
        new: NewDelivery,
        now: datetime,
        time_to_live: timedelta,
    ) -> Stored:
        """Store a request inside the caller's transaction."""
        delivery_id = DeliveryId(secrets.token_hex(16))
        row = new_row(delivery_id, new, now, time_to_live)
        if connection.execute(self._add, row).one_or_none() is not None:
            lane = {"chat_id": new.chat_id, "due_at": now}
            connection.execute(self._touch_lane, lane)
            if not self._database.is_sqlite:
                connection.execute(sql.NOTIFY)  # other replicas may have a free hand
            return Stored(delivery_id, is_new=True)
        first = connection.execute(sql.FIND_SOURCE, {"source": new.source})
        return Stored(first.scalar_one(), is_new=False)

    # --- the lanes ----------------------------------------------------------------

    def chats_due(self, now: datetime, limit: int) -> list[ChatId]:
        """Return chats whose first waiting delivery is due, longest due first.

        None while the WhatsApp account is on hold.
        """
        with self._database.read() as connection:
            values = {"now": now, "most": limit}
            return list(connection.scalars(sql.CHATS_DUE, values))

    def head(self, chat_id: ChatId) -> Delivery | None:
        """Return the delivery whose turn it is in a chat."""
        with self._database.read() as connection:
            row = connection.execute(sql.HEAD, {"chat": chat_id}).one_or_none()
        return None if row is None else delivery_of(row)

    def begin_attempt(self, delivery: Delivery, words: str, now: datetime) -> bool:
        """Store that one POST of ``words`` is about to be made.

        False when the lane is no longer free: somebody else is sending, or this copy
        counts as dead.
        """
        chat = {"chat": delivery.chat_id, "now": now}
        before = {"this": delivery.id, "before": delivery.attempts}
        attempt = {"delivery_id": delivery.id, "n": delivery.attempts + 1}
        lane = {**chat, "owner": self._database.owner}
        try:
            with self._database.write() as connection:
                if connection.execute(sql.TAKE_LANE, lane).rowcount != 1:
                    return False
                row = {**chat, **before, "words": words}
                if connection.execute(sql.TAKE_DELIVERY, row).rowcount != 1:
                    self._release(connection, delivery.chat_id)
                    return False
                connection.execute(sql.ADD_ATTEMPT, {**attempt, "started_at": now})
                return True
        except CommitUnknown:
            return _insist(lambda: self._has_begun(delivery, lane["owner"]))

    def accept(self, delivery: Delivery, id_message: MessageId, now: datetime) -> bool:
        """Store GREEN-API's word that it took the text.

        It counts however late it comes. False if it can't be true: the same
        ``idMessage`` belongs to another delivery; then this one is unknown.
        """

        def store() -> bool:
            with self._database.write() as connection:
                return self._accept(connection, delivery, id_message, now)

        def spool() -> None:
            self._spool.add(delivery.id, id_message)

        return _insist(store, spool)

    def _accept(
        self,
        connection: Connection,
        delivery: Delivery,
        id_message: MessageId,
        now: datetime,
    ) -> bool:
        chat_id = delivery.chat_id
        schedule = self._schedule
        if bind(connection, delivery.id, chat_id, id_message, now, schedule):
            end = {"outcome": "accepted", "why": None}
            self._end_attempt(connection, delivery, end, now)
            self._release(connection, chat_id)
            return True
        self._lose(connection, delivery, Reason.GARBLED, now)
        return False

    def accept_spooled(self, now: datetime) -> int:
        """Store what could only be spooled; return how many answers that saved."""
        saved = 0
        for delivery_id, id_message in self._spool.entries():
            delivery = self.get(delivery_id)
            if delivery is not None and not delivery.status.is_accepted:
                before = replace(delivery, attempts=delivery.attempts - 1)
                with self._database.write() as connection:
                    saved += self._accept(connection, before, id_message, now)
        self._spool.clear()
        return saved

    def lose(self, delivery: Delivery, reason: Reason, now: datetime) -> None:
        """Store that an attempt may or may not have been accepted.

        Evidence will be looked for; until it is found, or is known not to come, the
        chat's next delivery waits.
        """

        def store() -> None:
            with self._database.write() as connection:
                self._lose(connection, delivery, reason, now)

        _insist(store)

    def _lose(
        self, connection: Connection, delivery: Delivery, reason: Reason, now: datetime
    ) -> None:
        look = self._schedule.next_look(0)
        end = _End(
            "unknown",
            Status.UNKNOWN,
            delivery.due_at,
            reason,
            is_lost=True,
            look_at=now + look if look else None,
        )
        self._end(connection, delivery, end, now)

    def fail(self, delivery: Delivery, reason: Reason, now: datetime) -> None:
        """Store that an attempt was refused for good."""
        end = _End("permanent", Status.FAILED, delivery.due_at, reason)
        self._insist_on_end(delivery, end, now)

    def put_back(
        self,
        delivery: Delivery,
        status: Status,
        reason: str,
        due_at: datetime,
        now: datetime,
    ) -> None:
        """Store that nothing was accepted and the delivery waits until ``due_at``."""
        self._insist_on_end(delivery, _End("retryable", status, due_at, reason), now)

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

    def expire(self, now: datetime, most: int = 500) -> int:
        """Give up whatever waited too long, wherever in its lane; return how many."""
        with self._database.write() as connection:
            one_by_one(connection)
            expired = connection.execute(sql.EXPIRED, {"now": now, "most": most}).all()
            chats = sorted({row.chat_id for row in expired})
            for chat_id in chats:
                lock_lane(connection, chat_id)
            for row in expired:
                connection.execute(sql.EXPIRE, {"this": row.id, "now": now})
            for chat_id in chats:
                release_lane(connection, chat_id, None)
        return len(expired)

    def tidy(self, chat_id: ChatId) -> None:
        """Close a lane in which nothing waits any more."""
        with self._database.write() as connection:
            release_lane(connection, chat_id, None)

    def sending_in(self, chat_id: ChatId) -> Delivery | None:
        """Return the delivery of a chat whose POST may be under way."""
        with self._database.read() as connection:
            row = connection.execute(sql.SENDING_IN, {"chat": chat_id}).one_or_none()
        return None if row is None else delivery_of(row)

    # --- what a person decides ----------------------------------------------------

    def close_unconfirmed(
        self,
        delivery: Delivery,
        reason: Reason,
        now: datetime,
        again: NewDelivery | None = None,
        time_to_live: timedelta = timedelta(0),
    ) -> bool:
        """Store a person's decision, and the copy to send if there is to be one.

        False if the delivery is not unconfirmed any more: decided, or found. Of many
        presses at once only one gets True.

        Raises:
            StoreError: nothing was stored.
        """
        row = {"this": delivery.id, "why": reason, "now": now}
        with self._database.write() as connection:
            if connection.execute(sql.PRESSED, row).rowcount != 1:
                return False
            if again is not None:
                self.add_in(connection, again, now, time_to_live)
        return True

    def look_again(self, delivery: Delivery, now: datetime) -> bool:
        """Have evidence looked for at once; False if it is not unconfirmed any more."""
        with self._database.write() as connection:
            row = {"this": delivery.id, "now": now}
            return connection.execute(sql.LOOK_NOW, row).rowcount == 1

    # --- ends of an attempt -------------------------------------------------------

    def _insist_on_end(self, delivery: Delivery, end: _End, now: datetime) -> None:
        def store() -> None:
            with self._database.write() as connection:
                self._end(connection, delivery, end, now)

        _insist(store)

    def _end(
        self, connection: Connection, delivery: Delivery, end: _End, now: datetime
    ) -> None:
        row = {
            "this": delivery.id,
            "attempt": delivery.attempts + 1,
            "becomes": end.status,
            "why": end.reason,
            "due": end.due_at,
            "lost": end.is_lost,
            "look": end.look_at,
            "now": now,
        }
        connection.execute(sql.END_SENDING, row)
        told = {"outcome": end.outcome, "why": end.reason}
        self._end_attempt(connection, delivery, told, now)
        self._release(connection, delivery.chat_id)

    def _end_attempt(
        self,
        connection: Connection,
        delivery: Delivery,
        told: dict[str, str | None],
        now: datetime,
    ) -> None:
        row = {"this": delivery.id, "attempt": delivery.attempts + 1, "now": now}
        connection.execute(sql.END_ATTEMPT, {**row, **told})

    def _release(self, connection: Connection, chat_id: ChatId) -> None:
        release_lane(connection, chat_id, self._database.owner)

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
            lock_lane(connection, delivery.chat_id)
            connection.execute(sql.CHANGE_WAITING, values)
            release_lane(connection, delivery.chat_id, None)

    def _has_begun(self, delivery: Delivery, owner: object) -> bool:
        attempt = {"this": delivery.id, "attempt": delivery.attempts + 1}
        with self._database.write() as connection:
            # The server may still be in the middle of that commit: it has the lane
            # locked. Or nothing came of it, and another copy made this attempt.
            if lock_lane(connection, delivery.chat_id) != owner:
                return False
            return (
                connection.execute(sql.FIND_ATTEMPT, attempt).one_or_none() is not None
            )

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
            count, oldest = connection.execute(query.where(IS_WAITING)).one()
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
    is_lost: bool = False  # False: it certainly was not sent
    look_at: datetime | None = None


def _insist(store: Callable[[], T], spool: Callable[[], None] | None = None) -> T:
    """Store an answer that exists nowhere else, however long the disk makes us wait.

    While this process lives the answer is not lost. What it says may be spooled in
    case it dies; if even that fails, the delivery is unknown, which is the truth.
    """
    tries = 0
    while True:
        try:
            return store()
        except StoreError as err:
            wait = _PATIENCE[min(tries, len(_PATIENCE) - 1)]
            log.warning("an answer can't be stored yet. %s", err)
            tries += 1
            if spool is not None and tries == _TRIES_BEFORE_SPOOLING:
                spool()
            time.sleep(wait)
