"""Slack mrkdwn ⇄ WhatsApp text.

Both write ``*bold*``, ``_italic_``, ``~strike~``, ``> quote`` and code alike; what
differs is Slack's ``<…>`` tokens, its three entities and its emoji names.
This room is pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bridge import emoji

_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")
# Tokens and entities in one go: what a person typed as <@U1> comes as &lt;@U1&gt;.
_PIECE = re.compile(r"<(?P<token>[^<>]*)>|&(?:lt|gt|amp);")
_ENTITY = re.compile(r"&(lt|gt|amp);")
_CHARACTERS = {"lt": "<", "gt": ">", "amp": "&"}
_USER = re.compile(r"@([UW][A-Z0-9]+)")
_CHANNEL = re.compile(r"#[CDG][A-Z0-9]+")
_SPECIAL = re.compile(r"!(here|channel|everyone|subteam|date)(?:\^.*)?", re.DOTALL)
_LINK = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(\S+)")
_BULLET = re.compile(rf"{emoji.CODE}|(?m:^)([ \t]*)•")
_NAMING = re.compile(r"(?<![^\W_])([@#])(?=\w)")
_OVERRIDES = re.compile(r"[\u202d\u202e]")


def clean(text: str) -> str:
    """Return the text without what no database and no UTF-8 can hold.

    A NUL goes, half a surrogate pair becomes U+FFFD, two halves become one again.
    """
    if not _UNSTORABLE.search(text):
        return text
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\0", "")


def to_whatsapp(text: str, names: Mapping[str, str]) -> str:
    """Return Slack text as people on WhatsApp should read it.

    Args:
        text: mrkdwn as Slack sends it, entities not yet undone.
        names: user id to the name to show; without one, the token's own label or
            "@someone" is shown.

    >>> to_whatsapp("<@U1>: 1 &lt; 2, see <https://x.io/a|the docs> :+1:", {"U1": "Jo"})
    '@Jo: 1 < 2, see the docs (https://x.io/a) 👍'
    """
    text = _PIECE.sub(lambda piece: _piece_text(piece, names), clean(text))
    return emoji.to_unicode(_BULLET.sub(_bullet_text, text))


def _bullet_text(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else f"{found[1]}-"


def _piece_text(piece: re.Match[str], names: Mapping[str, str]) -> str:
    if piece["token"] is None:
        return _undo_entities(piece[0])
    target, _, label = map(str.strip, piece["token"].partition("|"))
    said = _name_text(target, label, names) or _link_text(target, label)
    return _undo_entities(piece[0] if said is None else said)


def _name_text(target: str, label: str, names: Mapping[str, str]) -> str | None:
    """Return a mention as text, or None if the target mentions nobody."""
    if user := _USER.fullmatch(target):
        return "@" + (names.get(user[1]) or label or "someone").removeprefix("@")
    if _CHANNEL.fullmatch(target):
        return "#" + (label or "private-channel").removeprefix("#")
    if not (special := _SPECIAL.fullmatch(target)):
        return None
    labelled = {"subteam": label or "@group", "date": label or "(date)"}
    return labelled.get(special[1], f"@{special[1]}")


def _link_text(target: str, label: str) -> str | None:
    """Return a link as text, or None if the target is no address."""
    if not (link := _LINK.fullmatch(target)):
        return None
    if link[1].lower() in {"http", "https"}:
        same = not label or _bare(label) == _bare(target)
        return target if same else f"{label} ({target})"
    # A script or an app's private link: of no use to the reader, so only its words.
    is_address = link[1].lower() in {"mailto", "tel"}
    return label or (link[2] if is_address else target)


def _bare(url: str) -> str:
    return re.sub(r"^https?://", "", url.lower()).rstrip("/")


def _undo_entities(text: str) -> str:
    return _ENTITY.sub(lambda found: _CHARACTERS[found[1]], text)


def mentioned_ids(text: str) -> frozenset[str]:
    """Return the users whose names ``to_whatsapp`` can't find in the text itself.

    >>> mentioned_ids("<@U1> <@U2|jane> &lt;@U3&gt;")
    frozenset({'U1'})
    """
    tokens = (piece["token"] or "" for piece in _PIECE.finditer(text))
    users = (_USER.fullmatch(token.rstrip("| ")) for token in tokens)
    return frozenset(user[1] for user in users if user)


def to_slack(text: str) -> str:
    """Return WhatsApp text as mrkdwn that pings nobody and hides no address.

    A word joiner (U+2060) keeps Slack from reading ``@here`` or ``#general`` as
    names; direction overrides, which can write an address backwards, go.

    >>> to_slack("<!here> a & b")
    '&lt;!here&gt; a &amp; b'
    """
    text = _OVERRIDES.sub("", clean(text))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _NAMING.sub("\\1\u2060", text)
