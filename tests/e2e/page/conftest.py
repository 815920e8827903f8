"""The page in a real browser, with the real bridge behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.page import needs
from tests.e2e.page.stage import PATIENCE, Stage, open_stage
from tests.e2e.page.visitor import Visitor, launch_options

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright_api = needs.module("playwright.sync_api")
    playwright_api.expect.set_options(timeout=PATIENCE * 1000)
    options = launch_options()
    if options is None:
        needs.lack("There is no Chromium: apt install chromium")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(**options)
        yield browser
        browser.close()


@pytest.fixture
def stage(tmp_path) -> Iterator[Stage]:
    folder = tmp_path / "bridge"
    folder.mkdir()
    with open_stage(folder) as stage:
        yield stage


@pytest.fixture
def visit(browser, stage) -> Iterator[Callable[..., Any]]:
    """Open the page in a new window; fails if it complains or looks elsewhere."""
    complaints: list[str] = []
    contexts: list[Any] = []

    def visit(**options: Any) -> Visitor:
        size = {"width": 1440, "height": 900}
        context = browser.new_context(**{"viewport": size} | options)
        contexts.append(context)
        context.on("request", lambda request: _watch(request.url, complaints))
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("console", lambda message: _read(message, complaints))
        page = context.new_page()
        page.goto(stage.url)
        visitor = Visitor(page)
        page.get_by_text("Slack: connected").wait_for()
        return visitor

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def visitor(visit) -> Any:
    return visit()


def _watch(url: str, complaints: list[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"data", "blob"} and parts.hostname not in LOOPBACK:
        complaints.append(f"a request to {parts.hostname}")


def _read(message: Any, complaints: list[str]) -> None:
    # An answer of 400 is also an error to Chromium, with the text of its status.
    if message.type == "error" and "Failed to load resource" not in message.text:
        complaints.append(message.text)
