"""The sentences about commands that can't be carried out."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.model import ChatId
from bridge.wording import commands as wording

quick = settings(max_examples=200, deadline=None)

ABOUT_A_TOKEN = [
    wording.number_format,
    wording.number_length,
    wording.number_too_long,
    wording.number_invalid,
    wording.ambiguous_number,
    wording.chat_id_format,
]
CONSTANTS = [
    wording.EMPTY,
    wording.RECIPIENT_MENTION,
    wording.LINK_FORMAT,
    wording.LINK_SHOWS_ANOTHER,
    wording.NO_TEXT_LEFT,
]
CHAT = ChatId("919812343928@c.us")
NUMBER = "79001234567"


def sentences(token: str) -> list[str]:
    return [
        *CONSTANTS,
        *(say(token) for say in ABOUT_A_TOKEN),
        wording.message_required(CHAT),
        wording.message_too_long(5000, 4096),
    ]


@pytest.mark.parametrize(
    ("chat_id", "mask"),
    [
        ("919812343928@c.us", "+91 ••••• 3928"),
        ("14155550123@c.us", "+1 ••••• 0123"),
        ("6834002@c.us", "+683 ••••• 02"),
        ("2250707123456@c.us", "+225 ••••• 3456"),
        ("9990123456789@c.us", "+9 ••••• 6789"),
        ("79001234567-1581234048@g.us", "group …4048"),
        ("120363043219876561@g.us", "group …6561"),
    ],
)
def test_a_chat_is_masked(chat_id, mask):
    assert wording.mask_chat(ChatId(chat_id)) == mask


@quick
@given(st.text() | st.text().map(lambda t: f"{t}<!here>{NUMBER}<@U1>\u202e{t}"))
def test_a_token_is_quoted_without_harm(token):
    for say in sentences(token):
        assert say[0].isascii()
        assert say[0].isalpha()
        assert say.isprintable()
        assert not re.search(r"[<>&]|@(?:here|channel|everyone)", say)
        assert NUMBER not in say
        assert len(say) <= 300
        for quoted in re.findall("“(.*?)”", say):
            assert len(quoted) <= 40


@pytest.mark.parametrize("say", sentences("+7900"))
def test_a_sentence_says_what_to_do(say):
    assert re.search(r"Write|Type|Check|Add|Start|Shorten|/whatsapp", say)


@pytest.mark.parametrize(
    ("token", "quoted"),
    [
        ("+7900123456l", "“+790•••3456l”"),
        ("+7 (900) 123-45-67", "“+7 (90•) •••-45-67”"),
        ("+6834002", "“+•••4002”"),
        ("+7900", "“+7900”"),
        ("a\u202e\u200b\0b", "“ab”"),
        ("x" * 99, "“" + "x" * 39 + "…”"),
        ("@channel &lt;!here&gt;", "“@ channel !here”"),
    ],
)
def test_tokens_are_short_and_masked(token, quoted):
    assert quoted in wording.chat_id_format(token)


def test_a_missing_message_names_the_masked_recipient():
    assert wording.message_required(CHAT).startswith(
        "I have the number +91 ••••• 3928 but"
    )
    group = ChatId("120363043219876561@g.us")
    assert wording.message_required(group).startswith("I have the group …6561 but")


def test_the_limit_comes_from_the_settings():
    say = wording.message_too_long(4512, 4096)

    assert say.startswith("The message has 4,512 characters; the limit is 4,096.")
