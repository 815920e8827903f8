"""How things stand: what the log's ``setup`` says, and ``GET /_sandbox/state``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge.sandbox.green_api.magic import MAGIC
from bridge.sandbox.slack.workspace import BOT_NAME, BOT_USER, Workspace

if TYPE_CHECKING:
    from bridge.sandbox.page.sandbox import Sandbox

Json = dict[str, Any]

ME: Final = "U0DANA"
CHANNEL: Final = "C0SUPPORT"


def setup(sandbox: Sandbox) -> Json:
    """Return all that a page must know before the first thing happens."""
    phones = sandbox.green.instance.phones
    return {
        "url": sandbox.url,
        "me": ME,
        "channel": CHANNEL,
        "bot": {"id": BOT_USER, "name": BOT_NAME},
        **_people_and_rooms(sandbox.slack.workspace),
        "wid": sandbox.green.instance.wid,
        "magic": [
            {
                "number": f"+1 415 555 {digits}",
                "chat_id": f"1415555{digits}@c.us",
                "outcome": outcome,
            }
            for digits, outcome in MAGIC.items()
        ],
        "speed": sandbox.speed,
        "state": sandbox.green.state,
        "connections": sandbox.slack.socket_mode.connections,
        "phones_off": [] if phones.all_off else phones.exceptions,
        "all_phones_off": phones.all_off,
        "faults": dict(sandbox.orders.current),
    }


def _people_and_rooms(workspace: Workspace) -> Json:
    with workspace.lock:
        users = [
            {
                "id": user.id,
                "name": user.name,
                "real_name": user.real_name,
                "is_bot": user.is_bot,
                "deleted": user.deleted,
            }
            for user in workspace.users.values()
        ]
        channels = [
            {
                "id": channel.id,
                "name": channel.name,
                "kind": str(channel.kind),
                "is_archived": channel.is_archived,
                "has_bot": BOT_USER in channel.members,
            }
            for channel in workspace.channels.values()
        ]
    return {"users": users, "channels": channels}


def state(sandbox: Sandbox) -> Json:
    """Return how things stand now, and how much waits.

    ``queued`` messages have not left GREEN-API, ``notifications`` have not been taken
    by the bridge; ``seq`` is that of the log's newest entry.
    """
    instance = sandbox.green.instance
    with instance.changed:
        waiting = {
            "queued": len(instance.queue.waiting()),
            "notifications": len(instance.notifications.bodies()),
        }
    return setup(sandbox) | waiting | {"seq": sandbox.log.last_seq}
