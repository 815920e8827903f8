"""The bench itself: its arithmetic, its judgement, and one tiny run of it all."""

from __future__ import annotations

import asyncio
import json
import math

import pytest

from bench.bursts import Burst, rate
from bench.check import Verdict, judge, overtaken, swapped
from bench.load import Ack, Command, commands, one_by_one
from bench.plan import QUICK, Bench
from bench.rig import BRIDGE, ECHO, SCRIPT, open_rig
from bench.table import (
    Row,
    at_least,
    at_most,
    median_ratio,
    milliseconds,
    percentile,
    ratio,
    render,
)
from bench.wire import TEXT, Frames, Messages, answer, frame, request, upgrade


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (50, 5), (90, 9), (91, 10), (99, 10), (100, 10)]
)
def test_a_percentile_is_one_of_the_values(percent, expected):
    assert percentile(range(10, 0, -1), percent) == expected


def test_the_percentile_of_nothing_is_no_number():
    assert math.isnan(percentile([], 50))


def test_a_ratio_to_nothing_or_endless_is_none():
    assert ratio(1.0, 0.0) is None
    assert ratio(math.inf, 1.0) is None
    assert ratio(1.0, 2.0) == 0.5


def test_one_disturbed_round_does_not_move_the_ratio():
    bridge = [[1.0], [1.0], [50.0]]
    baseline = [[2.0], [2.0], [2.0]]

    assert median_ratio(bridge, baseline, 50) == 0.5


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (at_most(1.5), 1.5, True),
        (at_most(1.5), 1.51, False),
        (at_least(8), 8.0, True),
        (at_least(8), 7.99, False),
    ],
)
def test_a_goal_is_met_up_to_its_limit(goal, value, met):
    assert Row("x", ratio=value, goal=goal).reached is met


def test_a_goal_with_a_unit_judges_the_value_and_not_the_ratio():
    row = Row("memory", ratio=9.0, goal=at_most(100, "MB"), value=80.0)

    assert row.reached is True


def test_a_row_without_a_number_is_neither_reached_nor_missed():
    assert Row("x", goal=at_most(1)).reached is None
    assert Row("x", ratio=1.0).reached is None


def test_the_table_is_aligned_and_says_what_was_missed():
    rows = [Row("short", "1", "2", 2.0, at_most(1.5)), Row("a longer line")]

    lines = render(rows).splitlines()

    assert lines[0].startswith("what          | baseline")
    assert lines[2].endswith("| NO")
    assert {line.index("|") for line in (lines[0], *lines[2:])} == {14}


def test_an_ack_that_never_came_is_said_in_words():
    assert milliseconds([math.inf]) == "never / never ms"


def ack(number: int, *, place: int = 0, at: float = 0.0, text: str = "Queued") -> Ack:
    return Ack(Command(number, place, user=0), at, at + 0.1, text)


def post(number: int, *, place: int = 0) -> tuple[float, dict[str, str]]:
    chat_id = Command(number, place, user=0).chat_id
    return 0.0, {"chatId": chat_id, "message": f"Order {number:07d} ships today"}


def test_messages_that_arrive_once_and_in_order_are_clean():
    acks = [ack(1, at=1.0), ack(2, at=2.0), ack(3, place=1, at=1.5)]

    verdict = judge(acks, [post(3, place=1), post(1), post(2)])

    assert verdict.is_clean
    assert str(verdict) == "clean"


def test_a_lost_a_doubled_and_a_misled_message_are_counted():
    acks = [ack(1, at=1.0), ack(2, at=2.0), ack(3, at=3.0)]

    verdict = judge(acks, [post(2), post(2), post(3, place=7)])

    assert verdict == Verdict(lost=1, doubled=1, misled=1)
    assert str(verdict) == "1 lost, 1 doubled, 1 misled"


def test_what_was_refused_must_not_arrive():
    assert judge([ack(1, text="Not accepted")], [post(1)]) == Verdict(unasked=1)


def test_what_was_never_acked_may_arrive_or_not():
    unacked = Ack(Command(1, 0, user=0), 0.0, None)

    assert judge([unacked], []).is_clean
    assert judge([unacked], [post(1)]).is_clean


def test_only_the_same_chat_can_be_overtaken():
    acks = [ack(1, at=1.0), ack(2, at=2.0), ack(3, at=3.0)]

    assert overtaken(acks, [("a", 2), ("b", 1), ("a", 3)]) == 0
    assert overtaken(acks, [("a", 2), ("a", 1), ("a", 3)]) == 1


def test_commands_typed_side_by_side_are_only_swapped():
    acks = [ack(1, at=1.0), ack(2, at=1.05)]  # each is acked 0.1 s later

    assert overtaken(acks, [("a", 2), ("a", 1)]) == 0
    assert swapped(acks, [("a", 2), ("a", 1)]) == 1


def test_a_burst_counts_who_saw_an_error():
    typed = Command(1, 0, user=0)
    acks = [Ack(typed, 0.0, 2.9), Ack(typed, 0.0, 3.1), Ack(typed, 0.0, None)]

    burst = Burst(acks, [0.0, 0.5, 1.0], swapped=0, cut_after=20.0)

    assert burst.late == 2
    assert burst.slowest_text() == "> 20 s"
    assert burst.rate == 2.0
    assert rate([1.0]) == 0.0


def test_http_messages_may_come_in_any_pieces():
    data = request("/a", b"one") + answer(b"{}")
    messages = Messages()

    found = [whole for byte in data for whole in messages.feed(bytes([byte]))]

    assert [body for _, body in found] == [b"one", b"{}"]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_of_every_size_survive_the_way(size):
    payload = b"x" * size
    data = frame(TEXT, payload, b"mask") + frame(TEXT, payload)
    frames = Frames()

    found = [*frames.feed(data[:3]), *frames.feed(data[3:])]

    assert found == [(TEXT, payload), (TEXT, payload)]


def test_an_upgrade_needs_a_key():
    with pytest.raises(ValueError, match="no websocket key"):
        upgrade(b"GET / HTTP/1.1\r\n")


def test_commands_are_numbered_once_in_a_whole_run():
    first, second = commands(150), commands(150)

    assert len({command.number for command in (*first, *second)}) == 300
    assert {command.place for command in first} == set(range(100))


def test_the_harness_measures_every_kind_of_app():
    faults, posts, answers = asyncio.run(_tiny_bench())

    assert faults == []
    assert posts == 6
    assert answers == ["", "Queued", ""]


async def _tiny_bench() -> tuple[list[str], int, list[str]]:
    answers = []
    async with open_rig() as rig:
        bench = Bench(rig, QUICK, say=lambda _: None)
        async with rig.app(ECHO, socket_mode=True) as echo:
            acks = await one_by_one(echo.typist, commands(3))
            answers.append(acks[0].text)
        await rig.reset(green=0.0, slack=0.0)
        async with rig.app(BRIDGE, socket_mode=True) as bridge:
            acks = await one_by_one(bridge.typist, commands(3), outstanding=2)
            await bench.judge("tiny", acks)
            answers.append(acks[0].text.partition(" ")[0])
        async with rig.app(SCRIPT) as script:
            acks = await one_by_one(script.typist, commands(3))
            answers.append(acks[0].text)
            await rig.until_posted(6, 5.0)
        posts = len(await rig.posts())
    assert json.dumps(answers)
    return bench.faults, posts, answers
