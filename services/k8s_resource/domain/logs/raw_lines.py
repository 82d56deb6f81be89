"""Bytes of a log with timestamps as blocks of whole lines, without decoding them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from services.k8s_resource.domain.logs.lines import MAX_LINE_BYTES, parse_stamp

STAMP_BYTES = 64
"""More than the time at the beginning of a line and its space take."""

STAMP = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d) "
"""What begins a line, as a regular expression."""

_SECOND = 1_000_000_000
_SLICE_BYTES = 256 * 1024
_at_start = re.compile(STAMP)
_after_line_end = re.compile(rb"\n" + STAMP)


@dataclass(slots=True)
class Block:
    """Whole lines, each with its line end. `cut` are indexes of lines that were too long."""

    data: bytes = b""
    cut: list[int] = field(default_factory=list)


class LineBlocks:
    """Takes chunks of one stream and gives blocks; bounded by the longest line that is kept."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        """`max_line_bytes` of text, the time before it not counted."""
        self._max_line = max_line_bytes
        self._rest: list[bytes] = []
        self._rest_size = 0

    def feed(self, chunk: bytes) -> list[Block]:
        """The lines that `chunk` completes."""
        if len(chunk) <= _SLICE_BYTES:
            block = self._feed(chunk)
            return [block] if block.data else []
        slices = (chunk[at : at + _SLICE_BYTES] for at in range(0, len(chunk), _SLICE_BYTES))
        return [block for each in slices if (block := self._feed(each)).data]

    def finish(self) -> list[Block]:
        """The last line, if the stream ended without a line end; it gets one."""
        return [self._take_rest(b"\n")] if self._rest_size else []

    def _feed(self, chunk: bytes) -> Block:
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._keep(chunk)
            return Block()
        if not self._rest_size:
            block = Block(chunk[:end])
        else:
            first = chunk.index(b"\n") + 1
            block = self._take_rest(chunk[:first])
            block.data += chunk[first:end]
        if end < len(chunk):
            self._keep(chunk[end:])
        return block

    def _keep(self, part: bytes) -> None:
        room = self._max_line + STAMP_BYTES - self._rest_size
        if room > 0:
            self._rest.append(part[:room])
        self._rest_size += len(part)

    def _take_rest(self, last: bytes) -> Block:
        self._keep(last[:-1])
        line = b"".join(self._rest)
        end = stamp_length(line) + self._max_line
        too_long = self._rest_size > end
        self._rest, self._rest_size = [], 0
        if not too_long:
            return Block(line + b"\n")
        line = line[:end]
        return Block(line[: len(line) - _split_character(line)] + b"\n", [0])


def _split_character(line: bytes) -> int:
    """How many bytes at the end are the beginning of a character that was cut."""
    for back in range(1, min(4, len(line)) + 1):
        byte = line[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 2 if byte & 0xE0 == 0xC0 else 3 if byte & 0xF0 == 0xE0 else 4
        return back if byte >= 0xC0 and length > back else 0
    return 0


def without_stamps(block: bytes) -> bytes:
    """A block that begins at the beginning of a line, without the times of its lines."""
    first = _at_start.match(block)
    return _after_line_end.sub(b"\n", block[first.end() :] if first else block)


def stamp_length(line: bytes) -> int:
    """How many bytes the time at the beginning of a line takes; 0 if there is none."""
    if line[29:31] == b"Z " and line[19:20] == b".":
        return 31
    found = _at_start.match(line[:STAMP_BYTES])
    return found.end() if found else 0


def time_of(line: bytes) -> int | None:
    """The time that begins a line, in nanoseconds since 1970 UTC; None if there is none."""
    if line[29:31] == b"Z " and line[19:20] == b"." and line[20:29].isdigit():
        second = _second_of(line[:19])
        return None if second is None else second + int(line[20:29])
    stamp = parse_stamp(line[:STAMP_BYTES].decode("ascii", "replace"))
    return stamp[0] if stamp else None


@lru_cache(maxsize=1024)
def _second_of(text: bytes) -> int | None:
    stamp = parse_stamp(text.decode("ascii", "replace") + "Z")
    return stamp[0] if stamp else None
