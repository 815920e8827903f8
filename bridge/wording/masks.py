"""People and groups, as everybody may see them. This room is pure."""

from __future__ import annotations

from bridge.model import ChatId


def mask_chat(chat_id: ChatId) -> str:
    """Return what may be shown of a chat: the country code and the last digits.

    >>> mask_chat(ChatId("919812343928@c.us"))
    '+91 ••••• 3928'
    >>> mask_chat(ChatId("120363043219876561@g.us"))
    'group …6561'
    """
    body = chat_id.partition("@")[0]
    if chat_id.endswith("@g.us"):
        return f"group …{body[-4:]}"
    country = _country_code(body)
    national = len(body) - len(country)
    # Four of a seven-digit number would leave nothing to guess.
    shown = body[-4:] if national >= 8 else body[-2:]
    return f"+{country} ••••• {shown}"


def _country_code(digits: str) -> str:
    # Slow to load, and most processes that say something never mask a number.
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    codes = (digits[:size] for size in (1, 2, 3))
    return next((c for c in codes if int(c) in COUNTRY_CODE_TO_REGION_CODE), digits[:1])
