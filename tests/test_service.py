"""The service itself: how it ends, what it refuses, what it shows of itself."""

from __future__ import annotations

import json
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.model import ChatId, NewDelivery
from bridge.store import open_store
from tests.harness import (
    World,
    free_port,
    in_parallel,
    make_slack,
    make_world,
    open_world,
)

DOUBT = "It may or may not have been sent."


@pytest.fixture(scope="module")
def half_open(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with a dead connection; first of all, because to notice takes time."""
    slack = make_slack(speed=6)  # whoever gets no ack gives up after half a second
    with open_world(tmp_path_factory.mktemp("half-open"), slack=slack) as world:
        world.wait_for(lambda: slack.socket_mode.connections == 2)
        slack.disconnect("half_open")
        yield world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("service")
    with open_world(folder, "http", scale=0.01, notifications=True) as world:
        yield world


# --- it ends --------------------------------------------------------------------------


@pytest.mark.usefixtures("half_open")
def test_f56_a_stop_lets_fifty_requests_under_way_end(tmp_path: Path) -> None:
    with open_world(tmp_path, scale=0.2, BRIDGE_SENDERS="64", BRIDGE_PACE="0") as world:
        world.green.switches.rate_limits = False
        may_go = threading.Event()

        def wait(method: str, _body: Any) -> None:
            if method == "sendMessage":
                may_go.wait(5)

        world.green.on_executed = wait
        rooms = [world.room() for _ in range(10)]
        in_parallel(
            *[
                lambda n=n: world.type(rooms[n % 10], f"{world.number()} under way {n}")
                for n in range(50)
            ]
        )
        world.wait_for(lambda: len(world.ledger("under way")) == 50)
        world.bridge.ask_to_stop()
        world.wait_for(lambda: "stopping" in world.bridge.output)
        may_go.set()

        code = world.bridge.wait()
        found = world.rows("SELECT status, count(*) FROM deliveries GROUP BY status")
        assert code == 0
        assert [tuple(row) for row in found] == [("accepted", 50)]
        assert len(world.posts("under way")) == 50


def test_f56_a_second_stop_ends_at_once_and_the_next_start_finds_out(
    tmp_path: Path,
) -> None:
    with open_world(tmp_path, notifications=True) as world:
        world.green.switches.rate_limits = False
        rooms, executed = [world.room(), world.room()], (True, False)
        for room, is_executed in zip(rooms, executed, strict=True):
            number = world.number()
            world.green.fault(
                hold=True, executes=is_executed, chat_id=f"{number[1:]}@c.us"
            )
            world.green.script(f"{number[1:]}@c.us")
            world.type(room, f"{number} stopped twice, {is_executed}")
        world.wait_for(lambda: len(world.posts("stopped twice")) == 2)

        world.bridge.ask_to_stop()
        world.wait_for(lambda: "stopping" in world.bridge.output)
        code = world.bridge.terminate()
        world.bridge.start(BRIDGE_TIME_SCALE="0.01")

        assert code == 1
        assert "idMessage" in world.answer_in(rooms[0])
        assert DOUBT in world.answer_in(rooms[1])
        assert len(world.posts("stopped twice")) == 2


def test_f56_a_bridge_that_was_frozen_goes_on(world: World) -> None:
    room = world.room()

    world.bridge.send_signal(signal.SIGSTOP)
    frozen = threading.Thread(
        target=world.type, args=(room, f"{world.number()} typed meanwhile")
    )
    frozen.start()
    world.slack.wait(lambda entry: entry.kind == "command")
    world.bridge.send_signal(signal.SIGCONT)
    frozen.join()

    world.type(room, f"{world.number()} typed afterwards")
    world.settle(room)
    assert len(world.ledger("typed afterwards")) == 1
    assert len(world.ledger("typed meanwhile")) <= 1


# --- what it finds at the start -------------------------------------------------------

WAITING = 500


def test_a_start_with_many_waiting_rows_sends_each_once_in_its_chats_order(
    tmp_path: Path,
) -> None:
    with make_world(
        tmp_path, "http", BRIDGE_PACE="0", GREEN_API_RECEIVE="off"
    ) as world:
        world.green.switches.rate_limits = False
        chats = [ChatId(f"{world.number()[1:]}@c.us") for _ in range(50)]
        store = open_store(world.database_url)
        now, life = datetime.now(UTC), timedelta(minutes=15)
        with store.database.write() as connection:
            for n in range(WAITING):
                text = f"waiting row {n:04}"
                new = NewDelivery(f"test:{n}", chats[n % len(chats)], text)
                store.outbox.add_in(connection, new, now, life)
        store.database.close()

        world.bridge.start()

        world.wait_for_rest()
        texts = [each.text for each in world.ledger("waiting row")]
        assert sorted(texts) == [f"waiting row {n:04}" for n in range(WAITING)]
        for chat_id in chats:
            ours = [each.text for each in world.green.ledger if each.chat_id == chat_id]
            assert ours == sorted(ours)
        assert len(world.posts("waiting row")) == WAITING


def test_f54_a_slack_that_opens_no_connection_is_asked_until_it_does(
    tmp_path: Path,
) -> None:
    trouble: list[dict[str, Any]] = [
        {"status": 500},
        {"status": 200, "body": "<html>busy</html>"},
        {"error": "internal_error"},
        {"drop": "before"},
        {"retry_after": 1},
    ]
    with make_world(tmp_path) as world:
        for fault in trouble:
            world.slack.fault("apps.connections.open", times=2, **fault)

        world.bridge.start()  # waits until it is ready

        room = world.room()
        world.type(room, f"{world.number()} after the trouble")
        assert "idMessage" in world.answer_in(room)


@pytest.fixture(scope="module")
def used(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which an outbox has been used."""
    folder = tmp_path_factory.mktemp("used") / "data"
    sent = world.bridge.run(
        "send", world.number(), "before the damage", BRIDGE_DATA_DIR=str(folder)
    )
    assert sent.returncode == 0
    return folder


@pytest.mark.parametrize("damage", ["scribbled over", "missing", "empty", "a folder"])
def test_f39_a_database_that_is_damaged_is_refused_and_left_as_it_is(
    world: World, used: Path, tmp_path: Path, damage: str
) -> None:
    path = Path(shutil.copytree(used, tmp_path / "data")) / "bridge.db"
    kept, posts = path.read_bytes(), len(world.green.posts)
    path.unlink()
    match damage:
        case "scribbled over":
            path.write_bytes(kept[:12288] + b"\xa5" * 40960 + kept[53248:])
        case "empty":
            path.touch()
        case "a folder":
            path.mkdir()
    before = path.read_bytes() if path.is_file() else None

    refused = world.bridge.run(
        "run", BRIDGE_DATA_DIR=str(path.parent), PORT=str(free_port())
    )

    after = path.read_bytes() if path.is_file() else None
    assert refused.returncode != 0
    assert "bridge.db" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert before == after
    assert len(world.green.posts) == posts


def test_f63_a_bridge_without_stdout_and_stderr_goes_on_sending(tmp_path: Path) -> None:
    with make_world(tmp_path, notifications=True) as world:
        world.bridge.is_mute = True
        world.bridge.start()
        room, number = world.room(), world.number()

        world.green.fault(status=429, chat_id=f"{number[1:]}@c.us")  # worth a warning
        world.type(room, f"{number} said into the dark")

        assert "idMessage" in world.answer_in(room)
        assert world.bridge.terminate() == 0


# --- what it shows of itself ----------------------------------------------------------


def _metric(page: str, name: str) -> float:
    (value,) = re.findall(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
    return float(value)


def test_a_hold_is_a_warning_and_no_reason_to_take_the_service_away(
    world: World,
) -> None:
    room = world.room()
    world.green.set_state("notAuthorized")
    world.wait_for(lambda: "account" in world.bridge.get("/readyz")[1])

    world.type(room, f"{world.number()} shown while on hold")
    world.wait_for_card(room, "On hold.")
    status, ready = world.bridge.get("/readyz")
    _, metrics = world.bridge.get("/metrics")
    stats = json.loads(world.bridge.run("stats", "--json").stdout)
    mine = world.type(room, "status")
    world.green.set_state("authorized")

    world.settle(room)
    assert (status, json.loads(ready)["reasons"]) == (200, {})
    assert "logged out" in json.loads(ready)["warnings"]["account"]
    assert _metric(metrics, 'bridge_deliveries{status="held"}') == 1
    assert _metric(metrics, 'bridge_on_hold{reason="not_authorized"}') == 1
    assert stats["account"]["hold"] == "not_authorized"
    assert stats["now"]["held"] == 1
    assert "Messages are on hold. The WhatsApp account is logged out." in str(
        mine.ephemeral
    )
    world.wait_for(lambda: json.loads(world.bridge.get("/readyz")[1])["warnings"] == {})


def test_f6_every_view_tells_the_same_of_an_unconfirmed_text(world: World) -> None:
    number = world.number()
    world.green.fault(drop="before", chat_id=f"{number[1:]}@c.us")

    sent = world.bridge.run("send", "--json", number, "through the running service")

    (row,) = json.loads(sent.stdout)["deliveries"]
    listed, stats, refused = in_parallel(
        lambda: world.bridge.run("outbox", "--json"),
        lambda: world.bridge.run("stats", "--json"),
        lambda: world.bridge.run("retry", row["id"]),
    )
    _, metrics = world.bridge.get("/metrics")
    assert (sent.returncode, row["status"]) == (3, "unconfirmed")
    assert row in json.loads(listed.stdout)["deliveries"]
    assert json.loads(stats.stdout)["now"]["unconfirmed"] == 1
    assert _metric(metrics, 'bridge_deliveries{status="unconfirmed"}') == 1
    assert refused.returncode == 1
    assert "It may have been sent already" in refused.stderr


def test_retry_of_an_unconfirmed_text_is_the_same_decision_as_the_button(
    world: World,
) -> None:
    room, number = world.room(), world.number()
    world.green.fault(drop="before", chat_id=f"{number[1:]}@c.us")
    world.type(room, f"{number} retried in the shell")
    world.settle(room)
    (row,) = world.rows("SELECT id FROM deliveries WHERE text LIKE '%in the shell'")
    (line,) = world.lines(room)

    retried = world.bridge.run("retry", "--even-if-doubled", row.id)
    pressed = world.slack.press(
        "U0DANA", room, line["ts"], "send_again", blocks=line["blocks"]
    )

    world.wait_for(lambda: len(world.replies(room)) == 2)
    world.settle(room)
    assert (retried.returncode, pressed.outcome) == (0, "acked")
    assert len(world.ledger("retried in the shell")) == 1
    assert world.buttons(room) == []


# --- last, for a dead connection takes its time ---------------------------------------


def test_f53_a_half_open_connection_is_replaced_and_the_other_one_serves_meanwhile(
    half_open: World,
) -> None:
    room, served = half_open.room(), 0
    for n in range(20):
        command = half_open.type(room, f"{half_open.number()} half open <{n:02}>")
        served += command.outcome == "acked"
        if served == 3:
            break

    half_open.wait_for(lambda: _opened(half_open) >= 3)
    half_open.wait_for(lambda: half_open.slack.socket_mode.connections >= 2)
    half_open.settle(room)
    assert served == 3
    assert len(half_open.ledger("half open")) == len(half_open.roots(room)) >= served


def _opened(world: World) -> int:
    log = world.slack.log.since(kind="connection")
    return sum(entry.data["state"] == "open" for entry in log)
