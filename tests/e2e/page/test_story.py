"""What people come for: type, look at the phone, answer, let it fail, decide."""

from __future__ import annotations

import re

import pytest

from tests.e2e.page.needs import expect

pytestmark = pytest.mark.e2e

ID = re.compile("idMessage 3EB0[0-9A-F]{16}")


def test_a_message_and_its_answer_with_the_mouse(visitor):
    page = visitor.page
    page.get_by_role("button", name="good message").click()
    page.locator("#composer").get_by_role("button", name="Send").click()

    expect(visitor.channel.get_by_text("Dana ran /whatsapp")).to_be_visible()
    expect(visitor.private("Queued for +1 ••••• 0100")).to_contain_text(
        "Only visible to you"
    )
    card = visitor.card("Your order *#1042* ships today 🎉")
    expect(card.locator(".thread")).to_contain_text("Read")
    expect(card.locator(".thread")).to_contain_text(ID)
    bubble = visitor.phone.get_by_role("article", name="From the bridge")
    expect(bubble).to_contain_text("Your order #1042 ships today 🎉")
    expect(bubble.locator("strong")).to_have_text("#1042")
    expect(bubble).to_contain_text("Read")

    visitor.answer("Great, *thank you*!")
    theirs = visitor.phone.get_by_role("article", name="From the customer")
    expect(theirs).to_contain_text("Great, thank you!")
    expect(visitor.call("incomingMessageReceived")).to_be_visible()

    row = visitor.call("sendMessage").first
    row.get_by_role("button").first.click()
    expect(row.get_by_role("group", name="Request")).to_contain_text(
        '"chatId": "14155550100@c.us"'
    )
    expect(row.get_by_role("group", name="Response")).to_contain_text("3EB0")
    figures = page.locator("#figures")
    for figure in ("Accepted1", "Delivered1", "Read1", "Failed0", "Answers1"):
        expect(figures).to_contain_text(figure)


def test_the_same_without_a_mouse(visitor):
    page, keys = visitor.page, visitor.page.keyboard
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to the message box")).to_be_focused()
    keys.press("Enter")
    expect(visitor.composer).to_be_focused()

    keys.type("/wh")
    expect(page.get_by_role("option", name="<number> <text>")).to_have_attribute(
        "aria-selected", "true"
    )
    keys.press("Enter")  # completes it
    expect(visitor.composer).to_have_value("/whatsapp ")
    keys.type("+1 415 555 0101 Hello")
    keys.press("Enter")  # sends it
    expect(visitor.composer).to_have_value("")
    expect(visitor.card("Hello").locator(".thread")).to_contain_text(ID)
    keys.press("ArrowUp")
    expect(visitor.composer).to_have_value("/whatsapp +1 415 555 0101 Hello")
    keys.press("ArrowDown")
    expect(visitor.composer).to_have_value("")

    visitor.tab_to(page.get_by_label("Answer as the customer"))
    keys.type("Who is this?")
    keys.press("Enter")
    expect(visitor.phone).to_contain_text("Who is this?")

    visitor.tab_to(page.get_by_role("radio", name="Healthy").first)
    keys.press("ArrowDown")
    expect(page.locator("#fault-now-green")).to_have_text("429 Too many, the next call")

    button = page.get_by_role("button", name="Connect real Slack")
    visitor.tab_to(button)
    keys.press("Enter")
    dialog = page.get_by_role("dialog", name="Connect your Slack and WhatsApp")
    expect(dialog).to_be_visible()
    keys.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()


def test_the_command_menu(visitor):
    options = visitor.page.get_by_role("listbox", name="Commands").get_by_role("option")
    visitor.composer.press_sequentially("/")
    expect(options).to_have_count(3)
    visitor.composer.press("ArrowUp")
    visitor.composer.press("Enter")
    expect(visitor.composer).to_have_value("/whatsapp help")
    expect(options).to_have_count(0)
    visitor.composer.press("Enter")
    expect(visitor.private("/whatsapp")).to_be_visible()

    visitor.composer.press_sequentially("/whats")
    visitor.composer.press("Escape")
    expect(options).to_have_count(0)
    visitor.composer.fill("/whatsapp")
    visitor.composer.press("Enter")  # the bare command is sent, not completed
    expect(visitor.composer).to_have_value("")
    expect(visitor.channel.locator(".echo").last).to_contain_text(
        re.compile(r"ran /whatsapp \d")
    )


def test_a_bad_number_is_refused_to_its_author_alone(visitor):
    page = visitor.page
    page.get_by_role("button", name="bad number").click()
    visitor.composer.press("Enter")
    expect(visitor.private("“12ab” as a phone number")).to_be_visible()
    page.get_by_label("You are").select_option(label="Sam")
    expect(visitor.private("“12ab” as a phone number")).to_have_count(0)
    expect(visitor.channel.locator(".echo")).to_have_count(0)


def test_a_number_that_misbehaves_is_offered(visitor):
    page = visitor.page
    page.get_by_role("button", name="numbers…").click()
    page.get_by_role("button", name="+1 415 555 0120").click()
    expect(visitor.composer).to_have_value("/whatsapp +1 415 555 0120 Hello")
    expect(visitor.composer).to_be_focused()
    visitor.composer.press("Enter")
    expect(visitor.card("Hello").locator(".thread")).to_contain_text("no WhatsApp")
    expect(visitor.phone).to_contain_text("This number has no WhatsApp")
    expect(page.locator("#figures")).to_contain_text("Failed1")


def test_typed_on_a_phone(visitor):
    visitor.page.get_by_label("Typed on a phone").check()
    visitor.type_command('/whatsapp +14155550100 It\'s "ready" -- come')
    card = visitor.card("It’s “ready” — come")  # noqa: RUF001
    expect(card.locator(".thread")).to_contain_text(ID)


def test_a_doubtful_message_is_decided_with_buttons(visitor):
    page = visitor.page
    visitor.type_command("/whatsapp +14155550160 Did you get it?")
    thread = visitor.card("Did you get it?").locator(".thread")
    again = thread.get_by_role("button", name="Send again")
    again.click()

    question = page.get_by_role("dialog", name="Send it again?")
    expect(question).to_contain_text("Then the customer gets it twice.")
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    expect(page.locator("#figures")).to_contain_text("Unconfirmed1")

    thread.get_by_role("button", name="Mark as not sent").click()
    expect(thread).to_contain_text("It was marked as not sent.")
    expect(again).to_have_count(0)
    expect(page.locator("#figures")).to_contain_text("Unconfirmed0")


def test_send_again_after_yes(visitor):
    page = visitor.page
    page.get_by_role("radio", name="No answer").check()
    expect(page.locator("#fault-now-green")).to_have_text("No answer, the next call")
    visitor.type_command("/whatsapp +14155550100 Once more?")
    visitor.card("Once more?").get_by_role("button", name="Send again").click()
    question = page.get_by_role("dialog", name="Send it again?")
    question.get_by_role("button", name="Send again").click()
    expect(visitor.phone).to_contain_text("Once more?")
    expect(visitor.phone).to_contain_text("Read")


def test_a_thread_takes_words_but_no_commands(visitor):
    visitor.type_command("/whatsapp +14155550100 Hello")
    card = visitor.card("Hello")
    card.get_by_role("button", name="Reply in thread").click()
    box = card.get_by_label("Reply in this thread")
    expect(box).to_be_focused()
    box.fill("I will call them.")
    box.press("Enter")
    expect(card.locator(".thread article", has_text="I will call")).to_be_visible()
    box.fill("/whatsapp +14155550100 Hello")
    box.press("Enter")
    refusal = card.locator(".thread .private")
    expect(refusal).to_contain_text("is not supported in threads")
    expect(refusal).to_contain_text("Only visible to you")


def test_two_refusals_then_accepted(visitor):
    page = visitor.page
    page.get_by_label("Applies to").first.select_option(label="the next calls")
    page.get_by_label("How many").first.fill("2")
    page.get_by_role("radio", name="429 Too many").first.check()
    expect(page.locator("#fault-now-green")).to_have_text("429 Too many, 2 more calls")
    visitor.type_command("/whatsapp +14155550100 Slowly")
    expect(visitor.card("Slowly").locator(".thread")).to_contain_text("Read")
    refused = visitor.call("sendMessage").filter(has_text="429")
    expect(refused).to_have_count(2)
    expect(refused.first).to_contain_text("made to fail")
    expect(page.locator("#fault-now-green")).to_have_text("healthy")
    expect(page.get_by_role("radio", name="Healthy").first).to_be_checked()


def test_one_number_fails_until_it_is_healthy_again(visitor):
    page = visitor.page
    page.get_by_label("Applies to").first.select_option(label="one number")
    page.get_by_label("Number", exact=True).fill("+1 415 555 0102")
    page.get_by_role("radio", name="466 Quota").check()
    expect(page.locator("#fault-now-green")).to_contain_text("+1 415 555 0102")
    visitor.type_command("/whatsapp +14155550102 This one not")
    visitor.type_command("/whatsapp +14155550103 This one yes")
    expect(visitor.card("This one not").locator(".thread")).to_contain_text("plan")
    expect(visitor.card("This one yes").locator(".thread")).to_contain_text("Read")
    page.get_by_role("radio", name="Healthy").first.check()
    expect(page.locator("#fault-now-green")).to_have_text("healthy")


def test_slack_fails(visitor):
    page = visitor.page
    page.locator("#failures-slack summary").click()
    slack = page.locator("#failures-slack")
    slack.get_by_role("radio", name="429 Too many").check()
    expect(page.locator("#fault-now-slack")).to_have_text("429 Too many, the next call")
    visitor.type_command("/whatsapp +14155550100 Hello")
    expect(visitor.call("429 ratelimited")).to_be_visible()
    expect(visitor.card("Hello").locator(".thread")).to_contain_text("Read")
    slack.get_by_role("button", name="Drop the sockets now").click()
    expect(visitor.call("closed").first).to_be_visible()
    expect(page.locator("#slack-link")).to_contain_text("connected")


def test_the_account_is_logged_out_and_linked_again(visitor):
    page = visitor.page
    account = page.get_by_label("Account")
    account.select_option(label="logged out")
    expect(page.locator("#green-link")).to_contain_text("logged out")
    visitor.type_command("/whatsapp +14155550101 See you at noon")
    card = visitor.card("See you at noon")
    expect(card).to_contain_text("On hold")
    account.select_option(label="linked")
    expect(card.locator(".thread")).to_contain_text("Read")


def test_a_phone_that_is_off_gets_the_rest_later(visitor):
    page = visitor.page
    visitor.type_command("/whatsapp +14155550100 First")
    expect(visitor.phone).to_contain_text("Read")
    switch = page.get_by_role("switch")
    expect(switch).to_be_checked()
    switch.click()
    expect(switch).not_to_be_checked()
    visitor.type_command("/whatsapp +14155550100 Second")
    second = visitor.phone.get_by_role("article").filter(has_text="Second")
    expect(second).to_contain_text("Sent")
    visitor.answer("Hello?")
    expect(page.locator("#notice")).to_contain_text("That phone is off.")
    switch.click()
    expect(second).to_contain_text("Read")


def test_each_customer_has_a_tab(visitor):
    page = visitor.page
    for digits in ("0100", "0101"):
        visitor.type_command(f"/whatsapp +1415555{digits} To {digits}")
        expect(visitor.phone).to_contain_text(f"To {digits}")
    first = page.get_by_role("tab", name="+1 415 555 0100")
    expect(page.get_by_role("tab", selected=True)).to_have_text("+1 415 555 0101")
    first.click()
    expect(visitor.phone).to_contain_text("To 0100")
    expect(visitor.phone).not_to_contain_text("To 0101")
    page.keyboard.press("ArrowRight")
    expect(visitor.phone).to_contain_text("To 0101")


def test_a_call_is_sent_again_and_edited(visitor):
    page = visitor.page
    visitor.type_command("/whatsapp +14155550100 Hello")
    expect(visitor.phone).to_contain_text("Read")
    row = visitor.call("sendMessage").first
    row.get_by_role("button").first.click()
    row.get_by_role("button", name="Replay", exact=True).click()
    expect(visitor.call("replay of")).to_have_count(1)
    expect(visitor.phone.get_by_role("article")).to_have_count(2)

    row.get_by_role("button", name="Edit and replay").click()
    body = row.get_by_label("Request body to send")
    body.fill("{nonsense")
    row.get_by_role("button", name="Send it").click()
    expect(page.locator("#notice")).to_contain_text("This is not JSON")
    body.fill('{"chatId": "14155550100@c.us", "message": "By hand"}')
    row.get_by_role("button", name="Send it").click()
    expect(visitor.phone).to_contain_text("By hand")


def test_what_can_be_taken_away(visit):
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    page = visitor.page
    visitor.type_command("/whatsapp +14155550100 Hello")
    row = visitor.call("sendMessage").first
    row.get_by_role("button").first.click()
    row.get_by_role("button", name="Copy as curl").click()
    handed = page.get_by_role("dialog")
    expect(handed).to_contain_text("$GREEN_API_TOKEN_INSTANCE")
    expect(handed).to_contain_text("Copied to the clipboard.")
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl ")
    handed.get_by_role("button", name="Close").click()

    page.get_by_role("button", name="Copy as test").click()
    expect(handed).to_contain_text("def test_")
    expect(handed).to_contain_text("+14155550100 Hello")
