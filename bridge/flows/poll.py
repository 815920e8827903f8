"""Notifications by polling: receive, store, delete, and the next one.

One that was stored and not deleted comes again, and changes nothing.
"""

from __future__ import annotations

import logging
from typing import Protocol

from bridge.errors import Permanent, Retryable, SendError
from bridge.flows.receive import (
    OF_ANOTHER_INSTANCE,
    Outcome,
    Receiving,
    bury,
    receive,
)
from bridge.schedule import Schedule

log = logging.getLogger(__name__)

WHILE_REFUSED = 60.0  # seconds; GREEN-API takes as long to note a cleared webhookUrl


class Waiting(Protocol):
    """The head of GREEN-API's queue."""

    @property
    def receipt_id(self) -> int:
        """Its name for the deletion; another one when it comes again."""
        ...

    @property
    def body(self) -> object:
        """The notification, any JSON value."""
        ...


class Source(Protocol):
    """GREEN-API's queue of notifications; both methods raise SendError."""

    def receive_notification(self, timeout_seconds: int) -> Waiting | None:
        """Return the oldest notification, or None if none came in time."""
        ...

    def delete_notification(self, receipt_id: int) -> bool:
        """Delete a notification; return False if it was gone already."""
        ...


class Poller:
    """Takes notifications from GREEN-API's queue, one by one, in order.

    Only one may run for an instance. Not for several threads.

    Args:
        desk: where they are stored.
        source: where they wait.
        schedule: the pauses after a failure.
        wait_seconds: how long GREEN-API waits for one to come.
    """

    def __init__(
        self,
        desk: Receiving,
        source: Source,
        schedule: Schedule,
        wait_seconds: int = 20,
    ) -> None:
        self._desk = desk
        self._source = source
        self._schedule = schedule
        self._wait_seconds = wait_seconds
        self._stored: int | None = None  # a receipt id that is still to be deleted
        self._failures = 0
        self._has_complained = False

    def poll_once(self) -> float:
        """Take one notification; return how many seconds to rest before the next.

        Raises:
            StoreError: nothing was stored, so it was left in the queue.
        """
        try:
            if self._stored is None:
                self._stored = self._store_next()
            if self._stored is not None and not self._delete(self._stored):
                return self._rest()
        except SendError as err:
            return self._rest_after(err)
        self._failures, self._has_complained = 0, False
        return 0.0

    def _store_next(self) -> int | None:
        found = self._source.receive_notification(self._wait_seconds)
        if found is None:
            return None
        if receive(self._desk, found.body) is Outcome.FOREIGN:
            bury(self._desk, found.body, OF_ANOTHER_INSTANCE)
        return found.receipt_id

    def _delete(self, receipt_id: int) -> bool:
        """Delete a stored notification; False if it had another name by now."""
        is_deleted = self._source.delete_notification(receipt_id)
        self._stored = None
        return is_deleted

    def _rest_after(self, err: SendError) -> float:
        if isinstance(err, Permanent):
            self._stored = None  # it comes again, and is known then
            return self._complain(err)
        log.warning("no notifications from GREEN-API: %s", err.reason)
        return self._rest(err.retry_after if isinstance(err, Retryable) else None)

    def _complain(self, err: Permanent) -> float:
        if not self._has_complained:
            self._has_complained = True
            log.error(
                "GREEN-API refuses to hand out notifications (%s). As a rule its "
                "webhookUrl is set: clear it in the console, or set "
                "GREEN_API_RECEIVE=webhook.",
                err.reason,
            )
        return self._rest(WHILE_REFUSED)

    def _rest(self, asked: float | None = None) -> float:
        self._failures += 1
        return self._schedule.after_receive_failure(
            self._failures, asked
        ).total_seconds()
