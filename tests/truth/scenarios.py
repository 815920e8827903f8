"""The stories that are told again and again, each time with another death in them.

A scenario is a list of steps on a world. A step that kills the bridge is over; the
next one finds it alive again. Afterwards the world is brought to rest.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bridge.model import Choice, Member, NewDelivery
from tests.payloads import POISON
from tests.truth.green_api import Post
from tests.truth.world import ANN, BEN, CHANNEL, DANA, GROUP, World

Step = Callable[[World], object]
Scenario = tuple[Step, ...]


def play(world: World, scenario: Scenario) -> None:
    """Go through the rest of a scenario and come to rest, whatever dies on the way."""
    world.deliver_unacked()
    while world.steps_done < len(scenario):
        step = scenario[world.steps_done]
        world.steps_done += 1
        world.survive(lambda step=step: step(world))
    world.run_to_rest()


# --- steps ------------------------------------------------------------------------


def say(text: str, chat: str = ANN, **how: str) -> Step:
    return lambda world: world.command(text, chat, **how)


def wait(seconds: float) -> Step:
    return lambda world: world.run(seconds)


def posts(*becomes: Post) -> Step:
    return lambda world: world.green.posts.extend(becomes)


def green(**values: object) -> Step:
    def step(world: World) -> None:
        for name, value in values.items():
            setattr(world.green, name, value)

    return step


def slack(**values: object) -> Step:
    def step(world: World) -> None:
        for name, value in values.items():
            setattr(world.slack, name, value)

    return step


def state(name: str, after: float = 0.0, number: str | None = None) -> Step:
    def step(world: World) -> None:
        world.green.plan(after, "become", name, number)
        world.green.settle()

    return step


def slack_down(seconds: float) -> Step:
    def step(world: World) -> None:
        world.slack.down_until = world.clock() + timedelta(seconds=seconds)

    return step


def press(text: str, choice: Choice, by: str = DANA, *, stale: bool = False) -> Step:
    return lambda world: world.press(text, choice, by, stale=stale)


def while_posting(*steps: Step) -> Step:
    """Have steps happen while the next POST is under way."""

    def during(world: World) -> None:
        for step in steps:
            step(world)

    return lambda world: setattr(world.green, "during", lambda: during(world))


def work(world: World) -> None:
    """Give each lane a turn."""
    world.green.settle()
    world.life.do_what_is_due()


def receipts(*words: str) -> Step:
    """Have receipts for the first text come, in this order."""

    def step(world: World) -> None:
        for word in words:
            if world.green.ledger:
                world.green.receipt(world.green.ledger[0], word)

    return step


def echo_now(world: World) -> None:
    for taken in world.green.ledger:
        if not taken.is_announced:
            world.green.echo(taken)


def poison(world: World) -> None:
    for body in list(POISON.values())[::4]:
        world.green.notify(body)


def resume(world: World) -> None:
    """Let an admin agree to another number: ``bridge resume``."""
    if world.rows("SELECT 1 FROM accounts WHERE hold = 'other_number'"):
        world.life.store.accounts.release(None, world.clock())


def retry(text: str) -> Step:
    """Send a failed text again: ``bridge retry``."""

    def step(world: World) -> None:
        row = world.delivery(text)
        if row is None or row["status"] != "failed":
            return
        world.again[text] = 1
        old = world.life.store.outbox.get(row["id"])
        assert old is not None
        source = f"retry:{old.id}"
        new = NewDelivery(source, old.chat_id, text, old.caller, retry_of=old.id)
        world.life.request(new)

    return step


def back_up(world: World) -> None:
    world.back_up()


def put_back(world: World) -> None:
    world.put_back()


# --- the table --------------------------------------------------------------------

ONE_TICK = ((1.0, "sent", 1),)
ALL_TICKS = ((1.0, "sent", 1), (2.0, "delivered", 1), (30.0, "read", 1))
NO_TICKS: tuple[tuple[float, str, int], ...] = ()
UNCONFIRMED: Scenario = (posts(Post.LOST), say("a"), wait(400))
LATE_BY_400: Scenario = (green(late=400.0), posts(Post.TAKEN_LATE), say("a"))

SCENARIOS: dict[str, Scenario] = {
    "plain send": (say("a"),),
    "plain send with all ticks": (green(receipts=ALL_TICKS), say("a")),
    "no receipt at all": (green(receipts=NO_TICKS), say("a")),
    "no receipt for the second": (
        *(say("a"), wait(5), green(receipts=NO_TICKS), say("b", BEN)),
    ),
    "two to one chat": (say("a"), say("b")),
    "three to one chat, the first unanswered": (
        posts(Post.TAKEN_UNANSWERED),
        *(say("a"), say("b"), say("c")),
    ),
    "chats in parallel": (
        while_posting(work),
        *(say("a"), say("b", BEN), say("c", GROUP)),
    ),
    "a second one comes while the first is posted": (
        while_posting(say("b"), work),
        say("a"),
    ),
    "group": (green(receipts=ONE_TICK), say("a", GROUP)),
    "mention": (
        slack(members={"U2": Member("Eve", may_send=True)}),
        say("hello someone", markup="hello <@U2>"),
    ),
    "a guest": (
        slack(members={DANA: Member("Dana", may_send=False)}),
        *(say("a"), say("b")),
    ),
    "f01_ unreachable, then fine": (
        posts(Post.UNREACHABLE, Post.UNREACHABLE),
        *(say("a"), say("b")),
    ),
    "f01_ unreachable until it holds all": (
        posts(*[Post.UNREACHABLE] * 6),
        *(say("a"), say("b", BEN)),
    ),
    "f15_ 429": (posts(Post.BUSY, Post.BUSY), say("a"), say("b")),
    "f16_ 429 until it is too old": (
        *(green(retry_after=170.0), posts(*[Post.BUSY] * 500)),
        *(say("a"), say("b")),
    ),
    "f19_ logged out, and back": (
        state("notAuthorized"),
        *(say("a"), say("b"), say("c", BEN), state("authorized", after=120.0)),
    ),
    "f58_ starting": (
        state("starting"),
        *(say("a"), wait(30), say("b"), state("authorized", after=40.0)),
    ),
    "logged out until it is too old": (state("notAuthorized"), say("a"), wait(1000)),
    "f58_ another number": (
        *(wait(1), state("notAuthorized"), wait(70), say("a")),
        *(state("authorized", number="15550001111@c.us"), wait(200), resume),
    ),
    "refused for good": (posts(Post.REFUSED), say("a"), say("b")),
    "f17_ 466": (posts(Post.QUOTA), say("a"), say("b")),
    "f05_ answer lost, taken": (posts(Post.TAKEN_UNANSWERED), say("a"), say("b")),
    "f06_ answer lost, not taken": (posts(Post.LOST), say("a"), say("b")),
    "f08_ taken late": (posts(Post.TAKEN_LATE), say("a"), say("b")),
    "f12_ an answer that makes no sense": (posts(Post.GARBLED), say("a")),
    "f13_ 5xx, taken": (posts(Post.TAKEN_WITH_500), say("a")),
    "f13_ 5xx, not taken": (posts(Post.LOST_WITH_500), say("a")),
    "f28_ journal lags by ten minutes": (
        green(journal_lag=600.0, receipts=ALL_TICKS),
        *(posts(Post.TAKEN_UNANSWERED), say("a"), say("b")),
    ),
    "f28_ journal never shows it": (
        green(journal_lag=None),
        *(posts(Post.TAKEN_UNANSWERED), say("a")),
    ),
    "f29_ waits in GREEN-API's queue": (
        green(queue_seconds=100.0, journal_lag=5.0),
        *(posts(Post.TAKEN, Post.TAKEN_UNANSWERED), say("x", BEN), say("a")),
    ),
    "f30_ GREEN-API's clock is 45 s behind": (
        green(skew=-45.0),
        *(posts(Post.TAKEN_UNANSWERED), say("a")),
    ),
    "f31_ twins, one lost": (
        posts(Post.TAKEN_UNANSWERED, Post.LOST),
        *(say("a", source="1"), say("a", source="2")),
    ),
    "echo before the answer": (
        green(echo_after=0.1, receipts=ALL_TICKS),
        *(while_posting(work), posts(Post.TAKEN_UNANSWERED), say("a"), say("b")),
    ),
    "echo only, journal empty": (
        green(echo_after=50.0, journal_lag=None),
        *(posts(Post.TAKEN_UNANSWERED), say("a")),
    ),
    "f45_ receipts before the answer": (
        green(receipts=((0.1, "delivered", 2), (0.2, "sent", 1))),
        *(while_posting(work, work, work), say("a")),
    ),
    "f45_ receipts reversed": (
        green(receipts=((1.0, "read", 1), (2.0, "delivered", 1), (3.0, "sent", 1))),
        say("a"),
    ),
    "f45_ failed, then delivered": (
        green(receipts=((1.0, "failed", 1), (60.0, "delivered", 1), (70, "failed", 1))),
        say("a"),
    ),
    "f41_ duplicate notifications": (
        green(receipts=((1.0, "sent", 4), (1.5, "delivered", 3)), echo_after=1.0),
        *(say("a"), wait(5), echo_now, lambda world: world.green.incoming("hi")),
    ),
    "noAccount": (green(receipts=((1.0, "noAccount", 1),)), say("a")),
    "yellowCard": (green(receipts=((1.0, "yellowCard", 1),)), say("a")),
    "f42_ incoming among receipts": (
        lambda world: world.green.incoming("hi"),
        *(say("a"), wait(3), lambda world: world.green.incoming("ho")),
    ),
    "f43_ answers to deletions lost": (green(lost_answers=3), say("a")),
    "f44_ poison first": (poison, say("a")),
    "stuck on one tick": (
        green(receipts=((1.0, "sent", 1), (900.0, "delivered", 1))),
        say("a"),
    ),
    "f49_ Slack's answers lost": (slack(lose_answers=2), say("a"), say("b")),
    "f49_ Slack's answer to the reply lost, ticks meanwhile": (
        green(receipts=((2.5, "delivered", 1),)),
        *(say("a"), wait(0.9), slack(lose_answers=1)),
    ),
    "f48_ Slack limits": (slack(limited=3), say("a"), say("b")),
    "f50_ Slack down for an hour": (
        green(receipts=ALL_TICKS),
        *(slack_down(3600), say("a")),
    ),
    "f51_ private channel, then direct": (
        slack(closed={CHANNEL: "not_in_channel"}),
        say("a"),
    ),
    "f51_ public channel is joined": (
        slack(closed={CHANNEL: "not_in_channel"}, joinable={CHANNEL}),
        say("a"),
    ),
    "f51_ archived, no direct messages": (
        slack(closed={CHANNEL: "is_archived", DANA: "cannot_dm_bot"}),
        say("a"),
    ),
    "f51_ archived between card and reply": (
        posts(Post.TAKEN_UNANSWERED),
        *(say("a"), wait(20), slack(closed={CHANNEL: "is_archived"})),
    ),
    "edits refused": (slack(uneditable={CHANNEL}), say("a")),
    "f32_ the same command three times": (
        *(say("a", source="t1"), say("a", source="t1")),
        *(wait(5), say("a", source="t1")),
    ),
    "f34_ delivered until acked": (
        lambda world: world.deliver_command("a"),
        lambda world: world.deliver_command("b"),
    ),
    "check again": (*UNCONFIRMED, press("a", Choice.CHECK_AGAIN), wait(10)),
    "check again finds it": (
        *(*LATE_BY_400, wait(250), press("a", Choice.CHECK_AGAIN), wait(300)),
        press("a", Choice.CHECK_AGAIN),
    ),
    "send again": (*UNCONFIRMED, press("a", Choice.SEND_AGAIN), say("b")),
    "f59_ send again, five presses": (
        *UNCONFIRMED,
        *[press("a", Choice.SEND_AGAIN, stale=True)] * 5,
    ),
    "mark not sent": (*UNCONFIRMED, press("a", Choice.MARK_NOT_SENT)),
    "late evidence after unconfirmed": (*LATE_BY_400, wait(300), say("b")),
    "f59_ a click after late evidence": (
        *(*LATE_BY_400, wait(600), echo_now, wait(5)),
        press("a", Choice.SEND_AGAIN, stale=True),
    ),
    "send again, then late evidence": (
        *(*LATE_BY_400, wait(250), press("a", Choice.SEND_AGAIN), wait(100)),
        say("b"),
    ),
    "mark not sent, then late evidence": (
        *(*LATE_BY_400, wait(250), press("a", Choice.MARK_NOT_SENT)),
    ),
    "logged out while it is looked for": (
        *(posts(Post.TAKEN_UNANSWERED), green(journal_lag=300.0), say("a"), wait(40)),
        *(state("notAuthorized"), wait(200), state("authorized", after=60.0)),
    ),
    "f40_ a backup is put back": (
        *(say("a"), wait(10), posts(Post.BUSY), say("b"), back_up),
        *(wait(60), say("c", BEN), wait(60), put_back, say("d")),
    ),
    "f40_ a backup of an open search": (
        *(posts(Post.TAKEN_UNANSWERED), say("a"), say("b"), wait(35), back_up),
        *(wait(300), put_back),
    ),
    "bridge retry": (
        *(posts(Post.REFUSED), say("a"), wait(5), retry("a"), wait(5), retry("a")),
    ),
}
