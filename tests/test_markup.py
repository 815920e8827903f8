"""Slack mrkdwn ⇄ WhatsApp text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.markup import clean, mentioned_ids, to_slack, to_whatsapp

quick = settings(max_examples=300, deadline=None)

NAMES = {"U1": "Jane Doe", "W2": "@bob"}
WORDS = """<@U1> <!channel> <#C1|x> <https://e.vil|https://bank> <javascript:x|y>
< > & | @ ` &lt; &amp; &gt; @here #general ``` <!subteam^S1> <!date^1^{date}|x>"""
PIECES = st.sampled_from(WORDS.split())
TEXTS = st.lists(
    PIECES | st.sampled_from(" \n\u202e") | st.characters(), max_size=12
).map("".join)


@pytest.mark.parametrize(
    ("slack", "whatsapp"),
    [
        ("<@U1> <@W2|bobby> <@U9|kim> <@U9>", "@Jane Doe @bob @kim @someone"),
        ("<#C1|general> <#C9|> <#C9>", "#general #private-channel #private-channel"),
        ("<!here> <!channel|channel> <!everyone>", "@here @channel @everyone"),
        ("<!subteam^S1|@oncall> <!subteam^S1>", "@oncall @group"),
        ("<!date^1392734382^{date} at {time}|Feb 18>", "Feb 18"),
        ("<https://x.io>", "https://x.io"),
        (
            "<https://x.io/|x.io> <http://X.io|http://x.io/>",
            "https://x.io/ http://X.io",
        ),
        ("<https://x.io/a|the docs>", "the docs (https://x.io/a)"),
        ("<https://e.vil|https://bank>", "https://bank (https://e.vil)"),
        ("<https://x.io?a=1&amp;b=2|x &lt; y>", "x < y (https://x.io?a=1&b=2)"),
        ("<tel:+15551234567|+1 555 123 4567> <tel:+1555>", "+1 555 123 4567 +1555"),
        ("<mailto:a@b.c|a@b.c> <mailto:a@b.c>", "a@b.c a@b.c"),
        (
            "<javascript:alert(1)|click> <javascript:alert(1)>",
            "click javascript:alert(1)",
        ),
        ("&lt;@U1&gt; &amp;lt; &amp;amp; &quot;", "<@U1> &lt; &amp; &quot;"),
        ("&lt;https://x.io|y&gt;", "<https://x.io|y>"),
        (
            "1 < 2 > 1 <b>x</b> <> <@bob> <!x> <@U1",
            "1 < 2 > 1 <b>x</b> <> <@bob> <!x> <@U1",
        ),
        ("• one\n  • two • three", "- one\n  - two • three"),
        (
            "`:tada: • &lt;` ```\n• :tada: <@U1>```",
            "`:tada: • <` ```\n• :tada: @Jane Doe```",
        ),
        ("*b* _i_ ~s~ &gt; q 2*3*4=24", "*b* _i_ ~s~ > q 2*3*4=24"),
        (":wave::skin-tone-3: 10:30:45", "👋🏼 10:30:45"),
        ("a\0b \ud83d\ude00 \ud800", "ab 😀 \ufffd"),
    ],
)
def test_slack_text_reads_well_on_whatsapp(slack, whatsapp):
    assert to_whatsapp(slack, NAMES) == whatsapp


def test_only_users_without_a_name_are_asked_for():
    text = "<@U1> <@W2|bob> <@U3|> &lt;@U4&gt; `<@U5>` <#C6> <!here> <@U1>"

    assert mentioned_ids(text) == {"U1", "U3", "U5"}


@quick
@given(st.lists(st.text(st.characters(codec="utf-8")).filter(lambda t: "\0" not in t)))
def test_no_letter_outside_of_tokens_is_lost(texts):
    escaped = [
        t.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for t in texts
    ]
    read = to_whatsapp("<@U1>".join(escaped), {"U1": ""})

    wanted = "".join(c for t in texts for c in t if c.isalpha())
    letters = "".join(c for c in read if c.isalpha())
    assert letters.replace("someone", "") == wanted.replace("someone", "")


@quick
@given(st.text(st.characters(exclude_characters=":•@#\0", codec="utf-8")))
def test_plain_text_survives_the_way_to_slack_and_back(text):
    text = text.replace("\u202d", "").replace("\u202e", "")

    assert to_whatsapp(to_slack(text), {}) == text


@quick
@given(TEXTS)
def test_nothing_from_whatsapp_pings_or_links(text):
    shown = to_slack(text)

    assert not re.search(r"[<>]|&(?!(?:amp|lt|gt);)", shown)
    assert not re.search(r"(?<![^\W_])[@#]\w", shown)
    assert "\u202e" not in shown
    shown.encode()


@quick
@given(TEXTS)
def test_any_slack_text_can_be_stored_and_sent(text):
    read = to_whatsapp(text, NAMES)

    assert "\0" not in read
    read.encode()


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("<!channel> <@U1>", "&lt;!channel&gt; &lt;@\u2060U1&gt;"),
        ("hi @here, #general", "hi @\u2060here, #\u2060general"),
        ("me@x.io C# 1@2", "me@x.io C# 1@2"),
        ("*b* _i_ ~s~ `c`", "*b* _i_ ~s~ `c`"),
        ("a\u202eb\0c\ud800", "abc\ufffd"),
        ("&lt; &amp;", "&amp;lt; &amp;amp;"),
    ],
)
def test_whatsapp_text_is_shown_as_it_is(text, safe):
    assert to_slack(text) == safe


@pytest.mark.parametrize(
    "piece",
    ["<", "<@U1", "<@U1>", "&", "&amp;", "`", "```", "*", "\n•", "\u0301", "<a:"],
)
def test_long_runs_are_no_trouble(piece):
    text = piece * 50_000

    assert to_whatsapp(text, {})
    assert to_slack(text)
    assert len(mentioned_ids(text)) <= 1


@quick
@given(st.text())
def test_cleaning_changes_nothing_that_can_be_stored(text):
    is_fine = "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)

    assert (clean(text) == text) is is_fine
    assert clean(clean(text)) == clean(text)
