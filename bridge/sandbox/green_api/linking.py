"""Linking a phone: the code to type, and the code to scan.

What is scanned is drawn like a QR code and means nothing: there is no WhatsApp here to
read it. Whoever plays the phone calls ``enter_code`` or ``scan``.

Source: https://green-api.com/en/docs/api/account/GetAuthorizationCode/,
https://green-api.com/en/docs/api/account/QR/
"""

from __future__ import annotations

import random
import secrets
import struct
import zlib
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from bridge.sandbox.green_api.answers import Call, invalid, json_body

if TYPE_CHECKING:
    from bridge.sandbox.green_api import GreenApiSandbox

CODE_SECONDS: Final = 150.0
QR_SECONDS: Final = 20.0
PHONE_DIGITS: Final = range(11, 17)
MODULES: Final = 33  # a QR code of version 4
MARGIN: Final = 4  # modules of white around it
SIDE: Final = 4  # pixels of a module
_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"


@dataclass(slots=True)
class _Offer:
    """The code that is open at the moment."""

    code: str = ""
    ends_at: float = 0.0  # emulated seconds


_offers: WeakKeyDictionary[GreenApiSandbox, _Offer] = WeakKeyDictionary()


def get_authorization_code(green: GreenApiSandbox, call: Call) -> object:
    """Return a code to type on the phone.

    A second request while a code is open leaves the instance at ``starting``, as
    people reported of the real one.
    """
    _check_phone(json_body(call).get("phoneNumber"))
    with green.instance.changed:
        offer = _offers.setdefault(green, _Offer())
        now = green.timeline.seconds()
        if green.state == "notAuthorized" and offer.code and now < offer.ends_at:
            green.set_state("starting")
        if green.state != "notAuthorized":
            return {"status": False, "code": ""}
        offer.code = "".join(secrets.choice(_ALPHABET) for _ in range(8))
        offer.ends_at = now + CODE_SECONDS
        return {"status": True, "code": offer.code}


def _check_phone(phone: object) -> None:
    if phone is None:
        raise invalid("'phoneNumber' is required")
    if not isinstance(phone, int) or len(str(phone)) not in PHONE_DIGITS:
        raise invalid("'phoneNumber' must be a number")  # guess


def qr(green: GreenApiSandbox, _: Call) -> object:
    """Return the picture to scan; another one every 20 seconds."""
    if green.state == "authorized":
        message = "instance account already authorized"
        return {"type": "alreadyLogged", "message": message}
    if green.state != "notAuthorized":
        return {"type": "error", "message": f"instance is {green.state}"}  # guess
    number = int(green.timeline.seconds() // QR_SECONDS)
    return {"type": "qrCode", "message": b64encode(draw_png(number)).decode()}


def enter_code(green: GreenApiSandbox, code: str) -> bool:
    """Type a code on the phone; return whether it linked the phone."""
    with green.instance.changed:
        offer = _offers.get(green, _Offer())
        is_open = green.timeline.seconds() < offer.ends_at
        is_right = code.replace("-", "").upper() == offer.code
        if not (offer.code and is_open and is_right):
            return False
        return scan(green)


def scan(green: GreenApiSandbox) -> bool:
    """Scan the picture with the phone; return whether that linked it."""
    with green.instance.changed:
        if green.state != "notAuthorized":
            return False
        _offers.pop(green, None)
        green.set_state("authorized")
        return True


def draw_png(number: int) -> bytes:
    """Return one of the pictures: RGBA, as the real ones are."""
    blank = [False] * MODULES
    rows = [blank] * MARGIN + squares(number) + [blank] * MARGIN
    dark, light = b"\x00\x00\x00\xff" * SIDE, b"\xff\xff\xff\xff" * SIDE
    lines = []
    for row in rows:
        padded = [False] * MARGIN + row + [False] * MARGIN
        lines += [b"\x00" + b"".join(dark if d else light for d in padded)] * SIDE
    side = len(rows) * SIDE
    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    picture = zlib.compress(b"".join(lines))
    chunks = ((b"IHDR", header), (b"IDAT", picture), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def squares(number: int) -> list[list[bool]]:
    """Return what one of the pictures shows: rows of squares, True for a dark one."""
    dice = random.Random(number)  # noqa: S311 - a picture, no secret
    rows = [[dice.random() < 0.5 for _ in range(MODULES)] for _ in range(MODULES)]
    far = MODULES - 7
    for top, left in ((0, 0), (0, far), (far, 0)):
        for y in range(-1, 8):
            for x in range(-1, 8):
                if 0 <= top + y < MODULES and 0 <= left + x < MODULES:
                    rows[top + y][left + x] = _is_mark(x, y)
    return rows


def _is_mark(x: int, y: int) -> bool:
    """Whether a square of the mark in a corner, or of the white around it, is dark."""
    ring = max(abs(x - 3), abs(y - 3))
    return ring in (0, 1, 3)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + checksum.to_bytes(4)
