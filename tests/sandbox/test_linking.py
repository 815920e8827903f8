"""Linking a phone to the emulated GREEN-API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bridge.sandbox.green_api import GreenApiSandbox, linking
from bridge.sandbox.green_api.answers import Call, Refused

PHONE = {"phoneNumber": 4915123456789}


@pytest.fixture
def green() -> Iterator[GreenApiSandbox]:
    """An instance without a phone, whose clock stands still."""
    green = GreenApiSandbox(speed=0)
    green.set_state("notAuthorized")
    yield green
    green.close()


def call(body: object = None) -> Call:
    raw = b"" if body is None else json.dumps(body).encode()
    return Call("POST", "/", "1101000001", "", "", None, {}, {}, raw)


def ask(green: GreenApiSandbox, body: object = PHONE) -> Any:
    return linking.get_authorization_code(green, call(body))


def test_the_code_links_the_phone_once(green: GreenApiSandbox) -> None:
    answer = ask(green)

    assert answer["status"] is True
    assert not linking.enter_code(green, "AAAA-AAAA")
    assert linking.enter_code(green, f"{answer['code'][:4]}-{answer['code'][4:]}")
    assert green.state == "authorized"
    assert not linking.enter_code(green, answer["code"])


def test_a_code_expires(green: GreenApiSandbox) -> None:
    code = ask(green)["code"]
    green.advance(linking.CODE_SECONDS)

    assert not linking.enter_code(green, code)
    assert ask(green)["status"] is True  # none is open any more


def test_a_second_request_leaves_the_instance_starting(green: GreenApiSandbox) -> None:
    ask(green)

    assert ask(green) == {"status": False, "code": ""}
    assert green.state == "starting"


def test_a_linked_instance_gives_no_code(green: GreenApiSandbox) -> None:
    green.set_state("authorized")

    assert ask(green) == {"status": False, "code": ""}
    assert linking.qr(green, call())["type"] == "alreadyLogged"  # type: ignore[index]


@pytest.mark.parametrize(
    "body", [{}, {"phoneNumber": "4915123456789"}, {"phoneNumber": 123}]
)
def test_a_number_is_needed(green: GreenApiSandbox, body: object) -> None:
    with pytest.raises(Refused, match="phoneNumber"):
        ask(green, body)


def test_the_picture_changes_every_twenty_seconds(green: GreenApiSandbox) -> None:
    first = linking.qr(green, call())
    same = linking.qr(green, call())
    green.advance(linking.QR_SECONDS)

    assert same == first
    assert linking.qr(green, call()) != first
    assert linking.scan(green)
    assert green.state == "authorized"
    assert not linking.scan(green)


def test_a_starting_instance_has_no_picture(green: GreenApiSandbox) -> None:
    green.set_state("starting")

    assert linking.qr(green, call())["type"] == "error"  # type: ignore[index]
