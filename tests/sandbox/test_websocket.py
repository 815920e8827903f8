"""The framing, spoken to by slack_sdk's own frames and by hand-made bad ones."""

import logging
import socket
import struct

import pytest
from slack_sdk.socket_mode.builtin.frame_header import FrameHeader
from slack_sdk.socket_mode.builtin.internals import (
    _build_data_frame_for_sending,
    _fetch_messages,
)

from bridge.sandbox.websocket import (
    Opcode,
    ProtocolError,
    WebSocket,
    accept_key,
    handshake,
)

UPGRADE = {
    "HTTP_UPGRADE": "websocket",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
}


@pytest.fixture
def ends():
    """Return our end of a connection as a WebSocket, and the client's socket."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    with ours, theirs, ours.makefile("rb") as reader:
        yield WebSocket(ours, reader, max_bytes=100_000), theirs


def frame(first_byte, payload=b"", mask=b"\x01\x02\x03\x04"):
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return bytes([first_byte, 0x80 | len(payload)]) + mask + masked


def test_the_handshake_is_accepted_as_the_rfc_shows_it():
    answer = handshake(UPGRADE)

    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert accept_key(UPGRADE["HTTP_SEC_WEBSOCKET_KEY"]).encode() in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("name", UPGRADE)
def test_a_handshake_lacking_a_header_is_refused(name):
    assert handshake(UPGRADE | {name: ""}) is None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535])  # slack_sdk: no more
def test_a_message_of_any_length_comes_in(ends, size):
    websocket, client = ends
    text = "x" * size

    client.sendall(_build_data_frame_for_sending(text, FrameHeader.OPCODE_TEXT))

    assert websocket.receive() == (Opcode.TEXT, text.encode())


def test_a_message_with_an_eight_byte_length_comes_in(ends):
    websocket, client = ends

    client.sendall(b"\x81\xff" + struct.pack("!Q", 70_000) + bytes(4) + b"x" * 70_000)

    assert websocket.receive() == (Opcode.TEXT, b"x" * 70_000)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_message_of_any_length_goes_out_as_slack_sdk_reads_it(ends, size):
    websocket, client = ends
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    websocket._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)

    websocket.send_text("é" * (size // 2) + "x" * (size % 2))
    websocket.hang_up()

    raw = b"".join(iter(lambda: client.recv(65_536), b""))
    logger = logging.getLogger(__name__)
    [(header, data)] = _fetch_messages([], lambda _=None: b"", logger, raw)
    assert len(data) == size
    assert header.opcode == FrameHeader.OPCODE_TEXT
    assert header.masked == 0


def test_fragments_are_joined_and_a_ping_may_come_between(ends):
    websocket, client = ends

    client.sendall(frame(0x01, b"one ") + frame(0x00, b"two ") + frame(0x80, b"three"))
    assert websocket.receive() == (Opcode.TEXT, b"one two three")

    client.sendall(frame(0x89, b"id:1"))
    assert websocket.receive() == (Opcode.PING, b"id:1")


def test_a_ping_within_a_fragmented_message_loses_nothing(ends):
    websocket, client = ends

    client.sendall(frame(0x01, b"one ") + frame(0x89, b"id:1") + frame(0x80, b"two"))

    assert websocket.receive() == (Opcode.PING, b"id:1")
    assert websocket.receive() == (Opcode.TEXT, b"one two")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x02hi", 1002),  # not masked
        (frame(0xC1, b"x"), 1002),  # a reserved bit
        (frame(0x83, b"x"), 1002),  # an unknown opcode
        (frame(0x80, b"x"), 1002),  # a continuation of nothing
        (frame(0x01, b"x") + frame(0x81, b"y"), 1002),  # a second beginning
        (frame(0x09, b"x"), 1002),  # a fragmented ping
        (b"\x89\xfe" + struct.pack("!H", 126) + bytes(130), 1002),  # a long ping
        (b"\x81\xff" + struct.pack("!Q", 100_001) + bytes(4), 1009),  # too big
    ],
)
def test_a_broken_frame_is_refused_with_its_close_code(ends, data, code):
    websocket, client = ends
    client.sendall(data)

    with pytest.raises(ProtocolError) as caught:
        websocket.receive()

    assert caught.value.code == code


def test_fragments_count_together_against_the_limit(ends):
    websocket, client = ends
    part = b"\x01\xff" + struct.pack("!Q", 60_000) + bytes(4 + 60_000)
    rest = b"\x80\xff" + struct.pack("!Q", 60_000) + bytes(4)
    client.sendall(part + rest)

    with pytest.raises(ProtocolError) as caught:
        websocket.receive()

    assert caught.value.code == 1009


@pytest.mark.parametrize(
    "data", [b"", b"\x81", b"\x81\x85", frame(0x81, b"hello")[:-1]]
)
def test_the_end_of_the_stream_is_the_end(ends, data):
    websocket, client = ends
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)

    assert websocket.receive() is None


def test_close_carries_code_and_reason(ends):
    websocket, client = ends

    websocket.send_close(1009, "message too big")

    assert (
        client.recv(100) == b"\x88\x11" + struct.pack("!H", 1009) + b"message too big"
    )
