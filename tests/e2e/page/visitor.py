"""Somebody in front of the page: where things are, and what hands do there."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def launch_options() -> dict[str, Any] | None:
    """Return how to start the system's Chromium; None where there is none."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        return None
    # Chromium's own chatter must not pass for the page's.
    arguments = ["--disable-background-networking", "--disable-component-update"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # it refuses to run as root with one
    return {"executable_path": path, "args": arguments}


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person at one tab."""

    page: Page

    @property
    def composer(self) -> Locator:
        """Where a Slack user types."""
        return self.page.get_by_label("Message #support")

    @property
    def channel(self) -> Locator:
        """What the channel shows."""
        return self.page.get_by_role("log", name="# support")

    @property
    def phone(self) -> Locator:
        """What the chat on the phone shows."""
        return self.page.get_by_role("log", name="WhatsApp messages")

    @property
    def calls(self) -> Locator:
        """The rows of the timeline."""
        return self.page.locator("#calls > li")

    def card(self, text: str) -> Locator:
        """Return the message of the channel, with its thread, that shows a text."""
        return self.channel.locator("> article.message:not(.private)", has_text=text)

    def private(self, text: str) -> Locator:
        """Return a message that only this person sees."""
        return self.channel.locator("article.private", has_text=text)

    def call(self, text: str) -> Locator:
        """Return the rows of the timeline that show a text."""
        return self.calls.filter(has_text=text)

    def type_command(self, text: str) -> None:
        """Type into the message box and send it."""
        self.composer.fill(text)
        self.composer.press("Enter")

    def answer(self, text: str) -> None:
        """Write back as the customer."""
        self.page.get_by_label("Answer as the customer").fill(text)
        self.page.locator("#answer").get_by_role("button", name="Send").click()

    def tab_to(self, target: Locator, limit: int = 120) -> None:
        """Press Tab until the focus is there, as people without a mouse do."""
        for _ in range(limit):
            if target.evaluate("node => node === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {target}")
