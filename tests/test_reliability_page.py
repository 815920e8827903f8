"""Every known fault is shown by a test, or the page says why it is not."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAULTS = set(range(1, 65))


def faults_in_tests() -> set[int]:
    """Return the numbers of the faults that appear in the names of tests."""
    names = [
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r"^\s*def (test_\w+)", path.read_text("utf-8"), re.M)
    ]
    return {int(n) for name in names for n in re.findall(r"_f(\d+)(?=_|$)", name)}


def faults_on_the_page() -> set[int]:
    """Return the numbers of the faults that the page gives a reason for."""
    page = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    return {int(n) for n in re.findall(r"^\| F(\d+) \|", page, re.M)}


def test_every_fault_has_a_test_or_a_reason() -> None:
    assert sorted(FAULTS - faults_in_tests() - faults_on_the_page()) == []


def test_no_fault_is_excused_that_has_a_test() -> None:
    assert faults_in_tests() & faults_on_the_page() == set()


def test_only_known_faults_are_named() -> None:
    assert faults_in_tests() | faults_on_the_page() <= FAULTS
