"""What the pages say of settings, commands and metrics is what the program does."""

from __future__ import annotations

import re

import pytest

from docs import generate

DOCS = generate.ROOT / "docs"
MAKE = "make it anew: make docs"


@pytest.mark.parametrize("name", generate.PAGES)
def test_a_page_is_what_the_program_would_write(name: str) -> None:
    page = (DOCS / name).read_text("utf-8")

    assert generate.filled(page) == page, MAKE


def test_every_part_is_on_exactly_one_page() -> None:
    pages = [(DOCS / name).read_text("utf-8") for name in generate.PAGES]

    parts = [part for page in pages for part in re.findall(r"<!-- made: (\w+)", page)]

    assert sorted(parts) == sorted(generate.PARTS)


def test_no_other_page_waits_to_be_filled() -> None:
    waiting = {
        path.name
        for path in DOCS.rglob("*.md")
        if "<!-- made:" in path.read_text("utf-8")
    }

    assert waiting == set(generate.PAGES)


def test_a_stale_part_is_made_anew() -> None:
    stale = "before\n<!-- made: help -->\nold words\n<!-- /made -->\nafter\n"

    page = generate.filled(stale)

    assert "old words" not in page
    assert "/whatsapp <number> <text>" in page
    assert page.startswith("before\n")
    assert page.endswith("<!-- /made -->\nafter\n")
