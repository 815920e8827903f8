"""Known faults, planted into the bridge: the harness has to find each of them.

They are the protocols that other bots use, and the mistakes that are easily made. A
planted one runs inside the bridge's own process, before ``bridge run`` begins.
"""

from __future__ import annotations

import importlib
import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from chaos.promises import Kind


def repeats() -> None:
    """Sends again when an answer was lost, as most bots do."""
    from bridge.errors import Unknown
    from bridge.whatsapp.client import GreenApi

    send = GreenApi.send_message

    def send_message(self: GreenApi, *args: Any, **options: Any) -> Any:
        for _ in range(2):
            try:
                return send(self, *args, **options)
            except Unknown:
                continue
        return send(self, *args, **options)

    _put(GreenApi, "send_message", send_message)


def redoes() -> None:
    """Sends again whatever was under way when the process died."""
    from bridge.model import Status
    from bridge.store import replicas

    _put(replicas, "_LOSE_ANSWERS", replicas._LOSE_ANSWERS.values(status=Status.QUEUED))


def gives_up() -> None:
    """Calls a lost answer a failure."""
    from bridge.errors import Permanent, Unknown
    from bridge.reasons import Reason
    from bridge.whatsapp.client import GreenApi

    send = GreenApi.send_message

    def send_message(self: GreenApi, *args: Any, **options: Any) -> Any:
        try:
            return send(self, *args, **options)
        except Unknown:
            raise Permanent(Reason.BAD_REQUEST) from None

    _put(GreenApi, "send_message", send_message)


def decides_by_itself() -> None:
    """Sends again, unasked, what was not found."""
    from bridge.flows import search
    from bridge.model import NewDelivery, Status
    from bridge.reasons import Reason
    from bridge.store.outbox import Outbox

    give_up, begin, outboxes = search._give_up, Outbox.__init__, list[Outbox]()

    def remember(self: Outbox, *args: Any, **options: Any) -> None:
        begin(self, *args, **options)
        outboxes.append(self)

    def give_up_and_send(desk: Any, found: Any, reason: Any) -> None:
        give_up(desk, found, reason)
        delivery, now = found.delivery, desk.clock()
        closed = replace(delivery, status=Status.UNCONFIRMED)
        again = NewDelivery(
            source=f"retry:{delivery.id}",
            chat_id=delivery.chat_id,
            text=delivery.text,
            caller=delivery.caller,
            retry_of=delivery.id,
        )
        life = desk.schedule.expiry()
        outboxes[-1].close_unconfirmed(closed, Reason.SENT_AGAIN, now, again, life)

    _put(Outbox, "__init__", remember)
    _put(search, "_give_up", give_up_and_send)


def deletes_first() -> None:
    """Deletes a notification before it is stored."""
    from bridge.whatsapp.client import GreenApi

    receive, delete = GreenApi.receive_notification, GreenApi.delete_notification

    def receive_notification(self: GreenApi, seconds: int) -> Any:
        found = receive(self, seconds)
        if found is not None:
            delete(self, found.receipt_id)
        return found

    _put(GreenApi, "receive_notification", receive_notification)
    _put(GreenApi, "delete_notification", lambda _self, _receipt_id: True)


def forgets_commands() -> None:
    """Recognises a repeated command by memory alone."""
    listeners: Any = importlib.import_module("bridge.slack.listeners")
    request, seen = listeners.request_delivery, dict[str, str]()

    def request_delivery(outbox: Any, new: Any, *args: Any) -> Any:
        name = seen.setdefault(new.source, f"{new.source}:{secrets.token_hex(4)}")
        return request(outbox, replace(new, source=name), *args)

    _put(listeners, "request_delivery", request_delivery)


def ignores_repeats() -> None:
    """Takes a repeated delivery for one that it has had."""
    from bridge.slack.app import SocketConnection

    enqueue = SocketConnection.enqueue_message

    def enqueue_first_only(self: Any, message: str) -> None:
        if not message.startswith("{") or not json.loads(message).get("retry_attempt"):
            enqueue(self, message)

    _put(SocketConnection, "enqueue_message", enqueue_first_only)


def believes_the_last_tick() -> None:
    """Lets a receipt that came late overwrite a better one."""
    from bridge.store import evidence

    add = evidence.Evidence.add_receipt

    def add_receipt(self: Any, receipt: Any, now: datetime) -> None:
        from sqlalchemy import delete

        from bridge.store.tables import receipts

        with self._database.write() as connection:
            mine = receipts.c.id_message == receipt.id_message
            connection.execute(delete(receipts).where(mine))
        add(self, receipt, now)

    _put(evidence.Evidence, "add_receipt", add_receipt)


MUTANTS: dict[str, tuple[Callable[[], None], frozenset[Kind]]] = {
    "repeats": (repeats, frozenset({Kind.DOUBLED})),
    "redoes": (redoes, frozenset({Kind.DOUBLED})),
    "gives up": (gives_up, frozenset({Kind.FALSE_CLAIM})),
    "decides by itself": (decides_by_itself, frozenset({Kind.DOUBLED})),
    "deletes first": (
        deletes_first,
        frozenset({Kind.WRONG_TICK, Kind.INBOUND_LOST, Kind.UNSEEN_EVIDENCE}),
    ),
    "forgets commands": (forgets_commands, frozenset({Kind.STORED_THOUGH_REFUSED})),
    "ignores repeats": (ignores_repeats, frozenset({Kind.LATE_ACK})),
    "believes the last tick": (believes_the_last_tick, frozenset({Kind.WRONG_TICK})),
}
"""Name, what plants it, and one of the broken promises by which it is found."""


def plant(name: str) -> None:
    """Make this process a bridge with a known fault."""
    MUTANTS[name][0]()


def planted_in(folder: Path, name: str) -> str:
    """Return a folder for the beginning of ``PYTHONPATH`` that plants a fault."""
    folder.mkdir(parents=True)
    (folder / "sitecustomize.py").write_text(
        f"from chaos.mutants import plant\n\nplant({name!r})\n", "utf-8"
    )
    return str(folder)


def _put(where: object, name: str, what: object) -> None:
    getattr(where, name)  # renamed since: then the fault must be planted elsewhere
    setattr(where, name, what)
