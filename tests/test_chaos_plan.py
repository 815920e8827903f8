"""The chaos harness itself: its plans, and that its referee sees what is wrong."""

from __future__ import annotations

import doctest
from dataclasses import replace

import pytest

from chaos import actors, words
from chaos import shrink as shrinking
from chaos.actors import ACTS
from chaos.evidence import Accepted, Asked, Evidence, Line, Post, Row
from chaos.mix import Size, draw
from chaos.plan import Plan, Step, read_plan, write_plan
from chaos.promises import Kind
from chaos.referee import judge
from chaos.rounds import Verdict
from chaos.shrink import shrink
from chaos.table import NOUGHT, render

SIZE = Size(commands=60, kills=10, seconds=10)


# --- plans ----------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_plan_and_another_one_another():
    assert draw(7, SIZE, "sqlite", "socket") == draw(7, SIZE, "sqlite", "socket")
    assert draw(7, SIZE, "sqlite", "socket") != draw(8, SIZE, "sqlite", "socket")


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_plan_survives_its_file(tmp_path, database):
    plan = draw(7, SIZE, database, "http")

    path = write_plan(plan, tmp_path)

    assert path.name == "chaos-failed-7.json"
    assert read_plan(path) == plan


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_plan_has_what_was_asked_for_in_order_and_only_known_steps(database):
    plans = [draw(seed, SIZE, database, "socket") for seed in range(30)]

    for plan in plans:
        assert plan.count("command") == 60
        assert plan.count("kill", "kill_at") == 10
        assert list(plan.steps) == sorted(plan.steps, key=lambda step: step.at)
    assert {step.kind for plan in plans for step in plan.steps} <= set(ACTS)


def test_every_kind_of_step_is_drawn_sooner_or_later():
    kinds = {
        step.kind
        for seed in range(60)
        for database in ("sqlite", "postgres")
        for step in draw(seed, SIZE, database, "socket").steps  # type: ignore[arg-type]
    }

    assert kinds == set(ACTS)


def test_with_two_replicas_both_are_killed():
    plan = draw(7, SIZE, "postgres", "socket")

    killed = {s.args["replica"] for s in plan.steps if s.kind.startswith("kill")}

    assert killed == {0, 1}


def test_shrinking_keeps_what_is_needed_to_fail():
    steps = [Step(at, "command", {}) for at in range(40)]

    def fails(some: tuple[Step, ...]) -> bool:
        return {5, 31} <= {step.at for step in some}

    assert [step.at for step in shrink(steps, fails, 100)] == [5, 31]


def test_shrinking_ends_after_so_many_tries():
    tries: list[int] = []

    def fails(some: tuple[Step, ...]) -> bool:
        tries.append(len(some))
        return False

    steps = [Step(at, "command", {}) for at in range(40)]

    assert list(shrink(steps, fails, 6)) == steps
    assert len(tries) == 6


@pytest.mark.parametrize("module", [actors, shrinking, words], ids=str)
def test_the_examples_in_the_harness_are_true(module):
    assert doctest.testmod(module).failed == 0


# --- the referee: one doctored record for each promise --------------------------------

TEXT, CHAT = "please call us back", "4915110000001@c.us"
UNSURE = "⚠️  <@U1> It may or may not have been sent. GREEN-API did not answer."
NOT_SENT = "✗  <@U1> Not sent. GREEN-API did not accept this chat or text."

ASKED = Asked(TEXT, CHAT, 1.0, 1.1, "Queued for +49 ••••• 0001. Follow it.")
ROW = Row("d1", 1, CHAT, TEXT, "accepted", "ID1")
CARD = Line("d1:root", ("WhatsApp message: accepted by GREEN-API",))
REPLY = Line("d1:reply", ("Accepted by GREEN-API · idMessage `ID1`",))
ENTRY = Accepted("ID1", CHAT, TEXT, was_seen=True)
POST = Post(CHAT, TEXT, 1)
ALL_KEPT = Evidence([ASKED], [ROW], [CARD, REPLY], [ENTRY], [POST])


def told(text: str, status: str, card: str | None = None) -> Evidence:
    """Return a record in which the one command ended otherwise."""
    lines = [Line("d1:root", (card or text,)), Line("d1:reply", (text,))]
    return replace(
        ALL_KEPT, rows=[replace(ROW, status=status, id_message=None)], lines=lines
    )


def second(**changes: object) -> tuple[Asked, Row, list[Line], Accepted, Post]:
    """Return a further command to the same chat, typed after the first answer."""
    text = "and bring the bill"
    asked = replace(ASKED, text=text, typed_at=2.0, answered_at=2.1)
    row = Row("d2", 2, CHAT, text, "accepted", "ID2")
    lines = [
        Line("d2:root", CARD.texts),
        Line("d2:reply", ("Accepted by GREEN-API · idMessage `ID2`",)),
    ]
    return asked, row, lines, Accepted("ID2", CHAT, text), Post(CHAT, text, 1)


def with_second(ledger: list[Accepted]) -> Evidence:
    asked, row, lines, _, post = second()
    return Evidence(
        [ASKED, asked], [ROW, row], [CARD, REPLY, *lines], ledger, [POST, post]
    )


def kinds(evidence: Evidence) -> set[Kind]:
    return {violation.kind for violation in judge(evidence)}


def test_where_every_promise_was_kept_the_referee_finds_nothing():
    assert judge(ALL_KEPT) == []
    assert judge(with_second([ENTRY, second()[3]])) == []
    assert judge(Evidence()) == []


@pytest.mark.parametrize("status", ["sent", "delivered", "read"])
def test_receipts_change_the_words_but_not_the_truth(status):
    reply = Line("d1:reply", (REPLY.texts[0], "Delivered · idMessage `ID1`"))
    row = replace(ROW, status=status)
    entry = replace(ENTRY, receipts=frozenset({"sent", status}))

    changed = replace(ALL_KEPT, rows=[row], lines=[CARD, reply], ledger=[entry])

    assert judge(changed) == []


def test_unsure_is_true_of_both_but_not_when_it_was_seen():
    lost = told(UNSURE, "unconfirmed")

    assert judge(replace(lost, ledger=[])) == []
    assert judge(replace(lost, ledger=[replace(ENTRY, was_seen=False)])) == []
    assert kinds(lost) == {Kind.UNSEEN_EVIDENCE}


def test_what_was_stored_though_slack_showed_an_error_is_no_lie():
    silent = replace(ASKED, ack=None, is_undisturbed=False)

    assert judge(replace(ALL_KEPT, asked=[silent])) == []


def test_twins_are_judged_by_their_number():
    twin_row = replace(ROW, id="d2", seq=2, status="unconfirmed", id_message=None)
    lines = [CARD, REPLY, Line("d2:root", (UNSURE,)), Line("d2:reply", (UNSURE,))]
    twins = replace(
        ALL_KEPT,
        asked=[ASKED, replace(ASKED, typed_at=2.0, answered_at=2.1)],
        rows=[ROW, twin_row],
        lines=lines,
        posts=[replace(POST, attempts=2)] * 2,
    )
    unseen = Accepted("ID2", CHAT, TEXT)

    assert judge(twins) == []
    assert judge(replace(twins, ledger=[ENTRY, unseen])) == []
    assert Kind.DOUBLED in kinds(
        replace(twins, ledger=[ENTRY, unseen, replace(unseen, id="ID3")])
    )


BROKEN: dict[str, tuple[Kind, Evidence]] = {
    "i1: queued but not stored": (
        Kind.LOST,
        Evidence([ASKED]),
    ),
    "i1: never answered": (
        Kind.LOST,
        replace(ALL_KEPT, lines=[CARD]),
    ),
    "i1: answered twice": (
        Kind.REPLIED_TWICE,
        replace(ALL_KEPT, lines=[CARD, REPLY, REPLY]),
    ),
    "i1: two cards": (
        Kind.REPLIED_TWICE,
        replace(ALL_KEPT, lines=[CARD, CARD, REPLY]),
    ),
    "i1: refused and sent": (
        Kind.STORED_THOUGH_REFUSED,
        replace(ALL_KEPT, asked=[replace(ASKED, ack="Not accepted: try again.")]),
    ),
    "i1: one command stored twice": (
        Kind.STORED_THOUGH_REFUSED,
        replace(
            ALL_KEPT,
            rows=[ROW, replace(ROW, id="d2", status="failed", id_message=None)],
            lines=[CARD, REPLY, Line("d2:reply", (NOT_SENT,))],
        ),
    ),
    "i2: sent twice": (
        Kind.DOUBLED,
        replace(ALL_KEPT, ledger=[ENTRY, replace(ENTRY, id="ID2")]),
    ),
    "i2: one decision, two copies": (
        Kind.DOUBLED,
        replace(
            ALL_KEPT,
            rows=[ROW, *(replace(ROW, id=i, retry_of="d1") for i in ("d2", "d3"))],
            lines=[
                CARD,
                *(Line(f"d{n}:reply", (f"idMessage `ID{n}`",)) for n in (1, 2, 3)),
            ],
            ledger=[replace(ENTRY, id=f"ID{n}") for n in (1, 2, 3)],
            pressed=frozenset({"d1"}),
        ),
    ),
    "i2: sent again, unasked": (
        Kind.DOUBLED,
        replace(
            ALL_KEPT,
            rows=[ROW, replace(ROW, id="d2", id_message="ID2", retry_of="d1")],
            lines=[CARD, REPLY, Line("d2:reply", ("idMessage `ID2`",))],
            ledger=[ENTRY, replace(ENTRY, id="ID2")],
        ),
    ),
    "i1: two notes": (
        Kind.REPLIED_TWICE,
        replace(ALL_KEPT, lines=[CARD, REPLY, *[Line("d1:stuck", ("one tick",))] * 2]),
    ),
    "i3: said sent, was not": (
        Kind.FALSE_CLAIM,
        replace(ALL_KEPT, ledger=[]),
    ),
    "i3: said not sent, was": (
        Kind.FALSE_CLAIM,
        told(NOT_SENT, "failed"),
    ),
    "i3: said not sent until it was found": (
        Kind.FALSE_CLAIM,
        replace(ALL_KEPT, lines=[CARD, replace(REPLY, texts=(NOT_SENT, *REPLY.texts))]),
    ),
    "i3: somebody else's idMessage": (
        Kind.FALSE_CLAIM,
        replace(ALL_KEPT, ledger=[replace(ENTRY, id="ID9")]),
    ),
    "i3: card and reply disagree": (
        Kind.FALSE_CLAIM,
        replace(ALL_KEPT, lines=[replace(CARD, texts=("queued",)), REPLY]),
    ),
    "i3: unsure of what was seen": (
        Kind.UNSEEN_EVIDENCE,
        told(UNSURE, "unconfirmed"),
    ),
    "i3: a receipt ignored": (
        Kind.WRONG_TICK,
        replace(ALL_KEPT, ledger=[replace(ENTRY, receipts=frozenset({"read"}))]),
    ),
    "i4: the second first": (
        Kind.OUT_OF_ORDER,
        with_second([second()[3], ENTRY]),
    ),
    "i5: a customer's message lost": (
        Kind.INBOUND_LOST,
        replace(ALL_KEPT, incoming=frozenset({"M1"})),
    ),
    "i5: an odd notification dropped": (
        Kind.INBOUND_LOST,
        replace(ALL_KEPT, odd=1),
    ),
    "i6: not final": (
        Kind.LEFT_OVER,
        replace(ALL_KEPT, rows=[replace(ROW, status="unknown", id_message=None)]),
    ),
    "i6: Slack not told": (
        Kind.LEFT_OVER,
        replace(ALL_KEPT, rows=[replace(ROW, is_told=False)]),
    ),
    "i6: a lane left": (
        Kind.LEFT_OVER,
        replace(ALL_KEPT, lanes=1),
    ),
    "i6: no rest": (
        Kind.LEFT_OVER,
        replace(ALL_KEPT, rested=False),
    ),
    "i7: a secret": (
        Kind.LEAK,
        replace(ALL_KEPT, leaks=["a token in the output"]),
    ),
    "i8: a page is damaged": (
        Kind.DAMAGED,
        replace(ALL_KEPT, integrity="row 3 missing from index"),
    ),
    "i9: too late": (
        Kind.LATE_ACK,
        replace(ALL_KEPT, asked=[replace(ASKED, answered_at=4.2)]),
    ),
    "i9: not at all": (
        Kind.LATE_ACK,
        replace(ALL_KEPT, asked=[replace(ASKED, ack=None)]),
    ),
    "i11: no attempt": (
        Kind.POST_WITHOUT_ATTEMPT,
        replace(ALL_KEPT, posts=[replace(POST, attempts=0)]),
    ),
    "i11: one attempt, two POSTs": (
        Kind.POST_WITHOUT_ATTEMPT,
        replace(ALL_KEPT, posts=[POST, POST]),
    ),
    "a traceback": (
        Kind.BUG,
        replace(ALL_KEPT, bugs=["Traceback (most recent call last):"]),
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_the_referee_sees(case):
    kind, evidence = BROKEN[case]

    assert kinds(evidence) == {kind}


def test_every_kind_of_broken_promise_has_a_record_here_and_a_line_in_the_ledger():
    assert {kind for kind, _ in BROKEN.values()} == set(Kind) == set(NOUGHT)


def test_the_ledger_shows_what_must_be_nought_and_the_seed():
    verdict = Verdict()
    verdict.violations = judge(BROKEN["i2: sent twice"][1])
    verdict.figures.update({"commands": 1, "kills": 3, "green 429": 2})

    shown = {
        line[:26].strip(): line[26:].strip()
        for line in render(verdict, 1, 4711).splitlines()
    }

    assert shown["doubled"] == "1"
    assert shown["lost"] == "0"
    assert shown["faults"] == "2"
    assert "seed 4711" in shown["time"]


def test_plans_of_another_version_are_read_or_refused_loudly():
    with pytest.raises((TypeError, KeyError)):
        Plan.from_json('{"seed": 1, "steps": []}')
