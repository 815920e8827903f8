"""The demo at a terminal: its page, its end, and tests that are copied from it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bridge.sandbox.demo.audience import open_page, why_not
from tests.terminal import Terminal
from tests.test_demo import Trap, live_settings

PATIENCE = 30.0  # seconds until a test that waits gives up: a limit, no measure


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))


@pytest.fixture
def trap() -> Iterator[Trap]:
    opened = Trap()
    yield opened
    opened.close()


class Watched:
    """``bridge demo`` at a terminal, and its page; a context manager."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        options = arguments or ("--port", "0")
        self.terminal = Terminal(folder, "demo", *options, environment=environment)

    def __enter__(self) -> Watched:
        self.terminal.__enter__()
        address = re.compile(r"The page is at (http://127\.0\.0\.1:\d+)/ ")
        self.terminal.wait_until(lambda: address.search(self.terminal.text) is not None)
        found = address.match(self.terminal.text)
        assert found, "the address is not what is said first"
        self.url = found[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.terminal.__exit__()

    def until_it_is_ours(self) -> None:
        self.terminal.wait_for("6 of 6 as expected. Nothing left this machine.")
        self.terminal.wait_for("stays until you press Ctrl-C here.")

    def post(self, action: str, **body: Any) -> Any:
        url = f"{self.url}/_sandbox/{action}"
        headers = {"X-Sandbox-Token": self.get("token")["token"]}
        answer = requests.post(url, json=body, headers=headers, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, view: str) -> Any:
        return requests.get(f"{self.url}/_sandbox/{view}", timeout=PATIENCE).json()

    def entries(self, kind: str) -> list[dict[str, Any]]:
        return [entry["data"] for entry in self.get(f"log?kind={kind}")["entries"]]

    def wait_for(self, kind: str, *words: str) -> dict[str, Any]:
        """Wait until an entry says these words; return its data."""
        ends_at = time.monotonic() + PATIENCE
        seq = 0
        while time.monotonic() < ends_at:
            answer = self.get(f"wait?kind={kind}&since={seq}&timeout=5")
            if "entry" not in answer:
                continue
            seq, data = answer["entry"]["seq"], answer["entry"]["data"]
            said = json.dumps(data, ensure_ascii=False)
            if all(word in said for word in words):
                return dict(data)
        raise AssertionError(f"no {kind} says {words!r}")

    def end(self) -> int:
        self.terminal.press_ctrl_c()
        return self.terminal.end()


def test_at_a_terminal_the_page_stays_with_the_story_until_ctrl_c(tmp_path, trap):
    folder = tmp_path / "Мои проекты" / "whatsapp bridge"
    folder.mkdir(parents=True)
    live = live_settings(trap, folder)
    dotenv = "".join(f"{name}={value}\n" for name, value in live.items())
    (folder / ".env").write_text(dotenv)

    with Watched(folder, **live) as demo:
        demo.until_it_is_ours()
        steps = demo.entries("step")
        page = requests.get(demo.url, timeout=PATIENCE)
        command = demo.post("say", text="/whatsapp +1 415 555 0102 And now by hand")
        demo.wait_for("status", "14155550102@c.us")
        code = demo.end()
        said = demo.terminal.text

    assert code == 0
    assert said.endswith("The demo has ended.")
    assert "Traceback" not in said
    assert page.status_code == 200
    assert command["command"]["ephemeral"].startswith("Queued for ")
    assert steps[0] == {
        "action": "say",
        "body": {"text": "/whatsapp +1 415 555 0100 Your order ships today :tada:"},
    }
    assert steps[-1] == {"action": "clock", "body": {"speed": 1.0}}
    assert trap.caught == 0
    assert "live" not in said
    assert list((tmp_path / "temporary").iterdir()) == []


def test_ctrl_c_during_the_tour_ends_it_with_130(tmp_path):
    with Watched(tmp_path) as demo:
        demo.terminal.wait_for("1 of 6")

        assert demo.end() == 130


def test_with_ci_set_a_terminal_gets_the_tour_alone(tmp_path):
    with Terminal(tmp_path, "demo", "--port", "0", environment={"CI": "1"}) as terminal:
        assert terminal.end() == 0

        assert "6 of 6 as expected" in terminal.text
        assert "Ctrl-C" not in terminal.text


def test_a_taken_port_is_said(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Watched(tmp_path, "--port", str(port)) as demo:
            demo.terminal.wait_for(f"Port {port} is taken")

            assert not demo.url.endswith(f":{port}")


def test_no_browser_is_opened_where_that_is_no_help(tmp_path):
    with Watched(tmp_path, SSH_CONNECTION="192.0.2.1 1 192.0.2.2 22") as demo:
        demo.terminal.wait_for("No browser is opened over SSH: open it yourself.")


@pytest.mark.parametrize(
    ("environment", "platform", "is_root", "reason"),
    [
        ({"DISPLAY": ":0"}, "linux", False, None),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", False, None),
        ({}, "darwin", False, None),
        ({}, "win32", False, None),
        ({}, "linux", False, "without a display"),
        ({"DISPLAY": ""}, "linux", False, "without a display"),
        ({"DISPLAY": ":0"}, "linux", True, "as root"),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "x"}, "linux", False, "over SSH"),
        ({"SSH_TTY": "/dev/pts/0"}, "darwin", False, "over SSH"),
    ],
)
def test_a_browser_is_opened_where_it_is_welcome(
    environment, platform, is_root, reason
):
    assert why_not(environment, platform, is_root=is_root) == reason


def test_the_page_is_opened_by_the_users_own_browser(tmp_path, monkeypatch):
    told = tmp_path / "told"
    os.mkfifo(told)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho noise; echo "$1" > "{told}"\n')
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{browser} %s")

    open_page("http://127.0.0.1:8765/")

    assert told.read_text() == "http://127.0.0.1:8765/\n"


# What is done, and what is waited for before the next step, as a person would.
STORY = (
    ("say", {"text": "/whatsapp +1 415 555 0110 Not read"}, "status", "delivered"),
    ("say", {"text": "/whatsapp +1 415 555 0120 To nobody"}, "status", "noAccount"),
    ("say", {"text": "/whatsapp nonsense"}, "ephemeral", "nonsense"),
    (
        "say",
        {"text": '/whatsapp +44 20 7946 0101 "Sam" here', "user": "U0SAM"},
        "status",
        "442079460101@c.us read",
    ),
    ("say", {"text": "/foo"}, "refusal", "/foo"),
    (
        "fault",
        {"side": "green", "kind": "429", "apply": "times", "times": 2},
        "fault",
        "429",
    ),
    (
        "say",
        {"text": "/whatsapp +1 415 555 0103 It's late, {not} \\ lost"},
        "status",
        "14155550103@c.us read",
    ),
    ("fault", {"side": "slack", "kind": "redelivery"}, "fault", "redelivery"),
    (
        "say",
        {"text": "/whatsapp +1 415 555 0104 Once", "typed_on_a_phone": True},
        "status",
        "14155550104@c.us read",
    ),
    (
        "reply",
        {"chat_id": "14155550103@c.us", "text": "Спасибо"},
        "incoming",
        "Спасибо",
    ),
    (
        "say",
        {"text": "/whatsapp +1 415 555 0150 In doubt"},
        "message",
        "mark_not_sent",
    ),
)


def test_the_copied_test_passes_on_a_fresh_demo(tmp_path):
    with Watched(tmp_path) as demo:
        demo.until_it_is_ours()
        demo.post("reset")
        demo.post("clock", speed=10)
        for action, body, kind, words in STORY:
            demo.post(action, **body)
            seen = demo.wait_for(kind, *words.split())
        doubt = seen["message"]
        demo.post("say", text="/whatsapp status", thread_ts=doubt["thread_ts"])
        demo.post("say", text="I will ask", thread_ts=doubt["thread_ts"])
        demo.post("click", message_ts=doubt["ts"], action_id="mark_not_sent")
        copied = demo.get("test")["test"]

    code, said = run_copied(copied, tmp_path)
    assert code == 0, said


def test_a_copied_test_fails_when_it_is_not_so(tmp_path):
    with Watched(tmp_path) as demo:
        demo.until_it_is_ours()
        demo.post("reset")
        demo.post("say", text="/whatsapp +1 415 555 0100 Once")
        demo.wait_for("status", "read")
        copied = demo.get("test")["test"]

    code, said = run_copied(copied.replace('("14155550100', '("14155550101'), tmp_path)

    assert code == 1, said
    assert "assert sorted(sent) ==" in said


def run_copied(copied: str, folder: Path) -> tuple[int, str]:
    """Run a copied test against a fresh demo; return pytest's code and what it says."""
    (folder / "test_copied.py").write_text(copied)
    with Watched(folder) as demo:
        demo.until_it_is_ours()
        run = subprocess.run(
            [
                *(sys.executable, "-I", "-m", "pytest", "-q"),
                *("-p", "no:cacheprovider", "-p", "no:xdist", "test_copied.py"),
            ],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "BRIDGE_SANDBOX_URL": demo.url},
            capture_output=True,
            text=True,
            check=False,
            timeout=4 * PATIENCE,
        )
    return run.returncode, run.stdout + run.stderr
