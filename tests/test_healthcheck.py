"""``bridge healthcheck``: what Docker asks every half minute."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bridge.doctor.running import ALIVE, READY, verdict
from tests.harness import free_port, open_world
from tests.raw_server import RawServer, reply, says

HEAVY = ["sqlalchemy", "slack_bolt", "slack_sdk", "flask", "requests", "alembic"]


def test_a_bridge_that_can_take_messages_is_well(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        ready = world.bridge.run("healthcheck")
        world.slack.outage()
        world.slack.disconnect("rst")
        world.wait_for(lambda: world.bridge.get("/readyz")[0] == 503)
        cut_off = world.bridge.run("healthcheck")
        alive = world.bridge.run("healthcheck", "--live")
        world.bridge.kill()
        ended = world.bridge.run("healthcheck")

        where = f"127.0.0.1:{world.bridge.port}"
    assert (ready.returncode, ready.stdout) == (
        0,
        f"The bridge at {where} is well.\n",
    )
    assert (cut_off.returncode, cut_off.stdout) == (
        1,
        "There is no Socket Mode connection to Slack.\n",
    )
    assert alive.returncode == 0
    assert (ended.returncode, ended.stdout) == (
        1,
        f"No bridge answers at {where}. Start it with: bridge run\n",
    )


def test_without_a_port_it_says_what_to_do() -> None:
    is_well, line = verdict("127.0.0.1", 0, READY)

    assert not is_well
    assert line == "PORT is 0, so nobody can be asked. Set PORT, e.g. to 3000."


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])  # noqa: S104
def test_a_bridge_that_listens_everywhere_is_asked_here(host: str) -> None:
    page = b'{"status": "ready", "reasons": {}, "warnings": {"x": "On hold."}}'
    with RawServer(says(reply(page))) as server:
        is_well, line = verdict(host, server.port, READY)

    assert is_well
    assert line == f"The bridge at {host}:{server.port} is well. On hold."


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"status": "up"}', b"[]", b"[" * 60_000, b"\xff"]
)
def test_another_program_on_the_port_is_no_bridge(body: bytes) -> None:
    with RawServer(says(reply(body))) as server:
        is_well, line = verdict("127.0.0.1", server.port, ALIVE)

    assert not is_well
    assert line == f"What answers at 127.0.0.1:{server.port} is no bridge (HTTP 200)."


def test_a_port_that_talks_nonsense_is_nobody() -> None:
    with RawServer(says(b"220 mail ready\r\n", close=True)) as server:
        assert verdict("127.0.0.1", server.port, READY)[0] is False
    assert verdict("127.0.0.1", free_port(), READY)[0] is False


def test_it_needs_nothing_but_the_settings() -> None:
    code = (
        "import sys; from bridge.cli import cli\n"
        "try: cli(['healthcheck'], standalone_mode=False)\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PORT": "0"},
    )

    assert ended.stdout.splitlines()[-1] == "[]"
