"""GREEN-API, one method per method of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Literal

from bridge.errors import Permanent
from bridge.model import ChatId, MessageId
from bridge.reasons import Reason
from bridge.whatsapp import answers
from bridge.whatsapp.answers import Answer, Unreadable
from bridge.whatsapp.records import (
    JournalEntry,
    Notification,
    QueuedMessage,
    journal_entry,
    notification,
    queued_message,
    unreadable_notification,
)
from bridge.whatsapp.transport import (
    MAX_REPLY,
    Call,
    Observer,
    Times,
    Transport,
    unobserved,
)

MAX_LIST = 16 * 1024 * 1024  # bytes: 500 queued texts of 20 000 characters
MAX_NOTIFICATION = 4 * 1024 * 1024  # bytes: a refused one would block the queue

_PHONE = re.compile(r"([1-9][0-9]{10,11})@c\.us")


class GreenApi:
    """One GREEN-API instance; threads may share it.

    Every method makes exactly one request and never repeats it. Every method raises
    Retryable, Permanent or Unknown (``answers`` has the table); for those that only
    read, Unknown means no more than "no use".

    Args:
        id_instance: the number in the console, as text.
        token: ``apiTokenInstance``. It is part of every address, so no address is
            ever shown.
        api_url: the instance's ``apiUrl``; plain http only towards this machine.
        address_by: how a personal chat is named to GREEN-API. ``phoneNumber`` is
            the seed's form: an integer of 11 or 12 digits; what it can't express
            goes out as ``chatId``.
        connect_timeout: seconds for each address of the host.
        read_timeout: seconds until the next byte of an answer.
        wall_guard: seconds for a whole request; no byte of it leaves afterwards.
        pool: how many requests may be under way at once.
        observe: told the method and the kind of answer of every request.
        now: the clock that GREEN-API's is compared with; None: the system's.

    Raises:
        SettingsError: the address or the environment's proxy can't be used.
    """

    __slots__ = ("_address_by", "_transport")

    def __init__(
        self,
        id_instance: str,
        token: str,
        api_url: str = "https://api.green-api.com",
        *,
        address_by: Literal["chatId", "phoneNumber"] = "chatId",
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        wall_guard: float = 40.0,
        pool: int = 32,
        observe: Observer = unobserved,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        times = Times(connect_timeout, read_timeout, wall_guard)
        self._transport = Transport(
            id_instance,
            token,
            api_url,
            times=times,
            pool=pool,
            observe=observe,
            now=now,
        )
        self._address_by = address_by

    def send_message(
        self, chat_id: ChatId, text: str, since: datetime | None = None
    ) -> MessageId:
        """Hand one text over and return the id under which it was accepted.

        Accepted is not delivered: the text waits in GREEN-API's queue.

        Source: https://green-api.com/en/docs/api/sending/SendMessage/

        Args:
            chat_id: whom it is for.
            text: at least one character.
            since: from when on ``wall_guard`` counts; None: from now.

        Raises:
            Retryable: certainly not accepted; later it may be.
            Permanent: certainly not accepted, and never will be.
            Unknown: the answer was lost or makes no sense.
        """
        payload = {**self._address(chat_id), "message": text}
        return answers.sent_id(self._post("sendMessage", payload, since=since))

    def get_state_instance(self) -> str:
        """Return the account's state, such as ``authorized`` or ``notAuthorized``.

        ``starting`` also stands for an instance that is still being created.

        Source: https://green-api.com/en/docs/api/account/GetStateInstance/
        """
        answer = self._get("getStateInstance")
        if answers.read(answer) is None:
            return "starting"
        return answers.told(answer, "stateInstance", str)

    def get_settings(self) -> Mapping[str, object]:
        """Return the instance's settings, as GREEN-API names them.

        Source: https://green-api.com/en/docs/api/account/GetSettings/
        """
        return answers.read_object(self._get("getSettings"))

    def wid(self) -> str | None:
        """Return the account's own chat, such as ``79001234567@c.us``, if any.

        Source: https://green-api.com/en/docs/api/account/GetSettings/
        """
        wid = self.get_settings().get("wid")
        return wid[:64] if isinstance(wid, str) and wid else None

    def show_messages_queue(self) -> list[QueuedMessage]:
        """Return what waits to be sent, next first, 500 at most.

        A miss proves nothing: the head of the queue is hidden.

        Source: https://green-api.com/en/docs/api/queues/ShowMessagesQueue/
        """
        found = [queued_message(item) for item in self._list("showMessagesQueue")]
        return [message for message in found if message]

    def last_outgoing_messages(self, minutes: int) -> list[JournalEntry]:
        """Return what was sent in the last minutes, in no promised order.

        A miss proves nothing: the journal may lag by two minutes or more.

        Source: https://green-api.com/en/docs/api/journals/LastOutgoingMessages/
        """
        items = self._list("lastOutgoingMessages", f"?minutes={minutes}")
        return [entry for entry in map(journal_entry, items) if entry]

    def get_message(
        self, chat_id: ChatId, id_message: MessageId
    ) -> JournalEntry | None:
        """Return one message, or None if the journal does not have it (yet).

        Source: https://green-api.com/en/docs/api/journals/GetMessage/
        """
        payload = {"chatId": chat_id, "idMessage": id_message}
        answer = self._post("getMessage", payload, room=MAX_NOTIFICATION)
        if answers.is_no_message(answer):
            return None
        return journal_entry(answers.read_object(answer))

    def check_whatsapp(self, chat_id: ChatId) -> bool:
        """Return whether a number has WhatsApp.

        Not to be asked before every send: GREEN-API counts the checks, and WhatsApp
        bans numbers for checking much and writing little.

        Source: https://green-api.com/en/docs/api/service/CheckWhatsapp/
        """
        answer = self._post("checkWhatsapp", self._address(chat_id))
        return answers.told(answer, "existsWhatsapp", bool)

    def receive_notification(self, timeout_seconds: int) -> Notification | None:
        """Return the oldest notification, or None if none came in time.

        It comes again until ``delete_notification``; whatever its body is, it must
        be deleted in the end, or it blocks all that follow.

        Source: https://green-api.com/en/docs/api/receiving/technology-http-api/ReceiveNotification/

        Args:
            timeout_seconds: how long GREEN-API waits for one, 5 to 60.
        """
        seconds = max(5, min(timeout_seconds, 60))
        query = f"?receiveTimeout={seconds}"
        answer = self._get(
            "receiveNotification", query, patience=seconds, room=MAX_NOTIFICATION
        )
        if answer.status in (204, 408, 504):  # front proxies' words for "none came"
            return None
        if answer.status != 200:
            raise answers.refusal(answer)
        parsed = answers.parse(answer)
        if not parsed:  # null, "" and {} have all been seen
            return None
        is_json = not isinstance(parsed, Unreadable)
        body = answer.body or b""
        found = notification(parsed) if is_json else unreadable_notification(body)
        if found is None:
            raise answers.odd(answer)
        return found

    def delete_notification(self, receipt_id: int) -> bool:
        """Delete a notification; return False if it was gone already.

        Source: https://green-api.com/en/docs/api/receiving/technology-http-api/DeleteNotification/
        """
        answer = self._transport.exchange(
            Call("DELETE", "deleteNotification", tail=f"/{int(receipt_id)}")
        )
        if answers.is_nothing_to_delete(answer):
            return False
        return answers.told(answer, "result", bool)

    def clock_ahead(self) -> timedelta:
        """Return by how much GREEN-API's clock is ahead of ours, as last told."""
        return self._transport.ahead

    def close(self) -> None:
        """Close all connections; no method can be used after this."""
        self._transport.close()

    def _address(self, chat_id: ChatId) -> dict[str, str | int]:
        phone = _PHONE.fullmatch(chat_id)
        if phone and self._address_by == "phoneNumber":
            return {"phoneNumber": int(phone[1])}
        return {"chatId": chat_id}

    def _list(self, method: str, query: str = "") -> list[object]:
        answer = self._get(method, query, room=MAX_LIST)
        parsed = answers.read(answer)
        if parsed is not None and not isinstance(parsed, list):
            raise answers.odd(answer)
        return parsed or []

    def _get(
        self,
        method: str,
        query: str = "",
        *,
        patience: float = 0.0,
        room: int = MAX_REPLY,
    ) -> Answer:
        call = Call("GET", method, tail=query, patience=patience, room=room)
        return self._transport.exchange(call)

    def _post(
        self,
        method: str,
        payload: object,
        *,
        room: int = MAX_REPLY,
        since: datetime | None = None,
    ) -> Answer:
        body = _encode(payload)
        if body is None:
            raise Permanent(Reason.BAD_REQUEST)
        call = Call("POST", method, body, room=room, since=since)
        return self._transport.exchange(call)


def _encode(payload: object) -> bytes | None:
    try:
        return json.dumps(payload, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return None  # half an emoji: no JSON can carry it, and the error quotes it
