"""Both themes, small screens, zoom, and the rules of accessibility (WCAG 2.2 AA)."""

from __future__ import annotations

import pytest

from tests.e2e.page import needs
from tests.e2e.page.needs import expect

pytestmark = pytest.mark.e2e

SIZES = {"wide": (1440, 900), "tablet": (800, 1000), "phone": (360, 740)}
WIDTHS = (320, 360, 640, 980, 981, 1280, 1320, 1440)  # 640 is 1280 at a zoom of 200 %
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def fill_the_page(visitor) -> None:
    """Leave something of every kind on it."""
    page = visitor.page
    visitor.type_command("/whatsapp +14155550160 Did you get it?")
    visitor.type_command("/whatsapp 12ab hello")
    visitor.type_command("/whatsapp +14155550120 Nobody there")
    expect(visitor.phone).to_contain_text("This number has no WhatsApp")
    visitor.type_command("/whatsapp +14155550100 Your *order* is `ready`")
    expect(visitor.phone).to_contain_text("Read")
    visitor.answer("See https://example.org/, _thanks_")
    expect(visitor.phone).to_contain_text("thanks")
    doubtful = visitor.card("Did you get it?")
    expect(doubtful.get_by_role("button", name="Check again")).to_be_visible()
    doubtful.get_by_role("button", name="Reply in thread").click()
    page.get_by_role("button", name="numbers…").click()
    page.get_by_role("radio", name="466 Quota").check()
    row = visitor.call("sendMessage").first
    row.get_by_role("button").first.click()
    row.get_by_role("button", name="Edit and replay").click()
    page.locator("#failures-slack summary").click()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_rule_is_broken(visit, theme):
    axe = needs.module("axe_playwright_python.sync_playwright").Axe()
    # axe itself is not from the page, so its policy must let it in.
    visitor = visit(color_scheme=theme, bypass_csp=True, reduced_motion="reduce")
    fill_the_page(visitor)
    for width, height in SIZES.values():
        visitor.page.set_viewport_size({"width": width, "height": height})
        assert_clean(axe, visitor.page)
    visitor.page.get_by_role("button", name="Connect real Slack").click()
    assert_clean(axe, visitor.page)


def assert_clean(axe, page) -> None:
    options = {"runOnly": RULES, "resultTypes": ["violations"]}
    found = axe.run(page, options=options).response["violations"]
    assert [(each["id"], [n["target"] for n in each["nodes"]]) for each in found] == []


def test_nothing_sticks_out_sideways(visitor):
    fill_the_page(visitor)
    page = visitor.page
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # What stands outside could not be reached at all, unless its box scrolls.
        assert page.evaluate(STICKING_OUT) == [], width


STICKING_OUT = """() =>
    [...document.querySelectorAll("button, a, input, select, textarea")]
    .filter((each) => each.checkVisibility() && !each.closest("#rooms, #chats, .skip"))
    .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
    .map((each) => each.outerHTML)"""


def test_the_theme_is_the_systems_until_one_is_chosen(visit):
    visitor = visit(color_scheme="dark")
    page = visitor.page
    assert brightness(page) < 60
    page.get_by_role("button", name="Light theme").click()
    assert brightness(page) > 200
    page.reload()
    expect(page.get_by_role("button", name="Dark theme")).to_be_visible()
    assert brightness(page) > 200
    page.get_by_role("button", name="Dark theme").click()
    assert brightness(page) < 60


def brightness(page) -> float:
    red, green, blue = page.evaluate(
        "getComputedStyle(document.querySelector('.panel')).backgroundColor"
        ".match(/[\\d.]+/g).slice(0, 3).map(Number)"
    )
    return (red + green + blue) / 3


def test_news_are_read_aloud_once_and_calls_never(visitor):
    page = visitor.page
    for name in ("# support", "WhatsApp messages"):
        log = page.get_by_role("log", name=name)
        expect(log).to_have_attribute("aria-live", "polite")
    assert page.locator("#calls-box [aria-live], #calls-box[aria-live]").count() == 0
    visitor.type_command("/whatsapp +14155550100 Hello")
    card = visitor.card("Hello")
    expect(card.locator("> .content")).to_contain_text("Read.")
    expect(card.locator(".thread")).to_contain_text("Read ·")
    page.evaluate(HEAR)
    card.get_by_role("button", name="Reply in thread").click()
    card.get_by_label("Reply in this thread").fill("I will call them.")
    page.keyboard.press("Enter")
    expect(card.locator(".thread")).to_contain_text("I will call them.")
    heard = page.evaluate("window.heard")
    assert [text for text in heard if "I will call them." in text]
    assert not [text for text in heard if "WhatsApp →" in text]


# Whatever is put into a live region is read aloud.
HEAR = """() => {
    window.heard = [];
    const listen = (records) => records.forEach(
        (record) => record.addedNodes.forEach((node) => heard.push(node.textContent)));
    new MutationObserver(listen).observe(
        document.querySelector("#messages"), {childList: true, subtree: true});
}"""


def test_ticks_are_words_too(visitor):
    visitor.type_command("/whatsapp +14155550110 Hello")
    bubble = visitor.phone.get_by_role("article", name="From the bridge")
    expect(bubble).to_contain_text("Delivered")
    expect(bubble.locator("svg")).to_have_attribute("aria-hidden", "true")
