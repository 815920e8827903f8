"""The port to WhatsApp: the fake and the client on the emulator behave alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from bridge.errors import Permanent, Retryable, Unknown
from bridge.model import ChatId
from bridge.ports import WhatsApp
from bridge.reasons import Reason
from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.server import SandboxServer
from bridge.whatsapp.client import GreenApi
from tests.fakes import FakeWhatsApp

ANN = ChatId("14155550100@c.us")
GROUP = ChatId("120363043968066561@g.us")
TOKEN = "d75b3a66374942c5b3c019c698abc2067e151558acbd412345"


@dataclass
class World:
    """A port, how to make it fail, and what arrived."""

    port: WhatsApp
    fail: Callable[[str], None]
    arrived: Callable[[], list[tuple[str, str]]]


FAILURES = {
    "limit": (Retryable(Reason.RATE_LIMITED), {"status": 429}),
    "quota": (Permanent(Reason.QUOTA), {"status": 466}),
    "error": (Unknown(Reason.SERVER_ERROR), {"status": 502}),
    "silence": (Unknown(Reason.NO_ANSWER), {"drop": "before"}),
}


@pytest.fixture
def green() -> Iterator[GreenApiSandbox]:
    sandbox = GreenApiSandbox(id_instance="1101000001", token=TOKEN)
    with SandboxServer([sandbox.blueprint()]) as server:
        sandbox.url = server.url  # type: ignore[attr-defined]
        yield sandbox
    sandbox.close()


@pytest.fixture(params=["fake", "chatId", "phoneNumber"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        fake = FakeWhatsApp()
        yield World(
            fake,
            lambda name: fake.errors.append(FAILURES[name][0]),
            lambda: [(str(chat), text) for chat, text in fake.sent],
        )
        return
    green = request.getfixturevalue("green")
    client = GreenApi("1101000001", TOKEN, green.url, address_by=request.param)
    yield World(
        client,
        lambda name: green.fault(**FAILURES[name][1]),
        lambda: [(entry.chat_id, entry.text) for entry in green.ledger],
    )
    client.close()


def test_a_text_arrives_and_has_an_id(world: World) -> None:
    id_message = world.port.send_message(ANN, "Grüße 👋🏼")

    assert id_message
    assert world.arrived() == [(ANN, "Grüße 👋🏼")]


def test_a_group_is_reached_whatever_the_addressing(world: World) -> None:
    world.port.send_message(GROUP, "all")

    assert world.arrived() == [(GROUP, "all")]


def test_the_same_text_twice_has_two_ids(world: World) -> None:
    first = world.port.send_message(ANN, "x")

    assert world.port.send_message(ANN, "x") != first


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_sorted_and_ends(world: World, name: str) -> None:
    expected = FAILURES[name][0]
    world.fail(name)

    with pytest.raises(type(expected)) as caught:
        world.port.send_message(ANN, "x")

    assert caught.value.reason == expected.reason
    assert world.arrived() == []
    assert world.port.send_message(ANN, "y")
