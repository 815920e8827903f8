"""The WhatsApp account: may anything leave, and does an admin know if not?

::

    GREEN-API's state ─▶ watch ─▶ hold: deliveries HELD, with the reason
                                └▶ release: QUEUED again, in their order
    a hold ─▶ tell_admins ─▶ one line, once; edited when it is over

A notification about the state is only a reason to ask: anybody could send one.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from bridge.errors import Retryable, SendError, SlackError, SlackRefused
from bridge.model import Card, ThreadRef
from bridge.ports import Clock, Slack
from bridge.reasons import Reason
from bridge.schedule import Schedule
from bridge.store.accounts import Account, Accounts
from bridge.wording import account as wording

log = logging.getLogger(__name__)

FAILURES_BEFORE_HOLD = 5  # connections in a row that did not come about

_SILENCES = {Reason.UNREACHABLE, Reason.NO_ANSWER}  # as far as a question is concerned

HOLDS = {
    "notAuthorized": Reason.NOT_AUTHORIZED,
    "starting": Reason.STARTING,
    "yellowCard": Reason.RESTRICTED,
    "suspended": Reason.RESTRICTED,
    "blocked": Reason.BLOCKED,
}


class Console(Protocol):
    """What GREEN-API says of the account; both methods raise SendError."""

    def get_state_instance(self) -> str:
        """Return its state, such as ``authorized``."""
        ...

    def wid(self) -> str | None:
        """Return the account's own chat, if one is linked."""
        ...


@dataclass(slots=True)
class Watch:
    """What watching needs, and what it has seen since the start.

    ``admins`` is where admins are told: a channel, or a user's direct messages; None
    if nobody was named.
    """

    accounts: Accounts
    console: Console
    slack: Slack
    clock: Clock
    schedule: Schedule
    admins: str | None
    next_at: datetime | None = None
    silent_since: datetime | None = None
    failures: int = 0
    tell_at: datetime | None = None
    refusals: int = 0  # of Slack, since admins were last told something


def watch(desk: Watch) -> None:
    """Ask for the account's state if it is time, and act on it."""
    now = desk.clock()
    if desk.next_at is not None and now < desk.next_at:
        return
    account = desk.accounts.get()
    is_on_hold = account.hold is not None
    desk.next_at = now + desk.schedule.between_state_checks(is_on_hold)
    try:
        state = desk.console.get_state_instance()
    except SendError as err:
        _no_state(desk, account, err)
        return
    desk.silent_since = None
    desk.accounts.hear(state, now)
    if reason := HOLDS.get(state):
        _hold(desk, account, reason)
    elif state == "authorized":
        _check_the_number(desk, account)
    elif is_on_hold and account.hold is not Reason.OTHER_NUMBER:
        _release(desk, account.wid)


def look_soon(desk: Watch) -> None:
    """Ask for the state at the next look: something has happened."""
    desk.next_at = None


def on_trouble(desk: Watch, err: Retryable | None) -> None:
    """Take in how an attempt went; None: GREEN-API answered.

    One text's failure stops all others where it says that they would fail as well.
    """
    if err is None or (not err.account and err.reason != Reason.UNREACHABLE):
        desk.failures = 0
        return
    if not err.account:
        desk.failures += 1
        if desk.failures < FAILURES_BEFORE_HOLD:
            return
    _hold(desk, desk.accounts.get(), Reason(err.reason))


def _no_state(desk: Watch, account: Account, err: SendError) -> None:
    now = desk.clock()
    if isinstance(err, Retryable) and err.account:
        _hold(desk, account, Reason(err.reason))
    elif err.reason in _SILENCES:
        desk.silent_since = desk.silent_since or now
        if now - desk.silent_since >= desk.schedule.unreachable_life():
            _hold(desk, account, Reason.UNREACHABLE)
    else:
        log.info("GREEN-API does not tell the account's state: %s", err.reason)


def _hold(desk: Watch, account: Account, reason: Reason) -> None:
    if account.hold is not reason:
        log.error("nothing is sent for the time being: %s", reason)
    # Also for what has come since the hold began: its thread shows the reason.
    desk.accounts.hold(reason, desk.clock())
    # Not at once: its state may still say "authorized" while sends are refused.
    desk.next_at = desk.clock() + desk.schedule.between_state_checks(is_on_hold=True)


def _check_the_number(desk: Watch, account: Account) -> None:
    """Go on, unless another number was linked: customers know the old one."""
    try:
        wid = desk.console.wid()
    except SendError as err:
        log.info("GREEN-API does not tell the account's number: %s", err.reason)
        if account.wid is not None:
            return  # it may be another one: stay on hold until it is told
        wid = None
    if wid and account.wid and wid != account.wid:
        _hold(desk, account, Reason.OTHER_NUMBER)
    elif account.hold is not None or wid != account.wid:
        _release(desk, wid or account.wid)


def _release(desk: Watch, wid: str | None) -> None:
    desk.failures = 0
    desk.accounts.release(wid, desk.clock())
    desk.next_at = desk.clock() + desk.schedule.between_state_checks(is_on_hold=False)
    log.info("the WhatsApp account can send")


def tell_admins(desk: Watch) -> None:
    """Tell the admins of a hold once, and when it is over."""
    account = desk.accounts.get()
    if account.hold == account.told or desk.admins is None:
        return
    if desk.tell_at is not None and desk.clock() < desk.tell_at:
        return
    try:
        if account.hold is None:
            _tell_the_end(desk, account)
        elif _is_worth_telling(desk, account):
            _tell_the_hold(desk, account, account.hold)
    except SlackError as err:
        log.warning("admins are not told yet: %s", err.code)
        desk.refusals += 1
        wait = desk.schedule.after_slack_failure(desk.refusals)
        desk.tell_at = desk.clock() + wait
    else:
        desk.tell_at, desk.refusals = None, 0


def _is_worth_telling(desk: Watch, account: Account) -> bool:
    if account.hold is None or account.hold_at is None:
        return False
    patience = desk.schedule.before_telling_admins(account.hold)
    return desk.clock() - account.hold_at >= patience


def _tell_the_hold(desk: Watch, account: Account, hold: Reason) -> None:
    card = wording.on_hold(hold)
    if account.line is not None:
        desk.slack.update(account.line.channel_id, account.line.thread_ts, card)
        desk.accounts.told(hold, account.line)
        return
    since = account.hold_at or desk.clock()
    card = replace(card, key=f"hold:{since:%Y%m%dT%H%M%S.%f}")
    desk.accounts.told(hold, _post_once(desk, _channel(desk), card, since))


def _post_once(desk: Watch, channel_id: str, card: Card, since: datetime) -> ThreadRef:
    """Post a line that may be there already: a copy may have died after posting it."""
    try:
        found = desk.slack.find(channel_id, card.key or "", since)
    except SlackRefused:
        found = None  # we may not look: twice is better than never
    if found is not None:
        return ThreadRef(channel_id, found)
    return desk.slack.post(channel_id, card)


def _tell_the_end(desk: Watch, account: Account) -> None:
    if account.line is not None:
        desk.slack.reply(account.line, wording.released())
    desk.accounts.told(None, None)


def _channel(desk: Watch) -> str:
    admins = desk.admins or ""
    return desk.slack.open_direct(admins) if admins[:1] in "UW" else admins
