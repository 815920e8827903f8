"""docs/security.md names the tests that show what it says, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

from bridge.store.tables import metadata

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/security.md").read_text("utf-8")


def names_of_tests() -> set[str]:
    return {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.M)
    }


def test_every_threat_with_a_test_is_on_the_page_and_the_other_way_round() -> None:
    names = " ".join(names_of_tests())

    shown = {int(number) for number in re.findall(r"_t(\d+)(?=_| |$)", names)}
    listed = {int(number) for number in re.findall(r"^\| T(\d+) \|", PAGE, re.M)}

    assert listed == shown


def test_every_test_it_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+[a-z])`", PAGE))

    assert named
    assert named <= names_of_tests()


def test_every_table_that_holds_personal_data_is_named() -> None:
    # Lanes and aliases hold chats for as long as there is work; the rest, no person.
    without = {"lanes", "aliases", "replicas", "facts"}

    assert {name for name in metadata.tables if f"`{name}`" not in PAGE} == without
