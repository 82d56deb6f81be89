"""Lines of one log near a place in time: what a page is made of.

Kubernetes gives a log from a whole second on, in the order in which it was written. A page is
ordered by time, and so are its places: a place is a time and how many of the lines with just this
time come before it. Times go backwards by less than a quarter of a second, where stdout and
stderr are stamped apart; what is read goes so far beyond what is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import msgspec

from services.k8s_resource.domain.logs.filter import LineFilter
from services.k8s_resource.domain.logs.library import ReadStart
from services.k8s_resource.domain.logs.lines import Lines, LineSplitter
from services.k8s_resource.domain.logs.raw_lines import time_of
from services.k8s_resource.domain.logs.reading import LogAddress, read_log

SECOND = 1_000_000_000
DISORDER = SECOND // 4
END = 2**63 - 1

_PATIENCE_SECONDS = 3.0


class Place(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Before the line number `ties` (from 0) of those that are wanted and have the time `time`,
    in nanoseconds since 1970 UTC."""

    time: int
    ties: int = 0


BEGINNING = Place(0)


@dataclass(frozen=True, slots=True)
class PageLine:
    """A line that is wanted."""

    time: int
    text: str
    cut: bool

    @property
    def size(self) -> int:
        """Bytes of its text."""
        text = self.text
        return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


@dataclass(slots=True)
class Stretch:
    """Lines of a log by time, of which none is missing from `known_from` up to `known_to`.

    `newest` is the time of the last line of all that were read, and `newest_ties` how many lines
    have it; 0 without any. `size` is the bytes read.
    """

    lines: list[PageLine] = field(default_factory=list)
    known_from: int = 0
    known_to: int = END
    newest: int = 0
    newest_ties: int = 0
    size: int = 0

    def place(self, index: int) -> Place:
        """The place before one of the lines."""
        moment = self.lines[index].time
        ties = 0
        while index - ties > 0 and self.lines[index - ties - 1].time == moment:
            ties += 1
        return Place(moment, ties)


@dataclass(frozen=True, slots=True)
class PageScope:
    """Which lines are wanted and how many a page may hold."""

    wanted: LineFilter
    since: int
    lines: int
    size: int


class LogStretches:
    """Reads stretches of one log."""

    def __init__(self, address: LogAddress, scope: PageScope) -> None:
        self.address = address
        self._scope = scope

    async def after(self, place: Place, until: int, budget: Callable[[int], bool]) -> Stretch:
        """From a place on, until a page can be full or `budget`, asked with the bytes of each
        piece, says no; lines before `until` only."""
        found = Stretch(known_from=place.time)
        first = max(place.time, self._scope.since)

        def goes_on(new: Sequence[PageLine], oldest: int, piece: int) -> bool:
            if oldest >= until + DISORDER:
                return False
            # Not before there is a step forward, or pages without end would be asked for.
            if not budget(piece) and found.newest - DISORDER > first:
                return False
            full_at = self._full_at(found.lines, place)
            return full_at is None or oldest <= full_at + DISORDER

        ended = await self._read(ReadStart(_second(first)), found, first, until, goes_on)
        if not ended:
            found.known_to = max(first, found.newest - DISORDER)
        found.lines.sort(key=_time)
        skipped = 0
        while (
            skipped < place.ties
            and skipped < len(found.lines)
            and found.lines[skipped].time == place.time
        ):
            skipped += 1
        del found.lines[:skipped]
        return found

    async def before(self, place: Place, known_from: int) -> Stretch:
        """The lines before a place, from a time on: the last ones, as many as a page may hold."""
        since = max(known_from, self._scope.since)
        found = Stretch(known_from=since, known_to=place.time)
        until = place.time + (place.ties > 0)

        held = 0

        def goes_on(new: Sequence[PageLine], oldest: int, _piece: int) -> bool:
            nonlocal held
            held += sum(line.size for line in new)
            if len(found.lines) > 4 * self._scope.lines + 1000 or held > 4 * self._scope.size:
                self._keep_newest(found)
                held = 0
            return oldest < until + DISORDER

        start = ReadStart(_second(since)) if since > 0 else ReadStart()
        await self._read(start, found, since, until, goes_on)
        self._keep_newest(found)
        if place.ties:
            at = len(found.lines)
            while at and found.lines[at - 1].time == place.time:
                at -= 1
            del found.lines[at + place.ties :]
        return found

    async def oldest_time(self) -> int | None:
        """The time of the log's first line in the window; None without any."""
        since = self._scope.since
        start = ReadStart(_second(since)) if since > 0 else ReadStart()
        reading = read_log(self.address, start, patience=0.0, prove_end=False)
        async with aclosing(reading):
            async for chunk in reading:
                return time_of(chunk)
        return None

    async def newest(self, tail: int) -> Stretch:
        """The last `tail` lines as Kubernetes counts them, those before them unknown."""
        found = Stretch()
        count = 0

        def goes_on(_new: Sequence[PageLine], _oldest: int, _piece: int) -> bool:
            return True

        def counted(lines: Lines) -> None:
            nonlocal count
            if not count and len(lines):
                found.known_from = lines.times[0] + DISORDER
            count += len(lines)

        await self._read(
            ReadStart(_second(self._scope.since) if self._scope.since else None, tail),
            found,
            self._scope.since,
            END,
            goes_on,
            counted,
        )
        if count < tail:
            found.known_from = self._scope.since
        found.lines.sort(key=_time)
        return found

    def _full_at(self, lines: list[PageLine], place: Place) -> int | None:
        """The time by which a page of these is full; None if it is not."""
        if len(lines) < self._scope.lines and sum(line.size for line in lines) < self._scope.size:
            return None
        size = 0
        for count, line in enumerate(sorted(lines, key=_time), 1):
            size += line.size
            if count >= self._scope.lines + place.ties or size >= self._scope.size:
                return line.time
        return None

    def _keep_newest(self, found: Stretch) -> None:
        """Let go of what a page has no room for, but of none or all lines of equal time."""
        lines = found.lines
        lines.sort(key=_time)
        size, at = 0, len(lines)
        while at and len(lines) - at <= self._scope.lines and size <= self._scope.size:
            at -= 1
            size += lines[at].size
        while at and lines[at - 1].time == lines[at].time:
            at -= 1
        if at:
            found.known_from = max(found.known_from, lines[at].time)
            del lines[:at]

    async def _read(
        self,
        start: ReadStart,
        found: Stretch,
        since: int,
        until: int,
        goes_on: Callable[[Sequence[PageLine], int, int], bool],
        counted: Callable[[Lines], None] = lambda _lines: None,
    ) -> bool:
        """Read lines in a window of time; False if `goes_on` ended it before the log's end.

        It is asked after each piece: with the lines that are new, the oldest time of the piece,
        its bytes.
        """
        splitter = LineSplitter()
        reading = read_log(
            self.address,
            start,
            patience=_PATIENCE_SECONDS,
            opening_patience=_PATIENCE_SECONDS,
            prove_end=False,
        )

        def take(lines: Lines, size: int) -> bool:
            counted(lines)
            found.size += size
            if not len(lines):
                return True
            newest, oldest = max(lines.times), min(lines.times)
            if newest >= found.newest:
                ties = lines.times.count(newest)
                found.newest_ties = ties + (found.newest_ties if newest == found.newest else 0)
                found.newest = newest
            kept = self._scope.wanted.apply(lines)
            cut = frozenset(kept.truncated)
            new = [
                PageLine(time, text, index in cut)
                for index, (time, text) in enumerate(zip(kept.times, kept.texts, strict=True))
                if since <= time < until
            ]
            found.lines += new
            return goes_on(new, oldest, size)

        async with aclosing(reading):
            async for chunk in reading:
                if not take(splitter.feed(chunk), len(chunk)):
                    return False
        take(splitter.finish(), 0)
        return True


def _second(time_ns: int) -> int:
    return time_ns // SECOND


def _time(line: PageLine) -> int:
    return line.time
