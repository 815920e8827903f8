"""Evidence: what GREEN-API shows of texts whose answer was lost, and receipts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import (
    Connection,
    String,
    bindparam,
    delete,
    exists,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from bridge.matching import Seen, Suspect, digest, match, other_names, seen_of
from bridge.model import (
    DOUBTFUL,
    ChatId,
    DeliveryId,
    MessageId,
    Note,
    Receipt,
    ReceiptStatus,
    Sighting,
    Status,
)
from bridge.reasons import Reason
from bridge.schedule import LOOKS, Schedule
from bridge.store.binding import bind, lock_message, owner_of, restand
from bridge.store.database import Database
from bridge.store.lanes import (
    CHANGE,
    NOW,
    THIS,
    one_by_one,
    release_lane,
    report_due,
)
from bridge.store.rows import SEARCH, Search, search_of
from bridge.store.tables import (
    IS_SENDING,
    Moment,
    aliases,
    deliveries,
    receipts,
    sightings,
)

OLD_NEWS = timedelta(hours=1)  # after that a missing receipt is no news

_DUE = (
    select(*SEARCH)
    .where(deliveries.c.look_at <= NOW)
    .order_by(deliveries.c.look_at, deliveries.c.seq)  # as the index has them
    .limit(bindparam("most"))
)
_CHATS = bindparam("chats", type_=String, expanding=True)
_SUSPECT = (
    deliveries.c.seq,
    deliveries.c.id,
    deliveries.c.chat_id,
    deliveries.c.text,
    deliveries.c.status,
    deliveries.c.left_at,
)
_HERE = deliveries.c.chat_id.in_(_CHATS)
# Two queries in one: each part has an index of its own.
_SUSPECTS = union_all(
    select(*_SUSPECT).where(_HERE, text("look_at IS NOT NULL")),
    select(*_SUSPECT).where(_HERE, text(IS_SENDING)),
)
_ALIASES = select(aliases.c.alias, aliases.c.chat_id).where(
    or_(aliases.c.chat_id.in_(_CHATS), aliases.c.alias.in_(_CHATS))
)
_ECHOES = select(
    sightings.c.id_message, sightings.c.chat_id, sightings.c.digest, sightings.c.sent_at
).where(sightings.c.digest.in_(bindparam("digests", expanding=True)))
_TAKEN = select(deliveries.c.id_message).where(
    deliveries.c.id_message.in_(bindparam("messages", expanding=True))
)
_ORIGIN_OF = select(deliveries.c.chat_id, deliveries.c.created_at).where(THIS)
_LOOKED = (
    update(deliveries)
    .where(THIS, deliveries.c.status.in_(list(DOUBTFUL)))
    .values(looks=bindparam("count"), look_at=bindparam("next", type_=Moment))
)
_ANSWER_REQUEST = (
    update(deliveries)
    .where(THIS, deliveries.c.look_asked.is_(True))
    .values(
        look_asked=None,
        looked_at=NOW,
        report_at=report_due(NOW),
    )
)
_GIVE_UP = (
    update(deliveries)
    .where(THIS, deliveries.c.status == Status.UNKNOWN)
    .values(
        status=Status.UNCONFIRMED,
        looks=bindparam("count"),
        look_at=bindparam("next", type_=Moment),
        reason=bindparam("why"),
        **CHANGE,
    )
)
_GOOD_NEWS = [ReceiptStatus.SENT, ReceiptStatus.DELIVERED, ReceiptStatus.READ]
_SILENT = (
    select(deliveries.c.id, deliveries.c.status)
    .where(deliveries.c.watch_at <= NOW)
    .where(deliveries.c.watch_at > bindparam("then", type_=Moment))
    # Where none ever come they are switched off, and a silence says nothing.
    .where(exists().where(receipts.c.status.in_(_GOOD_NEWS)))
    .limit(bindparam("most"))
)
_FORGET_SILENCE = (
    update(deliveries)
    .where(deliveries.c.watch_at <= bindparam("then", type_=Moment))
    .values(watch_at=None)
)
_NOTE = (
    update(deliveries)
    .where(THIS, deliveries.c.status == bindparam("while"))
    .values(watch_at=None, note=bindparam("note"), report_at=report_due(NOW))
)
_SILENCES = {Status.SENT: Note.STUCK, Status.ACCEPTED: Note.NO_RECEIPT}


class Evidence:
    """What is known of messages beyond GREEN-API's own answers."""

    def __init__(self, database: Database, schedule: Schedule) -> None:
        self._database = database
        self._schedule = schedule
        dialect = sqlite if database.is_sqlite else postgresql
        self._add_receipt = (
            dialect.insert(receipts)
            .on_conflict_do_nothing()
            .returning(receipts.c.status)  # nothing comes back from a conflict
        )
        self._add_sighting = dialect.insert(sightings).on_conflict_do_nothing()
        self._add_alias = dialect.insert(aliases).on_conflict_do_nothing()

    # --- what notifications bring -------------------------------------------------

    def add_receipt(self, receipt: Receipt, now: datetime) -> timedelta | None:
        """Store WhatsApp's word on a message, whoever's it turns out to be.

        A receipt may come before the answer that tells whose it is, twice, or in any
        order.

        Returns:
            For how long the delivery had been in the outbox; None if this is no news
            of a delivery that is known by now.

        Raises:
            StoreError: nothing was stored.
        """
        row = {
            "id_message": receipt.id_message,
            "status": receipt.status,
            "received_at": now,
        }
        with self._database.write() as connection:
            lock_message(connection, receipt.id_message)
            added = connection.execute(self._add_receipt, row).one_or_none()
            owner = owner_of(connection, receipt.id_message)
            if owner is None:
                return None
            chat_id, created_at = _origin_of(connection, owner)
            if added is not None:
                message = receipt.id_message
                restand(connection, owner, chat_id, message, now, self._schedule)
            self._learn(connection, receipt.chat_id, chat_id, now)
            return None if added is None else now - created_at

    def add_sighting(self, sighting: Sighting, now: datetime) -> None:
        """Store an echo: GREEN-API has this text under this id.

        If a delivery whose answer was lost is waiting for just that, they are bound.

        Raises:
            StoreError: nothing was stored.
        """
        sent_at = sighting.sent_at or now
        row = {
            "id_message": sighting.id_message,
            "chat_id": sighting.chat_id,
            "digest": digest(sighting.text),
            "sent_at": sent_at,
            "received_at": now,
        }
        with self._database.write() as connection:
            lock_message(connection, sighting.id_message)
            owner = owner_of(connection, sighting.id_message)
            if owner is not None:
                chat_id, _ = _origin_of(connection, owner)
                self._learn(connection, sighting.chat_id, chat_id, now)
                return
            connection.execute(self._add_sighting, row)
            self._bind_all(connection, [sighting.chat_id], [seen_of(sighting)], now)

    # --- the search ---------------------------------------------------------------

    def due(self, now: datetime, most: int) -> list[Search]:
        """Return deliveries that evidence is to be looked for, longest due first."""
        with self._database.read() as connection:
            rows = connection.execute(_DUE, {"now": now, "most": most})
            return [search_of(row) for row in rows]

    def bind_seen(
        self, chats: Iterable[ChatId], sightings: Iterable[Sighting], now: datetime
    ) -> list[DeliveryId]:
        """Bind what queue, journal and echoes show; return the deliveries found."""
        with self._database.write() as connection:
            one_by_one(connection)
            seen = [seen_of(sighting) for sighting in sightings]
            return self._bind_all(connection, chats, seen, now)

    def looked(
        self, search: Search, next_at: datetime | None, now: datetime, *, counts: bool
    ) -> None:
        """Store that nothing was found, and when to look next.

        ``counts`` is False if the look could not have found anything.
        """
        looks = search.looks_after(counts=counts)
        row = {"this": search.delivery.id, "count": looks, "next": next_at}
        with self._database.write() as connection:
            connection.execute(_LOOKED, row)
            if counts:
                request = {"this": search.delivery.id, "now": now}
                connection.execute(_ANSWER_REQUEST, request)

    def give_up(
        self, search: Search, reason: Reason, next_at: datetime | None, now: datetime
    ) -> None:
        """Store that a person must decide; the chat's next delivery may leave."""
        row = {
            "this": search.delivery.id,
            "count": len(LOOKS),
            "next": next_at,
            "why": reason,
            "now": now,
        }
        with self._database.write() as connection:
            connection.execute(_GIVE_UP, row)
            release_lane(connection, search.delivery.chat_id, None)

    def note_silence(self, now: datetime, most: int = 100) -> int:
        """Have a note posted where no receipt came for long; return how many.

        Only if the account gets receipts at all, and only while that is news.
        """
        span = {"now": now, "then": now - OLD_NEWS, "most": most}
        with self._database.write() as connection:
            silent = connection.execute(_SILENT, span).all()
            for row in silent:
                status = Status(row.status)
                note = _SILENCES.get(status)
                values = {"this": row.id, "while": status, "note": note, "now": now}
                connection.execute(_NOTE, values)
        return len(silent)

    def prune(self, now: datetime) -> None:
        """Forget what has had its time: receipts after 30 days, echoes after two."""
        month, two_days = now - timedelta(days=30), now - timedelta(days=2)
        with self._database.write() as connection:
            connection.execute(delete(receipts).where(receipts.c.received_at < month))
            connection.execute(
                delete(sightings).where(sightings.c.received_at < two_days)
            )
            connection.execute(_FORGET_SILENCE, {"then": now - OLD_NEWS})

    # --- matching -----------------------------------------------------------------

    def _bind_all(
        self,
        connection: Connection,
        chats: Iterable[ChatId],
        seen: list[Seen],
        now: datetime,
    ) -> list[DeliveryId]:
        suspects = _suspects(connection, chats)
        seen = seen + _echoes(connection, suspects)
        found = match(suspects, seen, _taken(connection, seen))
        return [
            delivery_id
            for delivery_id, id_message in found.items()
            if self._bind_one(connection, delivery_id, id_message, now)
        ]

    def _bind_one(
        self,
        connection: Connection,
        delivery_id: DeliveryId,
        id_message: MessageId,
        now: datetime,
    ) -> bool:
        chat_id, _ = _origin_of(connection, delivery_id)
        if not bind(connection, delivery_id, chat_id, id_message, now, self._schedule):
            return False
        release_lane(connection, chat_id, None)
        return True

    def _learn(
        self,
        connection: Connection,
        name: ChatId | None,
        chat_id: ChatId,
        now: datetime,
    ) -> None:
        """Remember under which other id a chat appears, now that it is certain."""
        if name and name.endswith("@lid") and chat_id.endswith("@c.us"):
            row = {"alias": name, "chat_id": chat_id, "learned_at": now}
            connection.execute(self._add_alias, row)


def _suspects(connection: Connection, chats: Iterable[ChatId]) -> list[Suspect]:
    """Return the deliveries of these chats that may have been sent."""
    everybody = {
        name for names in _known_as(connection, chats).values() for name in names
    }
    rows = connection.execute(_SUSPECTS, {"chats": list(everybody)}).all()
    rows = sorted(rows, key=lambda row: int(row.seq))
    names = _known_as(connection, {row.chat_id for row in rows})
    return [
        Suspect(
            id=row.id,
            names=names[row.chat_id],
            digest=digest(row.text),
            since=row.left_at,
            is_sending=row.status == Status.SENDING,
        )
        for row in rows
    ]


def _known_as(
    connection: Connection, chats: Iterable[ChatId]
) -> dict[ChatId, frozenset[ChatId]]:
    """Return all names of each chat: other spellings of its number, its ``@lid``."""
    spelled = {chat_id: other_names(chat_id) for chat_id in chats}
    everybody = [name for names in spelled.values() for name in names]
    pairs = connection.execute(_ALIASES, {"chats": everybody}).all()
    return {
        chat_id: names.union(
            *({pair.alias, pair.chat_id} for pair in pairs if names & set(pair))
        )
        for chat_id, names in spelled.items()
    }


def _echoes(connection: Connection, suspects: Iterable[Suspect]) -> list[Seen]:
    """Return echoes of these texts that came when nobody was waiting for them."""
    digests = list({suspect.digest for suspect in suspects})
    rows = connection.execute(_ECHOES, {"digests": digests})
    return [Seen(row.id_message, row.chat_id, row.digest, row.sent_at) for row in rows]


def _taken(connection: Connection, seen: Iterable[Seen]) -> set[MessageId]:
    messages = list({each.id_message for each in seen})
    return set(connection.scalars(_TAKEN, {"messages": messages}))


def _origin_of(
    connection: Connection, delivery_id: DeliveryId
) -> tuple[ChatId, datetime]:
    """Return the chat of a delivery, and when it was stored."""
    row = connection.execute(_ORIGIN_OF, {"this": delivery_id}).one()
    return row.chat_id, row.created_at
