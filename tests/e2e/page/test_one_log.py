"""The event log is the only state: reloads, other tabs and restarts show the same."""

from __future__ import annotations

import pytest

from tests.e2e.page.needs import expect

pytestmark = pytest.mark.e2e

PARTS = ("#messages", "#bubbles", "#calls", "#figures", "#failures", ".top")


def looks(visitor) -> list[str]:
    return [visitor.page.locator(part).inner_text() for part in PARTS]


def play(visitor) -> None:
    """Leave something in every part, and nothing under way."""
    visitor.page.get_by_role("radio", name="500 Error").check()
    expect(visitor.page.locator("#fault-now-green")).to_contain_text("500 Error")
    visitor.page.get_by_role("radio", name="466 Quota").check()
    expect(visitor.page.locator("#fault-now-green")).to_contain_text("466 Quota")
    visitor.type_command("/whatsapp +14155550102 Refused")
    expect(visitor.card("Refused").locator(".thread")).to_contain_text("plan")
    visitor.type_command("/whatsapp +14155550100 Taken")
    expect(visitor.card("Taken").locator(".thread")).to_contain_text("Read")
    expect(visitor.card("Taken")).to_contain_text("Read.")
    visitor.answer("Thanks")
    expect(visitor.phone).to_contain_text("Thanks")
    expect(visitor.call("incomingMessageReceived")).to_be_visible()
    visitor.page.get_by_role("radio", name="Answer lost").check()
    expect(visitor.page.locator("#fault-now-green")).to_contain_text("Answer lost")


def test_a_reload_and_a_second_tab_show_the_same(visit):
    visitor = visit()
    play(visitor)
    second = visit()
    expect(second.card("Taken").locator(".thread")).to_contain_text("Read")
    expect(second.page.locator("#fault-now-green")).to_contain_text("Answer lost")
    assert looks(second) == looks(visitor)
    before = looks(visitor)
    visitor.page.reload()
    expect(visitor.page.locator("#fault-now-green")).to_contain_text("Answer lost")
    assert looks(visitor) == before


def test_what_one_does_the_other_sees(visit):
    visitor, other = visit(), visit()
    visitor.type_command("/whatsapp +14155550100 Hello")
    expect(other.card("Hello").locator(".thread")).to_contain_text("Read")
    other.answer("Hi")
    expect(visitor.phone).to_contain_text("Hi")
    other.page.get_by_role("button", name="Reset").click()
    for each in (visitor, other):
        expect(each.channel).to_contain_text("Nothing here yet.")
        expect(each.phone).to_contain_text("Messages that reach WhatsApp appear here.")
        expect(each.page.locator("#slack-link")).to_contain_text("connected")


def test_the_page_says_when_the_sandbox_is_gone(visitor, stage):
    offline = visitor.page.get_by_role("alert")
    expect(offline).to_have_count(0)
    stage.server.stop()
    expect(offline).to_contain_text("The sandbox does not answer.")
    stage.server.start()
    expect(offline).to_have_count(0)


def test_the_title_counts_what_came_meanwhile(visitor):
    page = visitor.page
    expect(page).to_have_title("Bridge sandbox")
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => window.isAway})"
    )
    page.evaluate("window.isAway = true")
    visitor.type_command("/whatsapp +14155550100 Hello")
    expect(page).to_have_title("(2) Bridge sandbox")  # the card and its reply
    page.evaluate("window.isAway = false")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page).to_have_title("Bridge sandbox")


def test_thousands_of_calls_leave_the_page_quick(visit, stage):
    for number in range(5000):
        stage.sandbox.log.append(
            "api_call",
            side="slack",
            direction="out",
            method=f"chat.update.{number}",
            verb="POST",
            path="/api/chat.update",
            status=200,
            ok=True,
            error=None,
            ms=1,
            request={},
            response={"ok": True},
            by_fault=False,
            replay_of=None,
        )
    visitor = visit()
    expect(visitor.call("chat.update.4999")).to_be_visible()
    expect(visitor.calls).to_have_count(500)
    expect(visitor.page.get_by_text("older calls are in the log")).to_be_visible()
    visitor.type_command("/whatsapp +14155550100 Hello")
    expect(visitor.phone).to_contain_text("Read")
    visitor.page.get_by_label("Show calls of").select_option(label="GREEN-API")
    expect(visitor.call("sendMessage")).to_be_visible()
    expect(visitor.call("chat.update")).to_have_count(0)
