"""Bytes of a log stream with timestamps into lines, by columns.

The kubelet begins each line with its time as RFC 3339 with nine digits and a space
(k8s.io/cri-client, pkg/logs: `timeFormatOut`), in UTC on most nodes, with an offset on others.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, field

MAX_LINE_BYTES = 1024 * 1024
"""A longer line is cut to this many bytes of text."""

LINE_BYTES = 100
"""About what a line costs in memory besides its text."""

_SECOND = 1_000_000_000
_STAMP_ROOM = 64
_STAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))(?: |\Z)"
)


@dataclass(slots=True)
class Lines:
    """Consecutive lines of one container: `texts` without line ends, `times` in nanoseconds
    since 1970 UTC; `truncated` are indexes of lines that were cut; `levels`, of `levels.Level`,
    are empty unless they were asked for."""

    texts: list[str] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    truncated: list[int] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def size(self) -> int:
        """About what they cost in memory, in bytes."""
        return sum(map(len, self.texts)) + len(self.texts) * LINE_BYTES

    def part(self, start: int, end: int | None = None) -> Lines:
        """The lines from index `start` up to `end`."""
        stop = len(self.texts) if end is None else end
        if start == 0 and stop == len(self.texts):
            return self
        return Lines(
            self.texts[start:stop],
            self.times[start:stop],
            [i - start for i in self.truncated if start <= i < stop],
            self.levels[start:stop],
        )

    def chosen(self, indexes: list[int]) -> Lines:
        """The lines of these indexes, which rise."""
        if len(indexes) == len(self.texts):
            return self
        cut = set(self.truncated)
        return Lines(
            [self.texts[index] for index in indexes],
            [self.times[index] for index in indexes],
            [new for new, index in enumerate(indexes) if index in cut] if cut else [],
            [self.levels[index] for index in indexes] if self.levels else [],
        )


def parse_stamp(line: str) -> tuple[int, int] | None:
    """The time that begins a line, in nanoseconds, and where its text begins; None without one."""
    match = _STAMP.match(line)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = match.groups()
    try:
        seconds = calendar.timegm(
            (int(year), int(month), int(day), int(hour), int(minute), int(second))
        )
    except ValueError:
        return None
    if sign:
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds += offset if sign == "-" else -offset
    return seconds * _SECOND + int((fraction or "").ljust(9, "0")), match.end()


class LineSplitter:
    """Takes chunks of one stream and gives whole lines."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_line = max_line_bytes
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._second_text = ""
        self._second = 0
        self._last_time = 0

    def feed(self, chunk: bytes) -> Lines:
        """The lines that `chunk` completes."""
        end = chunk.rfind(b"\n")
        if end < 0:
            self._keep(chunk)
            return Lines()
        if not self._rest and end < self._max_line:
            self._rest_after(chunk, end)
            return self._parse(chunk[:end].decode("utf-8", "replace").split("\n"))
        first_end = chunk.index(b"\n")
        self._keep(chunk[:first_end])
        lines = self._take_rest()
        if first_end < end:
            for block in _blocks(chunk, first_end + 1, end, self._max_line):
                lines = _joined(lines, self._block(block))
        self._rest_after(chunk, end)
        return lines

    def finish(self) -> Lines:
        """The last line, if the stream ended without a line end."""
        return self._take_rest() if self._rest_size else Lines()

    def _rest_after(self, chunk: bytes, end: int) -> None:
        if end + 1 < len(chunk):
            self._keep(chunk[end + 1 :])

    def _keep(self, part: bytes) -> None:
        # What lies beyond the limit is not kept; the size alone says that it was there.
        room = self._max_line + _STAMP_ROOM - self._rest_size
        if room > 0:
            self._rest.append(part[:room])
        self._rest_size += len(part)

    def _take_rest(self) -> Lines:
        line = b"".join(self._rest)
        size = self._rest_size
        self._rest, self._rest_size = [], 0
        return self._long_line(line, size)

    def _block(self, block: bytes) -> Lines:
        if len(block) <= self._max_line:
            return self._parse(block.decode("utf-8", "replace").split("\n"))
        return self._long_line(block[: self._max_line + _STAMP_ROOM], len(block))

    def _long_line(self, line: bytes, size: int) -> Lines:
        """One line of which `line` is the beginning and `size` the whole size in bytes."""
        head = line[:_STAMP_ROOM].decode("ascii", "replace")
        stamp = parse_stamp(head)
        start = stamp[1] if stamp else 0
        if size - start <= self._max_line:
            return self._parse([line.decode("utf-8", "replace")])
        cut = start + self._max_line
        while cut > start and cut < len(line) and line[cut] & 0xC0 == 0x80:
            cut -= 1  # Not in the middle of a character.
        lines = self._parse([line[:cut].decode("utf-8", "replace")])
        lines.truncated.append(0)
        return lines

    def _parse(self, raw: list[str]) -> Lines:
        try:
            return self._parse_fast(raw)
        except ValueError:
            return self._parse_each(raw)

    def _parse_fast(self, raw: list[str]) -> Lines:
        """Times of the usual form `2026-01-02T03:04:05.123456789Z `, the date read once a second."""
        times: list[int] = []
        texts: list[str] = []
        second_text, second = self._second_text, self._second
        for line in raw:
            if line[:20] != second_text:
                found = parse_stamp(line[:20].rstrip(".") + "Z")
                if found is None or line[19:20] != ".":
                    raise ValueError
                second_text, second = line[:20], found[0]
            if line[29:31] != "Z ":
                raise ValueError
            times.append(second + int(line[20:29]))
            texts.append(line[31:])
        self._second_text, self._second = second_text, second
        self._last_time = times[-1]
        return Lines(texts, times)

    def _parse_each(self, raw: list[str]) -> Lines:
        """Any form. A line without a time, which no kubelet should send, gets that of the line
        before it."""
        lines = Lines()
        for line in raw:
            stamp = parse_stamp(line)
            if stamp is None:
                lines.times.append(self._last_time)
                lines.texts.append(line)
            else:
                self._last_time = stamp[0]
                lines.times.append(stamp[0])
                lines.texts.append(line[stamp[1] :])
        return lines


def _blocks(chunk: bytes, start: int, end: int, limit: int) -> list[bytes]:
    """chunk[start:end] whole, or line by line when it is long enough to hold a line to cut."""
    block = chunk[start:end]
    return [block] if len(block) <= limit else block.split(b"\n")


def _joined(first: Lines, second: Lines) -> Lines:
    shift = len(first)
    return Lines(
        first.texts + second.texts,
        first.times + second.times,
        first.truncated + [index + shift for index in second.truncated],
    )
