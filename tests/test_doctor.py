"""``bridge doctor`` as a person and a program meet it: output, options, exit codes."""

from __future__ import annotations

import json
import os
import re
import select
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge import __version__
from bridge.doctor.checks import CHECKS
from bridge.doctor.findings import Area, Finding, State
from bridge.doctor.report import Report, total
from bridge.doctor.wishes import NOTIFICATIONS
from tests.harness import (
    GREEN_TOKEN,
    PATIENCE,
    REPOSITORY,
    SECRETS,
    World,
    make_world,
    open_world,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with make_world(tmp_path_factory.mktemp("doctor"), notifications=True) as world:
        yield world


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    shared.heal()
    shared.green.log.clear()
    yield shared
    shared.green.reset()
    switches = ("outgoingWebhook", "stateWebhook")
    shared.green.apply_settings(webhookUrl="", **dict.fromkeys(switches, "yes"))


def as_json(world: World, *options: str, **settings: str) -> tuple[int, Any]:
    ended = world.bridge.run("doctor", "--json", *options, **settings)
    return ended.returncode, json.loads(ended.stdout)


# --- for a person -------------------------------------------------------------------


def test_the_whole_report_on_a_terminal(world: World) -> None:
    world.slack.set_scopes({"commands", "chat:write"})
    world.green.apply_settings(outgoingWebhook="no")

    code, shown = on_a_terminal(world, "doctor")

    text = ANSI.sub("", shown).replace("\r\n", "\n")
    assert code == 1
    assert "\x1b[31m✗\x1b[0m scopes" in shown
    assert "\x1b[33m!\x1b[0m settings" in shown
    lines = text.splitlines()
    assert lines[0] == "Slack"
    assert lines[1] == "  ✓ bot token      @whatsapp-bridge in Sandbox (T0SANDBOX)"
    assert "GREEN-API" in lines
    assert "  ✓ instance       1101…0001 authorized" in lines
    assert (
        "  ! settings       outgoingWebhook is off: no ticks will ever arrive" in lines
    )
    advice = lines.index(
        "                   Fix: bridge doctor --fix (restarts the instance, up to 5 "
        "minutes)"
    )
    assert lines[advice + 1].strip() == "https://console.green-api.com"
    assert "Here" in lines
    assert lines[-1] == "1 problem, 1 warning."
    assert max(map(len, lines)) <= 98


def test_no_colour_where_none_is_wanted(world: World) -> None:
    _, shown = on_a_terminal(world, "doctor", "--only", "names", NO_COLOR="1")

    assert shown.replace("\r\n", "\n") == (
        "Here\n"
        "  ✓ names          every setting is one that the bridge reads\n"
        "All is well.\n"
    )


def test_a_terminal_of_eight_bits_gets_words(world: World) -> None:
    world.slack.set_scopes({"commands"})

    ended = world.bridge.run(
        "doctor", "--only", "scopes,instance", PYTHONIOENCODING="ascii"
    )

    assert "  PROBLEM scopes " in ended.stdout
    assert "  ok      instance " in ended.stdout
    assert "1101...0001 authorized" in ended.stdout
    assert ended.stdout.isascii()


def test_all_lines_of_one_report_have_their_text_in_one_column() -> None:
    class Screen:
        encoding = "ascii"
        text = ""

        def isatty(self) -> bool:
            return False

        def write(self, text: str) -> int:
            self.text += text
            return len(text)

        def flush(self) -> None:
            """Nothing is kept back."""

    screen = Screen()
    report = Report(screen)  # type: ignore[arg-type]
    for state in State:
        report.show(Finding("bot-token", Area.SLACK, state, "word " * 30, "do it"))

    columns = {
        line.index("word") for line in screen.text.splitlines() if "word" in line
    }
    columns |= {line.index("Fix") for line in screen.text.splitlines() if "Fix" in line}
    assert len(columns) == 1


@pytest.mark.parametrize(
    ("states", "line"),
    [
        ([State.OK, State.SKIPPED], "All is well."),
        ([State.PROBLEM], "1 problem."),
        ([State.WARNING] * 3 + [State.PROBLEM], "1 problem, 3 warnings."),
        ([State.WARNING, State.OK], "1 warning."),
    ],
)
def test_the_last_line_counts(states: list[State], line: str) -> None:
    assert total(Finding("x", Area.HERE, each, "") for each in states) == line


# --- for a program ------------------------------------------------------------------


def test_the_json_has_one_shape(world: World) -> None:
    world.green.apply_settings(outgoingWebhook="no")

    code, answer = as_json(world)

    assert code == 0  # a warning is none of its business
    assert set(answer) == {
        "schema",
        "version",
        "problems",
        "warnings",
        "mended",
        "findings",
    }
    assert (answer["schema"], answer["version"]) == (1, __version__)
    assert (answer["problems"], answer["warnings"], answer["mended"]) == (0, 1, [])
    assert [f["check"] for f in answer["findings"]] == [c.name for c in CHECKS]
    keys = {"area", "check", "state", "fact", "fix", "link", "mendable"}
    assert {tuple(sorted(f)) for f in answer["findings"]} == {tuple(sorted(keys))}
    (warning,) = [f for f in answer["findings"] if f["state"] == "warning"]
    assert warning == {
        "area": "green",
        "check": "settings",
        "state": "warning",
        "fact": "outgoingWebhook is off: no ticks will ever arrive",
        "fix": "bridge doctor --fix (restarts the instance, up to 5 minutes)",
        "link": "https://console.green-api.com",
        "mendable": True,
    }


@pytest.mark.parametrize(
    ("only", "checks"),
    [
        ("here", [c.name for c in CHECKS if c.area is Area.HERE]),
        ("plan, bot-token", ["bot-token", "plan"]),
        ("slack,names", [*(c.name for c in CHECKS if c.area is Area.SLACK), "names"]),
    ],
)
def test_only_what_was_asked_for_is_looked_at(
    world: World, only: str, checks: list[str]
) -> None:
    _, answer = as_json(world, "--only", only)

    assert [f["check"] for f in answer["findings"]] == checks


def test_what_there_is_not_can_not_be_asked_for(world: World) -> None:
    ended = world.bridge.run("doctor", "--only", "slak")

    assert ended.returncode == 2
    assert "There is no check slak. There are: slack, green, here, " in ended.stderr


def test_the_page_has_a_row_for_each_check_and_each_setting() -> None:
    page = (REPOSITORY / "docs/doctor.md").read_text("utf-8")

    assert [c.name for c in CHECKS if f"| `{c.name}` |" not in page] == []
    assert [key for key in NOTIFICATIONS if f"| `{key}` is off |" not in page] == []


# --- exit codes ---------------------------------------------------------------------


def test_a_problem_is_one_and_a_warning_only_when_strict(world: World) -> None:
    world.green.apply_settings(stateWebhook="no")
    only = ("--only", "settings")
    assert as_json(world, *only)[0] == 0
    assert as_json(world, *only, "--strict")[0] == 1

    world.green.apply_settings(webhookUrl="https://other.example.com/x")
    assert as_json(world, *only)[0] == 1


def test_nothing_set_up_is_78_and_one_sentence(world: World, tmp_path: Path) -> None:
    names = {name: "" for name in world.bridge.settings if name != "PORT"}

    code, answer = as_json(world, **names)
    ended = world.bridge.run("doctor", **names)

    assert (code, answer["findings"]) == (78, [])
    assert (ended.returncode, ended.stdout) == (78, "")
    assert ended.stderr == "Nothing is set up here yet. Run: bridge init\n"


@pytest.mark.parametrize("only", ["here", "slack"])
def test_a_setting_that_is_missing_is_78(world: World, only: str) -> None:
    ended = world.bridge.run("doctor", "--only", only, SLACK_BOT_TOKEN="")

    assert ended.returncode == 78
    assert ended.stderr == ""  # the report says it all


def test_the_settings_of_another_file(world: World, tmp_path: Path) -> None:
    names = dict.fromkeys(world.bridge.settings, "")
    path = tmp_path / "other.env"
    values = world.bridge.settings.items()
    path.write_text("".join(f"{name}={value}\n" for name, value in values))
    path.chmod(0o600)

    code, answer = as_json(
        world, "--only", "env-file,bot-token", "--env-file", str(path), **names
    )
    missing = world.bridge.run("doctor", "--env-file", str(tmp_path / "none"))

    assert code == 0
    assert [f["state"] for f in answer["findings"]] == ["ok", "ok"]
    assert missing.returncode == 78


# --- mending ------------------------------------------------------------------------


def test_nobody_to_ask_means_nothing_is_changed(world: World) -> None:
    world.green.apply_settings(outgoingWebhook="no")

    ended = world.bridge.run("doctor", "--only", "settings", "--fix")

    assert "outgoingWebhook: no → yes (no ticks will ever arrive)" in ended.stderr
    assert "to agree, add --yes" in ended.stderr
    assert changed(world) == []


def test_with_yes_the_settings_are_changed(world: World) -> None:
    world.green.apply_settings(outgoingWebhook="no", webhookUrl="https://x.example/s3")

    code, answer = as_json(world, "--only", "settings", "--fix", "--yes")

    assert code == 0
    assert changed(world) == [{"webhookUrl": "", "outgoingWebhook": "yes"}]
    (finding,) = answer["findings"]
    assert finding["state"] == "ok"
    assert answer["mended"] == [finding["fact"]]
    assert finding["fact"] == (
        "GREEN-API took webhookUrl, outgoingWebhook. The instance restarts; they hold "
        "in up to 5 minutes."
    )


def test_on_a_terminal_it_asks_and_no_is_no(world: World) -> None:
    world.green.apply_settings(outgoingWebhook="no")

    code, shown = on_a_terminal(
        world, "doctor", "--only", "settings", "--fix", answer=b"n\n"
    )

    assert code == 0
    assert "Change these settings of the instance?" in shown
    assert "Nothing was changed." in shown
    assert changed(world) == []


def test_settings_that_green_api_does_not_take(world: World) -> None:
    world.green.apply_settings(webhookUrl="https://x.example/s3")
    world.green.fault("setSettings", status=401)

    ended = world.bridge.run("doctor", "--only", "settings", "--fix", "--yes")

    assert ended.returncode == 1
    assert "GREEN-API did not take the settings: " in ended.stderr
    assert ended.stdout.endswith("1 problem.\n")


def test_json_asks_nobody(world: World) -> None:
    ended = world.bridge.run("doctor", "--json", "--fix")

    assert ended.returncode == 2
    assert "--fix with --json asks nobody: add --yes." in ended.stderr


def test_an_env_file_is_closed_to_others(world: World) -> None:
    path = world.bridge.folder / ".env"
    path.write_text(f"GREEN_API_TOKEN_INSTANCE={GREEN_TOKEN}\n")
    path.chmod(0o644)
    only = ("doctor", "--only", "env-file")

    before = world.bridge.run(*only)
    mended = world.bridge.run(*only, "--fix", "--yes")
    mode = stat.S_IMODE(path.stat().st_mode)
    path.unlink()

    assert before.returncode == 78
    assert "Fix: chmod 600 .env" in before.stdout
    assert (mended.returncode, mode) == (0, 0o600)
    assert "Only the owner can read .env now." in mended.stdout


def changed(world: World) -> list[Any]:
    calls = [e.data for e in world.green.log.since(kind="api_call")]
    return [c["request"] for c in calls if c["method"] == "setSettings"]


# --- for an issue -------------------------------------------------------------------


def test_a_bundle_tells_how_it_is_and_gives_nothing_away(tmp_path: Path) -> None:
    with open_world(tmp_path, BRIDGE_ADMIN_CHANNEL="C0NOWHERE") as world:
        room = world.room("U0DANA")
        number = world.number()
        world.type(room, f"{number} The canary sings at noon")
        world.settle(room)
        world.slack.set_scopes({"commands"})

        ended = world.bridge.run("doctor", "--bundle")

        bundle = json.loads(ended.stdout)
        assert set(bundle) == {
            "schema",
            "versions",
            "settings",
            "proxy_variables",
            "findings",
            "store",
        }
        states = {f["check"]: f["state"] for f in bundle["findings"]}
        assert states["scopes"] == "problem"
        assert bundle["versions"]["bridge"] == __version__
        assert bundle["settings"]["SLACK_BOT_TOKEN"] == "(set)"
        assert bundle["settings"]["BRIDGE_TIME_SCALE"] == "0.05"
        assert bundle["store"]["last_24_hours"]["stored"] == 1
        private = [*SECRETS, number[1:], "canary", "Sandbox", str(world.bridge.folder)]
        private += ["5550199", world.green.id_instance]
        assert [word for word in private if word in ended.stdout] == []


# --- a terminal ---------------------------------------------------------------------


def on_a_terminal(
    world: World, *arguments: str, answer: bytes = b"", **settings: str
) -> tuple[int, str]:
    """Run a command as if a person had typed it; return exit code and screen."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", *arguments],
        cwd=world.bridge.folder,
        env={**world.bridge.environment(settings), "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, answer)
    shown = read_to_the_end(ours)
    os.close(ours)
    return process.wait(PATIENCE), shown


def read_to_the_end(terminal: int) -> str:
    shown = b""
    while select.select([terminal], [], [], PATIENCE)[0]:
        try:
            more = os.read(terminal, 65_536)
        except OSError:  # Linux's way to say that nobody writes any more
            break
        if not more:
            break
        shown += more
    return shown.decode()
