"""The command line, in this process: shapes and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge import __version__
from bridge.cli import cli
from bridge.model import ChatId, NewDelivery, ReceiptStatus, Status
from bridge.reasons import Reason
from bridge.store import Store, open_store
from tests.steps import add, add_accepted, add_unconfirmed, add_unknown, receipt

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


@pytest.fixture
def _good_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_good_settings")
def test_stats_of_an_empty_outbox_are_all_zero(runner: CliRunner) -> None:
    result = runner.invoke(cli, ["stats", "--json"])

    answer = json.loads(result.stdout)
    assert result.exit_code == 0
    assert set(answer) == {"schema", "at", "now", "account", "last_24_hours"}
    assert answer["schema"] == 1
    assert answer["account"] == {"state": None, "hold": None, "hold_at": None}
    assert answer["now"] == {
        "waiting": 0,
        "queued": 0,
        "held": 0,
        "sending": 0,
        "unknown": 0,
        "unconfirmed": 0,
        "oldest_waiting_at": None,
        "oldest_unknown_at": None,
        "slack_untold": 0,
        "oldest_untold_at": None,
        "dead_letters": 0,
    }
    assert answer["last_24_hours"] == {
        "stored": 0,
        "accepted": 0,
        "sent": 0,
        "delivered": 0,
        "read": 0,
        "undelivered": 0,
        "failed": 0,
        "expired": 0,
        "unconfirmed": 0,
        "seconds_to_accept": {"p50": None, "p95": None},
    }


@pytest.mark.usefixtures("_good_settings")
def test_stats_count_what_was_just_stored(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, sqlite_url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    new = NewDelivery("s1", ChatId("4915123456789@c.us"), "Hello")
    store = open_store(sqlite_url)
    store.outbox.add(new, datetime.now(UTC), timedelta(minutes=15))
    store.database.close()

    as_json = runner.invoke(cli, ["stats", "--json"])
    in_words = runner.invoke(cli, ["stats"])

    answer = json.loads(as_json.stdout)
    assert answer["now"]["waiting"] == answer["now"]["queued"] == 1
    assert answer["now"]["oldest_waiting_at"] < answer["at"]
    assert answer["last_24_hours"]["stored"] == 1
    assert "  Waiting                    1, the oldest for " in in_words.stdout
    assert "\x1b" not in in_words.stdout
    assert "23456789" not in in_words.stdout + as_json.stdout


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


# --- deciding without Slack -------------------------------------------------------


@pytest.fixture
def outbox(
    monkeypatch: pytest.MonkeyPatch, sqlite_url: str, _good_settings: None
) -> Iterator[Store]:
    """The database that the command line works on."""
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    store = open_store(sqlite_url)
    store.replicas.join(datetime.now(UTC))
    yield store
    store.database.close()


def test_what_may_have_been_sent_is_sent_again_only_if_that_is_said(
    runner: CliRunner, outbox: Store
) -> None:
    lost = add_unconfirmed(outbox, datetime.now(UTC))

    refused = runner.invoke(cli, ["retry", lost])
    assert refused.exit_code == 1
    assert len(outbox.outbox.latest(10)) == 1

    assert runner.invoke(cli, ["retry", lost, "--even-if-doubled"]).exit_code == 0
    again, first = outbox.outbox.latest(10)
    assert (first.status, first.reason) == (Status.CLOSED, Reason.SENT_AGAIN)
    assert (again.retry_of, again.text, again.caller) == (lost, "hello", first.caller)


def test_f59_a_decision_made_in_slack_is_not_made_again_on_the_command_line(
    runner: CliRunner, outbox: Store
) -> None:
    lost = add_unconfirmed(outbox, datetime.now(UTC))
    for _ in range(2):
        runner.invoke(cli, ["retry", lost, "--even-if-doubled"])

    assert len(outbox.outbox.latest(10)) == 2


@pytest.mark.parametrize("make", [add, add_unknown, add_accepted])
def test_what_is_not_over_or_was_accepted_is_not_sent_again(
    runner: CliRunner, outbox: Store, make: Callable[..., str]
) -> None:
    delivery_id = make(outbox, datetime.now(UTC))

    result = runner.invoke(cli, ["retry", delivery_id, "--even-if-doubled"])

    assert result.exit_code == 1
    assert len(outbox.outbox.latest(10)) == 1


def test_what_whatsapp_did_not_deliver_may_be_sent_again(
    runner: CliRunner, outbox: Store
) -> None:
    delivery_id = add_accepted(outbox, datetime.now(UTC))
    bad = receipt(ReceiptStatus.NO_ACCOUNT)
    outbox.evidence.add_receipt(bad, datetime.now(UTC))

    assert runner.invoke(cli, ["retry", delivery_id]).exit_code == 0

    assert len(outbox.outbox.latest(10)) == 2


@pytest.mark.parametrize(
    ("hold", "code"),
    [(Reason.OTHER_NUMBER, 0), (Reason.BLOCKED, 1), (None, 1)],
)
def test_resume_agrees_to_another_number_and_to_nothing_else(
    runner: CliRunner, outbox: Store, hold: Reason | None, code: int
) -> None:
    outbox.accounts.use("1101000001")
    if hold is not None:
        outbox.accounts.hold(hold, datetime.now(UTC))

    assert runner.invoke(cli, ["resume"]).exit_code == code

    assert outbox.accounts.get().hold is (None if code == 0 else hold)
