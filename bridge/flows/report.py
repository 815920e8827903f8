"""The answer in Slack: a view of the row, redrawn until it agrees.

::

    row changed ─▶ report_next ─▶ card, reply, edit … ─▶ row: what Slack shows now

Before a new message is posted, that is stored. If its answer is lost, or the bridge
dies, it is looked for in Slack before it is posted again.

Where the bot can't post it falls back: the channel, the app's direct messages with
the caller, the command's ``response_url``. Never another channel.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from bridge.errors import SlackError, SlackRefused, SlackUnavailable
from bridge.model import Caller, Card, Place, Report, Step, ThreadRef
from bridge.ports import Clock, Slack
from bridge.schedule import Schedule
from bridge.store.reports import Reports
from bridge.wording import deliveries as wording

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reporting:
    """What reporting needs: memory, Slack, time, rules."""

    reports: Reports
    slack: Slack
    clock: Clock
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Line:
    """Where a card is to appear."""

    channel_id: str
    card: Card
    thread_ts: str | None = None


POSTS = frozenset({Step.OPEN, Step.REPLY, Step.NOTE})  # not to be done twice


def report_next(desk: Reporting, channel_id: str) -> float:
    """Bring one thread of a channel one step nearer to the truth.

    Returns:
        Seconds to leave the channel alone: Slack takes one message a second in each.
    """
    report = desk.reports.oldest(channel_id, desk.clock())
    if report is None:
        return 0.0
    step = report.step
    if step is None or report.delivery.caller is None:
        desk.reports.agreed(report, desk.clock())
        return 0.0
    if desk.clock() - report.delivery.updated_at > desk.schedule.report_life():
        log.error("delivery %s: Slack was never told", report.delivery.id)
        desk.reports.move(report, Place.NOWHERE, desk.clock())
        return 0.0
    if step in POSTS and not desk.reports.begin_post(report, step):
        return 0.0  # another replica is at it
    try:
        return _STEPS[step](desk, report, report.delivery.caller)
    except SlackUnavailable as err:
        return _later(desk, report, step, err)


def _later(desk: Reporting, report: Report, step: Step, err: SlackUnavailable) -> float:
    wait = desk.schedule.after_slack_failure(report.failures, err.retry_after)
    # Slack may have posted it although the answer was lost: then it is looked for.
    doubt = step if step in POSTS and err.may_be_done else report.doubt
    desk.reports.later(report, desk.clock() + wait, doubt)
    log.warning("delivery %s: Slack is not told yet: %s", report.delivery.id, err.code)
    # A limit is the channel's: its other threads have to wait as well.
    return wait.total_seconds() if err.retry_after is not None else 0.0


def _found(desk: Reporting, report: Report, step: Step, line: Line) -> str | None:
    """Return the ``ts`` of a line that was posted although its answer was lost."""
    if report.doubt is not step or line.card.key is None:
        return None
    since = report.delivery.created_at
    try:
        found = desk.slack.find(line.channel_id, line.card.key, since, line.thread_ts)
    except SlackRefused as err:
        # Twice is better than never: the line is only an answer.
        log.warning("a line in Slack could not be looked for: %s", err.code)
        return None
    if found is not None:
        log.info("delivery %s: Slack had it already", report.delivery.id)
        # It shows what was true when it was posted.
        _edit(desk, line.channel_id, found, line.card)
    return found


def _open(desk: Reporting, report: Report, caller: Caller) -> float:
    card = wording.card(report.delivery)
    try:
        if report.place is Place.CHANNEL:
            thread = _open_in_channel(desk, report, caller.channel_id, card)
        else:
            channel_id = desk.slack.open_direct(caller.user_id)
            thread = _open_in(desk, report, channel_id, card)
    except SlackRefused as err:
        return _fall_back(desk, report, caller, err)
    desk.reports.opened(report, thread, desk.clock())
    return _gap(desk)


def _open_in(desk: Reporting, report: Report, channel_id: str, card: Card) -> ThreadRef:
    ts = _found(desk, report, Step.OPEN, Line(channel_id, card))
    if ts is not None:
        return ThreadRef(channel_id, ts)
    return desk.slack.post(channel_id, card)


def _open_in_channel(
    desk: Reporting, report: Report, channel_id: str, card: Card
) -> ThreadRef:
    try:
        return _open_in(desk, report, channel_id, card)
    except SlackRefused as err:
        if err.code != "not_in_channel":
            raise
    desk.slack.join(channel_id)
    return _open_in(desk, report, channel_id, card)


def _fall_back(
    desk: Reporting, report: Report, caller: Caller, err: SlackRefused
) -> float:
    """Report in the next place; the thread starts anew there."""
    log.warning(
        "delivery %s: Slack refused %s: %s", report.delivery.id, report.place, err.code
    )
    if report.place is Place.CHANNEL:
        desk.reports.move(report, Place.DIRECT, desk.clock())
        _hint(desk.slack, caller)
    else:
        desk.reports.move(report, Place.RESPONSE, desk.clock())
    return 0.0


def _hint(slack: Slack, caller: Caller) -> None:
    """Tell the caller where to look; the thread itself is what counts."""
    if caller.response_url is None:
        return
    try:
        slack.respond(caller.response_url, wording.DIRECT_HINT)
    except SlackError as err:
        log.info("the hint to look into direct messages was lost: %s", err.code)


def _reply(desk: Reporting, report: Report, caller: Caller) -> float:
    card = wording.reply(report.delivery)
    try:
        ts = _post_in_thread(desk, report, Step.REPLY, card)
    except SlackRefused as err:
        return _fall_back(desk, report, caller, err)
    desk.reports.replied(report, ts, desk.clock())
    return _gap(desk)


def _note(desk: Reporting, report: Report, caller: Caller) -> float:
    assert report.note is not None  # noqa: S101 - Report.step has looked
    card = wording.note(report.delivery, report.note)
    try:
        _post_in_thread(desk, report, Step.NOTE, card)
    except SlackRefused as err:
        return _fall_back(desk, report, caller, err)
    desk.reports.noted(report, desk.clock())
    return _gap(desk)


def _post_in_thread(desk: Reporting, report: Report, step: Step, card: Card) -> str:
    thread = report.thread
    assert thread is not None  # noqa: S101 - Report.step has looked
    line = Line(thread.channel_id, card, thread.thread_ts)
    return _found(desk, report, step, line) or desk.slack.reply(thread, card)


def _redraw(desk: Reporting, report: Report, _caller: Caller) -> float:
    assert report.thread is not None  # noqa: S101 - Report.step has looked
    thread = report.thread
    _edit(desk, thread.channel_id, thread.thread_ts, wording.card(report.delivery))
    desk.reports.redrawn(report, desk.clock())
    return _gap(desk)


def _rewrite(desk: Reporting, report: Report, _caller: Caller) -> float:
    assert report.thread is not None  # noqa: S101 - Report.step has looked
    assert report.reply_ts is not None  # noqa: S101 - likewise
    channel_id = report.thread.channel_id
    _edit(desk, channel_id, report.reply_ts, wording.reply(report.delivery))
    desk.reports.rewritten(report, desk.clock())
    return _gap(desk)


def _edit(desk: Reporting, channel_id: str, ts: str, card: Card) -> None:
    try:
        desk.slack.update(channel_id, ts, card)
    except SlackRefused as err:
        # Deleted by somebody, or no longer editable: it can't be made to agree.
        log.warning("a line in Slack could not be redrawn: %s", err.code)


def _respond(desk: Reporting, report: Report, caller: Caller) -> float:
    """Answer where only the command's own address is left."""
    age = desk.clock() - report.delivery.created_at
    if caller.response_url is None or age > desk.schedule.response_url_life():
        log.error("delivery %s: no way left to tell Slack", report.delivery.id)
        desk.reports.move(report, Place.NOWHERE, desk.clock())
        return 0.0
    try:
        desk.slack.respond(caller.response_url, wording.response(report.delivery))
    except SlackRefused as err:
        log.warning("delivery %s: Slack refused it: %s", report.delivery.id, err.code)
        desk.reports.move(report, Place.NOWHERE, desk.clock())
        return 0.0
    desk.reports.replied(report, None, desk.clock())
    return 0.0


def _gap(desk: Reporting) -> float:
    return desk.schedule.between_messages().total_seconds()


_STEPS = {
    Step.OPEN: _open,
    Step.REPLY: _reply,
    Step.NOTE: _note,
    Step.REDRAW: _redraw,
    Step.REWRITE: _rewrite,
    Step.RESPOND: _respond,
}
