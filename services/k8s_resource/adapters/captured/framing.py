"""Bytes of a segment: frames with checksums.

    magic (2)  kind (1)  codec (1)  length (4)  CRC-32 of kind, codec, length and payload (4)

An open segment is a row of CHUNK frames. A sealed one is a row of BLOCK frames, an INDEX frame
and a trailer that says where the index begins. Numbers are little-endian.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"\xa7\x4c"
CHUNK, BLOCK, INDEX = 1, 2, 3
PLAIN, DEFLATE = 0, 1
_HEAD = struct.Struct("<2sBBII")
_TRAILER = struct.Struct("<8sQ")
_END = b"PYLOGEND"
HEAD_BYTES = _HEAD.size
TRAILER_BYTES = _TRAILER.size
_LEVEL = 6
_LARGEST_PAYLOAD = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that is whole, at bytes `start` to `end`."""

    kind: int
    payload: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Bad:
    """Bytes that are no whole frame."""

    start: int
    end: int


def packed(kind: int, payload: bytes, *, compress: bool = False) -> bytes:
    """A frame."""
    codec = PLAIN
    if compress:
        codec, payload = DEFLATE, zlib.compress(payload, _LEVEL)
    checksum = _checksum(kind, codec, payload)
    return _HEAD.pack(MAGIC, kind, codec, len(payload), checksum) + payload


def unpacked(data: bytes, start: int) -> Frame | None:
    """The frame at an offset; None unless it is whole and its checksum holds."""
    if start + HEAD_BYTES > len(data):
        return None
    magic, kind, codec, length, checksum = _HEAD.unpack_from(data, start)
    end = start + HEAD_BYTES + length
    if magic != MAGIC or end > len(data) or codec not in (PLAIN, DEFLATE):
        return None
    payload = data[start + HEAD_BYTES : end]
    if _checksum(kind, codec, payload) != checksum:
        return None
    if codec == DEFLATE:
        unpacking = zlib.decompressobj()
        try:
            payload = unpacking.decompress(payload, _LARGEST_PAYLOAD)
        except zlib.error:
            return None
        if unpacking.unconsumed_tail:
            return None
    return Frame(kind, payload, start, end)


def frames(data: bytes) -> Iterator[Frame | Bad]:
    """The frames in `data`, and what lies between them that is none."""
    at = 0
    while at < len(data):
        frame = unpacked(data, at)
        if frame is not None:
            yield frame
            at = frame.end
            continue
        start = at
        while frame is None and at < len(data):
            at = data.find(MAGIC, at + 1)
            if at < 0:
                at = len(data)
            else:
                frame = unpacked(data, at)
        yield Bad(start, at)


def starts(data: bytes) -> list[int]:
    """Where the frames in `data` start, by their lengths alone; as far as they follow one
    another."""
    found = []
    at = 0
    while at + HEAD_BYTES <= len(data) and data[at : at + 2] == MAGIC:
        found.append(at)
        at += HEAD_BYTES + _HEAD.unpack_from(data, at)[3]
    return found


def trailer(index_start: int) -> bytes:
    """The end of a sealed segment."""
    return _TRAILER.pack(_END, index_start)


def index_start(end: bytes) -> int | None:
    """Where the index begins, from the last bytes of a sealed segment; None if they are others."""
    if len(end) < TRAILER_BYTES:
        return None
    mark, start = _TRAILER.unpack(end[-TRAILER_BYTES:])
    return int(start) if mark == _END else None


def _checksum(kind: int, codec: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(struct.pack("<BBI", kind, codec, len(payload))))
