"""One connection that reads one container's log, shared by everyone who stands near its end.

The connection goes at the pace of its fastest reader. A reader that stays behind by more
than the feed keeps falls out and reads on alone, from its own cursor; one that has caught up
by itself joins (`feed_registry`). So nobody slows another, and nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from services.k8s_resource.domain.logs.cursor import Cursor, Gate
from services.k8s_resource.domain.logs.lines import LINE_BYTES, Lines, LineSplitter
from services.k8s_resource.domain.ports import KubeStream

AHEAD_BYTES = 64 * 1024
"""How far a connection reads ahead of its fastest reader, and how far others may stay behind."""

KEPT_BYTES = 32 * 1024
"""What is kept of lines that all have read, for readers that catch up and join."""

UNANSWERED_SECONDS = 0.2
"""The API server answers a followed log only with its first line. After this long the log is
asked for in another way, to know whether it can be read; later again, more and more seldom."""

_MOST_SECONDS_UNANSWERED = 5.0
_KEPT_LINES = 16


@dataclass(frozen=True, slots=True)
class Start:
    """Where a reading begins: after `cursor`, or from `since_second` (seconds since 1970),
    with at most `tail` lines, both unlimited when None."""

    cursor: Cursor | None = None
    since_second: int | None = None
    tail: int | None = None
    previous: bool = False
    follow: bool = True


@dataclass(slots=True)
class _Block:
    """`end` is how many bytes the feed had read with it."""

    number: int
    lines: Lines
    size: int
    end: int


Sink = Callable[[Lines], bool]
"""Takes lines at once; False if it cannot."""


class Upstream(Protocol):
    """One container's log."""

    def open(
        self, start: Start, sent: Callable[[], None]
    ) -> AbstractAsyncContextManager[KubeStream]:
        """Its bytes, each line with its time before it; `sent` is called when it is asked for."""

    async def can_be_read(self) -> bool:
        """Whether it is given now."""


class Opening:
    """What limits how many logs of one cluster are opened and probed at the same time.

    Each connection costs some milliseconds of computing on both sides: more at once would not
    be faster, and on a busy machine none would be ready before the time limit.
    """

    def __init__(self) -> None:
        self.connecting = asyncio.Semaphore(32)
        self.probing = asyncio.Semaphore(16)


class Feed:
    """One connection and the lines it read last."""

    def __init__(self, upstream: Upstream, start: Start, opening: Opening) -> None:
        self.start = start
        self.answered = False
        self.readable = False
        self.ended = False
        self.error: Exception | None = None
        self.unfinished_line = Lines()
        self._upstream = upstream
        self._opening = opening
        self._gate = Gate(start.cursor)
        self._blocks: deque[_Block] = deque()
        self._bytes = 0
        self._total = 0
        self._fastest = 0
        self._shortened = False
        self._next_number = 0
        self._readers: set[FeedReader] = set()
        self._consumed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._probe: asyncio.Task[None] | None = None

    @property
    def gap(self) -> bool:
        """Whether the place to go on from was not found, so that lines may be missing."""
        return self._gate.passing and not self._gate.found

    def may_be_read_from_its_start(self) -> bool:
        """Whether a reader that comes now sees what it would see with a connection of its own."""
        if self.start.tail is not None:
            return not self.answered  # Later, other lines are the last ones.
        return self._blocks[0].number == 0 and not self._shortened if self._blocks else True

    @property
    def counting(self) -> bool:
        """Whether that place was found by counting lines, which then counts on."""
        return self._gate.counting

    @property
    def unused(self) -> bool:
        return not self._readers

    def open(self) -> None:
        """Begin reading, in a task that `close` ends."""
        self._task = asyncio.create_task(self._run(), name="log feed")

    async def close(self) -> None:
        """End reading and the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def reader(
        self, next_number: int = 0, offset: int = 0, *, wake: asyncio.Event | None = None
    ) -> FeedReader:
        """A new reader, from a line of a kept block on; `wake` as in FeedReader."""
        reader = FeedReader(self, next_number, offset, wake or asyncio.Event())
        self._readers.add(reader)
        return reader

    def find(self, time: int, text: str, wake: asyncio.Event) -> FeedReader | None:
        """A new reader after a line that is kept, None unless there is exactly one such."""
        found = [
            (block.number, index + 1) if index + 1 < len(block.lines) else (block.number + 1, 0)
            for block in self._blocks
            if time in block.lines.times
            for index, (its_time, its_text) in enumerate(
                zip(block.lines.times, block.lines.texts, strict=True)
            )
            if its_time == time and its_text == text
        ]
        return self.reader(*found[0], wake=wake) if len(found) == 1 else None

    def leave(self, reader: FeedReader) -> None:
        self._readers.discard(reader)
        self._consumed.set()

    def block_after(self, reader: FeedReader) -> _Block | None:
        """The next block for a reader, None if it has read all."""
        if not self._blocks or reader.next_number >= self._next_number:
            return None
        return self._blocks[max(0, reader.next_number - self._blocks[0].number)]

    def has_left_behind(self, reader: FeedReader) -> bool:
        """Whether what the reader needs next is no longer kept."""
        first = self._blocks[0].number if self._blocks else self._next_number
        return reader.next_number < first

    def consumed(self, block: _Block) -> None:
        """A reader has read a block."""
        if block.end > self._fastest:
            self._fastest = block.end
            self._consumed.set()

    async def _run(self) -> None:
        await self._opening.connecting.acquire()
        release = _once(self._opening.connecting.release)

        def sent() -> None:
            release()
            if self.start.follow and self._probe is None:
                self._probe = asyncio.create_task(self._look_whether_readable())

        try:
            async with self._upstream.open(self.start, sent) as stream:
                release()
                self.answered = self.readable = True
                await self._end_probe()
                self._wake()
                splitter = LineSplitter()
                async for chunk in stream.chunks():
                    self._append(self._gate.take(splitter.feed(chunk)), len(chunk))
                    while self._total - self._fastest > AHEAD_BYTES:
                        self._consumed.clear()
                        await self._consumed.wait()
                self.unfinished_line = self._gate.take(splitter.finish())
        except Exception as error:  # noqa: BLE001 - the readers raise it
            self.error = error
        finally:
            release()
            self.ended = True
            self._wake()
            await self._end_probe()

    async def _look_whether_readable(self) -> None:
        pause = UNANSWERED_SECONDS
        while not self.readable:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MOST_SECONDS_UNANSWERED)
            async with self._opening.probing:
                self.readable = await self._upstream.can_be_read()
        self._wake()

    async def _end_probe(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.wait({self._probe})

    def _append(self, lines: Lines, size: int) -> None:
        if len(lines):
            size += len(lines) * LINE_BYTES
            self._total += size
            block = _Block(self._next_number, lines, size, self._total)
            self._blocks.append(block)
            self._next_number += 1
            self._bytes += size
            for reader in self._readers:
                if not reader.hand_over(block):
                    reader.wake.set()
            if self._bytes > KEPT_BYTES:
                self._let_go()

    def _wake(self) -> None:
        for reader in self._readers:
            reader.wake.set()

    def _let_go(self) -> None:
        slowest = min((reader.next_number for reader in self._readers), default=0)
        fastest = max((reader.next_number for reader in self._readers), default=0)
        while len(self._blocks) > 1:
            oldest = self._blocks[0]
            if not (
                (self._bytes > KEPT_BYTES and oldest.number < slowest)
                or (self._bytes > 2 * AHEAD_BYTES and oldest.number < fastest)
            ):
                return
            self._bytes -= oldest.size
            self._blocks.popleft()
        if self._bytes > KEPT_BYTES and self._blocks[0].number < slowest:
            self._shorten(self._blocks[0])

    def _shorten(self, block: _Block) -> None:
        """Keep only the end of a block that all have read."""
        kept = block.lines.part(max(0, len(block.lines) - _KEPT_LINES))
        size = kept.size
        self._bytes += size - block.size
        block.lines, block.size = kept, size
        self._shortened = True


def _once(release: Callable[[], None]) -> Callable[[], None]:
    done = False

    def call() -> None:
        nonlocal done
        if not done:
            done = True
            release()

    return call


class FeedReader:
    """One subscriber's place in a feed. `wake` is set when there may be something new.

    While `sink` is set, new lines go there and wake nobody: a task less for each line.
    """

    __slots__ = ("_offset", "feed", "next_number", "sink", "wake")

    def __init__(self, feed: Feed, next_number: int, offset: int, wake: asyncio.Event) -> None:
        self.feed = feed
        self.next_number = next_number
        self.wake = wake
        self.sink: Sink | None = None
        wake.set()
        self._offset = offset

    @property
    def left_behind(self) -> bool:
        """Whether the feed went on without this reader, which must read on by itself."""
        return self.feed.has_left_behind(self)

    @property
    def has_news(self) -> bool:
        """Whether there is something to do: lines, the end, or being left behind."""
        return self.feed.ended or self.left_behind or self.feed.block_after(self) is not None

    @property
    def at_end(self) -> bool:
        """Whether the feed has ended and all of it was taken."""
        return self.feed.ended and self.feed.block_after(self) is None

    def take(self) -> Lines | None:
        """The next lines, None if there are none now. Not to be called when `left_behind`."""
        block = self.feed.block_after(self)
        if block is None:
            return None
        lines = block.lines.part(self._offset)
        self.next_number, self._offset = block.number + 1, 0
        self.feed.consumed(block)
        return lines

    def hand_over(self, block: _Block) -> bool:
        """Give a new block to the sink; False if the reader must fetch it."""
        if self.sink is None or self.next_number != block.number or not self.sink(block.lines):
            return False
        self.next_number += 1
        self.feed.consumed(block)
        return True

    def leave(self) -> None:
        self.feed.leave(self)
