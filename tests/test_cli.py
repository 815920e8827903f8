"""The command line, in this process: shapes and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge import __version__
from bridge.cli import cli

GOOD = {
    "SLACK_BOT_TOKEN": "xoxb-1-2-abc",
    "SLACK_APP_TOKEN": "xapp-1-A0-1-abc",
    "GREEN_API_ID_INSTANCE": "1101000001",
    "GREEN_API_TOKEN_INSTANCE": "d75b3a66374942c5b3c019c698abc2067e151558acbd412345",
}
HEAVY = ["sqlalchemy", "slack_bolt", "slack_sdk", "flask", "requests", "alembic"]
CORPUS = Path(__file__).parent / "corpus" / "commands.jsonl"


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def test_explain_shows_chat_and_text(runner: CliRunner) -> None:
    result = runner.invoke(cli, ["explain", "--json", "+49 151 23456789 Hi :tada:"])

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "ok": True,
        "chat_id": "4915123456789@c.us",
        "message": "Hi 🎉",
    }


@pytest.mark.parametrize(
    ("text", "error"), [("", "empty"), ("help", "usage"), ("status", "usage")]
)
def test_explain_says_what_is_not_sent(
    runner: CliRunner, text: str, error: str
) -> None:
    result = runner.invoke(cli, ["explain", "--json", text])

    answer = json.loads(result.stdout)
    assert (answer["ok"], answer["error"]) == (False, error)
    assert answer["say"]


def test_explain_answers_a_whole_stream_of_texts(runner: CliRunner) -> None:
    rows = [json.loads(line) for line in CORPUS.read_text("utf-8").splitlines()]
    stdin = "".join(json.dumps(row["text"]) + "\n" for row in rows)

    result = runner.invoke(cli, ["explain", "--json"], input=stdin)

    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [a["ok"] for a in answers] == [row["expect"]["ok"] for row in rows]


def test_explain_in_words(runner: CliRunner) -> None:
    result = runner.invoke(cli, ["explain", "12ab hello"])

    assert result.exit_code == 1
    assert "12ab" in result.stdout


def test_config_hides_secrets_and_lists_problems(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PORT", "many")

    result = runner.invoke(cli, ["config", "--json"])

    answer = json.loads(result.stdout)
    assert result.exit_code == 78
    assert answer["schema"] == 1
    assert answer["settings"]["SLACK_BOT_TOKEN"]["value"] == "(hidden)"
    assert answer["problems"] == ["PORT must be a whole number from 0 to 65535."]
    assert GOOD["GREEN_API_TOKEN_INSTANCE"] not in result.output


def test_version_is_the_packages(runner: CliRunner) -> None:
    result = runner.invoke(cli, ["version", "--json"])

    assert json.loads(result.stdout)["version"] == __version__


@pytest.mark.parametrize(
    "arguments", [["--help"], ["version"], ["config"], ["explain", "+79001234567 x"]]
)
def test_quick_commands_do_not_load_what_is_slow(arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['bridge', *{arguments!r}]\n"
        "from bridge.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stderr.splitlines()[-1] == "[]"


def test_nobody_gets_a_traceback_for_a_missing_database(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    data = tmp_path / "data"
    data.mkdir()
    (data / "bridge.db.used").touch()

    result = subprocess.run(
        [sys.executable, "-m", "bridge", "outbox"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 78
    assert result.stderr.startswith("bridge.db is missing")
    assert "Traceback" not in result.stderr
