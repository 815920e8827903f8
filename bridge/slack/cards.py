"""Our messages in Slack's own format: Block Kit and ``chat.*`` arguments."""

from __future__ import annotations

from typing import Any

from bridge.model import Card, Choice, DeliveryId
from bridge.wording.choices import BUTTONS, Question

_EVENT = "whatsapp_bridge"
_SECTION = 3000  # characters Slack takes in one section
_SECTIONS = 3  # of quoted text; all blocks together may hold some 13,000 characters


def escape(text: str) -> str:
    """Make foreign text harmless in mrkdwn: no mention, no link, no ping.

    >>> escape("<!channel> & <https://evil|bank>")
    '&lt;!channel&gt; &amp; &lt;https://evil|bank&gt;'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def message(card: Card) -> dict[str, Any]:
    """Return the arguments of ``chat.postMessage`` or ``chat.update`` for a card."""
    arguments: dict[str, Any] = {
        "text": card.summary,
        "blocks": _blocks(card),
        "unfurl_links": False,
        "unfurl_media": False,
    }
    if card.key:
        arguments["metadata"] = {
            "event_type": _EVENT,
            "event_payload": {"k": card.key},
        }
    return arguments


def key_of(message: dict[str, Any]) -> str | None:
    """Return the ``Card.key`` of one of Slack's messages; None if it is not ours.

    >>> ours = message(Card("summary", "headline", key="1:root"))
    >>> key_of(ours), key_of({"text": "hello"})
    ('1:root', None)
    """
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") != _EVENT:
        return None
    key = (metadata.get("event_payload") or {}).get("k")
    return key if isinstance(key, str) else None


def _blocks(card: Card) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "section", "text": _mrkdwn(card.headline)}]
    if card.quote:
        blocks += [
            {"type": "section", "text": _plain(part)} for part in _parts(card.quote)
        ]
    if card.footnote:
        blocks.append({"type": "context", "elements": [_mrkdwn(card.footnote)]})
    if card.choices and card.about:
        buttons = [_button(choice, card.about) for choice in card.choices]
        # Without a block_id: Slack wants a new one for every update.
        blocks.append({"type": "actions", "elements": buttons})
    return blocks


def _button(choice: Choice, about: DeliveryId) -> dict[str, Any]:
    words = BUTTONS[choice]
    button: dict[str, Any] = {
        "type": "button",
        "action_id": choice.value,
        "value": about,
        "text": _plain(words.label),
    }
    if words.question:
        button["confirm"] = _dialog(words.question)
    return button


def _dialog(question: Question) -> dict[str, Any]:
    return {
        "title": _plain(question.title),
        "text": _plain(question.text),
        "confirm": _plain(question.yes),
        "deny": _plain(question.no),
    }


def _mrkdwn(text: str) -> dict[str, Any]:
    # verbatim: Slack must not make mentions or links of what only looks like them.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str) -> dict[str, Any]:
    # plain_text is never parsed, so foreign text can't ping anybody in it.
    return {"type": "plain_text", "text": text, "emoji": False}


def _parts(text: str) -> list[str]:
    """Cut a long text into sections; the rest is only counted, WhatsApp gets it all."""
    parts = [text[start : start + _SECTION] for start in range(0, len(text), _SECTION)]
    shown = [part if part.strip() else "·" for part in parts[:_SECTIONS]]
    hidden = sum(map(len, parts[_SECTIONS:]))
    return [*shown, f"… and {hidden:,} more characters"] if hidden else shown
