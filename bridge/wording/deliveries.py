"""What people read about a delivery: in the ack, on the card, in the reply.

Form: what happened, why, what to do. Nothing here quotes an answer of GREEN-API.
"""

from __future__ import annotations

from datetime import datetime

from bridge.errors import (
    CommitUnknown,
    Crowd,
    NoRoom,
    NotStored,
    SameAgain,
    StoreError,
    TooMany,
)
from bridge.model import Card, ChatId, Choice, Delivery, DeliveryId, Note, Status
from bridge.reasons import Reason
from bridge.wording.masks import mask_chat

GLYPHS = {
    Status.QUEUED: "🕓",
    Status.SENDING: "🕓",
    Status.HELD: "✋",
    Status.UNKNOWN: "🔎",
    Status.ACCEPTED: "📤",
    Status.SENT: "✓",
    Status.DELIVERED: "✓✓",
    Status.READ: "👁",
    Status.UNDELIVERED: "✗",
    Status.UNCONFIRMED: "⚠️",
    Status.CLOSED: "⊘",
    Status.FAILED: "✗",
    Status.EXPIRED: "⌛",
}

STATUS = {
    Status.QUEUED: "queued",
    Status.SENDING: "queued",
    Status.HELD: "on hold",
    Status.UNKNOWN: "checking",
    Status.ACCEPTED: "accepted by GREEN-API",
    Status.SENT: "sent",
    Status.DELIVERED: "delivered",
    Status.READ: "read",
    Status.UNDELIVERED: "not delivered",
    Status.UNCONFIRMED: "may or may not have been sent",
    Status.CLOSED: "may or may not have been sent, decided",
    Status.FAILED: "not sent",
    Status.EXPIRED: "not sent, too old",
}

REASONS = {
    Reason.UNREACHABLE: "GREEN-API can't be reached.",
    Reason.NOT_AUTHORIZED: "The WhatsApp account is logged out. An admin must link it "
    "again in the GREEN-API console.",
    Reason.STARTING: "The WhatsApp account is just starting.",
    Reason.RATE_LIMITED: "GREEN-API got too many requests at once.",
    Reason.INSTANCE_GONE: "The GREEN-API instance has expired or was deleted. An admin "
    "must renew it in the GREEN-API console.",
    Reason.REFUSED_TOKEN: "GREEN-API refused the bridge's token. An admin must correct "
    "GREEN_API_TOKEN_INSTANCE.",
    Reason.REFUSED_INSTANCE: "GREEN-API refused the bridge's instance. An admin must "
    "correct GREEN_API_ID_INSTANCE.",
    Reason.WRONG_ADDRESS: "GREEN-API is not at the configured address. An admin must "
    "correct GREEN_API_URL.",
    Reason.QUOTA: "The GREEN-API plan allows only a few chats a month, and they are "
    "used up. An admin can change the plan in the GREEN-API console.",
    Reason.BAD_REQUEST: "GREEN-API did not accept this chat or text. Check the number; "
    "if it is right, tell an admin.",
    Reason.FILE_TOO_BIG: "The file is larger than GREEN-API takes.",
    Reason.NO_ANSWER: "GREEN-API did not answer.",
    Reason.SERVER_ERROR: "GREEN-API had an internal error.",
    Reason.GARBLED: "GREEN-API's answer made no sense.",
    Reason.CRASHED: "The bridge was stopped in the middle of sending it.",
    Reason.BLOCKED: "WhatsApp has blocked this number. An admin must see to it in the "
    "GREEN-API console.",
    Reason.OTHER_NUMBER: "Another WhatsApp number was linked than before, and what "
    "waits would come from that one. If that is right, an admin must run: bridge "
    "resume",
    Reason.NO_ACCOUNT: "This number has no WhatsApp. Check the number.",
    Reason.NOT_IN_GROUP: "The WhatsApp account is not a member of that group. Ask an "
    "admin of the group to add it.",
    Reason.RESTRICTED: "WhatsApp has limited this number. An admin must see to it in "
    "the GREEN-API console.",
    Reason.WHATSAPP_FAILED: "WhatsApp reports a failure. Look into the chat on the "
    "phone before you send it again.",
    Reason.NOT_FOUND: "GREEN-API did not answer, and its journal does not show it.",
    Reason.NOT_SEARCHABLE: "GREEN-API did not answer, and for half an hour nobody "
    "could look for it.",
    Reason.SENT_AGAIN: "It was sent again on request.",
    Reason.MARKED_NOT_SENT: "It was marked as not sent.",
    Reason.RESTORED: "The bridge's database was restored from a backup, and it may "
    "have been sent since.",
    Reason.INTERNAL: "The bridge has a bug with this message. Tell an admin.",
    Reason.NOT_A_MEMBER: "Guests, other companies' people and bots can't send WhatsApp "
    "messages from here. Ask a full member of this workspace.",
    Reason.MEMBER_UNKNOWN: "Slack would not say whether you are a full member. An "
    "admin must check the app's scope users:read and reinstall it.",
    Reason.SLACK_UNREACHABLE: "Slack can't be asked who you are.",
    Reason.TOO_LONG: "With the names of the people mentioned, the text is too long. "
    "Shorten it and send it again.",
}

DIRECT_HINT = (
    "I can't post in that channel, so I report in our direct messages. To keep it "
    "there, invite me: /invite @bridge"
)


def queued(chat_id: ChatId, is_new: bool) -> str:
    """The ephemeral answer to a command, once it is stored."""
    if not is_new:
        return f"Already queued for {mask_chat(chat_id)}: this is the same command."
    return f"Queued for {mask_chat(chat_id)}. Follow it in the thread."


def response(delivery: Delivery) -> str:
    """The last word where no thread can be opened: to the caller only."""
    return f"WhatsApp → {mask_chat(delivery.chat_id)}: {outcome(delivery)}"


NOT_STORED = (
    "Not accepted: the bridge could not save it in time. Nothing was sent. "
    "Please try again."
)


NO_ROOM = (
    "Not accepted: the bridge's disk is nearly full. Nothing was sent. Please tell "
    "whoever runs the bridge."
)


TOO_MANY = {
    Crowd.BRIDGE: "Not accepted: too many messages are waiting already. Nothing was "
    "sent. /whatsapp status says why they wait; please try again later.",
    Crowd.CHAT: "Not accepted: too many messages are waiting for this chat already. "
    "Nothing was sent. /whatsapp status says why they wait; please try again later.",
    Crowd.PERSON: "Not accepted: that was too many messages in a minute. Nothing was "
    "sent. Please wait a minute and try again.",
}
NOT_SURE = (
    "I can't tell whether this was saved: the database was lost at that moment. If a "
    "card appears in this channel it is being sent; if none does, nothing was sent."
)
NOT_DECIDED = "Nothing was done: the bridge could not save it. Press again."


def same_again(err: SameAgain) -> str:
    """The ephemeral answer to a command that came twice, though typed twice."""
    return (
        "Not queued again: you asked for the same message to the same chat "
        f"{_age(err.ago.total_seconds())}. How it stands: "
        f"/whatsapp status {err.first[:8]}. To send it twice, wait a minute and "
        "type it again."
    )


def not_stored(err: NotStored | StoreError) -> str:
    """The ephemeral answer to a command that was not stored."""
    match err:
        case CommitUnknown():
            return NOT_SURE
        case TooMany():
            return TOO_MANY[err.crowd]
        case SameAgain():
            return same_again(err)
        case NoRoom():
            return NO_ROOM
        case _:
            return NOT_STORED


def card(delivery: Delivery) -> Card:
    """The root card of a delivery's thread."""
    asked = f"  ·  by <@{delivery.caller.user_id}>" if delivery.caller else ""
    glyph = GLYPHS[delivery.status]
    return Card(
        summary=f"WhatsApp message: {STATUS[delivery.status]}",
        headline=f"{glyph}  *WhatsApp → {mask_chat(delivery.chat_id)}*{asked}",
        quote=delivery.text,
        footnote=f"{_progress(delivery)}  ·  {short(delivery.id)}",
        key=f"{delivery.id}:root",
    )


def reply(delivery: Delivery) -> Card:
    """The one reply under the card: the ``idMessage``, or why there is none."""
    line = outcome(delivery)
    key = f"{delivery.id}:reply"
    if delivery.status.is_accepted:
        return Card(summary=line, headline=line, key=key)
    # Bad news mentions the sender: an edited or silent line would go unnoticed.
    text = f"{GLYPHS[delivery.status]}  {_mention(delivery)}{line}"
    choices = tuple(Choice) if delivery.status is Status.UNCONFIRMED else ()
    return Card(
        summary=text, headline=text, key=key, choices=choices, about=delivery.id
    )


def note(delivery: Delivery, which: Note) -> Card:
    """A further reply: what the sender would not notice in an edited line."""
    text = f"{_NOTE_GLYPHS[which]}  {_mention(delivery)}{_note(delivery, which)}"
    return Card(summary=text, headline=text, key=f"{delivery.id}:{which}")


_NOTE_GLYPHS = {Note.UNDELIVERED: "✗", Note.STUCK: "⏳", Note.NO_RECEIPT: "⏳"}


def _note(delivery: Delivery, which: Note) -> str:
    match which:
        case Note.UNDELIVERED:
            return f"Not delivered, though GREEN-API had accepted it. {_why(delivery)}"
        case Note.STUCK:
            return (
                "Sent 10 min ago, not delivered. The phone may be off, you may be "
                "blocked, or WhatsApp may be holding messages to new contacts. "
                "Nothing to do yet; I will update the line above."
            )
        case Note.NO_RECEIPT:
            return (
                "Accepted 5 min ago, and WhatsApp has not said a word since. It may "
                "be waiting in GREEN-API's queue, or delivery receipts are switched "
                "off in the GREEN-API console."
            )


def _mention(delivery: Delivery) -> str:
    return f"<@{delivery.caller.user_id}> " if delivery.caller else ""


def outcome(delivery: Delivery) -> str:
    """The final word on a delivery, in one to three sentences of mrkdwn."""
    why = _why(delivery)
    match delivery.status:
        case status if status.is_accepted:
            return _accepted(delivery)
        case Status.FAILED:
            return f"Not sent. {why}"
        case Status.EXPIRED:
            return f"Not sent: it waited too long and was dropped. {why}".rstrip()
        case Status.UNCONFIRMED:
            doubt = f"It may or may not have been sent. {why}"
            return f"{doubt}{_looked(delivery)} {_DECIDE}"
        case Status.CLOSED:
            return f"It may or may not have been sent. {why}"
        case _:
            return _progress(delivery)


_DECIDE = (
    "I will not send it again by myself. Look into the chat on the phone, then decide:"
)


def _accepted(delivery: Delivery) -> str:
    known = f"idMessage `{delivery.id_message}`"
    both = ""
    if delivery.reason == Reason.SENT_AGAIN:
        # Whether the second one arrived is its own thread's to say.
        both = (
            " It was also sent again on request: if that one was accepted too, both "
            "copies went out."
        )
    if delivery.status is Status.ACCEPTED:
        return f"Accepted by GREEN-API · {known}{both}"
    state = f"{GLYPHS[delivery.status]} {STATUS[delivery.status].capitalize()}"
    return f"{state} · {known}{both}"


def _looked(delivery: Delivery) -> str:
    if delivery.looked_at is None:
        return ""
    return f" Looked again at {delivery.looked_at:%H:%M:%S} UTC: still not found."


def _progress(delivery: Delivery) -> str:
    """Where a delivery stands, for the small print of the card."""
    why = _why(delivery)
    match delivery.status:
        case Status.QUEUED | Status.SENDING if why:
            return f"Waiting. {why} I keep trying."
        case Status.QUEUED | Status.SENDING:
            return "Waiting to hand over."
        case Status.HELD:
            return f"On hold. {why} It leaves by itself when that is over."
        case Status.UNKNOWN:
            return f"Checking. {why} I am looking whether it was sent."
        case Status.ACCEPTED:
            return "Accepted by GREEN-API. Not yet on the phone."
        case Status.SENT:
            return "Sent (one tick)."
        case _:
            return f"{STATUS[delivery.status].capitalize()}."


def _why(delivery: Delivery) -> str:
    return REASONS[Reason(delivery.reason)] if delivery.reason else ""


def short(delivery_id: DeliveryId) -> str:
    """The part of an id that people type: ``/whatsapp status 3f2a9c01``."""
    return f"`{delivery_id[:8]}`"


def line(delivery: Delivery, now: datetime) -> str:
    """One delivery in a list: state, chat, age, id."""
    age = _age((now - delivery.created_at).total_seconds())
    glyph, state = GLYPHS[delivery.status], STATUS[delivery.status]
    chat = mask_chat(delivery.chat_id)
    return f"{glyph} {chat} · {state} · {age} · {short(delivery.id)}"


def details(delivery: Delivery, now: datetime) -> str:
    """All that may be said of one delivery to the one who asked for it."""
    attempts = f"{delivery.attempts} attempt{'' if delivery.attempts == 1 else 's'}"
    return f"{line(delivery, now)} · {attempts}\n{outcome(delivery)}"


def status(
    deliveries: list[Delivery],
    waiting: int,
    oldest: datetime | None,
    now: datetime,
    hold: Reason | None = None,
) -> str:
    """The answer to ``/whatsapp status``; ``hold`` is why nothing is sent."""
    lines = ["The outbox is empty: nothing waits to be sent."]
    if oldest is not None:
        age = _age((now - oldest).total_seconds())
        lines = [f"The outbox holds {waiting} waiting; the oldest came {age}."]
    if hold is not None:
        lines.append(f"Messages are on hold. {REASONS[hold]}")
    if deliveries:
        lines += ["Your latest messages:", *(line(d, now) for d in deliveries)]
    else:
        lines.append("You have not sent any message yet.")
    return "\n".join(lines)


def unknown_delivery() -> str:
    """The answer to a status question about nobody's, or somebody else's, message."""
    return (
        "I don't know a message of yours with that id. Your latest ones: "
        "/whatsapp status"
    )


def _age(seconds: float) -> str:
    """Say how long ago in the largest unit that fits.

    >>> _age(5), _age(90), _age(7300), _age(200000)
    ('5 s ago', '1 min ago', '2 h ago', '2 d ago')
    """
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{max(0, int(seconds))} s ago"


HELP = """\
Send a WhatsApp message: `/whatsapp <number> <text>`

• `/whatsapp +49 151 23456789 Your order ships today`
• `/whatsapp 4915123456789@c.us Hello` or a group: `/whatsapp 120363043968066561@g.us …`
• `/whatsapp status` shows your latest messages, `/whatsapp status <id>` one of them
• `/whatsapp help` shows this

Write numbers with the country code. The answer appears in a thread in this channel. \
*Accepted* means that GREEN-API took it, not that it is on the phone yet."""
