"""GREEN-API's webhook over real sockets: who is let in, and what is stored."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection

import pytest
from sqlalchemy import func, select
from sqlalchemy.schema import Table

from bridge.errors import StoreError
from bridge.flows.receive import Outcome, Receiving, receive_text
from bridge.sandbox.green_api import GreenApiSandbox
from bridge.store import Store, tables
from bridge.store.database import Database
from bridge.web import MAX_BODY, Condition, WebServer, is_authorized, make_web
from bridge.whatsapp.notifications import parse
from tests.fakes import FakeClock
from tests.payloads import ANN, INSTANCE, NOW, POISON, incoming, status

TOKEN = "7f4e1d0c5b3a29187f4e1d0c5b3a2918"
PATH = "/green-api/webhook"


@pytest.fixture
def database(any_store: Store) -> Database:
    return any_store.database


@pytest.fixture
def desk(any_store: Store) -> Receiving:
    evidence, inbox = any_store.evidence, any_store.inbox
    return Receiving(parse, evidence, inbox, FakeClock(NOW), INSTANCE)


Serve = Callable[[Callable[[bytes], Outcome] | None], WebServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as servers:

        def start(receive: Callable[[bytes], Outcome] | None) -> WebServer:
            web = make_web(all_is_well, receive=receive, webhook_token=TOKEN)
            server = WebServer(web, "127.0.0.1", 0)
            server.start()
            servers.callback(server.stop)
            return server

        yield start


@pytest.fixture
def server(serve: Serve, desk: Receiving) -> WebServer:
    return serve(partial(receive_text, desk))


def all_is_well() -> Condition:
    return Condition({}, {})


def post(
    server: WebServer,
    body: object,
    authorization: str | None = f"Bearer {TOKEN}",
    path: str = PATH,
) -> tuple[int, bytes]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if authorization is not None:
        headers["Authorization"] = authorization
    with closing(HTTPConnection("127.0.0.1", server.port)) as connection:
        connection.request("POST", path, raw, headers)
        response = connection.getresponse()
        return response.status, response.read()


def count(database: Database, table: Table) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


# --- who is let in ------------------------------------------------------------


@pytest.fixture(scope="module")
def gate() -> Iterator[tuple[WebServer, list[bytes]]]:
    """A server, and what it let in."""
    seen: list[bytes] = []

    def receive(raw: bytes) -> Outcome:
        seen.append(raw)
        return Outcome.TAKEN

    web = make_web(all_is_well, receive=receive, webhook_token=TOKEN)
    server = WebServer(web, "127.0.0.1", 0)
    server.start()
    yield server, seen
    server.stop()


GENUINE = [
    TOKEN,
    f"Bearer {TOKEN}",
    f"Basic {TOKEN}",
    f"bearer {TOKEN}",
    f"Bearer Bearer {TOKEN}",
    f"Bearer Basic {TOKEN}",
]


@pytest.mark.parametrize("header", GENUINE)
def test_t5_the_token_is_taken_with_any_scheme(
    gate: tuple[WebServer, list[bytes]], header: str
) -> None:
    server, seen = gate
    seen.clear()

    assert post(server, incoming(), header) == (200, b"")

    assert [json.loads(raw) for raw in seen] == [incoming()]


FORGED = [
    None,
    "",
    " ",
    "Bearer",
    "Bearer ",
    "x" * 32,
    TOKEN[:-1],
    TOKEN + "x",
    TOKEN.upper(),
    f"Token {TOKEN}",
    f"{TOKEN} {TOKEN}",
    f"Bearer Bearer Bearer {TOKEN}",
    f"{TOKEN}, Bearer x",
    "Bearer gr\xfc\xdfe",
    "x" * 100_000,
]


@pytest.mark.parametrize("header", FORGED, ids=range(len(FORGED)))
def test_t5_f47_without_the_token_nobody_is_let_in(
    gate: tuple[WebServer, list[bytes]], header: str | None
) -> None:
    server, seen = gate
    seen.clear()

    assert post(server, incoming(), header) == (401, b"")

    assert seen == []


def test_t5_any_text_can_be_compared_with_the_token() -> None:
    assert not is_authorized("Bearer \N{SNOWMAN}\0", TOKEN)


def test_t5_a_notification_of_another_instance_is_forbidden(
    server: WebServer, database: Database
) -> None:
    body = {**incoming(), "instanceData": {"idInstance": 1101000002}}

    assert post(server, body)[0] == 403

    assert count(database, tables.inbox) == count(database, tables.dead_letters) == 0


def test_t5_when_notifications_are_polled_there_is_no_such_page(serve: Serve) -> None:
    assert post(serve(None), incoming())[0] == 404


# --- what is stored -----------------------------------------------------------


def test_t6_f47_a_replayed_notification_is_stored_once(
    server: WebServer, database: Database
) -> None:
    assert [post(server, incoming())[0] for _ in range(5)] == [200] * 5

    assert count(database, tables.inbox) == 1


def test_t6_an_old_capture_is_put_aside(server: WebServer, database: Database) -> None:
    old = {**incoming(), "timestamp": int(NOW.timestamp()) - 27 * 3600}

    assert post(server, old)[0] == 200

    assert count(database, tables.inbox) == 0
    assert count(database, tables.dead_letters) == 1


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000, b"null"])
def test_f44_what_makes_no_sense_is_put_aside_and_let_go(
    server: WebServer, database: Database, raw: bytes
) -> None:
    assert post(server, raw)[0] == 200

    assert count(database, tables.dead_letters) == 1


@pytest.mark.parametrize("length", [MAX_BODY + 1, 10**12])
def test_t27_f47_what_is_too_large_is_refused(
    gate: tuple[WebServer, list[bytes]], length: int
) -> None:
    server, seen = gate
    seen.clear()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {TOKEN}\r\n"

    with closing(socket.create_connection(("127.0.0.1", server.port))) as client:
        client.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode())
        answer = client.recv(65536)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert seen == []


def test_i5_it_is_let_go_only_when_it_is_stored(serve: Serve) -> None:
    def full(_raw: bytes) -> Outcome:
        raise StoreError("The disk is full.")

    assert post(serve(full), incoming()) == (503, b"")


def test_f44_what_breaks_the_parser_is_let_go_too(
    serve: Serve, desk: Receiving, database: Database
) -> None:
    def broken(*_: object) -> object:
        raise RecursionError

    server = serve(partial(receive_text, replace(desk, parse=broken)))  # type: ignore[arg-type]

    assert post(server, incoming())[0] == 200
    assert count(database, tables.dead_letters) == 1


def test_no_log_line_holds_a_token_a_number_or_a_text(
    server: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    post(server, incoming(text="the secret words"))
    post(server, incoming(text="the secret words"), f"Bearer {TOKEN[:-1]}")
    post(server, b"the secret words " + ANN.encode())

    assert caplog.records
    for canary in (TOKEN[:-1], ANN.split("@")[0], "secret words"):
        assert canary not in caplog.text


# --- many clients, and GREEN-API itself ---------------------------------------


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nAuthor",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 1000\r\n\r\n{",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk"],
)
def test_t28_f47_two_hundred_half_requests_hold_nobody_up(
    gate: tuple[WebServer, list[bytes]], half: bytes
) -> None:
    server, _ = gate
    with ExitStack() as clients:
        for _ in range(200):
            client = socket.create_connection(("127.0.0.1", server.port))
            clients.callback(client.close)
            client.sendall(half)

        assert post(server, incoming())[0] == 200


@pytest.fixture
def green() -> Iterator[GreenApiSandbox]:
    sandbox = GreenApiSandbox(id_instance=INSTANCE, speed=50)
    yield sandbox
    sandbox.close()


def push_to(green: GreenApiSandbox, server: WebServer, token: str) -> None:
    url = f"http://127.0.0.1:{server.port}{PATH}"
    green.apply_settings(webhookUrl=url, webhookUrlToken=token)


@pytest.mark.parametrize("token", [TOKEN, f"Bearer {TOKEN}", f"Basic {TOKEN}"])
def test_f44_green_api_pushes_all_that_waits_poison_first(
    server: WebServer, green: GreenApiSandbox, database: Database, token: str
) -> None:
    ours = [body for name, body in POISON.items() if name != "another instance"]
    for body in [*ours, *(incoming(id_message=f"A{n}") for n in range(100))]:
        green.notify(body)

    push_to(green, server, token)
    green.wait_for(lambda: not green.notifications(), timeout=30)

    assert count(database, tables.inbox) == 100
    assert count(database, tables.dead_letters) == len(ours)


def test_f42_what_was_stored_and_not_answered_comes_again_and_is_one_row(
    serve: Serve, desk: Receiving, green: GreenApiSandbox, database: Database
) -> None:
    failures = [StoreError("gone"), StoreError("gone")]

    def stores_and_fails(raw: bytes) -> Outcome:
        outcome = receive_text(desk, raw)
        if failures:
            raise failures.pop()
        return outcome

    green.notify(incoming(id_message="A"))
    green.notify(status("read"))
    push_to(green, serve(stores_and_fails), TOKEN)
    green.wait_for(lambda: not green.notifications(), timeout=30)

    assert failures == []
    assert count(database, tables.inbox) == 1
    assert count(database, tables.receipts) == 1
