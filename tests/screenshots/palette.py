"""PNG pictures with a palette of at most 256 colours and a text inside; a third of a screenshot's size.

It reads what a browser writes (8 bits a channel, RGB or RGBA, not interlaced) and nothing else (W3C: PNG, third
edition).
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Final

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CHANNELS: Final = {2: 3, 6: 4}
_COLOURS: Final = 256
_KEYWORD: Final = b"Description"
_INDEXED: Final = 3

_Row = list[bytes]


def with_palette(picture: bytes, text: str) -> bytes:
    """Return the picture in its 256 most frequent colours, each other colour as the nearest of them, with a text."""
    width, rows = _pixels(picture)
    counted = Counter(pixel for row in rows for pixel in row)
    palette = [colour for colour, _ in counted.most_common(_COLOURS)]
    places = {colour: _nearest(colour, palette) for colour in counted}
    # Filter 0 for each row: with a palette the others make nothing smaller.
    lines = b"".join(b"\0" + bytes(places[pixel] for pixel in row) for row in rows)
    header = struct.pack(">IIBBBBB", width, len(rows), 8, _INDEXED, 0, 0, 0)
    described = _KEYWORD + b"\0\0\0\0\0" + text.encode()
    chunks = ((b"IHDR", header), (b"PLTE", b"".join(palette)), (b"iTXt", described), (b"IDAT", zlib.compress(lines, 9)))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in (*chunks, (b"IEND", b"")))


def text_in(picture: bytes) -> str:
    """Return the text that a picture carries."""
    (described,) = [data for kind, data in _chunks(picture) if kind == b"iTXt"]
    return described.removeprefix(_KEYWORD + b"\0\0\0\0\0").decode()


def _nearest(colour: bytes, palette: list[bytes]) -> int:
    return min(
        range(len(palette)),
        key=lambda place: sum((one - other) ** 2 for one, other in zip(colour, palette[place], strict=True)),
    )


def _pixels(picture: bytes) -> tuple[int, list[_Row]]:
    """Return the width, and each row's pixels in red, green and blue."""
    chunks = list(_chunks(picture))
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, interlaced) == (8, 0), "no picture of a browser"
    step = _CHANNELS[kind]
    data = zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT"))
    length = width * step
    rows: list[_Row] = []
    above = bytes(length)
    for start in range(0, height * (length + 1), length + 1):
        above = _unfiltered(data[start], data[start + 1 : start + 1 + length], above, step)
        rows.append([above[place : place + 3] for place in range(0, length, step)])
    return width, rows


def _unfiltered(kind: int, line: bytes, above: bytes, step: int) -> bytes:
    """Return a row's bytes without its filter (PNG, section 9.2)."""
    made = bytearray(line)
    for place, byte in enumerate(line):
        left = made[place - step] if place >= step else 0
        up = above[place]
        corner = above[place - step] if place >= step else 0
        made[place] = (byte + (0, left, up, (left + up) // 2, _paeth(left, up, corner))[kind]) % 256
    return bytes(made)


def _paeth(left: int, up: int, corner: int) -> int:
    return min((left, up, corner), key=lambda byte: abs(left + up - corner - byte))


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_SIGNATURE)
    while place < len(picture):
        length, kind = struct.unpack(">I4s", picture[place : place + 8])
        yield kind, picture[place + 8 : place + 8 + length]
        place += 12 + length


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
