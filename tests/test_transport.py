"""Every way a connection can fail: what is said of it, and what is not told."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import logging
import pickle
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator

import pytest
import responses

from bridge.errors import Permanent, Retryable, SendError, SettingsError, Unknown
from bridge.model import ChatId
from bridge.reasons import Reason
from bridge.whatsapp.client import GreenApi
from bridge.whatsapp.transport import Call, Times, Transport
from tests.raw_server import (
    CERTS,
    Answer,
    RawServer,
    drips,
    floods,
    read_request,
    reply,
    resets,
    says,
    says_nothing,
)

TOKEN = "c0ffee" * 8 + "42"
NUMBER = "442079460958"
CHAT = ChatId(f"{NUMBER}@c.us")
TEXT = "canary-text 🐤"
OK = reply(b'{"idMessage":"3EB0C767D097B7C7C030"}')
OK_BODY = b'{"idMessage":"A"}'
SEND = Call("POST", "sendMessage", b"{}")


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    with contextlib.ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(RawServer(*args, **kwargs))


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="urllib3")
    return caplog


PATIENT = Times(connect=5, read=5, guard=5)
HASTY = Times(connect=0.2, read=0.15, guard=0.3)


def client(url: str, times: Times = PATIENT) -> GreenApi:
    return GreenApi(
        "7103000001",
        TOKEN,
        url,
        connect_timeout=times.connect,
        read_timeout=times.read,
        wall_guard=times.guard,
        pool=1,  # so that a connection that is not given back blocks the next test
    )


def failure(api: GreenApi) -> SendError:
    with pytest.raises(SendError) as caught:
        api.send_message(CHAT, TEXT)
    api.close()
    return caught.value


def assert_tells_nothing(
    err: SendError, caplog: pytest.LogCaptureFixture, url: str = "://"
) -> None:
    # Whatever is printed by print, logging.exception, Sentry or a debugger.
    try:
        raise err
    except SendError:
        logging.getLogger("test").exception("failed")
    chain = "".join(traceback.format_exception(err))
    told = [str(err), repr(err), str(vars(err)), chain, caplog.text]
    told += [str(vars(record)) for record in caplog.records]
    told += [repr(pickle.dumps(err))]
    for secret in (TOKEN, "waInstance", url.partition("//")[2], NUMBER, TEXT, "canary"):
        assert secret not in "\n".join(told) or not secret
    for frame, _ in traceback.walk_tb(err.__traceback__):
        if "bridge" in frame.f_globals["__name__"]:
            assert TOKEN not in repr(frame.f_locals)
    assert err.__cause__ is None
    assert err.__context__ is None


BOMB = gzip.compress(b'{"idMessage":"A"' + b" " * 10_000_000 + b"}")
CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

LOST: dict[str, tuple[Answer, Reason]] = {
    "closed without a word": (says(b"", close=True), Reason.NO_ANSWER),
    "RST without a word": (resets(), Reason.NO_ANSWER),
    "RST in the headers": (resets(b"HTTP/1.1 200 OK\r\nContent-"), Reason.NO_ANSWER),
    "RST in the body": (resets(OK[:-9]), Reason.NO_ANSWER),
    "FIN in the status line": (says(b"HTTP/1", close=True), Reason.GARBLED),
    "FIN in the headers": (
        says(b"HTTP/1.1 200 OK\r\nContent-Len", close=True),
        Reason.GARBLED,
    ),
    "half a body": (says(OK[:-9], close=True), Reason.NO_ANSWER),
    "a whole object of a body cut later": (
        says(reply(OK_BODY + b" " * 9)[:-9], close=True),
        Reason.NO_ANSWER,
    ),
    "half a chunk": (says(f"{CHUNKED}20\r\n{{".encode(), close=True), Reason.NO_ANSWER),
    "chunks without an end": (
        says(f"{CHUNKED}11\r\n{OK_BODY.decode()}\r\n".encode(), close=True),
        Reason.GARBLED,
    ),
    "chunk of no number": (says(f"{CHUNKED}zz\r\n".encode()), Reason.GARBLED),
    "flood of 100s": (floods(b"", b"HTTP/1.1 100 Go\r\n\r\n" * 999), Reason.GARBLED),
    "flood of headers": (
        floods(b"HTTP/1.1 200 OK\r\n", b"X: x\r\n" * 99),
        Reason.GARBLED,
    ),
    "endless header": (floods(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 9999), Reason.GARBLED),
    "endless trailer": (
        floods(f"{CHUNKED}0\r\nX: ".encode(), b"x" * 9999),
        Reason.GARBLED,
    ),
    "endless body": (floods(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 9999), Reason.GARBLED),
    "50 MB": (
        floods(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n", b" " * 9999),
        Reason.GARBLED,
    ),
    "no HTTP": (says(b"SSH-2.0-OpenSSH_9.6\r\n", close=True), Reason.GARBLED),
    "HTTP/0.9": (says(OK_BODY, close=True), Reason.GARBLED),
    "a status of letters": (says(b"HTTP/1.1 OK 200\r\n\r\n"), Reason.GARBLED),
    "a status of 42": (says(b"HTTP/1.1 42 Huh\r\n\r\n"), Reason.GARBLED),
    "two lengths": (
        says(reply(OK_BODY, headers="Content-Length: 3\r\n")),
        Reason.GARBLED,
    ),
    "101": (says(b"HTTP/1.1 101 Up\r\n\r\n", close=True), Reason.GARBLED),
    "204": (says(b"HTTP/1.1 204 No Content\r\n\r\n"), Reason.GARBLED),
    "200, packed": (
        says(reply(gzip.compress(OK_BODY), headers="Content-Encoding: gzip\r\n")),
        Reason.GARBLED,
    ),
    "200, said to be packed": (
        says(reply(OK_BODY, headers="Content-Encoding: br\r\n")),
        Reason.GARBLED,
    ),
    "200, a bomb": (
        says(reply(BOMB, headers="Content-Encoding: gzip\r\n")),
        Reason.GARBLED,
    ),
    "200, a bomb unannounced": (says(reply(BOMB)), Reason.GARBLED),
    "200, deep JSON": (says(reply(b"[" * 100_000)), Reason.GARBLED),
    "200, HTML": (says(reply(b"<html>Sign in</html>")), Reason.GARBLED),
    "500": (says(reply(b"", "500 Internal Server Error")), Reason.SERVER_ERROR),
    "502": (says(reply(b"<html>", "502 Bad Gateway")), Reason.SERVER_ERROR),
}

SLOW: dict[str, Answer] = {
    "silence": says_nothing,
    "silence after the headers": drips(
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"", every=10
    ),
    "status line": drips(b"", b"H"),
    "header": drips(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "headers": drips(b"HTTP/1.1 200 OK\r\n", b"X: x\r\n"),
    "body": drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" "),
    "body without a length": drips(b"HTTP/1.1 200 OK\r\n\r\n" + OK_BODY, b" "),
    "chunks": drips(CHUNKED.encode(), b"1\r\n \r\n"),
    "trailer": drips(f"{CHUNKED}0\r\n".encode(), b"X: x\r\n"),
    "100s": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize(("answer", "reason"), LOST.values(), ids=LOST)
def test_f10_f11_f12_f21_t7_a_lost_answer_is_unknown_and_told_without_secrets(
    serve: Callable[..., RawServer],
    everything_logged: pytest.LogCaptureFixture,
    answer: Answer,
    reason: Reason,
) -> None:
    server = serve(answer)
    api = client(server.url)

    with pytest.raises(Unknown) as caught:
        api.send_message(CHAT, TEXT)

    assert caught.value.reason == reason
    assert len(server.requests) == 1
    assert server.bytes_sent < 5_000_000
    assert_tells_nothing(caught.value, everything_logged, server.url)
    assert_usable(api, server)


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW)
def test_f7_f9_a_slow_answer_is_given_up_in_time(
    serve: Callable[..., RawServer],
    everything_logged: pytest.LogCaptureFixture,
    answer: Answer,
) -> None:
    server = serve(answer)
    api = client(server.url, HASTY)

    started = time.monotonic()
    with pytest.raises(Unknown, match=Reason.NO_ANSWER) as caught:
        api.send_message(CHAT, TEXT)

    assert time.monotonic() - started < 2
    assert len(server.requests) == 1
    assert_tells_nothing(caught.value, everything_logged, server.url)
    assert_usable(api, server)


def assert_usable(api: GreenApi, server: RawServer) -> None:
    # The one place in the pool is free again, and holds no broken connection.
    api._transport._times = PATIENT
    server.answer = says(OK)
    seen = len(server.requests)
    assert api.send_message(CHAT, TEXT) == "3EB0C767D097B7C7C030"
    assert len(server.requests) == seen + 1
    api.close()


def test_headers_that_are_none_do_not_log_the_address(
    serve: Callable[..., RawServer], everything_logged: pytest.LogCaptureFixture
) -> None:
    server = serve(says(reply(OK_BODY, headers="no header\r\n"), close=True))
    api = client(server.url)

    api.send_message(CHAT, TEXT)  # urllib3 warns of such headers, with the URL

    assert TOKEN not in everything_logged.text
    api.close()


def test_a_good_answer_logs_nothing_either(
    serve: Callable[..., RawServer],
    everything_logged: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    api = client(serve(says(OK)).url)

    api.send_message(CHAT, TEXT)

    assert TOKEN not in everything_logged.text + "".join(capfd.readouterr())
    assert TOKEN not in repr(api)
    api.close()


# Certainly not accepted: no byte of the request has left.


def refused_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return f"http://127.0.0.1:{sock.getsockname()[1]}"


@pytest.mark.parametrize(
    "url", [refused_port(), "https://nobody.invalid"], ids=["refused", "no such name"]
)
def test_f1_f3_nobody_there_is_certain(
    url: str, everything_logged: pytest.LogCaptureFixture
) -> None:
    err = failure(client(url))

    assert isinstance(err, Retryable)
    assert (err.reason, err.account) == (Reason.UNREACHABLE, False)
    assert_tells_nothing(err, everything_logged, url)


def test_f2_a_full_backlog_is_certain(
    everything_logged: pytest.LogCaptureFixture,
) -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())

        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        err = failure(client(url, HASTY))

    assert isinstance(err, Retryable)
    assert err.reason == Reason.UNREACHABLE
    assert_tells_nothing(err, everything_logged)


@pytest.mark.parametrize("cert", ["server.pem", "expired.pem", "wrong-host.pem"])
def test_f4_a_bad_certificate_is_certain(
    serve: Callable[..., RawServer],
    everything_logged: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    cert: str,
) -> None:
    if cert != "server.pem":  # which is good, but nobody vouches for it
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTS / "ca.pem"))
    server = serve(says(OK), cert=cert)

    err = failure(client(server.url))

    assert isinstance(err, Retryable)
    assert err.reason == Reason.UNREACHABLE
    assert server.requests == []
    assert_tells_nothing(err, everything_logged, server.url)


def test_no_tls_where_tls_is_due_is_certain(
    serve: Callable[..., RawServer], everything_logged: pytest.LogCaptureFixture
) -> None:
    server = serve(says(OK))

    for url in (
        server.url.replace("http:", "https:"),
        f"https://127.0.0.1:{silent_port(serve)}",
    ):
        err = failure(client(url, HASTY))
        assert isinstance(err, Retryable)
        assert err.reason == Reason.UNREACHABLE
        assert_tells_nothing(err, everything_logged, url)

    assert server.requests == []


def silent_port(serve: Callable[..., RawServer]) -> int:
    return serve(says_nothing).port  # it waits for a request; a ClientHello is none


def test_time_that_ran_out_before_the_first_byte_is_certain(
    serve: Callable[..., RawServer],
) -> None:
    server = serve(says(OK))
    now = iter([0.0, 1.0, 99.0, 99.0, 99.0])
    transport = Transport(
        "1", TOKEN, server.url, times=Times(), pool=1, clock=lambda: next(now)
    )

    with pytest.raises(Retryable, match=Reason.UNREACHABLE):
        transport.exchange(SEND)

    assert server.requests == []
    transport.close()


def test_a_closed_client_sends_nothing(serve: Callable[..., RawServer]) -> None:
    server = serve(says(OK))
    api = client(server.url)
    api.close()

    with pytest.raises(Retryable, match=Reason.UNREACHABLE):
        api.send_message(CHAT, TEXT)

    assert server.requests == []


def test_a_full_pool_waits_no_longer_than_the_guard(
    serve: Callable[..., RawServer],
) -> None:
    busy = threading.Event()

    def answer(server: RawServer, sock: socket.socket) -> object:
        busy.set()
        return says_nothing(server, sock)

    server = serve(answer)
    api = client(server.url, HASTY)
    other = threading.Thread(target=poll, args=(api,))
    other.start()
    assert busy.wait(5)

    with pytest.raises(Retryable, match=Reason.UNREACHABLE):
        api.send_message(CHAT, TEXT)

    assert len(server.requests) == 1
    server.stopped.set()
    other.join(5)


def poll(api: GreenApi) -> None:
    with pytest.raises(Unknown):
        api.receive_notification(5)


# TLS and proxies.


def test_tls_works_with_one_context_and_keeps_its_connection(
    serve: Callable[..., RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTS / "ca.pem"))
    server = serve(says(OK), cert="server.pem")
    api = client(server.url)

    for _ in range(3):
        assert api.send_message(CHAT, TEXT)

    assert len(server.requests) == 3
    assert server.connections == 1
    api.close()


def test_a_slow_body_over_tls_ends_at_the_guard(
    serve: Callable[..., RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTS / "ca.pem"))
    server = serve(
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b" "), cert="server.pem"
    )

    err = failure(client(server.url, HASTY))

    assert isinstance(err, Unknown)
    assert err.reason == Reason.NO_ANSWER
    assert len(server.requests) == 1


def tunnel_to(target: RawServer) -> Answer:
    """Be a proxy that leads every CONNECT to one server."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    def answer(server: RawServer, sock: socket.socket) -> object:
        with socket.create_connection(("127.0.0.1", target.port)) as far:
            sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            back = threading.Thread(target=pump, args=(far, sock), daemon=True)
            back.start()
            pump(sock, far)
            far.shutdown(socket.SHUT_RDWR)
            back.join(5)
        return RawServer.CLOSE

    return answer


def test_a_proxy_sees_the_host_and_nothing_else(
    serve: Callable[..., RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(says(OK), cert="wrong-host.pem")
    proxy = serve(tunnel_to(server))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTS / "ca.pem"))
    monkeypatch.setenv("HTTPS_PROXY", f"http://ann:pw@127.0.0.1:{proxy.port}")
    api = client("https://elsewhere.invalid")
    monkeypatch.delenv("HTTPS_PROXY")  # it is read once, at the start

    assert api.send_message(CHAT, TEXT)

    assert len(server.requests) == 1
    (seen,) = proxy.requests
    assert seen.startswith(b"CONNECT elsewhere.invalid:443 ")
    assert b"Proxy-Authorization: Basic" in seen
    assert TOKEN.encode() not in seen
    api.close()


@pytest.mark.parametrize(
    "answer",
    [
        says(reply(b"no", "403 Forbidden")),
        says(reply(b"no", "407 Proxy Authentication Required")),
        resets(),
        says_nothing,
        drips(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        says(b"HTTP/1.1 200 Connected\r\n\r\n", close=True),
    ],
    ids=["403", "407", "reset", "silence", "slow", "hangs up"],
)
def test_a_proxy_that_does_not_connect_is_certain(
    serve: Callable[..., RawServer],
    everything_logged: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
) -> None:
    proxy = serve(answer)
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")

    err = failure(client("https://elsewhere.invalid", HASTY))

    assert isinstance(err, Retryable)
    assert err.reason == Reason.UNREACHABLE
    assert len(proxy.requests) == 1
    assert_tells_nothing(err, everything_logged)


def test_no_proxy_is_honoured_and_this_machine_never_proxied(
    serve: Callable[..., RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(says(reply(b"no", "403 Forbidden")))
    server = serve(says(OK))
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NO_PROXY", "nobody.invalid")

    assert isinstance(failure(client("https://nobody.invalid")), Retryable)
    api = client(server.url)
    assert api.send_message(CHAT, TEXT)

    assert proxy.connections == 0
    api.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://api.green-api.com",
        "http://127.0.0.1.nip.example",
        "ftp://127.0.0.1",
        "api.green-api.com",
        "https://",
        "https://[::1",
        "https://host:port",
        "https://user:pw@api.green-api.com",
        "https://api.green-api.com?x=1",
    ],
)
def test_an_address_that_would_show_the_token_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="GREEN_API_URL") as caught:
        client(url)

    assert "pw" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_socks_proxy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")

    with pytest.raises(SettingsError, match="proxies"):
        client("https://api.green-api.com")


# Redirects.


@pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
def test_f20_t17_a_redirect_is_not_followed(
    serve: Callable[..., RawServer],
    everything_logged: pytest.LogCaptureFixture,
    status: str,
) -> None:
    second = serve(says(OK))
    first = serve(says(reply(b"moved", status, f"Location: {second.url}/x\r\n")))

    err = failure(client(first.url))

    assert isinstance(err, Retryable)
    assert (err.reason, err.account) == (Reason.WRONG_ADDRESS, True)
    assert len(first.requests) == 1
    assert second.connections == 0
    assert_tells_nothing(err, everything_logged, first.url)


def test_the_body_of_a_redirect_is_bounded_too(serve: Callable[..., RawServer]) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n"
    server = serve(floods(head, b" " * 9999))

    err = failure(client(server.url))

    assert isinstance(err, Retryable)
    assert err.reason == Reason.WRONG_ADDRESS
    assert server.bytes_sent < 5_000_000


def test_cookies_are_not_kept(serve: Callable[..., RawServer]) -> None:
    server = serve(says(reply(OK_BODY, headers="Set-Cookie: spy=1\r\n")))
    api = client(server.url)

    api.send_message(CHAT, TEXT)
    api.send_message(CHAT, TEXT)

    assert b"spy" not in server.requests[1]
    api.close()


# Keeping connections. The clock is ours, so nobody has to wait.


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def resets_the_second(server: RawServer, sock: socket.socket) -> object:
    """Be a server whose idle time ends just as the second request comes."""
    server.send(sock, OK)
    second = read_request(sock)
    if second is None:
        return RawServer.CLOSE
    server.requests.append(second)
    return resets()(server, sock)


@pytest.mark.parametrize(
    ("idle", "connections"), [(0, 1), (3.9, 1), (4.0, 2), (9e9, 2)]
)
def test_a_connection_is_used_again_only_while_fresh(
    serve: Callable[..., RawServer], idle: float, connections: int
) -> None:
    server, clock = serve(says(OK)), Clock()
    transport = Transport("1", TOKEN, server.url, times=Times(), pool=2, clock=clock)

    transport.exchange(SEND)
    clock.now += idle
    transport.exchange(SEND)

    assert server.connections == connections
    assert len(server.requests) == 2
    transport.close()


def test_a_connection_is_not_used_again_after_an_error(
    serve: Callable[..., RawServer],
) -> None:
    server = serve(says(reply(b"", "429 Too Many Requests")))
    api = client(server.url)

    for _ in range(2):
        with pytest.raises(Retryable, match=Reason.RATE_LIMITED):
            api.send_message(CHAT, TEXT)

    assert server.connections == 2
    api.close()


def test_an_idle_connection_can_not_fake_an_unknown(
    serve: Callable[..., RawServer],
) -> None:
    server, clock = serve(resets_the_second), Clock()
    transport = Transport("1", TOKEN, server.url, times=Times(), pool=2, clock=clock)

    for _ in range(5):
        assert transport.exchange(SEND).status == 200
        clock.now += 4.0
    assert len(server.requests) == server.connections == 5

    transport.exchange(SEND)
    with pytest.raises(Unknown, match=Reason.NO_ANSWER):  # what the rule avoids
        transport.exchange(SEND)
    transport.close()


@pytest.mark.parametrize(
    "surplus", [b"", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["FIN", "more"]
)
def test_a_connection_that_was_closed_or_talks_on_is_dropped(
    serve: Callable[..., RawServer], surplus: bytes
) -> None:
    done = threading.Event()

    def answer(server: RawServer, sock: socket.socket) -> object:
        server.send(sock, OK + surplus)
        if not surplus:
            sock.shutdown(socket.SHUT_WR)
        done.set()
        read_request(sock)
        return RawServer.CLOSE

    server = serve(answer)
    transport = Transport("1", TOKEN, server.url, times=Times(), pool=2)

    for count in (1, 2, 3):
        assert transport.exchange(SEND).body == OK.partition(b"\r\n\r\n")[2]
        assert done.wait(5)
        done.clear()
        assert server.connections == count
    transport.close()


def test_threads_share_a_client(serve: Callable[..., RawServer]) -> None:
    server = serve(says(OK))
    api = GreenApi("1", TOKEN, server.url, pool=4)
    ids: list[str] = []

    def send_some() -> None:
        ids.extend(api.send_message(CHAT, TEXT) for _ in range(10))

    threads = [threading.Thread(target=send_some) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(ids) == len(server.requests) == 80
    assert server.connections <= 4
    api.close()


# What a socket server can't make.


@responses.activate
def test_even_a_strange_exception_becomes_an_error_of_ours(
    everything_logged: pytest.LogCaptureFixture,
) -> None:
    url = f"https://api.green-api.com/waInstance7103000001/sendMessage/{TOKEN}"
    responses.post(url, body=KeyError(url))

    err = failure(client("https://api.green-api.com"))

    assert isinstance(err, Unknown)  # nothing proves that it has not left
    assert_tells_nothing(err, everything_logged, url)


@pytest.mark.parametrize("status", [400, 413, 466])
def test_a_refusal_with_a_secret_in_its_body_keeps_it(
    serve: Callable[..., RawServer],
    everything_logged: pytest.LogCaptureFixture,
    status: int,
) -> None:
    body = f'{{"path":"/waInstance1/sendMessage/{TOKEN}","message":"{NUMBER}"}}'
    server = serve(says(reply(body.encode(), f"{status} No")))

    err = failure(client(server.url))

    assert isinstance(err, Permanent)
    assert_tells_nothing(err, everything_logged, server.url)
