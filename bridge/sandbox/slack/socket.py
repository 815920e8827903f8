"""Socket Mode: the app's WebSockets, and which of them gets an envelope."""

from __future__ import annotations

import json
import random
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from bridge.sandbox.log import EventLog
from bridge.sandbox.slack.clock import Clock, Threads
from bridge.sandbox.slack.delivery import ACK_SECONDS, Envelope, Outcome, Reply
from bridge.sandbox.slack.workspace import APP_ID, Json
from bridge.sandbox.websocket import Opcode, ProtocolError, WebSocket

_MAX_CONNECTIONS = 10
_NOTICE = 10.0  # seconds between a disconnect message and the end
_PING_EVERY = 10.0  # seconds outside
_DEBUG_INFO = {"host": "applink-sandbox", "build_number": 1}


@dataclass(eq=False, slots=True)
class Connection:
    """One live socket of the app; ``is_leaving`` after a disconnect message."""

    id: int
    websocket: WebSocket
    is_leaving: bool = False

    def send(self, message: Json) -> bool:
        """Send a message; return False when the connection is gone."""
        try:
            self.websocket.send_text(json.dumps(message, ensure_ascii=False))
        except OSError:
            return False
        return True


@dataclass(eq=False, slots=True)
class _Pending:
    """A delivery whose ack is awaited."""

    over: threading.Event = field(default_factory=threading.Event)
    is_acked: bool = False
    payload: Any = None


class SocketMode:
    """All connections of the app, and the acks awaited on them.

    Attributes:
        mute_pongs: Stop answering the client's pings, as a half-open link does.
    """

    def __init__(self, clock: Clock, log: EventLog, threads: Threads) -> None:
        self.mute_pongs = False
        self._is_pinging = False
        self._clock = clock
        self._log = log
        self._threads = threads
        self._tickets: set[str] = set()
        self._connections: list[Connection] = []
        self._pending: dict[str, list[_Pending]] = {}
        self._opened = 0
        self._guard = threading.Lock()

    @property
    def connections(self) -> int:
        """How many sockets are live."""
        with self._guard:
            return len(self._connections)

    def issue_ticket(self) -> str:
        """Return a ticket that opens one connection."""
        ticket = secrets.token_hex(16)
        self._tickets.add(ticket)
        return ticket

    def redeem(self, ticket: str) -> bool:
        """Use a ticket up; False for an unknown or used one."""
        with self._guard:
            known = ticket in self._tickets
            self._tickets.discard(ticket)
            return known

    def serve(self, websocket: WebSocket) -> None:
        """Talk to one client until its connection ends."""
        connection = self._admit(websocket)
        if connection is None:
            return
        self._log_state(connection, "open")
        try:
            self._receive(connection)
        finally:
            self._forget(connection)
            self._log_state(connection, "closed")

    def _log_state(self, connection: Connection, state: str) -> None:
        self._log.append(
            "connection",
            id=connection.id,
            state=state,
            connections=self.connections,
        )

    def _admit(self, websocket: WebSocket) -> Connection | None:
        with self._guard:
            self._opened += 1
            connection = Connection(self._opened, websocket)
            count = len(self._connections) + 1
            is_welcome = count <= _MAX_CONNECTIONS
            # Still locked: no envelope may overtake the hello.
            connection.send(
                _hello(count) if is_welcome else _disconnect("too_many_websockets")
            )
            if is_welcome:
                self._connections.append(connection)
        if is_welcome:
            self._start_pinging()
            return connection
        with suppress(OSError):
            websocket.send_close()
        self._log_state(connection, "refused")
        return None

    def _receive(self, connection: Connection) -> None:
        websocket = connection.websocket
        try:
            while (received := websocket.receive()) is not None:
                opcode, data = received
                if opcode is Opcode.CLOSE:
                    websocket.send(Opcode.CLOSE, data)
                    return
                self._answer(connection, opcode, data)
        except ProtocolError as error:
            with suppress(OSError):
                websocket.send_close(error.code, str(error))
        except OSError:
            return  # gone while we answered

    def _answer(self, connection: Connection, opcode: Opcode, data: bytes) -> None:
        if opcode is Opcode.PING and not self.mute_pongs:
            connection.websocket.send(Opcode.PONG, data)
        elif opcode is Opcode.TEXT:
            self._take_ack(data)

    def _take_ack(self, data: bytes) -> None:
        try:
            ack = json.loads(data)
            envelope_id, payload = ack["envelope_id"], ack.get("payload")
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ProtocolError(1008, "neither an ack nor JSON") from None
        with self._guard:
            waiting = self._pending.get(envelope_id, [])
            pending = waiting.pop(0) if waiting else None
        if pending is None:
            self._log_late_ack(envelope_id, payload)
            return
        pending.payload = payload
        pending.is_acked = True
        pending.over.set()

    def _log_late_ack(self, envelope_id: Any, payload: Any) -> None:
        self._log.append(
            "delivery",
            side="slack",
            direction="in",
            method="ack",
            status=None,
            ms=0,
            request=None,
            response=payload,
            envelope_id=envelope_id,
            attempt=0,
            outcome="late_ack",
        )

    def deliver(self, envelope: Envelope, attempt: int, reason: str) -> Reply:
        """Send an envelope down one random connection and wait for the ack."""
        pending = _Pending()
        with self._guard:
            self._pending.setdefault(envelope.id, []).append(pending)
        try:
            if not self._send_to_any(envelope.to_json(attempt)):
                return Reply(Outcome.DISPATCH_FAILED, reason="connection_failed")
            pending.over.wait(self._clock.real(ACK_SECONDS))
            if pending.is_acked:
                return Reply(Outcome.ACKED, pending.payload)
            return Reply(Outcome.OPERATION_TIMEOUT, reason="timeout")
        finally:
            self._stop_waiting(envelope.id, pending)

    def _send_to_any(self, message: Json) -> bool:
        while (connection := self._pick()) is not None:
            if connection.send(message):
                return True
            self._forget(connection)
        return False

    def _pick(self) -> Connection | None:
        with self._guard:
            staying = [each for each in self._connections if not each.is_leaving]
            choice = staying or self._connections
            return random.choice(choice) if choice else None  # noqa: S311 no secret

    def _stop_waiting(self, envelope_id: str, pending: _Pending) -> None:
        with self._guard:
            waiting = self._pending.get(envelope_id, [])
            if pending in waiting:
                waiting.remove(pending)
            if not waiting:
                self._pending.pop(envelope_id, None)

    def disconnect(
        self, reason: str = "refresh_requested", *, only_one: bool = False
    ) -> None:
        """Announce the end to every connection, as Slack does, and end it.

        ``warning`` and ``refresh_requested`` leave ten seconds; ``link_disabled``
        none. ``only_one`` spares all connections but the oldest.
        """
        leaving = self._all()[:1] if only_one else self._all()
        for connection in leaving:
            connection.is_leaving = True
            connection.send(_disconnect(reason))
        if reason == "link_disabled":
            _close(leaving)
        else:
            self._threads.start(lambda: self._close_later(leaving), "sandbox-notice")

    def _close_later(self, connections: list[Connection]) -> None:
        self._threads.pause(self._clock.real(_NOTICE))
        _close(connections)

    def reset(self) -> None:
        """Cut every connection with a TCP RST."""
        for connection in self._all():
            self._forget(connection)
            connection.websocket.reset()

    def hang_up(self) -> None:
        """End every connection with a bare FIN: no close frame."""
        for connection in self._all():
            self._forget(connection)
            connection.websocket.hang_up()

    def lose_one(self) -> None:
        """Let nothing through on the oldest connection, without telling anybody."""
        self._all()[0].websocket.is_half_open = True

    def stop(self) -> None:
        """End every connection and all waiting for acks."""
        self.hang_up()
        with self._guard:
            waiting = [each for some in self._pending.values() for each in some]
        for pending in waiting:
            pending.over.set()

    def _all(self) -> list[Connection]:
        with self._guard:
            return list(self._connections)

    def _forget(self, connection: Connection) -> None:
        with self._guard:
            if connection in self._connections:
                self._connections.remove(connection)

    def _start_pinging(self) -> None:
        with self._guard:
            if self._is_pinging:
                return
            self._is_pinging = True
        self._threads.start(self._ping, "sandbox-slack-ping")

    def _ping(self) -> None:
        """Ping all connections now and then, until there are none."""
        while self._threads.pause(_PING_EVERY) and (connections := self._all()):
            for connection in connections:
                with suppress(OSError):
                    connection.websocket.send(Opcode.PING, b"Ping from the sandbox")
        self._is_pinging = False


def _hello(count: int) -> Json:
    return {
        "type": "hello",
        "num_connections": count,
        "connection_info": {"app_id": APP_ID},
        "debug_info": _DEBUG_INFO | {"approximate_connection_time": 3600},
    }


def _disconnect(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": _DEBUG_INFO}


def _close(connections: list[Connection]) -> None:
    for connection in connections:
        with suppress(OSError):
            connection.websocket.send_close()
        connection.websocket.hang_up()
