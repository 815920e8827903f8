"""The methods of GREEN-API that are emulated: what each does and answers.

Source: https://green-api.com/en/docs/api/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from bridge.sandbox.green_api import account, linking
from bridge.sandbox.green_api.answers import (
    Answer,
    Call,
    Refused,
    Rejected,
    invalid,
    json_body,
)
from bridge.sandbox.green_api.queue import SHOWN, Queued
from bridge.sandbox.green_api.validation import (
    check_lookup,
    check_message,
    check_reference,
)

if TYPE_CHECKING:
    from bridge.sandbox.green_api import GreenApiSandbox

Method = Callable[["GreenApiSandbox", Call], object]

POLL_SECONDS: Final = range(5, 61)
RECENT_MINUTES: Final = 1440


def execute(green: GreenApiSandbox, call: Call) -> Answer:
    """Do what a call asks; return GREEN-API's own answer.

    Raises:
        Refused: an error with a text.
        Rejected: an error with a body of its own form.
    """
    verb, method = METHODS[call.method]
    if call.verb != verb:
        raise Refused(404, f"Cannot {call.verb} {call.path}")
    _check_credentials(green, call)
    headers: dict[str, str] = {}
    if green.switches.rate_limits:
        with green.instance.changed:
            headers = green.rate_limit.count(call.method, green.timeline.seconds())
    answer = method(green, call)
    if isinstance(answer, Answer):
        return answer
    return Answer(200, answer, headers)


def _check_credentials(green: GreenApiSandbox, call: Call) -> None:
    if call.id_instance != green.id_instance:
        if green.switches.unknown_instance == 403:
            raise Rejected(Answer(403, "Forbidden"))
        raise Rejected(Answer(401, ""))
    if call.token != green.token:
        raise Rejected(Answer(401, ""))


def _send_message(green: GreenApiSandbox, call: Call) -> object:
    body = json_body(call)
    chat_id, text = check_message(body, green.profile)
    with green.instance.changed:
        _check_state(green)
        green.quota.check_send(chat_id, green.timeline.now())
        return {"idMessage": green.instance.accept(chat_id, text, body)}


def _check_state(green: GreenApiSandbox) -> None:
    how = green.switches.when_unauthorized
    if how == "queue" or green.state not in {"notAuthorized", "starting", "blocked"}:
        return
    reason = "instance account not authorized"
    if green.state == "starting":
        reason = "instance in starting process try later"
    if how == "reason":
        raise Rejected(Answer(200, {"reason": reason}))
    raise Refused(400, reason)


def _show_messages_queue(green: GreenApiSandbox, _: Call) -> object:
    with green.instance.changed:
        waiting = green.instance.queue.waiting()
    if not green.switches.shows_queue_head:
        waiting = waiting[1:]
    as_item = _queued if green.switches.queue_has_ids else _queued_in_2020
    return [as_item(message) for message in waiting[:SHOWN]]


def _queued(message: Queued) -> dict[str, object]:
    body = {"chatId": message.chat_id, "message": message.text}
    kept = {"quotedMessageId", "linkPreview"}
    options = {key: value for key, value in message.options.items() if key in kept}
    return {
        "messageID": message.id,
        "type": "sendMessage",
        "body": {**body, **options},
    }


def _queued_in_2020(message: Queued) -> dict[str, object]:
    return {
        "typeMessage": "textMessage",
        "chatId": message.chat_id,
        "message": message.text,
    }


def _get_messages_count(green: GreenApiSandbox, _: Call) -> object:
    with green.instance.changed:
        return {"count": len(green.instance.queue.waiting())}


def _clear_messages_queue(green: GreenApiSandbox, _: Call) -> object:
    with green.instance.change():
        green.instance.queue.clear()
    return {"isCleared": True}


def _last_outgoing_messages(green: GreenApiSandbox, call: Call) -> object:
    with green.instance.changed:
        return green.journal.items(outgoing=True, minutes=_minutes(call))


def _last_incoming_messages(green: GreenApiSandbox, call: Call) -> object:
    with green.instance.changed:
        return green.journal.items(outgoing=False, minutes=_minutes(call))


def _minutes(call: Call) -> int:
    text = call.query.get("minutes", str(RECENT_MINUTES))
    if not text.isdecimal():
        raise invalid("'minutes' must be a number")  # guess
    return int(text)


def _get_message(green: GreenApiSandbox, call: Call) -> object:
    chat_id, id_message = check_reference(json_body(call))
    with green.instance.changed:
        item = green.journal.find(chat_id, id_message)
    if item is None:
        raise Refused(400, f"Message not found by id {id_message}")
    return item


def _check_whatsapp(green: GreenApiSandbox, call: Call) -> object:
    chat_id = check_lookup(json_body(call))
    if green.state != "authorized":
        raise Refused(400, "instance is starting or not authorized")
    with green.instance.changed:
        green.quota.check_lookup(green.timeline.now())
        exists = green.instance.outcome(chat_id).has_account
    if green.profile == "seed":
        return {"existsWhatsapp": exists}
    return {
        "existsWhatsapp": exists,
        "chatId": chat_id if exists else "",
        "username": "",
        "phoneNumber": chat_id,
        "fromCache": False,
    }


def _receive_notification(green: GreenApiSandbox, call: Call) -> object:
    _check_polling(green)
    text = call.query.get("receiveTimeout", "5")
    if not text.isdecimal() or int(text) not in POLL_SECONDS:
        raise invalid("'receiveTimeout' must be a number from 5 to 60")  # guess
    head = green.instance.notifications.receive(int(text))
    if head is not None:
        return {"receiptId": head.receipt_id, "body": head.body}
    return {
        "null": None,
        "empty": Answer(200, ""),
        "504": Answer(504, "<html><body>504 Gateway Time-out</body></html>"),
    }[green.switches.empty_poll]


def _check_polling(green: GreenApiSandbox) -> None:
    if green.instance.settings["webhookUrl"]:
        raise Refused(
            400,
            "Message cannot be received because custom webhook url is set. Go to "
            f"cabinet, clear webhook url for instance: {green.id_instance} and wait "
            "for about 1 minute for another attempt",
        )


def _delete_notification(green: GreenApiSandbox, call: Call) -> object:
    _check_polling(green)
    text = call.receipt_id or ""
    if not text.isdecimal():
        raise Refused(400, "Parameter receiptId must be a Number!")
    with green.instance.change():
        is_deleted = green.instance.notifications.delete(int(text))
    if is_deleted:
        return {"result": True, "reason": ""}
    if green.switches.late_delete == "500":
        raise Refused(
            500, "Cannot read properties of undefined (reading 'findUnAckedMessage')"
        )
    return {"result": False, "reason": f"Notification with receiptId {text} not found"}


def _get_webhooks_count(green: GreenApiSandbox, _: Call) -> object:
    # Its figure may be 10 s old there; here it is what waits now.
    with green.instance.changed:
        return {"count": len(green.instance.notifications.bodies())}


METHODS: Final[dict[str, tuple[str, Method]]] = {
    "sendMessage": ("POST", _send_message),
    "getStateInstance": ("GET", account.get_state_instance),
    "getSettings": ("GET", account.get_settings),
    "setSettings": ("POST", account.set_settings),
    "getWaSettings": ("GET", account.get_wa_settings),
    "reboot": ("GET", account.reboot),
    "getAuthorizationCode": ("POST", linking.get_authorization_code),
    "qr": ("GET", linking.qr),
    "showMessagesQueue": ("GET", _show_messages_queue),
    "getMessagesCount": ("GET", _get_messages_count),
    "clearMessagesQueue": ("GET", _clear_messages_queue),
    "lastOutgoingMessages": ("GET", _last_outgoing_messages),
    "lastIncomingMessages": ("GET", _last_incoming_messages),
    "getMessage": ("POST", _get_message),
    "checkWhatsapp": ("POST", _check_whatsapp),
    "receiveNotification": ("GET", _receive_notification),
    "deleteNotification": ("DELETE", _delete_notification),
    "getWebhooksCount": ("GET", _get_webhooks_count),
}
BY_LOWER_NAME: Final = {name.lower(): name for name in METHODS}
