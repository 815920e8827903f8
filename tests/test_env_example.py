""".env.example is made from the table of settings, and works once filled in."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from bridge import settings
from bridge.settings_table import TABLE

EXAMPLE = (Path(__file__).parents[1] / ".env.example").read_text("utf-8")

FILLED_IN = {
    "SLACK_BOT_TOKEN": "xoxb-1-a",
    "SLACK_APP_TOKEN": "xapp-1-A1-1-a",
    "GREEN_API_ID_INSTANCE": "1101000001",
    "GREEN_API_TOKEN_INSTANCE": "a" * 50,
}


def uncommented() -> str:
    names = tuple(f"# {setting.name}=" for setting in TABLE)
    lines = EXAMPLE.splitlines(keepends=True)
    return "".join(x.removeprefix("# ") if x.startswith(names) else x for x in lines)


def test_it_is_what_the_program_prints():
    assert settings.example() == EXAMPLE, (
        "make it anew: python -m bridge config --example > .env.example"
    )


def test_it_names_every_setting_once():
    found = dotenv_values(stream=StringIO(uncommented()), interpolate=False)

    assert list(found) == [setting.name for setting in TABLE]


def test_it_holds_no_secret():
    found = dotenv_values(stream=StringIO(uncommented()), interpolate=False)

    assert not any(found[setting.name] for setting in TABLE if setting.secret)


def test_its_defaults_are_the_programs_own():
    found = dotenv_values(stream=StringIO(uncommented()), interpolate=False)
    values = {name: value or "" for name, value in found.items()}

    assert settings.load(values | FILLED_IN) == settings.load(FILLED_IN)
