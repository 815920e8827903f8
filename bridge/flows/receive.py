"""The way in from GREEN-API.

::

    Poller ──┐
             ├─▶ receive ─▶ parse ─▶ COMMIT ─▶ delete, or 200
    webhook ─┘

A notification leaves GREEN-API's queue only after its row is on the disk, so a crash
in between brings it again, and it is stored once. One that can't be understood is
buried: kept, counted, and never in the way of those behind it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto

from bridge.errors import StoreError
from bridge.model import (
    Incoming,
    Irrelevant,
    Notice,
    Odd,
    Receipt,
    ReceiptStatus,
    Sighting,
    StateHint,
)
from bridge.ports import Clock
from bridge.store.evidence import Evidence
from bridge.store.inbox import Inbox

log = logging.getLogger(__name__)

OF_ANOTHER_INSTANCE = "of another instance"  # the parser's word for it
STRIKES = 3

Parse = Callable[[object, str, datetime], Notice]
"""Returns what a JSON value says to an instance at a moment; never raises."""


class Outcome(StrEnum):
    """What became of a notification; after each of them it may be let go."""

    TAKEN = auto()  # it is stored, or was already
    IGNORED = auto()  # there is nothing to store
    BURIED = auto()  # it makes no sense, and is kept as it is
    FOREIGN = auto()  # it is of another instance; nothing was stored


def _nobody() -> None:
    """Wake nobody."""


@dataclass(frozen=True, slots=True)
class Receiving:
    """What the way in needs; the last three wake the lanes that have news.

    ``counted`` is told of each tick how old its delivery was, in seconds.
    """

    parse: Parse
    evidence: Evidence
    inbox: Inbox
    clock: Clock
    id_instance: str
    counted: Callable[[ReceiptStatus, float], None] = lambda _status, _seconds: None
    on_receipt: Callable[[], None] = _nobody
    on_sighting: Callable[[], None] = _nobody
    on_state: Callable[[], None] = _nobody


def receive_text(desk: Receiving, raw: bytes) -> Outcome:
    """Store a notification that came as bytes; as ``receive`` otherwise."""
    try:
        body = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return bury(desk, raw.decode("utf-8", "replace"), "not JSON")
    return receive(desk, body)


def receive(desk: Receiving, body: object) -> Outcome:
    """Store one notification; when this returns, it is on the disk.

    Args:
        desk: the memory and whom to wake.
        body: the notification, any JSON value.

    Raises:
        StoreError: nothing was stored; it has to come again.
    """
    for _ in range(STRIKES):
        try:
            return _take(desk, body)
        except StoreError:
            raise
        except Exception as err:  # noqa: BLE001 - whatever it is, others wait behind it
            # Not its text or traceback: they may quote the notification.
            log.warning("a notification could not be taken: %s", type(err).__name__)
    return bury(desk, body, "it can't be taken")


def _take(desk: Receiving, body: object) -> Outcome:
    now = desk.clock()
    match desk.parse(body, desk.id_instance, now):
        case Receipt() as receipt:
            _take_receipt(desk, receipt, now)
        case Sighting() as sighting:
            desk.evidence.add_sighting(sighting, now)
            desk.on_sighting()
        case StateHint():
            desk.on_state()
        case Incoming(key):
            desk.inbox.keep(key, _as_json(body), now)
        case Irrelevant():
            return Outcome.IGNORED
        case Odd(why) if why == OF_ANOTHER_INSTANCE:
            return Outcome.FOREIGN
        case Odd(why):
            return bury(desk, body, why)
    return Outcome.TAKEN


def _take_receipt(desk: Receiving, receipt: Receipt, now: datetime) -> None:
    age = desk.evidence.add_receipt(receipt, now)
    if age is not None:
        desk.counted(receipt.status, age.total_seconds())
    desk.on_receipt()


def bury(desk: Receiving, body: object, why: str) -> Outcome:
    """Put a notification aside for good; ``why`` is for the log and never quotes it.

    Raises:
        StoreError: it was not stored.
    """
    try:
        desk.inbox.bury(_as_json(body), why, desk.clock())
    except StoreError:
        raise
    except Exception as err:  # noqa: BLE001 - its text quotes the notification
        kind = type(err).__name__
        raise StoreError(f"A notification can't be put aside ({kind}).") from None
    log.warning("a notification makes no sense and was put aside: %s", why)
    return Outcome.BURIED


def _as_json(body: object) -> str:
    try:
        return json.dumps(body, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""  # a number or a depth that JSON's own reader would refuse
