"""Every link inside the repository leads somewhere, and every page can be reached."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
START = (ROOT / "README.md", ROOT / "docs/README.md")

_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)", re.MULTILINE)
_SOURCE = re.compile(r'(?:src|srcset|href)="([^"]+)"')
_HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)


def links(page: Path) -> list[str]:
    """Return the targets of a page's links that stay in this repository."""
    text = _CODE.sub("", page.read_text("utf-8"))
    found = [a or b for a, b in _LINK.findall(text)] + _SOURCE.findall(text)
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """Return the names that a page's headings get, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    found: set[str] = set()
    for heading in _HEADING.findall(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        copies = (f"{name}-{n}" if n else name for n in range(100))
        found.add(next(copy for copy in copies if copy not in found))
    return found


def is_broken(page: Path, link: str) -> bool:
    """Whether a link of a page leads out of the repository or nowhere."""
    target, _, anchor = link.partition("#")
    path = (page.parent / target).resolve() if target else page
    if not path.is_relative_to(ROOT) or not path.exists():
        return True
    return bool(anchor) and anchor not in anchors(path)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in links(page) if is_broken(page, link)] == []


def test_every_page_can_be_reached() -> None:
    everything = {page.resolve() for page in PAGES}
    reached: set[Path] = set()
    waiting = [page.resolve() for page in START]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        targets = [
            (page.parent / link.partition("#")[0]).resolve() for link in links(page)
        ]
        for target in targets:
            found = sorted(target.glob("*.md")) if target.is_dir() else [target]
            waiting += [p for p in found if p in everything - reached]

    assert everything - reached == set()


def test_the_index_is_linked_from_the_readme() -> None:
    assert (ROOT / "docs/README.md").resolve() in {
        (ROOT / link.partition("#")[0]).resolve() for link in links(ROOT / "README.md")
    }
