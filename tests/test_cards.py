"""Our messages in Slack's own format."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Card, Choice, DeliveryId
from bridge.sandbox.slack.blocks import check_blocks
from bridge.slack.cards import escape, message
from bridge.wording.choices import BUTTONS

ID = DeliveryId("3f2a9c01" * 4)
CARD = Card(
    "summary", "*headline*", "quote", "footnote", f"{ID}:reply", tuple(Choice), ID
)


def test_a_card_with_choices_in_full() -> None:
    assert message(CARD) == {
        "text": "summary",
        "blocks": [
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": "*headline*", "verbatim": True},
            },
            {
                "type": "section",
                "text": {"type": "plain_text", "text": "quote", "emoji": False},
            },
            {
                "type": "context",
                "elements": [{"type": "mrkdwn", "text": "footnote", "verbatim": True}],
            },
            {
                "type": "actions",
                "elements": [
                    button("check_again", "Check again"),
                    button("send_again", "Send again") | {"confirm": SEND_AGAIN},
                    button("mark_not_sent", "Mark as not sent"),
                ],
            },
        ],
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {
            "event_type": "whatsapp_bridge",
            "event_payload": {"k": f"{ID}:reply"},
        },
    }


def button(action_id: str, label: str) -> dict[str, object]:
    return {
        "type": "button",
        "action_id": action_id,
        "value": ID,
        "text": plain(label),
    }


def plain(text: str) -> dict[str, object]:
    return {"type": "plain_text", "text": text, "emoji": False}


SEND_AGAIN = {
    "title": plain("Send it again?"),
    "text": plain("The first one may have arrived. Then the customer gets it twice."),
    "confirm": plain("Send again"),
    "deny": plain("Cancel"),
}


def test_slack_takes_the_buttons() -> None:
    blocks = message(CARD)["blocks"]

    assert check_blocks(blocks) == blocks


def test_every_choice_has_its_words() -> None:
    assert set(BUTTONS) == set(Choice)


@pytest.mark.parametrize("card", [replace(CARD, choices=()), replace(CARD, about=None)])
def test_without_choices_there_are_no_buttons_but_blocks_all_the_same(
    card: Card,
) -> None:
    kinds = [block["type"] for block in message(card)["blocks"]]

    assert kinds == ["section", "section", "context"]


def test_only_the_choices_there_are_get_a_button() -> None:
    card = replace(CARD, choices=(Choice.MARK_NOT_SENT,))

    (button,) = message(card)["blocks"][-1]["elements"]

    assert button["action_id"] == "mark_not_sent"


def mrkdwn_in(part: object) -> list[str]:
    """Return every text of a message that Slack would parse."""
    match part:
        case {"type": "mrkdwn", "text": str(text)}:
            return [text]
        case dict():
            return [text for each in part.values() for text in mrkdwn_in(each)]
        case list():
            return [text for each in part for text in mrkdwn_in(each)]
    return []


FOREIGN = [
    "<!channel> <!here> <!everyone>",
    "<!subteam^S012AB3CD|ops>",
    "<@U012AB3CD>",
    "<https://evil.example|https://bank.example>",
    "<javascript:alert(1)|click>",
    "&lt;!channel&gt;",
]


@pytest.mark.parametrize("text", FOREIGN)
def test_t9_t10_t12_foreign_text_is_never_parsed(text: str) -> None:
    sent = message(replace(CARD, quote=text))

    assert all(text not in parsed for parsed in mrkdwn_in(sent))
    assert text not in sent["text"]
    assert not sent["unfurl_links"]
    assert not sent["unfurl_media"]
    assert "link_names" not in sent


@given(st.text())
def test_t9_t12_what_is_escaped_can_ping_nobody_and_loses_nothing(text: str) -> None:
    escaped = escape(text)

    assert not {"<", ">"} & set(escaped)
    plain = escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert plain == text
