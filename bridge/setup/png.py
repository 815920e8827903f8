"""A picture of a QR code, as GREEN-API sends it → its modules.

The libraries that draw QR codes in a terminal start from the text in the code, which
GREEN-API does not tell; those that read it from a picture need OpenCV or zbar. To draw
the picture again nothing has to be decoded: a QR code is a grid, and the corner mark
says how wide its squares are. PNG without interlacing is a few lines over ``zlib``.

Source: https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_MAX_SIDE = 2000  # pixels; the real one has 276
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type → values of a pixel
_FINDER = 7  # modules of the mark in the corner
_SIZES = range(21, 178, 4)  # modules of a QR code, versions 1 to 40

Modules = list[list[bool]]
"""Rows of squares from the top; True is dark. Without the margin."""


class NoCode(ValueError):
    """The bytes are no picture of a QR code that can be drawn."""


def read_code(png: bytes) -> Modules:
    """Return the modules of the QR code in a picture.

    Raises:
        NoCode: there is none, or the picture is of a rare kind.
    """
    try:
        pixels = _pixels(png)
    except (struct.error, zlib.error, IndexError, KeyError) as err:
        raise NoCode(f"not a picture that can be read: {type(err).__name__}") from None
    return _modules(pixels)


def _modules(dark: list[list[bool]]) -> Modules:
    """Sample the middle of each square."""
    rows = [y for y, row in enumerate(dark) if any(row)]
    if not rows:
        raise NoCode("the picture is empty")
    top, bottom = rows[0], rows[-1] + 1
    left = min(row.index(True) for row in dark if any(row))
    first = dark[top][left:]
    run = first.index(False) if False in first else len(first)
    count = round((bottom - top) * _FINDER / run)
    if count not in _SIZES:
        raise NoCode("the picture shows no QR code")
    size = (bottom - top) / count
    middle = [int((i + 0.5) * size) for i in range(count)]
    try:
        return [[dark[top + y][left + x] for x in middle] for y in middle]
    except IndexError:
        raise NoCode("the picture is not square") from None


def _pixels(png: bytes) -> list[list[bool]]:
    """Return which pixels are dark."""
    chunks = dict(_chunks(png))
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if any(rest) or depth not in (1, 8) or not 0 < max(width, height) <= _MAX_SIDE:
        raise NoCode("a picture of a rare kind")
    channels = _CHANNELS[colour]
    length = (width * channels * depth + 7) // 8
    limit = (length + 1) * height
    raw = zlib.decompressobj().decompress(chunks[b"IDAT"], limit)
    lines = _unfiltered(raw, length, height, max(1, channels * depth // 8))
    if depth == 1:
        lines = (_bits(line, width) for line in lines)
    is_dark = _Darkness(colour, depth, chunks.get(b"PLTE", b""))
    return [
        [is_dark(line[x : x + channels]) for x in range(0, width * channels, channels)]
        for line in lines
    ]


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield each chunk's type and content; all pieces of the picture as one."""
    if not png.startswith(_SIGNATURE):
        raise NoCode("not a PNG")
    picture = b""
    at = len(_SIGNATURE)
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        content = png[at + 8 : at + 8 + length]
        if kind == b"IDAT":
            picture += content
        else:
            yield kind, content
        at += 12 + length
    yield b"IDAT", picture


def _unfiltered(raw: bytes, length: int, height: int, step: int) -> Iterator[bytes]:
    """Undo the filter of each line; see section 9 of the specification."""
    above = bytes(length)
    for y in range(height):
        start = y * (length + 1)
        kind = raw[start]
        line = bytearray(raw[start + 1 : start + 1 + length])
        if len(line) < length:
            raise NoCode("the picture ends too early")
        for x in range(length):
            left = line[x - step] if x >= step else 0
            corner = above[x - step] if x >= step else 0
            line[x] = (line[x] + _predicted(kind, left, above[x], corner)) & 0xFF
        above = bytes(line)
        yield above


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    match kind:
        case 0:
            return 0
        case 1:
            return left
        case 2:
            return up
        case 3:
            return (left + up) // 2
        case 4:
            guess = left + up - corner
            return min((left, up, corner), key=lambda value: abs(guess - value))
        case _:
            raise NoCode("an unknown filter")


def _bits(line: bytes, width: int) -> bytes:
    return bytes((line[x // 8] >> (7 - x % 8)) & 1 for x in range(width))


class _Darkness:
    """Tells whether a pixel is dark, in the picture's way of storing colours."""

    def __init__(self, colour: int, depth: int, palette: bytes) -> None:
        self._colour = colour
        self._white = 1 if depth == 1 else 255
        self._palette = palette
        self._known: dict[bytes, bool] = {}

    def __call__(self, pixel: bytes) -> bool:
        if pixel not in self._known:
            self._known[pixel] = self._look(pixel)
        return self._known[pixel]

    def _look(self, pixel: bytes) -> bool:
        if self._colour in (4, 6) and pixel[-1] < 128:
            return False  # transparent: the page behind it is white
        if self._colour == 3:
            at = 3 * pixel[0]
            return sum(self._palette[at : at + 3]) < 3 * 128
        values = pixel[:-1] if self._colour in (4, 6) else pixel
        return 2 * sum(values) < self._white * len(values)
