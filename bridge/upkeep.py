"""What a running copy does besides sending and telling, and which copy does it.

Every copy beats, and judges copies that do not. One of them, the leader, also polls
notifications, searches for lost answers, watches the account and drops what is too
old. The beats have a thread of their own: a slow GREEN-API must not make a copy look
dead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.clock import SteadyClock
from bridge.errors import StoreError
from bridge.flows.poll import Poller
from bridge.flows.search import Searching, search
from bridge.flows.watch import Watch, tell_admins, watch
from bridge.schedule import Schedule
from bridge.store import Store
from bridge.store.marker import Marker
from bridge.worker import Lanes

log = logging.getLogger(__name__)

DRIFT = timedelta(seconds=60)  # a clock set by so much is worth a word


@dataclass(slots=True)
class Upkeep:
    """The running copy among its equals.

    Attributes:
        polled_at: when notifications were last asked for with success.
    """

    store: Store
    marker: Marker
    clock: SteadyClock
    schedule: Schedule
    watching: Watch
    id_instance: str
    clock_ahead: Callable[[], timedelta] = timedelta
    has_lead: bool = False
    beaten_at: datetime | None = None
    pruned_at: datetime | None = None
    mended_at: datetime | None = None
    polled_at: datetime | None = None
    has_warned: bool = False

    def begin(self) -> None:
        """Become a replica, and judge what dead copies left behind.

        Raises:
            StoreError: the database can't be used.
        """
        now = self.clock()
        marked = self.marker.read()
        self.store.replicas.join(now)
        self.store.accounts.use(self.id_instance)
        if marked > self.store.replicas.beats():
            doubtful = self.store.replicas.doubt_everything(now, marked)
            log.error(
                "the database was restored from a backup: %d deliveries that wait in "
                "it may have been sent since, and are looked for",
                doubtful,
            )
        saved = self.store.outbox.accept_spooled(now)
        if saved:
            log.info("%d answers came back from the spool", saved)
        self.beat()

    @property
    def is_leader(self) -> bool:
        """Whether this copy does what only one may do.

        Not for longer than the others take it for alive: after that one of them may
        be the leader, and this copy may not have heard of it yet.
        """
        return self.has_lead and not self._was_away(self.clock())

    def step(self) -> float:
        """Do what is due; return how many seconds to rest."""
        now = self.clock()
        if self.beaten_at is None or (
            now - self.beaten_at >= self.schedule.between_beats()
        ):
            self.beat()
        return self.keep_house()

    def beat(self) -> float:
        """Show that this copy lives, judge those that don't; return as ``step``."""
        now = self.clock()
        replicas = self.store.replicas
        if not replicas.beat(now):
            log.error("this copy was taken for dead; it goes on as a new one")
            replicas.join(now)
        # If the database was away, so it was for the others: they get their time.
        lost = 0 if self._was_away(now) else replicas.judge(now)
        if lost:
            log.error("%d deliveries are unknown: a copy died sending them", lost)
        had_lead, self.has_lead = self.has_lead, replicas.lead()
        self.beaten_at = now
        if self.has_lead and not had_lead:
            log.info("this copy polls, searches and keeps house")
        self.marker.write(replicas.beats())
        return self.schedule.between_beats().total_seconds()

    def end(self) -> None:
        """Be a replica no more; others take over at once."""
        try:
            self.store.replicas.leave()
            self.marker.write(self.store.replicas.beats())
        except StoreError as err:  # the others will notice that the beats end
            log.warning("this copy can't say that it ends. %s", err)

    def _was_away(self, now: datetime) -> bool:
        life = self.schedule.beat_life()
        return self.beaten_at is not None and now - self.beaten_at >= life

    def keep_house(self) -> float:
        """Do what only the leader does; return how many seconds to rest."""
        if self.is_leader:
            self._keep_house(self.clock())
        return self.schedule.between_messages().total_seconds()

    def _keep_house(self, now: datetime) -> None:
        watch(self.watching)
        tell_admins(self.watching)
        account = self.store.accounts.get()
        if account.hold is not None:
            self.store.accounts.hold(account.hold, now)  # also what came since
        self.store.outbox.expire(now)
        if account.is_usable:
            self.store.evidence.note_silence(now)
        if self.mended_at is None or (
            now - self.mended_at >= self.schedule.between_repairs()
        ):
            if mended := self.store.replicas.mend(now):
                log.error("%d chats stood still for no reason and go on", mended)
            self.mended_at = now
        if self.pruned_at is None or now - self.pruned_at >= timedelta(hours=1):
            self.store.evidence.prune(now)
            self.store.inbox.prune(now - timedelta(days=30))
            self.pruned_at = now
        self._mind_the_clock()

    def _mind_the_clock(self) -> None:
        drift, ahead = self.clock.drift(), self.clock_ahead()
        if self.has_warned or max(abs(drift), abs(ahead)) <= DRIFT:
            return
        self.has_warned = True
        log.warning(
            "the bridge's clock is off: this system's was set by %d s since the start, "
            "GREEN-API's is %d s ahead. Set the clock and restart the bridge.",
            drift.total_seconds(),
            ahead.total_seconds(),
        )


def upkeep_lanes(
    upkeep: Upkeep,
    searching: Searching,
    poller: Poller | None,
    after: Callable[[], None],
    scale: float,
) -> list[Lanes[str]]:
    """Return the lanes: beats, house-keeping, search and, perhaps, the poller."""

    def beat(_key: str) -> float:
        rest = upkeep.beat()
        after()
        return rest

    def keep(_key: str) -> float:
        rest = upkeep.keep_house()
        after()
        return rest

    def look(_key: str) -> float:
        rest = search(searching)
        after()
        return rest

    def is_search_due() -> list[str]:
        if not upkeep.is_leader:
            return []
        return ["search"] if searching.evidence.due(upkeep.clock(), 1) else []

    lanes = [
        Lanes[str]("beats", lambda: ["beat"], beat, workers=1, poll=scale),
        Lanes[str]("upkeep", lambda: ["upkeep"], keep, workers=1, poll=scale),
        Lanes[str]("search", is_search_due, look, workers=1, poll=scale),
    ]
    if poller is not None:
        lanes.append(_poll_lane(upkeep, poller, scale))
    return lanes


def _poll_lane(upkeep: Upkeep, poller: Poller, scale: float) -> Lanes[str]:
    def poll(_key: str) -> float:
        rest = poller.poll_once()
        if rest == 0.0:
            upkeep.polled_at = upkeep.clock()
        return rest

    def is_ours() -> list[str]:
        return ["poll"] if upkeep.is_leader else []

    return Lanes[str]("poll", is_ours, poll, workers=1, poll=scale)
