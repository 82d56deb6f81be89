"""One log read once, from its start to its end, whatever happens to the connection.

When the source breaks, the log is opened again at the same start and what was read before is
skipped: exactly so many bytes, counted from the first line on, and only if they are the same
bytes, which their digest shows. A log that was rotated meanwhile is told by an error, never by
missing lines.

That a source ends without an error does not prove the end: an API server that loses its
connection to a kubelet ends its answer as if all were well. So the time of the last line is
asked for before, and a reading that ends without having reached it goes on like a broken one.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from services.common.errors import ConflictError, RetryableError, UnavailableError
from services.k8s_resource.domain.logs.library import WHOLE, LogLibrary, ReadStart, RunLog
from services.k8s_resource.domain.logs.raw_lines import STAMP_BYTES, time_of
from services.k8s_resource.domain.ports import Connection

PATIENCE_SECONDS = 30.0
"""How long a log that has begun to be read is tried again without a new byte."""

_SECOND = 1_000_000_000
_ANCHOR_BYTES = 512
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_LAST_LINE = ReadStart(tail=1)


@dataclass(frozen=True, slots=True)
class LogAddress:
    """A log and where it is kept."""

    library: LogLibrary
    connection: Connection
    log: RunLog

    @property
    def described(self) -> str:
        """For messages."""
        source = self.log.source
        return f"the log of container {source.container} of pod {source.pod}"


@dataclass(slots=True)
class _Read:
    """What was read so far: its beginning, its length, its digest, where its last lines begin."""

    anchor: bytes = b""
    size: int = 0
    digest: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=16))
    _line: bytes = b""
    _line_before: bytes = b""

    def add(self, chunk: bytes) -> None:
        if len(self.anchor) < _ANCHOR_BYTES:
            self.anchor += chunk[: _ANCHOR_BYTES - len(self.anchor)]
        self.size += len(chunk)
        self.digest.update(chunk)
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._line = (self._line + chunk)[:STAMP_BYTES]
            return
        before = chunk.rfind(b"\n", 0, end - 1) + 1
        line = chunk[before:end] if before else self._line + chunk[:end]
        self._line_before = line[:STAMP_BYTES]
        self._line = chunk[end : end + STAMP_BYTES]

    @property
    def last_time(self) -> int:
        """The time of the last line, in nanoseconds; 0 before the first."""
        return time_of(self._line) or time_of(self._line_before) or 0


async def read_log(
    address: LogAddress,
    start: ReadStart = WHOLE,
    *,
    patience: float = PATIENCE_SECONDS,
    opening_patience: float = PATIENCE_SECONDS,
    prove_end: bool = True,
) -> AsyncGenerator[bytes, None]:
    """The bytes of a log, cut anywhere.

    `opening_patience` holds until the first byte, `patience` between later ones, in seconds.
    ConflictError when the log was rotated so that what comes next cannot be told; UnavailableError
    and others when it cannot be read.
    """
    read = _Read()
    proof = _Proof(address, start) if prove_end else None
    last_news = time.monotonic()
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            if proof is not None:
                await proof.prepare()
            async with address.library.open(
                address.connection, address.log, _again(start, read)
            ) as stream:
                skip = _Skip(address, read) if read.size else None
                # Nothing is given before the time of the first line is known: by that it is
                # found again.
                head = b""
                async for chunk in stream.chunks():
                    new = skip.take(chunk) if skip is not None else head + chunk
                    if not read.size and len(new) < STAMP_BYTES:
                        head = new
                    elif new:
                        skip, head = None, b""
                        read.add(new)
                        yield new
                        last_news, pause = time.monotonic(), _FIRST_PAUSE_SECONDS
                if skip is not None:
                    skip.finish()
                if head and (proof is None or proof.reached(time_of(head) or 0)):
                    read.add(head)
                    yield head
            if proof is None or proof.reached(read.last_time):
                return
            error: RetryableError = UnavailableError(
                f"{address.described} ended before its last line", reason="LOG_CUT"
            )
            proof.forget()
        except RetryableError as failed:
            error = failed
        allowed = patience if read.size else opening_patience
        if time.monotonic() - last_news + pause > allowed:
            raise error
        await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - spreads load
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def _again(start: ReadStart, read: _Read) -> ReadStart:
    """Where to open a log so that what was read first is there: later, others are the last
    lines."""
    if start.tail is None or not read.size:
        return start
    first = time_of(read.anchor[:STAMP_BYTES])
    return start if first is None else ReadStart(first // _SECOND)


class _Skip:
    """Finds the place to go on from in a log that is read again."""

    def __init__(self, address: LogAddress, read: _Read) -> None:
        self._address = address
        self._read = read
        self._seen = b""
        self._found = False
        self._left = read.size
        self._digest = hashlib.blake2b(digest_size=16)

    def take(self, chunk: bytes) -> bytes:
        """What of the chunk is new."""
        if not self._found:
            chunk = self._from_anchor(chunk)
        old, new = chunk[: self._left], chunk[self._left :]
        self._digest.update(old)
        self._left -= len(old)
        if not self._left and self._digest.digest() != self._read.digest.digest():
            raise self._lost()
        return new

    def finish(self) -> None:
        """The log ended; ConflictError if what was read is not all there any more."""
        if self._left:
            raise self._lost()

    def _from_anchor(self, chunk: bytes) -> bytes:
        anchor = self._read.anchor
        data = self._seen + chunk
        at = 0 if data.startswith(anchor) else data.find(b"\n" + anchor) + 1
        if at or data.startswith(anchor):
            self._found, self._seen = True, b""
            return data[at:]
        self._seen = data[-len(anchor) - 1 :]
        return b""

    def _lost(self) -> ConflictError:
        return ConflictError(
            f"{self._address.described} was rotated or cut while it was read, so that its rest "
            "cannot be told; read it again",
            reason="LOG_ROTATED",
        )


class _Proof:
    """What shows that a reading has come to the end."""

    def __init__(self, address: LogAddress, start: ReadStart) -> None:
        self._address = address
        self._start = start
        self._last: int | None = None

    async def prepare(self) -> None:
        """Learn the time of the last line, unless it is known."""
        if self._last is None:
            self._last = await last_time(self._address) or 0

    def reached(self, time_ns: int) -> bool:
        """Whether the last line was read. One before the start is not waited for."""
        since = (self._start.since_second or 0) * _SECOND
        wanted = self._last or 0
        return self._start.tail == 0 or wanted < since or time_ns >= wanted

    def forget(self) -> None:
        """Ask anew: the log may have become another."""
        self._last = None


async def last_time(address: LogAddress) -> int | None:
    """The time of the last line of a log, in nanoseconds; None if it has none."""
    head = b""
    async with address.library.open(address.connection, address.log, _LAST_LINE) as stream:
        async for chunk in stream.chunks():
            head += chunk[: STAMP_BYTES - len(head)]
            if len(head) == STAMP_BYTES:
                break
    return time_of(head)
