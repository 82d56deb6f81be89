"""Several logs as one text ordered by time, each line with its pod and container before it."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field

from services.k8s_resource.domain.logs.raw_lines import LineBlocks, stamp_length, time_of

_BATCH_BYTES = 64 * 1024
_OPENING = 16
_CUT = b" [the rest of this line is left out]"


@dataclass
class PrefixedLog:
    """A log of which `chunks` are raw, with times, and what goes before each line."""

    prefix: bytes
    chunks: AsyncIterator[bytes]


async def merged_text(
    logs: Sequence[PrefixedLog], *, timestamps: bool
) -> AsyncGenerator[bytes, None]:
    """The text. All logs are open at a time; of each, one batch of lines is held."""
    readers = [_Lines(log, timestamps) for log in logs]
    slots = asyncio.Semaphore(_OPENING)

    async def begin(reader: _Lines) -> bool:
        async with slots:
            return await reader.fill()

    async with asyncio.TaskGroup() as group:
        opened = [group.create_task(begin(reader)) for reader in readers]
    heap = [
        (reader.next_time, number)
        for number, reader in enumerate(readers)
        if opened[number].result()
    ]
    heapq.heapify(heap)
    batch: list[bytes] = []
    size = 0
    while heap:
        number = heap[0][1]
        reader = readers[number]
        limit = min(heap[1:3])[0] if len(heap) > 1 else None
        taken = reader.take(limit)
        batch.append(taken)
        size += len(taken)
        if size >= _BATCH_BYTES:
            yield b"".join(batch)
            batch, size = [], 0
        if reader.has_lines or await reader.fill():
            heapq.heapreplace(heap, (reader.next_time, number))
        else:
            heapq.heappop(heap)
    if batch:
        yield b"".join(batch)


@dataclass
class _Lines:
    """The lines of one log, a batch at a time. Times never go back: lines keep their order."""

    log: PrefixedLog
    timestamps: bool
    _blocks: LineBlocks = field(default_factory=LineBlocks)
    _lines: list[bytes] = field(default_factory=list)
    _times: list[int] = field(default_factory=list)
    _at: int = 0
    _latest: int = 0
    _ended: bool = False

    @property
    def has_lines(self) -> bool:
        return self._at < len(self._lines)

    @property
    def next_time(self) -> int:
        return self._times[self._at]

    async def fill(self) -> bool:
        """Read on until there are lines; False at the end."""
        self._lines, self._times, self._at = [], [], 0
        while not self._lines and not self._ended:
            try:
                blocks = self._blocks.feed(await anext(self.log.chunks))
            except StopAsyncIteration:
                self._ended = True
                blocks = self._blocks.finish()
            for block in blocks:
                self._add(block.data, block.cut)
        return bool(self._lines)

    def _add(self, data: bytes, cut: list[int]) -> None:
        for index, line in enumerate(data[:-1].split(b"\n")):
            moment = time_of(line)
            self._latest = max(self._latest, moment or 0)
            text = line if self.timestamps else line[stamp_length(line) :]
            end = _CUT + b"\n" if index in cut else b"\n"
            self._lines.append(b"%b%b%b" % (self.log.prefix, text, end))
            self._times.append(self._latest)

    def take(self, limit: int | None) -> bytes:
        """The lines at or before a time; at least one."""
        end = self._at + 1
        while end < len(self._times) and (limit is None or self._times[end] <= limit):
            end += 1
        taken = b"".join(self._lines[self._at : end])
        self._at = end
        return taken
