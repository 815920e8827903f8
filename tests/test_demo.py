"""The demo: its tour, its exit codes, and that it touches nothing of the user's."""

from __future__ import annotations

import io
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from bridge.sandbox.demo import play
from bridge.sandbox.demo.child import make_settings
from bridge.sandbox.demo.screen import Screen
from bridge.sandbox.demo.stage import Stage
from bridge.sandbox.demo.tour import Step
from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.slack import SlackSandbox

PATIENCE = 30.0  # seconds until a test that waits gives up: a limit, no measure
UTF8 = {"PYTHONUTF8": "1"}

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="needs Linux's /proc"
)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo makes its temporary folder."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


class Trap:
    """A server that nobody must ever talk to."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.caught = 0
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            first = connection.recv(4)
            connection.close()
            if first == b"done":
                return
            self.caught += 1

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"done")
        self._thread.join()
        self._listener.close()


@pytest.fixture
def trap() -> Iterator[Trap]:
    opened = Trap()
    yield opened
    opened.close()


def live_settings(trap: Trap, folder: Path) -> dict[str, str]:
    """Return what a user of the real thing has, with all its roads into the trap."""
    address = f"http://127.0.0.1:{trap.port}"
    proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"]
    return {
        "SLACK_BOT_TOKEN": "xoxb-live-1",
        "SLACK_APP_TOKEN": "xapp-live-1",
        "SLACK_SIGNING_SECRET": "livelivelive",
        "SLACK_API_URL": f"{address}/api/",
        "GREEN_API_URL": address,
        "GREEN_API_ID_INSTANCE": "7103000001",
        "GREEN_API_TOKEN_INSTANCE": "live" * 12,
        "GREEN_API_ADDRESS_BY": "phoneNumber",
        "DATABASE_URL": f"postgresql://live:live@127.0.0.1:{trap.port}/live",
        "BRIDGE_DATA_DIR": str(folder / "live"),
        "BRIDGE_MAX_TEXT": "1",
        "STATE_DIRECTORY": str(folder / "live"),
        **dict.fromkeys(proxies, address),
    }


@dataclass(frozen=True)
class Played:
    """``bridge demo``, as a process without a terminal."""

    code: int
    printed: str
    errors: str
    caught: int  # connections that went into the trap
    folder: Path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The demo, played where somebody works with live credentials."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "temporary").mkdir()
    trap = Trap()
    live = live_settings(trap, folder)
    dotenv = "".join(f"{name}={value}\n" for name, value in live.items())
    (folder / ".env").write_text(dotenv)
    demo = subprocess.run(
        [sys.executable, "-m", "bridge", "demo"],
        cwd=folder,
        env={**os.environ, **live, "TMPDIR": str(folder / "temporary"), **UTF8},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    trap.close()
    return Played(demo.returncode, demo.stdout, demo.stderr, trap.caught, folder)


def play_steps(
    *steps: Step, data: Path | None = None, port: int = 0
) -> tuple[int, str]:
    """Play in this process; return the exit code and what was printed."""
    out = io.StringIO()
    code = play(data, out, steps=steps, port=port or free_port())
    return code, out.getvalue()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def processes_in(folder: Path) -> list[Path]:
    """Return the directories in /proc of what was started in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            at = str((process / "cwd").readlink())
        except OSError:
            continue  # gone, or not ours to look at
        if at.startswith(str(folder)):
            found.append(process)
    return found


# -- the tour ---------------------------------------------------------------------


def test_the_tour_goes_as_expected(demo):
    lines = demo.printed.splitlines()

    assert (demo.code, demo.errors) == (0, "")
    assert re.search(r" 127\.0\.0\.1:[0-9]+[ ,]", lines[0])
    assert lines[-1] == "6 of 6 as expected. Nothing left this machine."
    assert list((demo.folder / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    "seen",
    [
        [
            "you /whatsapp +1 415 555 0100 Your order ships today :tada:",
            "only you Queued for +1 ••••• 0100. Follow it in the thread. *s",
            "channel 👁 WhatsApp → +1 ••••• 0100 · by @dana",
            "thread 👁 Read · idMessage 3EB0* *s",
            "phone Your order ships today 🎉 (+1 415 555 0100)",
        ],
        [
            "you /whatsapp 12ab Hello",
            "only you I can't read “12ab” as a phone number. *",
        ],
        [
            "you /whatsapp +1 415 555 0129 *",
            "GREEN-API 429 Too Many Requests, then 429 Too Many Requests, then 200 OK",
            "thread 👁 Read · idMessage 3EB0*",
            "phone * (+1 415 555 0129)",
        ],
        [
            "account logged out",
            "you /whatsapp +1 415 555 0101 *",
            "channel ✋ WhatsApp → *",
            "On hold. The WhatsApp account is logged out. *",
            "account linked again",
            "thread 👁 Read · idMessage 3EB0*",
            "phone * (+1 415 555 0101)",
        ],
        [
            "you /whatsapp 120363043968066561@g.us *",
            "thread 👁 Read · idMessage 3EB0*",
            "phone * (the group)",
        ],
        [
            "you /whatsapp +1 415 555 0151 *",
            "GREEN-API 502 Bad Gateway",
            "thread 👁 Read · idMessage 3EB0*",
            "phone * (+1 415 555 0151)",
        ],
    ],
    ids=["good", "bad number", "429", "logged out", "group", "unclear"],
)
def test_the_tour_shows_what_everybody_sees(demo, seen):
    lines = iter([" ".join(line.split()) for line in demo.printed.splitlines()])

    for pattern in seen:  # in this order, other lines between them
        assert any(fnmatchcase(line, pattern) for line in lines), pattern


def test_every_text_of_the_tour_reaches_a_phone_once(demo):
    phones = [line for line in demo.printed.splitlines() if line.startswith("phone")]

    assert len(phones) == len(set(phones)) == 5


def test_the_tour_fits_every_terminal(demo):
    assert max(map(len, demo.printed.splitlines())) <= 100
    assert "\x1b" not in demo.printed  # no colour, whatever NO_COLOR says


def test_a_step_that_differs_ends_the_tour_with_1_and_keeps_the_log(temporary):
    def twice(stage: Stage) -> None:
        asked = stage.queue("+1 415 555 0100", "Hello")
        stage.read(asked)
        stage.green.instance.accept(asked.chat_id, "Hello", {})
        stage.phone(asked, "Hello")

    def never(_: Stage) -> None:
        raise AssertionError("the tour went on")

    code, printed = play_steps(
        Step("a second copy is welcome.", twice), Step("", never)
    )

    *_, differs, expected, seen, where = printed.splitlines()
    log = Path(where.removeprefix("bridge log "))
    assert code == 1
    assert differs == "Step 1 went another way, so the tour ends here."
    assert expected == "expected   “Hello” on the phone, once"
    assert seen == "seen       “Hello”; “Hello”"
    assert temporary in log.parents
    assert "the bridge runs" in log.read_text()


# -- nothing of the user's is touched ---------------------------------------------


def test_live_credentials_are_never_used(demo):
    assert demo.code == 0
    assert demo.caught == 0
    assert "live" not in demo.printed
    assert not (demo.folder / "live").exists()


@needs_proc
def test_the_bridge_gets_no_variable_of_the_user(
    tmp_path, trap, temporary, monkeypatch
):
    for name, value in live_settings(trap, tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONSTARTUP", "live")
    seen = []

    def look(_: Stage) -> None:
        (process,) = processes_in(temporary)
        seen.append((process / "environ").read_text())

    code, _ = play_steps(Step("its environment is its own.", look))

    assert code == 0
    names = {entry.partition("=")[0] for entry in seen[0].split("\0")}
    assert "SLACK_BOT_TOKEN=xoxb-sandbox\0" in seen[0]
    assert "live" not in seen[0]
    assert not names & {"DATABASE_URL", "HTTPS_PROXY", "SLACK_SIGNING_SECRET", "HOME"}


def test_an_address_off_this_machine_is_refused(tmp_path):
    slack, green = SlackSandbox(), GreenApiSandbox()

    with pytest.raises(ValueError, match="stays on this machine"):
        make_settings("https://slack.com", slack, green, data=tmp_path, scale=1)


def test_an_outbox_in_use_is_left_alone(tmp_path):
    (tmp_path / "bridge.db").write_bytes(b"messages that wait")

    code, printed = play_steps(data=tmp_path)

    assert code == 2
    assert f"{tmp_path} is not empty." in printed
    assert [each.name for each in tmp_path.glob("bridge.db*")] == ["bridge.db"]


def test_the_outbox_is_kept_where_the_user_wants_it(tmp_path, temporary):
    folder = tmp_path / "kept"

    code, printed = play_steps(data=folder)

    assert code == 0
    assert "\nThe outbox stays in " in printed
    assert (folder / "bridge.db").stat().st_size > 0
    assert list(temporary.iterdir()) == []


# -- ports, ends, terminals -------------------------------------------------------


def test_a_taken_port_is_passed_over():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code, printed = play_steps(port=port)

    assert code == 0
    assert re.search(r" 127\.0\.0\.1:\d+[ ,]", printed)
    assert f":{port}" not in printed


def test_a_bridge_that_cannot_start_shows_its_last_words(tmp_path):
    (tmp_path / "file").touch()

    code, printed = play_steps(data=tmp_path / "file" / "outbox")

    assert code == 1
    assert re.search(
        r"\nThe bridge ended with exit code \d+\. Its last lines:\n", printed
    )
    assert "Not a directory" in printed


def test_ctrl_c_ends_the_bridge_and_the_demo(temporary):
    def interrupt(_: Stage) -> None:
        raise KeyboardInterrupt

    code, _ = play_steps(Step("it can be stopped.", interrupt))

    assert code == 130
    assert processes_in(temporary) == []
    assert list(temporary.iterdir()) == []


@needs_proc
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        (signal.SIGHUP, 129),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_no_signal_leaves_the_bridge_behind(temporary, number, code):
    command = [sys.executable, "-m", "bridge", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as demo:
        assert demo.stdout is not None
        while not demo.stdout.readline().startswith("you "):
            assert demo.poll() is None
        (bridge,) = processes_in(temporary)
        handle = os.pidfd_open(int(bridge.name))

        demo.send_signal(number)

        assert demo.wait(PATIENCE) == code
        assert select.select([handle], [], [], PATIENCE)[0]
        os.close(handle)


def test_a_terminal_of_eight_bits_shows_question_marks():
    written = io.BytesIO()
    terminal = io.TextIOWrapper(written, encoding="latin-1")

    Screen(terminal).line("phone", "today 🎉 … ¡olé!")

    assert written.getvalue() == "phone      today ? ? ¡olé!\n".encode("latin-1")


def test_a_note_without_room_gets_a_line_of_its_own():
    out = io.StringIO()

    Screen(out).line("thread", "x" * 80, "0.2 s")

    first, second = out.getvalue().splitlines()
    assert first == "thread     " + "x" * 80
    assert second == " " * 75 + "0.2 s"
