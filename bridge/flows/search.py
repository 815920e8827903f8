"""What became of a text whose answer was lost.

::

    row UNKNOWN ─▶ search ─▶ echoes, queue, journal ─▶ found: row ACCEPTED …
                                                    └▶ not found in time: UNCONFIRMED,
                                                       and a person decides

Only a hit proves something. A miss counts as a look only while the account is usable:
else the text may wait in GREEN-API's queue, whose head is hidden and which the journal
does not show. Nothing is ever sent again from here.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from bridge.errors import SendError
from bridge.model import Sighting, Status
from bridge.ports import Clock
from bridge.reasons import Reason
from bridge.schedule import LOOKS, Schedule
from bridge.store.accounts import Accounts
from bridge.store.evidence import Evidence
from bridge.store.rows import Search

log = logging.getLogger(__name__)

AT_ONCE = 100  # deliveries that one look serves
SPARE_MINUTES = 2  # of journal, because clocks differ


class Records(Protocol):
    """What GREEN-API shows of the texts it has; both methods raise SendError."""

    def sightings_in_queue(self) -> list[Sighting]:
        """Return what waits in GREEN-API's own queue."""
        ...

    def sightings_in_journal(self, minutes: int) -> list[Sighting]:
        """Return what it sent for us in the last minutes."""
        ...


@dataclass(frozen=True, slots=True)
class Searching:
    """What the search needs: memory, GREEN-API, time, rules."""

    evidence: Evidence
    accounts: Accounts
    records: Records
    clock: Clock
    schedule: Schedule


def search(desk: Searching) -> float:
    """Look once for all deliveries that are due for it.

    Returns:
        Seconds to rest: GREEN-API takes each of the questions once a second.
    """
    due = desk.evidence.due(desk.clock(), AT_ONCE)
    if not due:
        return 0.0
    seen = list(_sightings(desk, due))
    complete = None not in seen
    chats = {each.delivery.chat_id for each in due}
    sightings = [sighting for sighting in seen if sighting is not None]
    found = set(desk.evidence.bind_seen(chats, sightings, desk.clock()))
    for delivery_id in found:
        log.info("delivery %s was found", delivery_id)
    counts = complete and desk.accounts.get().is_usable
    for each in due:
        if each.delivery.id not in found:
            _not_found(desk, each, counts=counts)
    return desk.schedule.between_searches().total_seconds()


def _sightings(desk: Searching, due: Iterable[Search]) -> Iterator[Sighting | None]:
    """Yield what GREEN-API shows; a None for each question it did not answer."""
    since = min(each.since for each in due)
    age = desk.clock() - since
    minutes = math.ceil(age / timedelta(minutes=1)) + SPARE_MINUTES
    questions = (
        desk.records.sightings_in_queue,
        lambda: desk.records.sightings_in_journal(minutes),
    )
    for ask in questions:
        try:
            yield from ask()
        except SendError as err:
            log.info("no evidence to be had at the moment: %s", err.reason)
            yield None


def _not_found(desk: Searching, search: Search, *, counts: bool) -> None:
    now = desk.clock()
    looks = search.looks_after(counts=counts)
    is_open = search.delivery.status is Status.UNKNOWN
    has_lasted = now - search.delivery.updated_at
    if is_open and looks >= len(LOOKS):
        _give_up(desk, search, Reason.NOT_FOUND)
    elif is_open and has_lasted > desk.schedule.search_life():
        _give_up(desk, search, Reason.NOT_SEARCHABLE)
    else:
        _look_later(desk, search, looks, counts=counts)


def _look_later(desk: Searching, search: Search, looks: int, *, counts: bool) -> None:
    now = desk.clock()
    wait = desk.schedule.next_look(looks)
    if not counts and (wait or search.is_asked):
        wait = desk.schedule.between_state_checks(is_on_hold=True)
    if now - search.since > desk.schedule.evidence_life():
        wait = None  # GREEN-API has long dropped what it had not sent
    next_at = now + wait if wait else None
    desk.evidence.looked(search, next_at, now, counts=counts)


def _give_up(desk: Searching, search: Search, reason: Reason) -> None:
    now = desk.clock()
    late = desk.schedule.next_look(len(LOOKS))
    desk.evidence.give_up(search, reason, now + late if late else None, now)
    log.error("delivery %s is unconfirmed: %s", search.delivery.id, reason)
