"""The environment → settings, or one message with every problem."""

from __future__ import annotations

import os
import shlex
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import SettingsError
from bridge.settings import doubtful, environment, load, shown
from bridge.settings_table import TABLE

GOOD = {
    "SLACK_BOT_TOKEN": "xoxb-1-2-abc",
    "SLACK_APP_TOKEN": "xapp-1-A0-1-abc",
    "GREEN_API_ID_INSTANCE": "1101000001",
    "GREEN_API_TOKEN_INSTANCE": "d75b3a66374942c5b3c019c698abc2067e151558acbd412345",
}


def problems(**changes: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load({**GOOD, **changes})
    return caught.value.problems


def test_four_values_are_enough() -> None:
    settings = load(GOOD)

    assert settings.uses_socket_mode
    assert settings.green_api_url == "https://api.green-api.com/"
    assert settings.slack_api_url == "https://slack.com/api/"
    assert settings.ttl == timedelta(minutes=15)
    assert settings.store_url == "sqlite:///data/bridge.db"


def test_without_an_app_token_slack_comes_over_http() -> None:
    settings = load({**GOOD, "SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "s3"})

    assert not settings.uses_socket_mode


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"PORT": "many", "BRIDGE_TTL": "soon"})

    text = str(caught.value)
    for name in (*GOOD, "PORT", "BRIDGE_TTL"):
        if name != "SLACK_APP_TOKEN":
            assert name in text
    assert "SLACK_SIGNING_SECRET" in text


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("SLACK_BOT_TOKEN", "xapp-1-A0-1-abc", "SLACK_APP_TOKEN"),
        ("SLACK_BOT_TOKEN", "xoxp-1", "user token"),
        ("SLACK_APP_TOKEN", "xoxb-1", "SLACK_BOT_TOKEN"),
        ("SLACK_SIGNING_SECRET", "xoxb-1", "signing secret"),
        ("GREEN_API_ID_INSTANCE", "d" * 50, "GREEN_API_TOKEN_INSTANCE"),
        ("GREEN_API_ID_INSTANCE", "\uff11\uff11\uff10\uff11", "number"),
        ("GREEN_API_TOKEN_INSTANCE", "1101000001", "GREEN_API_ID_INSTANCE"),
        ("GREEN_API_TOKEN_INSTANCE", "abc/../x", "letters"),
        ("GREEN_API_URL", "http://api.green-api.com", "https://"),
        ("GREEN_API_URL", "api.green-api.com", "URL"),
        ("GREEN_API_URL", "https://user:pass@api.green-api.com", "password"),
        ("SLACK_API_URL", "http://slack.com/api/", "https://"),
        ("GREEN_API_ADDRESS_BY", "number", "chatId, phoneNumber"),
        ("DATABASE_URL", "mysql://x", "postgresql://"),
        ("PORT", "65536", "65535"),
        ("BRIDGE_MAX_TEXT", "20001", "20000"),
        ("BRIDGE_MAX_TEXT", "٣", "whole number"),
        ("BRIDGE_TTL", "0s", "15m"),
        ("BRIDGE_PACE", "nan", "number from"),
        ("BRIDGE_LOG_LEVEL", "DEBUG", "INFO"),
        ("GREEN_API_RECEIVE", "both", "polling, webhook, off"),
        ("GREEN_API_WEBHOOK_TOKEN", "x" * 31, "at least 32"),
        ("GREEN_API_WEBHOOK_TOKEN", "x" * 20 + " " + "x" * 20, "without blanks"),
        ("BRIDGE_ADMINS", "U012AB3CD, dana", "user ids"),
        ("BRIDGE_ADMINS", "u012ab3cd", "user ids"),
        ("BRIDGE_ADMIN_CHANNEL", "#alerts", "id of a Slack channel"),
    ],
)
def test_a_wrong_value_is_refused_with_its_fix(
    name: str, value: str, word: str
) -> None:
    (problem,) = problems(**{name: value})

    assert problem.startswith(name)
    assert word in problem


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost/x/"])
def test_plain_http_goes_to_this_machine_only(url: str) -> None:
    assert load({**GOOD, "GREEN_API_URL": url}).green_api_url == url.rstrip("/") + "/"


def test_no_problem_and_no_repr_shows_a_secret() -> None:
    secret = "d75b3a66374942c5b3c019c698abc2067e151558acbd4123 5"

    assert secret not in str(problems(GREEN_API_TOKEN_INSTANCE=secret))
    assert GOOD["GREEN_API_TOKEN_INSTANCE"] not in repr(load(GOOD))


def test_foreign_spellings_are_recognised() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"GREEN_API_TOKEN": "x", "BOT_TOKEN": "y"})

    assert "GREEN_API_TOKEN is set; this program reads GREEN_API_TOKEN_INSTANCE" in str(
        caught.value
    )
    assert "BOT_TOKEN is set; this program reads SLACK_BOT_TOKEN" in str(caught.value)


def test_a_slip_of_the_pen_is_noticed() -> None:
    assert doubtful({"BRIDGE_MAX_TXT": "1", "SLACK_CLIENT_ID": "2", "PATH": "3"}) == [
        "BRIDGE_MAX_TXT is not a setting. Did you mean BRIDGE_MAX_TEXT?"
    ]


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("xoxb-from-file\n")
    file.chmod(0o600)
    values = {**GOOD, "SLACK_BOT_TOKEN": "", "SLACK_BOT_TOKEN_FILE": str(file)}

    assert load(values).slack_bot_token == "xoxb-from-file"


def test_a_secret_file_that_is_missing_is_a_problem(tmp_path: Path) -> None:
    values = {**GOOD, "SLACK_BOT_TOKEN_FILE": str(tmp_path / "none")}
    values["SLACK_BOT_TOKEN"] = ""

    with pytest.raises(SettingsError, match="SLACK_BOT_TOKEN_FILE"):
        load(values)


POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")


@POSIX
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_t29_a_secret_file_that_others_may_read_is_refused(
    tmp_path: Path, mode: int
) -> None:
    file = tmp_path / "a token"
    file.write_text("xoxb-from-file\n")
    file.chmod(mode)
    values = {**GOOD, "SLACK_BOT_TOKEN": "", "SLACK_BOT_TOKEN_FILE": str(file)}

    with pytest.raises(SettingsError) as caught:
        load(values)

    (problem,) = caught.value.problems
    assert f"chmod 600 {shlex.quote(str(file))}" in problem
    assert "xoxb" not in problem


@POSIX
@pytest.mark.parametrize("is_named", [True, False])
def test_t29_an_env_file_with_a_secret_that_others_may_read_is_refused(
    tmp_path: Path, is_named: bool
) -> None:
    file = tmp_path / ".env"
    file.write_text("SLACK_BOT_TOKEN=xoxb-1-2-abc\n")
    file.chmod(0o640)

    with pytest.raises(SettingsError, match="chmod 600") as caught:
        environment(file if is_named else None)

    assert "xoxb" not in str(caught.value)


@POSIX
def test_t29_an_env_file_that_only_its_owner_reads_is_fine(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SLACK_BOT_TOKEN=xoxb-1-2-abc\n")
    file.chmod(0o600)

    assert environment(None)["SLACK_BOT_TOKEN"] == "xoxb-1-2-abc"


@POSIX
@pytest.mark.parametrize("text", ["PORT=1\n", "SLACK_BOT_TOKEN=\nPORT=1\n"])
def test_t29_an_env_file_without_a_secret_may_be_read_by_all(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / ".env"
    file.write_text(text)
    file.chmod(0o644)

    assert environment(None)["PORT"] == "1"


def test_t29_the_filled_in_example_is_accepted_once_it_is_private(
    tmp_path: Path,
) -> None:
    file = tmp_path / ".env"
    file.write_text("\n".join(f"{name}={value}" for name, value in GOOD.items()))
    file.chmod(0o600)

    assert load(environment(None)).slack_bot_token == GOOD["SLACK_BOT_TOKEN"]


WEBHOOK = {"GREEN_API_RECEIVE": "webhook", "GREEN_API_WEBHOOK_TOKEN": "t" * 32}


def test_notifications_are_polled_unless_said_otherwise() -> None:
    settings = load(GOOD)

    assert settings.green_api_receive == "polling"
    assert settings.green_api_webhook_token is None
    assert (settings.admins, settings.admin_channel) == ((), None)


def test_t5_a_webhook_needs_a_token() -> None:
    (problem,) = problems(GREEN_API_RECEIVE="webhook")

    assert "GREEN_API_WEBHOOK_TOKEN is missing" in problem


def test_a_webhook_needs_a_port() -> None:
    (problem,) = problems(**WEBHOOK, PORT="0")

    assert problem.startswith("PORT is 0")


def test_t5_the_webhook_token_is_a_secret() -> None:
    settings = load({**GOOD, **WEBHOOK})

    assert settings.green_api_webhook_token == "t" * 32
    assert "t" * 32 in settings.secrets()
    assert "t" * 32 not in repr(settings)


def test_the_command_line_takes_no_webhook() -> None:
    values = {**GOOD, "GREEN_API_RECEIVE": "webhook"}

    assert load(values, needs_slack=False).green_api_receive == "webhook"


def test_admins_and_their_channel_are_named_by_id() -> None:
    settings = load(
        {
            **GOOD,
            "BRIDGE_ADMINS": "U012AB3CD,  W0AB",
            "BRIDGE_ADMIN_CHANNEL": "C012AB3CD",
        }
    )

    assert settings.admins == ("U012AB3CD", "W0AB")
    assert settings.admin_channel == "C012AB3CD"


def test_the_real_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("PORT=1\nHOST=file$HOME\n")
    monkeypatch.setenv("PORT", "2")

    values = environment(None)

    assert (values["PORT"], values["HOST"]) == ("2", "file$HOME")


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--env-file"):
        environment(tmp_path / "other.env")


def test_the_command_line_needs_no_slack() -> None:
    values = {name: v for name, v in GOOD.items() if not name.startswith("SLACK")}

    assert load(values, needs_slack=False).slack_bot_token == ""


def test_secrets_are_shown_as_hidden() -> None:
    values = {setting.name: value for setting, value, _ in shown(GOOD)}

    assert values["SLACK_BOT_TOKEN"] == "(hidden)"
    assert values["GREEN_API_ID_INSTANCE"] == "1101000001"


def test_systemd_names_the_folder() -> None:
    assert load({**GOOD, "STATE_DIRECTORY": "/x"}).data_dir == Path("/x")


@given(st.sampled_from([s.name for s in TABLE]), st.text(max_size=40))
def test_no_value_raises_anything_else(name: str, value: str) -> None:
    try:
        load({**GOOD, name: value})
    except SettingsError as err:
        assert all(isinstance(problem, str) for problem in err.problems)
