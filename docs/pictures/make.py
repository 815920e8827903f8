"""Take the README's pictures from the sandbox: ``python -m docs.pictures.make``.

They show what the page looks like now, so they are made again when it changes. Wants
Chromium, the extra ``e2e``, and fonts with emoji (Debian: ``apt install chromium
fonts-inter fonts-noto-color-emoji``).
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.page.stage import PATIENCE, Stage, open_stage
from tests.e2e.page.visitor import Visitor, launch_options

HERE = Path(__file__).parent
WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 360, "height": 740}
_AS_IN_LIFE = 1.0
_COLOURS = 128
_BLINK = 90  # milliseconds a frame stays
_LOOK = 1200  # … when there is something to read


def main() -> None:
    """Write all pictures beside this file."""
    options = launch_options()
    if options is None:
        sys.exit("There is no Chromium here. On Debian: apt install chromium")
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**options)
        with _stage() as stage:
            _take_stills(browser, stage)
        with _stage() as stage:
            _take_film(browser, stage)
        browser.close()


@contextmanager
def _stage() -> Iterator[Stage]:
    with (
        tempfile.TemporaryDirectory() as folder,
        open_stage(Path(folder)) as stage,
    ):
        yield stage


def _visit(browser: Browser, stage: Stage, size: dict[str, int], theme: str) -> Visitor:
    context = browser.new_context(
        viewport=size, color_scheme=theme, locale="en-GB", reduced_motion="reduce"
    )
    visitor = Visitor(context.new_page())
    visitor.page.goto(stage.url)
    expect(visitor.page.locator("#slack-link")).to_contain_text("connected")
    return visitor


def _take_stills(browser: Browser, stage: Stage) -> None:
    _play(_visit(browser, stage, WIDE, "light"))
    stage.sandbox.clock(_AS_IN_LIFE)
    for name, size, theme in (
        ("sandbox-light", WIDE, "light"),
        ("sandbox-dark", WIDE, "dark"),
        ("sandbox-phone", PHONE, "light"),
    ):
        visitor = _visit(browser, stage, size, theme)
        expect(visitor.card("Not sent")).to_be_visible()
        visitor.page.mouse.move(0, 0)
        visitor.page.screenshot(path=HERE / f"{name}.png")


def _play(visitor: Visitor) -> None:
    """Leave on the page what the README talks about."""
    _send(visitor, "0100", "Hi Jane, your order *#1042* has shipped :tada:")
    visitor.answer("Great, thank you! When will it arrive?")
    expect(visitor.call("incomingMessageReceived")).to_be_visible()
    _send(visitor, "0100", "Thursday before noon.")
    _send(visitor, "0146", "Here is your invoice", "Not sent.")
    visitor.type_command("/whatsapp 12ab hello")
    expect(visitor.private("“12ab”")).to_be_visible()


def _send(visitor: Visitor, digits: str, text: str, ends: str = "Read ·") -> None:
    """Send a text to one of the magic numbers, and wait until its thread has ended."""
    visitor.type_command(f"/whatsapp +1 415 555 {digits} {text}")
    _wait(visitor, text, ends)


def _wait(visitor: Visitor, text: str, ends: str) -> None:
    card = visitor.card(text.partition(":")[0])
    expect(card.locator("> .content")).to_contain_text(ends.removesuffix(" ·"))
    expect(card.locator("> .thread")).to_contain_text(ends)


class _Film:
    """Frames of the page, each with how long it stays."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._frames: list[Image.Image] = []
        self._stays: list[int] = []

    def shoot(self, stays: int = _BLINK) -> None:
        """Take a frame; one that looks like the last only makes that stay."""
        shot = Image.open(io.BytesIO(self._visitor.page.screenshot())).convert("RGB")
        if self._frames and shot.tobytes() == self._frames[-1].tobytes():
            self._stays[-1] += stays
            return
        self._frames.append(shot)
        self._stays.append(stays)

    def type(self, text: str) -> None:
        """Show how a text is typed and sent."""
        for end in range(8, len(text) + 8, 8):
            self._visitor.composer.fill(text[:end])
            self.shoot()
        self.shoot(400)
        self._visitor.composer.press("Enter")

    def save(self, path: Path) -> None:
        """Write an animated GIF, in the colours of its last frame."""
        palette = self._frames[-1].quantize(_COLOURS, dither=Image.Dither.NONE)
        frames = [
            frame.quantize(palette=palette, dither=Image.Dither.NONE)
            for frame in self._frames
        ]
        frames[0].save(
            path,
            save_all=True,
            append_images=frames[1:],
            duration=self._stays,
            loop=0,
            optimize=True,
        )


def _take_film(browser: Browser, stage: Stage) -> None:
    stage.sandbox.clock(_AS_IN_LIFE)  # or nobody would see the first tick
    visitor = _visit(browser, stage, WIDE, "light")
    film = _Film(visitor)
    film.shoot(500)
    film.type("/whatsapp +1 415 555 0100 Your order *#1042* has shipped :tada:")
    bubble = visitor.phone.get_by_role("article").last
    while "Read" not in (bubble.text_content() if bubble.count() else ""):
        film.shoot()
    _wait(visitor, "has shipped", "Read ·")
    film.shoot(_LOOK)
    visitor.answer("Great, thank you!")
    expect(visitor.call("incomingMessageReceived")).to_be_visible()
    film.shoot(_LOOK)
    visitor.page.get_by_role("radio", name="466 Quota").check()
    expect(visitor.page.locator("#fault-now-green")).to_contain_text("466")
    film.shoot(500)
    film.type("/whatsapp +1 415 555 0101 Here is your invoice")
    _wait(visitor, "Here is your invoice", "Not sent.")
    film.shoot(2000)
    film.save(HERE / "sandbox.gif")


if __name__ == "__main__":
    main()
