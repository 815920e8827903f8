"""The files of the sandbox page: from here alone, and in step with the README."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import bridge.sandbox.page

ROOT = Path(__file__).parents[2]
STATIC = Path(bridge.sandbox.page.__file__).parent / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))


class Page(HTMLParser):
    """What the page's HTML refers to, names and says."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[str] = []
        self.links: dict[str, str] = {}
        self.ids: list[str] = []
        self.feed((STATIC / "index.html").read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert "style" not in given
        assert not [name for name in given if name.startswith("on")]
        if tag in {"script", "link"}:
            self.files.append(given.get("src") or given.get("href") or "nothing")
        if tag == "a":
            self.links[given.get("id") or ""] = given["href"] or ""
        if given.get("id"):
            self.ids.append(str(given["id"]))


def test_the_page_loads_its_own_files_only():
    page = Page()
    assert page.files
    for name in page.files:
        assert (STATIC / name.removeprefix("page/")).is_file(), name


def test_no_id_is_given_twice():
    ids = Page().ids
    assert len(ids) == len(set(ids))


def test_its_link_makes_the_same_app_as_the_readme():
    readme = (ROOT / "README.md").read_text("utf-8")
    link = re.search(r"^\[create-app\]: (\S+)", readme, re.MULTILINE)
    assert link is not None
    assert Page().links["create-app"] == link[1]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_data_never_becomes_markup(script):
    source = script.read_text("utf-8")
    for way in (
        *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"),
        *("eval(", "new Function", "DOMParser", "createContextualFragment", "srcdoc"),
    ):
        assert way not in source


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_import_is_there(script):
    source = script.read_text("utf-8")
    for names, file in re.findall(
        r'^import (?:\{ ([^}]+) \}|\* as \w+) from "\./([\w.]+)";$',
        source,
        re.MULTILINE,
    ):
        exported = (STATIC / file).read_text("utf-8")
        for name in filter(None, names.split(", ")):
            assert re.search(rf"^export .*\b{name}\b", exported, re.MULTILINE), name


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_nothing_is_fetched_from_elsewhere(path):
    text = path.read_text("utf-8")
    addresses = set(re.findall(r"https?://([\w.-]+)", text))
    assert addresses <= {"www.w3.org", "api.slack.com"}  # a namespace and the link
