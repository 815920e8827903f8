"""What GREEN-API says of the instance: its state, its account, its settings."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

from bridge.doctor.findings import Area, Finding, Row
from bridge.doctor.wishes import Wishes, changes, differences
from bridge.errors import Permanent, Retryable, SendError
from bridge.flows.watch import HOLDS
from bridge.model import ChatId
from bridge.reasons import Reason
from bridge.settings_table import LOOPBACK
from bridge.whatsapp.client import GreenApi
from bridge.whatsapp.console import Console
from bridge.wording.doctor import what_happened, what_to_do
from bridge.wording.figures import span
from bridge.wording.masks import mask_chat

T = TypeVar("T")

CONSOLE = "https://console.green-api.com"
SHARED_HOST = "api.green-api.com"
BUSY_SECONDS = 1.1  # most of these methods may be called once a second
STARTS_FOR = timedelta(minutes=5)  # at most; then a reboot helps
POLL_SECONDS = 5  # the least that GREEN-API takes
MANY = 50  # notifications; a running bridge takes some 20 a second


@dataclass(frozen=True, slots=True)
class Instance:
    """What GREEN-API answered when it was asked for the state."""

    state: str | None = None
    error: SendError | None = None  # instead of a state


def check_api_url(api_url: str, id_instance: str, *, is_proxied: bool) -> Finding:
    """See whether the address can be found and belongs to the instance.

    Args:
        api_url: ``GREEN_API_URL``.
        id_instance: its first four digits name the servers it lives on.
        is_proxied: whether a proxy looks the name up.
    """
    row = Row("api-url", Area.GREEN_API)
    host = urlsplit(api_url).hostname or ""
    if host in LOOPBACK:
        return row.ok(f"{host}: this machine")
    if not is_proxied and not _is_found(host):
        return row.problem(
            f"{host} can't be found",
            "Copy apiUrl from the console into GREEN_API_URL; if it is the same, look "
            "at the DNS of this machine.",
            CONSOLE,
        )
    pool = host.partition(".")[0]
    if pool.isdecimal() and len(pool) == 4 and not id_instance.startswith(pool):
        return row.warning(
            f"{host} is for instances that begin with {pool}; this one begins with "
            f"{id_instance[:4]}",
            "Copy apiUrl of this very instance from the console into GREEN_API_URL.",
            CONSOLE,
        )
    if host == SHARED_HOST:
        return row.ok(f"{host}; the apiUrl in the console may be quicker")
    return row.ok(host)


def _is_found(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return False


def ask_instance(api: GreenApi) -> Instance:
    """Ask for the state; a refusal is an answer, too."""
    told = ask(api.get_state_instance)
    return Instance(error=told) if isinstance(told, SendError) else Instance(told)


def ask(question: Callable[[], T], pause: float = BUSY_SECONDS) -> T | SendError:
    """Ask GREEN-API, and once more if it was asked by somebody else just now."""
    for wait in (pause, None):
        try:
            return question()
        except SendError as err:
            if err.reason != Reason.RATE_LIMITED or wait is None:
                return err
            time.sleep(wait)
    raise AssertionError("unreachable")


def check_instance(
    instance: Instance, id_instance: str, starting_for: timedelta | None = None
) -> Finding:
    """Say whether the instance can send.

    Args:
        instance: what GREEN-API answered.
        id_instance: shown in part.
        starting_for: since when it is known to be starting, if it is.
    """
    row = Row("instance", Area.GREEN_API)
    name = mask_instance(id_instance)
    if instance.error is not None:
        return _refused(row, name, instance.error)
    state = instance.state or ""
    if state == "authorized":
        return row.ok(f"{name} authorized")
    if state == "sleepMode":
        return row.warning(
            f"{name} sleepMode: the phone is switched off or without a network",
            "Switch the phone on and open WhatsApp.",
            CONSOLE,
        )
    reason = HOLDS.get(state)
    if reason is None:
        return row.warning(
            f"{name} is in a state that the bridge does not know: {state[:32]}",
            "Look at the instance in the console. Messages are sent all the same.",
            CONSOLE,
        )
    fact = f"{name} {state}: {what_happened(reason)}"
    if reason is Reason.STARTING and (starting_for or timedelta()) < STARTS_FOR:
        return row.warning(fact, what_to_do(reason), CONSOLE)
    if reason is Reason.STARTING:
        fact += f", for {span(starting_for or timedelta())}"
        return row.problem(fact, "Reboot it in the console, once.", CONSOLE)
    return row.problem(fact, what_to_do(reason), CONSOLE)


def _refused(row: Row, name: str, err: SendError) -> Finding:
    fact = f"{name}: {what_happened(err.reason)} ({err.reason})"
    if isinstance(err, Retryable) and err.reason == Reason.RATE_LIMITED:
        return row.warning(fact, what_to_do(err.reason))
    return row.problem(fact, what_to_do(err.reason), CONSOLE)


def check_account(api: Console) -> Finding:
    """Say which number is linked, in part."""
    row = Row("account", Area.GREEN_API)
    told = ask(api.get_wa_settings)
    if isinstance(told, SendError):
        return row.skipped(f"GREEN-API does not say ({told.reason})")
    phone = str(told.get("phone") or "")
    if not phone.isdecimal():
        return row.skipped("no number is linked")
    fact = mask_chat(ChatId(f"{phone}@c.us"))
    until = _moment(told.get("suspendedUntil"))
    if until is not None:
        return row.warning(
            f"{fact}, limited by WhatsApp until {until:%Y-%m-%d %H:%M} UTC",
            what_to_do(Reason.RESTRICTED),
            CONSOLE,
        )
    return row.ok(fact)


def _moment(value: object) -> datetime | None:
    if not isinstance(value, int) or not 0 < value < 1 << 33:
        return None
    return datetime.fromtimestamp(value, UTC)


def ask_settings(api: GreenApi) -> Mapping[str, object] | SendError:
    """Return the instance's settings, or why they are not told."""
    return ask(api.get_settings)


def check_settings(found: Mapping[str, object] | SendError, wishes: Wishes) -> Finding:
    """Compare the instance's settings with what the bridge needs."""
    row = Row("settings", Area.GREEN_API)
    if isinstance(found, SendError):
        return row.skipped(f"GREEN-API does not tell them ({found.reason})")
    wanted = differences(found, wishes)
    if not wanted:
        return row.ok(f"as {wishes.receive} needs them; {_pace(found)}")
    fact = "\n".join(each.fact() for each in wanted)
    tell = row.problem if any(each.is_broken for each in wanted) else row.warning
    if changes(wanted):
        fix = "bridge doctor --fix (restarts the instance, up to 5 minutes)"
        return tell(fact, fix, CONSOLE, is_mendable=True)
    return tell(fact, "Correct it in the instance's settings in the console.", CONSOLE)


def _pace(found: Mapping[str, object]) -> str:
    delay = found.get("delaySendMessagesMilliseconds")
    return f"one message every {delay} ms" if isinstance(delay, int) else "as they come"


def check_receiving(api: Console, *, is_polled: bool) -> Finding:
    """See whether notifications can be fetched, and whether they pile up.

    Args:
        api: the instance.
        is_polled: a running bridge fetches them. Then they are only counted, because
            GREEN-API does not say what becomes of one that two programs fetch.
    """
    row = Row("receiving", Area.GREEN_API)
    if not is_polled:
        head = ask(lambda: api.receive_notification(POLL_SECONDS))
        if isinstance(head, SendError):
            return _no_notifications(row, head)
    count = ask(api.waiting_notifications)
    if isinstance(count, SendError):
        if is_polled:
            return row.skipped(f"GREEN-API does not say how many wait ({count.reason})")
        return row.ok("notifications can be fetched")
    if is_polled and count > MANY:
        return row.warning(
            f"{count} notifications wait although the bridge runs",
            "Run this again in a minute. If they do not get fewer, the log of the "
            "bridge says why.",
        )
    return row.ok(f"{count} waiting" + ("" if is_polled else "; can be fetched"))


def _no_notifications(row: Row, err: SendError) -> Finding:
    if isinstance(err, Permanent):
        return row.problem(
            "GREEN-API hands out no notifications; as a rule its webhookUrl is set",
            "Clear webhookUrl (bridge doctor --fix), wait a minute, run this again.",
            CONSOLE,
        )
    fact = f"no notification could be fetched: {what_happened(err.reason)}"
    return row.warning(fact, what_to_do(err.reason))


def mask_instance(id_instance: str) -> str:
    """Return what may be shown of an instance's number.

    >>> mask_instance("7105123421"), mask_instance("123")
    ('7105…3421', '…')
    """
    return f"{id_instance[:4]}…{id_instance[-4:]}" if len(id_instance) > 9 else "…"
