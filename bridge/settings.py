"""The environment → one frozen ``Settings``, every problem in one message.

Which settings there are says ``settings_table``.
"""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from bridge.errors import SettingsError
from bridge.settings_table import TABLE, Setting, Wrong

PREFIXES = ("SLACK_", "GREEN_API_", "BRIDGE_")
# Spellings of other programs, and what they are called here.
FOREIGN = {
    "APP_TOKEN": "SLACK_APP_TOKEN",
    "BOT_TOKEN": "SLACK_BOT_TOKEN",
    "SLACK_TOKEN": "SLACK_BOT_TOKEN",
    "SIGNING_SECRET": "SLACK_SIGNING_SECRET",
    "ID_INSTANCE": "GREEN_API_ID_INSTANCE",
    "GREEN_API_INSTANCE_ID": "GREEN_API_ID_INSTANCE",
    "GREENAPI_ID_INSTANCE": "GREEN_API_ID_INSTANCE",
    "API_TOKEN_INSTANCE": "GREEN_API_TOKEN_INSTANCE",
    "GREEN_API_TOKEN": "GREEN_API_TOKEN_INSTANCE",
    "GREENAPI_API_TOKEN": "GREEN_API_TOKEN_INSTANCE",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the bridge runs with."""

    slack_bot_token: str = field(repr=False)
    slack_app_token: str | None = field(repr=False)
    slack_signing_secret: str | None = field(repr=False)
    slack_api_url: str
    green_api_id_instance: str
    green_api_token_instance: str = field(repr=False)
    green_api_url: str
    green_api_address_by: str
    green_api_receive: str  # polling, webhook or off
    green_api_webhook_token: str | None = field(repr=False)
    host: str
    port: int
    database_url: str | None = field(repr=False)  # may hold a password
    data_dir: Path
    max_text: int
    ttl: timedelta
    admins: tuple[str, ...]  # Slack user ids
    admin_channel: str | None
    max_waiting: int
    max_waiting_per_chat: int
    max_per_minute: int  # of one person
    senders: int
    pace: float
    time_scale: float
    log_level: str
    log_format: str

    @property
    def store_url(self) -> str:
        """Where the outbox is: ``DATABASE_URL``, else a SQLite file."""
        return self.database_url or f"sqlite:///{self.data_dir / 'bridge.db'}"

    def secrets(self) -> list[str]:
        """Return the values that no log line may hold."""
        values = [
            self.slack_bot_token,
            self.slack_app_token,
            self.slack_signing_secret,
            self.green_api_token_instance,
            self.green_api_webhook_token,
            self.database_url,
        ]
        return [value for value in values if value]

    @property
    def uses_socket_mode(self) -> bool:
        """Whether Slack is reached through Socket Mode rather than over HTTP."""
        return self.slack_app_token is not None


_BY_NAME = {setting.name: setting for setting in TABLE}
_REQUIRED = ("SLACK_BOT_TOKEN", "GREEN_API_ID_INSTANCE", "GREEN_API_TOKEN_INSTANCE")
# With none of these, nobody has set anything up yet.
ACCESS = (*_REQUIRED, "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET")
# Spellings without any of our prefixes; ``_missing`` names those of what is required.
_UNPREFIXED = {
    name
    for name, ours in FOREIGN.items()
    if not name.startswith(PREFIXES) and ours not in _REQUIRED
}
_FIELDS = {
    "BRIDGE_DATA_DIR": "data_dir",
    "BRIDGE_MAX_TEXT": "max_text",
    "BRIDGE_TTL": "ttl",
    "BRIDGE_ADMINS": "admins",
    "BRIDGE_ADMIN_CHANNEL": "admin_channel",
    "BRIDGE_MAX_WAITING": "max_waiting",
    "BRIDGE_MAX_WAITING_PER_CHAT": "max_waiting_per_chat",
    "BRIDGE_MAX_PER_MINUTE": "max_per_minute",
    "BRIDGE_SENDERS": "senders",
    "BRIDGE_PACE": "pace",
    "BRIDGE_TIME_SCALE": "time_scale",
    "BRIDGE_LOG_LEVEL": "log_level",
    "BRIDGE_LOG_FORMAT": "log_format",
}


def load(environment: Mapping[str, str], *, needs_slack: bool = True) -> Settings:
    """Return the settings of an environment.

    Args:
        environment: names to values; an empty value counts as none.
        needs_slack: False for the commands that never talk to Slack.

    Raises:
        SettingsError: lists every problem and its fix.
    """
    values, problems = read(environment)
    problems += [problem for name, problem in _wrong(values)]
    required = _REQUIRED if needs_slack else _REQUIRED[1:]
    for name in required:
        if name not in values:
            problems.append(_missing(name, environment))
    if needs_slack:
        problems += _no_way_in(values) + _no_webhook(values)
    if problems:
        raise SettingsError(problems)
    return _made(values, environment)


def usable(environment: Mapping[str, str]) -> Settings:
    """Return what can be used of an environment that ``load`` may refuse.

    A value that is missing or can't be read is the default; where there is none, it
    is None or empty.
    """
    values, _ = read(environment)
    wrong = {name for name, _ in _wrong(values)}
    return _made({n: v for n, v in values.items() if n not in wrong}, environment)


def _made(values: Mapping[str, str], environment: Mapping[str, str]) -> Settings:
    parsed = {
        setting.name: _parsed(setting, values.get(setting.name, setting.default))
        for setting in TABLE
    }
    for name in _REQUIRED:
        parsed[name] = parsed[name] or ""
    if "BRIDGE_DATA_DIR" not in values and environment.get("STATE_DIRECTORY"):
        parsed["BRIDGE_DATA_DIR"] = Path(environment["STATE_DIRECTORY"])  # systemd
    return Settings(**{_FIELDS.get(n, n.lower()): v for n, v in parsed.items()})


def read(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the known names that have a value, and what could not be read.

    ``NAME_FILE`` names a file that holds the value of a secret ``NAME``.
    """
    values = {}
    problems = []
    for setting in TABLE:
        value = environment.get(setting.name, "").strip()
        file = environment.get(f"{setting.name}_FILE", "") if setting.secret else ""
        if file and not value:
            try:
                value = Path(file).read_text("utf-8").strip()
                problems += _exposed(Path(file), f"{setting.name}_FILE")
            except (OSError, UnicodeDecodeError) as err:
                problems.append(
                    f"{setting.name}_FILE names a file that can't be read "
                    f"({type(err).__name__}). Correct the path or its permissions."
                )
                value = ""
        if value:
            values[setting.name] = value
    return values, problems


def doubtful(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for each name that looks like a setting but is none."""
    known = [*_BY_NAME, *(f"{s.name}_FILE" for s in TABLE if s.secret)]
    sentences = []
    for name in sorted(environment):
        if name in _UNPREFIXED and FOREIGN[name] not in environment:
            sentences.append(f"{name} is set; this program reads {FOREIGN[name]}.")
        if not name.startswith(PREFIXES) or name in known:
            continue
        meant = FOREIGN.get(name) or next(
            iter(difflib.get_close_matches(name, known, 1, cutoff=0.85)), None
        )
        if meant:
            sentences.append(f"{name} is not a setting. Did you mean {meant}?")
    return sentences


def shown(environment: Mapping[str, str]) -> list[tuple[Setting, str, str]]:
    """Return each setting with its value and where it comes from, secrets hidden."""
    values, _ = read(environment)
    rows = []
    for setting in TABLE:
        value = values.get(setting.name)
        origin = "set" if value else "default"
        if value and setting.secret:
            value = "(hidden)"
        rows.append((setting, value or setting.default or "", origin))
    return rows


def example() -> str:
    """Return the text of ``.env.example``."""
    lines = [
        "# Copy this file to .env, chmod 600 it, and fill in the values.",
        "# A secret may also come from a file: SLACK_BOT_TOKEN_FILE=/run/secrets/slack",
        "# Made from the table in bridge/settings_table.py by: bridge config --example",
    ]
    group = ""
    for setting in TABLE:
        if setting.group != group:
            group = setting.group
            lines += ["", f"# --- {group} ---"]
        needed = " Required." if setting.name in _REQUIRED else ""
        lines.append(f"# {setting.help}{needed}")
        mark = "" if setting.name in (*_REQUIRED, "SLACK_APP_TOKEN") else "# "
        lines.append(f"{mark}{setting.name}={setting.default or ''}")
    return "\n".join(lines) + "\n"


def environment(env_file: Path | None) -> dict[str, str]:
    """Return the process's environment over the values of ``.env``.

    Args:
        env_file: the file to read; None reads ``.env`` in the working directory if
            there is one.

    Raises:
        SettingsError: the named file can't be read, or others can read its secrets.
    """
    found = _file_values(env_file)
    if problem := _exposed_env_file(env_file, found):
        raise SettingsError([problem])
    return {**found, **os.environ}


def environment_as_it_is(env_file: Path | None) -> dict[str, str]:
    """Return the same, also from a file that others can read: to say so is a check's.

    Raises:
        SettingsError: the named file can't be read.
    """
    return {**_file_values(env_file), **os.environ}


def exposed_files(
    env_file: Path | None, environment: Mapping[str, str]
) -> dict[Path, str]:
    """Return each file with a secret that others can read, and a sentence for it."""
    names = [f"{setting.name}_FILE" for setting in TABLE if setting.secret]
    named = [(Path(environment[n]), n) for n in names if environment.get(n)]
    found = {f: s for f, n in named if f.is_file() for s in _exposed(f, n)}
    if problem := _exposed_env_file(env_file, _file_values(env_file)):
        found[env_file or Path(".env")] = problem
    return found


def _file_values(env_file: Path | None) -> dict[str, str]:
    from dotenv import dotenv_values

    path = env_file or Path(".env")
    if not path.is_file():
        if env_file is not None:
            raise SettingsError([f"There is no file {env_file}. Correct --env-file."])
        return {}
    try:
        found = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as err:
        problem = f"{path} can't be read ({type(err).__name__})."
        raise SettingsError([problem]) from None
    return {name: value for name, value in found.items() if value is not None}


def _exposed_env_file(env_file: Path | None, found: Mapping[str, str]) -> str | None:
    path = env_file or Path(".env")
    if not any(found.get(setting.name) for setting in TABLE if setting.secret):
        return None
    return next(iter(_exposed(path, str(path))), None)


def _exposed(file: Path, name: str) -> list[str]:
    """Return a sentence if others on this machine may read a file with a secret."""
    if os.name != "posix":  # pragma: no cover - Windows has no such bits
        return []
    is_read_only = bool(os.statvfs(file).f_flag & os.ST_RDONLY)
    if not is_exposed(file.stat().st_mode, is_read_only=is_read_only):
        return []
    return [
        f"{name} holds a secret that other users of this machine may read. "
        f"Correct that with: chmod 600 {shlex.quote(str(file))}"
    ]


def is_exposed(mode: int, *, is_read_only: bool) -> bool:
    """Whether a file's mode lets others than its owner at it.

    Docker and Kubernetes mount secrets read-only, with modes that can't be changed and
    in places where only the container looks.

    >>> is_exposed(0o640, is_read_only=False), is_exposed(0o600, is_read_only=False)
    (True, False)
    >>> is_exposed(0o444, is_read_only=True)
    False
    """
    return bool(mode & 0o077) and not is_read_only


def _wrong(values: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return each value that can't be used, and the sentence for it."""
    found = []
    for name, value in values.items():
        try:
            _BY_NAME[name].parse(value)
        except Wrong as err:
            found.append((name, f"{name} {err}."))
    return found


def _parsed(setting: Setting, value: str | None) -> Any:
    return None if value is None else setting.parse(value)


def _missing(name: str, environment: Mapping[str, str]) -> str:
    foreign = [f for f, ours in FOREIGN.items() if ours == name and f in environment]
    if foreign:
        return f"{name} is missing. {foreign[0]} is set; this program reads {name}."
    close = difflib.get_close_matches(name, list(environment), 1, cutoff=0.85)
    if close:
        return f"{name} is missing. {close[0]} is set: is that a slip of the pen?"
    return f"{name} is missing. {_BY_NAME[name].help}"


def _no_way_in(values: Mapping[str, str]) -> list[str]:
    if "SLACK_APP_TOKEN" not in values and "SLACK_SIGNING_SECRET" not in values:
        return [
            "Neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set, so Slack can't "
            "reach the bridge. Set the first for Socket Mode (no public address "
            "needed), or the second for HTTP mode."
        ]
    if "SLACK_APP_TOKEN" not in values and values.get("PORT") == "0":
        return ["PORT is 0, but HTTP mode needs a port. Set PORT, e.g. to 3000."]
    return []


def _no_webhook(values: Mapping[str, str]) -> list[str]:
    if values.get("GREEN_API_RECEIVE", "").casefold() != "webhook":
        return []
    problems = []
    if "GREEN_API_WEBHOOK_TOKEN" not in values:
        problems.append(
            "GREEN_API_RECEIVE is webhook, but GREEN_API_WEBHOOK_TOKEN is missing. "
            "Make one, e.g. with: openssl rand -hex 32, and enter it in the GREEN-API "
            "console as webhookUrlToken too."
        )
    if values.get("PORT") == "0":
        problems.append(
            "PORT is 0, but GREEN_API_RECEIVE=webhook needs a port. Set PORT, e.g. to "
            "3000, or GREEN_API_RECEIVE=polling."
        )
    return problems
