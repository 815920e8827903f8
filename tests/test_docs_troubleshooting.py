"""docs/troubleshooting.md has a heading for whatever the bridge says of trouble."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.errors import Code
from bridge.reasons import Reason
from bridge.slack import check
from bridge.wording import account
from bridge.wording.deliveries import REASONS
from tests import sentences

PAGE = (Path(__file__).parents[1] / "docs/troubleshooting.md").read_text("utf-8")
SLACKS_OWN = "What Slack itself says"
THE_LOG = "The log"

MODULES = (
    "direct.py",
    "service.py",
    "settings.py",
    "slack/check.py",
    "store/database.py",
    "store/inspection.py",
    "store/migrations/__init__.py",
    "whatsapp/route.py",
    "wiring.py",
    "wording/choices.py",
    "wording/commands.py",
    "wording/deliveries.py",
    "wording/figures.py",
)
NO_TROUBLE = {
    "Accepted by GREEN-API · …",
    "Accepted by GREEN-API.",
    "Queued for ….",
    "Send it again?",
    "Sent (one tick).",
    "The first one may have arrived.",
    "The settings come from the environment and from .env; see .env.example.",
    "The outbox holds … waiting; the oldest came ….",
    "The outbox is empty: nothing waits to be sent.",
    "Waiting to hand over.",
    "WhatsApp message: …",
    "You have not sent any message yet.",
    "Your latest messages:",
    "half within …, 95 % within …",
    "…, the oldest for …",
}
NOT_FOR_PEOPLE = re.compile(r"# |PRAGMA |Send a WhatsApp message: ")
# Filled into "… was refused by Slack (…): …."
PARTS_OF_OTHERS = {
    sentences.first_sentence(text) for text in check.TOKEN_ERRORS.values()
}
RAISED_FOR_PEOPLE = ("SettingsError", "StoreError", "StoreBusy", "NotAgain")
# What init and doctor say has pages of its own; one error is only ever logged.
OF_OTHER_PAGES = ("doctor/", "setup/", "flows/receive.py")


def sections() -> dict[str, dict[str, str]]:
    """Return the chapters of the page: their headings and what stands under each."""
    chapters = {}
    for chapter in re.split(r"^## ", PAGE, flags=re.M)[1:]:
        title, _, rest = chapter.partition("\n")
        parts = [
            part.partition("\n") for part in re.split(r"^### ", rest, flags=re.M)[1:]
        ]
        chapters[title] = {heading: body for heading, _, body in parts}
    return chapters


def headings() -> list[str]:
    chapters = sections()
    ours = [chapters[title] for title in chapters if title != SLACKS_OWN]
    return [heading for chapter in ours for heading in chapter]


def said() -> set[str]:
    """Return the first sentence of each text about trouble."""
    texts = [text for module in MODULES for text in sentences.sentences(module)]
    texts += sentences.refusals_of_values()
    texts += [*on_the_command_line(), account.on_hold(Reason.STARTING).headline]
    firsts = {
        sentences.first_sentence(text)
        for text in texts
        if not NOT_FOR_PEOPLE.match(text)
    }
    return firsts - NO_TROUBLE - PARTS_OF_OTHERS


def on_the_command_line() -> list[str]:
    """Return what ``cli.py`` refuses in its own words."""
    tree = sentences.tree_of("cli.py")
    return [
        *sentences.texts_given_to(tree, "UsageError"),
        *(t for t in sentences.texts_given_to(tree, "_say") if t[0].isupper()),
    ]


def test_every_text_about_trouble_has_a_heading() -> None:
    assert sorted(said() - set(headings())) == []


def test_no_heading_is_of_a_text_that_nobody_says() -> None:
    assert sorted(set(headings()) - said()) == []


def test_no_heading_is_there_twice() -> None:
    assert len(headings()) == len(set(headings()))


def test_what_is_no_trouble_is_still_said() -> None:
    texts = [text for module in MODULES for text in sentences.sentences(module)]
    texts += on_the_command_line()

    assert {sentences.first_sentence(text) for text in texts} >= NO_TROUBLE


@pytest.mark.parametrize("chapter", [t for t in sections() if t != THE_LOG])
def test_every_section_says_what_to_do(chapter: str) -> None:
    parts = sections()[chapter]

    assert parts
    assert [heading for heading, body in parts.items() if "**Do:**" not in body] == []


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_section(reason: Reason) -> None:
    assert sentences.first_sentence(REASONS[reason]) in headings()


def test_every_token_error_of_slack_is_explained() -> None:
    assert [code for code in check.TOKEN_ERRORS if f"`{code}`" not in PAGE] == []


def test_whoever_raises_for_people_is_read_here() -> None:
    raising = {
        module
        for module in sentences.modules()
        for name in RAISED_FOR_PEOPLE
        if any(sentences.calls(sentences.tree_of(module), name))
    }

    unread = raising - {*MODULES, "settings_table.py"}
    assert [each for each in unread if not each.startswith(OF_OTHER_PAGES)] == []


@pytest.mark.parametrize("level", ["warning", "error", "exception"])
def test_every_line_of_the_log_that_wants_a_look_is_explained(level: str) -> None:
    lines = sentences.log_lines(level)

    assert sorted(line for line in lines if f"| `{line}` |" not in PAGE) == []


def test_no_line_of_the_log_is_explained_that_is_not_logged() -> None:
    levels = ("warning", "error", "exception")
    logged = {line for level in levels for line in sentences.log_lines(level)}
    _, _, chapter = PAGE.partition(f"\n## {THE_LOG}\n")

    explained = set(re.findall(r"^\| `(.*?)` \|", chapter, re.M))

    assert explained <= logged


def test_every_code_of_a_refusal_is_in_the_examples() -> None:
    commands = (Path(__file__).parents[1] / "docs/commands.md").read_text("utf-8")
    shown = {code for code in Code if f"| `{code}` |" in commands}

    # Of `bridge explain`: a command that sends nothing; and a word kept for later.
    assert set(Code) - shown == {Code.USAGE, Code.RECIPIENT_UNKNOWN}
