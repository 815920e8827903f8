"""From Slack's payload of a pressed button to a noun."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Caller, Choice
from bridge.slack.presses import Pressed, is_readable, parse_press

ID = "3f2a9c01" * 4


def payload(**more: Any) -> dict[str, Any]:
    return {
        "type": "block_actions",
        "user": {"id": "U0DANA", "team_id": "T1"},
        "team": {"id": "T1", "domain": "sandbox"},
        "channel": {"id": "C1", "name": "support"},
        "response_url": "http://127.0.0.1/r",
        "actions": [action()],
        **more,
    }


def action(**more: Any) -> dict[str, Any]:
    return {"action_id": "send_again", "value": ID, "type": "button", **more}


@pytest.mark.parametrize("choice", Choice)
def test_a_press_says_who_decides_what(choice: Choice) -> None:
    body = payload(actions=[action(action_id=choice.value)])

    assert parse_press(body) == Pressed(
        choice, ID, Caller("U0DANA", "T1", "C1"), "http://127.0.0.1/r"
    )


@pytest.mark.parametrize("url", [None, 7, ["http://x"], {}])
def test_a_press_without_a_way_to_answer_still_counts(url: Any) -> None:
    pressed = parse_press(payload(response_url=url))

    assert pressed is not None
    assert pressed.response_url is None


UNREADABLE: list[dict[str, Any]] = [
    {"actions": None},
    {"actions": []},
    {"actions": {}},
    {"actions": "send_again"},
    {"actions": ["send_again"]},
    {"actions": [None]},
    {"actions": [action(action_id=None)]},
    {"actions": [action(action_id=7)]},
    {"actions": [{"value": ID}]},
    {"user": 7},
    {"team": 7},
    {"channel": 7},
    {"enterprise": 7},
]
SENSELESS: list[dict[str, Any]] = [
    {"actions": [action(action_id="send_again\n")]},
    {"actions": [action(action_id="erase_all")]},
    {"actions": [action(value=None)]},
    {"actions": [action(value=7)]},
    {"actions": [action(value={"id": ID})]},
    {"actions": [action(value="")]},
    {"actions": [action(value="' OR 1=1 --")]},
    {"actions": [action(value="\x00" * 32)]},
    {"actions": [action(value=ID + "\n")]},
    {"actions": [action(value="x" * 100_000)]},
    {"actions": [{"action_id": "send_again"}]},
    {"user": None},
    {"user": {}},
    {"user": {"id": 7}},
    {"user": "U0DANA"},
    {"team": None},
    {"team": {"id": ""}},
    {"channel": None},
    {"channel": {"id": None}},
]


@pytest.mark.parametrize("odd", UNREADABLE)
def test_a_payload_that_bolt_would_stumble_over_is_known(odd: dict[str, Any]) -> None:
    assert not is_readable(payload(**odd))


@pytest.mark.parametrize("odd", SENSELESS)
def test_a_press_that_makes_no_sense_is_none(odd: dict[str, Any]) -> None:
    assert is_readable(payload(**odd))
    assert parse_press(payload(**odd)) is None


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(["user", "team", "channel", "actions", "response_url"])


@given(st.dictionaries(NAMES, ANY_JSON))
def test_no_readable_payload_breaks_the_parser(odd: dict[str, Any]) -> None:
    body = payload(**odd)

    pressed = parse_press(body) if is_readable(body) else None

    assert pressed is None or (pressed.choice, pressed.delivery_id) == (
        Choice.SEND_AGAIN,
        ID,
    )
