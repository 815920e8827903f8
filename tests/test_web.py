"""The web server: health pages, and what many clients do to it."""

from __future__ import annotations

import json
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest

from bridge.web import Condition, WebServer, make_web


@pytest.fixture
def reasons() -> dict[str, str]:
    return {}


@pytest.fixture
def server(reasons: dict[str, str]) -> Iterator[WebServer]:
    made = WebServer(make_web(lambda: Condition(reasons, warnings={})), "127.0.0.1", 0)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def get(server: WebServer, path: str) -> tuple[int, dict[str, object]]:
    connection = HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", path)
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    return response.status, body


@pytest.mark.parametrize("path", ["/livez", "/healthz"])
def test_a_living_process_says_so(server: WebServer, path: str) -> None:
    assert get(server, path) == (200, {"status": "ok"})


def test_what_is_not_ready_is_named(server: WebServer, reasons: dict[str, str]) -> None:
    assert get(server, "/readyz")[0] == 200

    reasons["slack"] = "no connection"

    assert get(server, "/readyz") == (
        503,
        {
            "status": "not ready",
            "reasons": {"slack": "no connection"},
            "warnings": {},
        },
    )


@pytest.mark.usefixtures("_many_files")
def test_more_connections_than_select_can_count_end_nothing(server: WebServer) -> None:
    with ExitStack() as clients:
        for _ in range(1_100):
            client = socket.create_connection(("127.0.0.1", server.port))
            clients.callback(client.close)

        assert get(server, "/livez")[0] == 200
