"""Write the parts of these pages that the program itself knows best.

``make docs`` runs it. A page holds its parts between two comments, and everything
around them is written by hand::

    <!-- made: settings -->
    …
    <!-- /made -->

``tests/test_docs_generated.py`` fails when a page is not what this writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from prometheus_client.parser import text_string_to_metric_families

from bridge import settings
from bridge.cli import cli
from bridge.command import Help, Status, parse_command
from bridge.errors import CommandError, SettingsError
from bridge.figures import AccountView, Standing
from bridge.metrics import Metrics
from bridge.settings_table import TABLE, Setting, Wrong
from bridge.wording.deliveries import HELP

ROOT = Path(__file__).parents[1]
PAGES = ("configuration.md", "commands.md", "operations.md")
WIDTH = 88  # columns of the help of the command line

ACCEPTED = (
    "+14155550123 Your order ships today",
    "+1 (415) 555-0123 Your order ships today",
    "+44 (0)20 7946 0958 See you at 5",
    "0044 20 7946 0958 See you at 5",
    "79001234567 Ten minutes late",
    "“+49 151 23456789” 2 boxes arrived",
    "<tel:+14155550123|+1 415-555-0123> Hello",
    "+14155550123: first line\nsecond line",
    "14155550123@c.us Hello",
    "120363043968066561@g.us Hello, all of you",
    "79001234567-1581234048@g.us Hello, all of you",
    "+14155550123 *Sold out* :tada: &lt;3",
    "status",
    "status 3f2a9c01",
    "help",
)
REFUSED = (
    "",
    "+14155550123",
    "hello +14155550123",
    "+1-555-CALL-NOW please",
    "0151 23456789 Hello",
    "4915123456789 Hello",
    "+14155550123456789 Hello",
    "+1415555012 Hello",
    "+49 151 2345678 2 boxes arrived",
    "1203630439680665@g.us.com Hello",
    "<@U012AB3CD> Hello",
    "<https://example.com> Hello",
    "+14155550123 \u200b",
    f"+14155550123 {'x' * 4097}",
)


def main() -> None:
    """Bring every page, and ``.env.example``, up to date."""
    for name in PAGES:
        path = ROOT / "docs" / name
        path.write_text(filled(path.read_text("utf-8")), "utf-8")
    (ROOT / ".env.example").write_text(settings.example(), "utf-8")


def filled(page: str) -> str:
    """Return a page with all its parts made anew.

    Raises:
        KeyError: it asks for a part that there is not.
    """
    return _PART.sub(lambda part: f"{part[1]}{PARTS[part[2]]()}{part[3]}", page)


_PART = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- /made -->)", re.DOTALL)


# --- configuration.md ---------------------------------------------------------------


def _settings() -> str:
    lines: list[str] = []
    for group in dict.fromkeys(setting.group for setting in TABLE):
        lines += ["", f"## {group}", "", "| Setting | Default | Meaning |", _RULE[3]]
        lines += [_row_of(s) for s in TABLE if s.group == group]
    return _block(lines[1:])


def _row_of(setting: Setting) -> str:
    meaning = [setting.help, *_rule_of(setting)]
    default = f"`{setting.default}`" if setting.default else ""
    if setting.name in _required():
        default = "**required**"
    if setting.secret:
        meaning.append(f"Secret; or `{setting.name}_FILE`.")
    return _row(f"`{setting.name}`", default, " ".join(meaning))


def _rule_of(setting: Setting) -> Iterator[str]:
    """Yield what a value must be, in the words of its own refusal."""
    try:
        setting.parse("?")
    except Wrong as err:
        rule = re.split(r"[.:] ", str(err).partition(". ")[0])[0]
        if rule.startswith("must be ") and "one of" not in rule:
            rule = rule.removeprefix("must be ")
            yield f"*{rule[0].upper()}{rule[1:]}.*"


def _required() -> set[str]:
    """Return the settings whose absence alone is refused."""
    try:
        settings.load({})
    except SettingsError as err:
        missing = [p for p in err.problems if " is missing." in p]
        return {problem.split()[0] for problem in missing}
    return set()


# --- commands.md --------------------------------------------------------------------


def _accepted() -> str:
    lines = ["| You type after `/whatsapp` | It goes to | It says |", _RULE[3]]
    return _block([*lines, *map(_accepted_row, ACCEPTED)])


def _accepted_row(text: str) -> str:
    command = parse_command(text)
    if isinstance(command, Help):
        return _row(_code(text), "nobody", "*shows the help*")
    if isinstance(command, Status):
        which = (
            "one message of yours" if command.delivery_id else "your latest messages"
        )
        return _row(_code(text), "nobody", f"*shows {which}*")
    return _row(_code(text), f"`{command.chat_id}`", _code(command.text))


def _refused() -> str:
    lines = ["| You type after `/whatsapp` | Code | You read |", _RULE[3]]
    return _block([*lines, *map(_refused_row, REFUSED)])


def _refused_row(text: str) -> str:
    try:
        found = parse_command(text)
    except CommandError as err:
        return _row(_code(text) or "*nothing*", f"`{err.code}`", str(err))
    raise AssertionError(f"{text!r} is accepted: {found}")


def _help() -> str:
    return _block(["```text", HELP, "```"])


def _command_line() -> str:
    lines: list[str] = []
    for name, command in sorted(cli.commands.items()):
        lines += ["", f"### bridge {name}", "", "```text", _usage(name, command), "```"]
    return _block(lines[1:])


def _usage(name: str, command: click.Command) -> str:
    context = click.Context(
        command, info_name=f"bridge {name}", terminal_width=WIDTH, color=False
    )
    return command.get_help(context)


# --- operations.md ------------------------------------------------------------------


class _Idle(AccountView):
    state = None
    hold = None
    hold_at = None


def _metrics() -> str:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    idle = Standing({}, None, None, 0, None, 0)
    page, _ = Metrics(lambda: idle, _Idle, lambda: now).page("text/plain")
    lines = ["| Metric | Type | Meaning |", _RULE[3]]
    for family in text_string_to_metric_families(page.decode()):
        is_ours = family.name.startswith("bridge_") and not family.name.endswith(
            "_created"
        )
        if is_ours:
            name = family.name + ("_total" if family.type == "counter" else "")
            lines.append(_row(f"`{name}`", family.type, family.documentation))
    return _block(lines)


# --- Markdown -----------------------------------------------------------------------

_RULE = {columns: "|" + "---|" * columns for columns in (2, 3)}


def _block(lines: Iterable[str]) -> str:
    return "\n".join(["", *lines, "", ""])


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _code(text: str) -> str:
    """Return a text as code in a cell: on one line, visible and short."""
    visible = "".join(c if c.isprintable() or c == "\n" else "␣" for c in text)
    visible = visible if len(visible) <= 60 else f"{visible[:20]}… ({len(text):,} long)"
    return "<br>".join(f"`{line}`" for line in visible.split("\n") if line)


PARTS: dict[str, Callable[[], str]] = {
    "settings": _settings,
    "accepted": _accepted,
    "refused": _refused,
    "help": _help,
    "command_line": _command_line,
    "metrics": _metrics,
}
"""What each part is called in a page."""


if __name__ == "__main__":
    main()
