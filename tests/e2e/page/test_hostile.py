"""Whatever people write stays text: no markup, no script, no picture, no ping."""

from __future__ import annotations

import pytest

from tests.e2e.page.needs import expect

pytestmark = pytest.mark.e2e

HOSTILE = (
    '<img src="http://203.0.113.7/x.png" onerror="window.hurt = 1">',
    "<script>window.hurt = 1</script>",
    "<svg onload=window.hurt=1></svg>",
    "<iframe src=javascript:parent.hurt=1></iframe>",
    "</textarea></article><h1>Owned</h1>",
    "{{7*7}} ${window.hurt=1} &lt;b&gt; &amp;amp;",
    "<!channel> <@U0SAM> <http://203.0.113.7|your bank>",
    "*_~```*_~ *unclosed _and ~nested *b* _i_",
    "\u202egnp.exe \u2066\u0000\u200b\ufeff end",
    "a" * 3000,
)


def test_from_the_phone(visitor, stage):
    for text in HOSTILE:
        stage.sandbox.reply("14155550100@c.us", text)
    visitor.type_command("/whatsapp +14155550100 Hello")
    theirs = visitor.phone.get_by_role("article", name="From the customer")
    expect(theirs).to_have_count(len(HOSTILE))
    shown = [unmarked(text) for text in theirs.locator(".text").all_text_contents()]
    assert shown == [unmarked(text) for text in HOSTILE]
    assert_unhurt(visitor)


def unmarked(text: str) -> str:
    """Return a text without the marks that formatting takes away."""
    return text.translate({ord(mark): None for mark in "*_~`"})


def test_from_slack(visitor, stage):
    for text in HOSTILE:
        visitor.composer.fill(text)
        visitor.composer.press("Enter")
    expect(visitor.channel.locator("article")).to_have_count(len(HOSTILE))
    visitor.type_command(f"/whatsapp +14155550100 {' '.join(HOSTILE[:6])}")
    expect(visitor.phone.get_by_role("article")).to_contain_text("<script>")
    assert_unhurt(visitor)


def test_links_lead_to_the_web_or_are_none(visitor, stage):
    stage.sandbox.reply(
        "14155550100@c.us",
        "javascript:alert(1) data:text/html,x https://example.org/?a=1.",
    )
    visitor.type_command("/whatsapp +14155550100 Hello")
    links = visitor.phone.get_by_role("link")
    expect(links).to_have_count(1)
    expect(links).to_have_attribute("href", "https://example.org/?a=1")
    expect(links).to_have_attribute("rel", "noreferrer noopener")

    stage.sandbox.slack.say("U0SAM", "C0SUPPORT", "<javascript:alert(1)|click me>")
    said = visitor.channel.get_by_text("click me")
    expect(said).to_be_visible()
    expect(visitor.channel.get_by_role("link")).to_have_count(0)


def test_the_page_has_no_script_or_style_inside(visitor):
    page = visitor.page
    assert page.locator("script:not([src]), style").count() == 0
    policy = page.request.get(page.url).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def assert_unhurt(visitor) -> None:
    page = visitor.page
    assert page.evaluate("window.hurt") is None
    assert page.locator("img, iframe, object, embed, [onerror], [onload]").count() == 0
    assert page.locator("h1").all_inner_texts() == ["Bridge sandbox"]
    assert page.evaluate("document.scripts.length") == 2
