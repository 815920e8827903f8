"""Whether somebody will go on with every chat in which something waits."""

from __future__ import annotations

from sqlalchemy import Connection, text

from bridge.store.mending import still_chats

_QUESTIONS = {
    "sent by a copy that has not got its lane": (
        "SELECT d.chat_id FROM deliveries d LEFT JOIN lanes l ON l.chat_id = d.chat_id"
        " WHERE d.status = 'sending' AND l.owner IS NULL"
    ),
    "in the hands of nobody alive": (
        "SELECT chat_id FROM lanes WHERE owner IS NOT NULL"
        " AND owner NOT IN (SELECT id FROM replicas)"
    ),
    "both open and in somebody's hands": (
        "SELECT chat_id FROM lanes WHERE owner IS NOT NULL AND due_at IS NOT NULL"
    ),
    "open beside a delivery nobody knows the end of": (
        "SELECT l.chat_id FROM lanes l JOIN deliveries d ON d.chat_id = l.chat_id"
        " WHERE d.status = 'unknown' AND l.due_at IS NOT NULL"
    ),
    "with two deliveries under way": (
        "SELECT chat_id FROM deliveries WHERE status = 'sending'"
        " GROUP BY chat_id HAVING count(*) > 1"
    ),
}


def orphans(connection: Connection) -> list[str]:
    """Return what is wrong with the lanes, one line for each chat."""
    shut, forgotten = still_chats(connection)
    found = [f"{chat_id} is shut for no reason" for chat_id in shut]
    found += [f"{chat_id} has no lane" for chat_id in forgotten]
    for what, question in _QUESTIONS.items():
        found += [f"{row[0]} is {what}" for row in connection.execute(text(question))]
    return found
