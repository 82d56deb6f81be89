"""Delivery to one subscriber of a stream: bounded, batched, with heartbeats.

A producer puts items into an `Outbox`; the stream's handler takes batches out.
When the subscriber falls too far behind, the outbox overflows: it then holds
nothing and the handler must resynchronise the subscriber or end the stream.
Nothing is dropped without that.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")

HEARTBEAT_SECONDS = 15.0
"""Load balancers cut connections that are idle for 60 s."""

BATCH_SECONDS = 0.02
"""Under load, the longest time an event waits for others to share its message."""

LOAD_ITEMS = 4
"""So many events within `BATCH_SECONDS` are load. Where fewer come, each is sent at once."""

ENOUGH_BYTES = 256 * 1024
"""So much fills a message well: it does not wait for more."""

MAX_BUFFERED_BYTES = 1024 * 1024
"""What one slow subscriber may cost."""


class Signal(Enum):
    """Why a batch was taken."""

    ITEMS = "items"
    HEARTBEAT = "heartbeat"
    OVERFLOW = "overflow"
    DRAINING = "draining"
    CLOSED = "closed"


@dataclass(slots=True)
class Batch(Generic[T]):
    """What a handler does next: send `items`, or act on `signal`."""

    signal: Signal
    items: list[T]


class Outbox(Generic[T]):
    """A bounded buffer between one producer side and one consumer, in one event loop."""

    def __init__(self, max_bytes: int = MAX_BUFFERED_BYTES, load_items: int = LOAD_ITEMS) -> None:
        self._items: list[T] = []
        self._bytes = 0
        self._first_came = -math.inf
        self._max_bytes = max_bytes
        self._load_items = load_items
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._enough = asyncio.Event()
        self._closed = False
        self._error: BaseException | None = None
        self.overflowed = False

    def put(self, item: T, size: int) -> bool:
        """Add an item of about `size` bytes; False if the outbox is full or has overflowed.

        An item larger than the limit is accepted into an empty outbox.
        """
        if self.overflowed or self._closed:
            return False
        if self._items and self._bytes + size > self._max_bytes:
            self.overflowed = True
            self._items.clear()
            self._bytes = 0
            self._wake.set()
            return False
        if not self._items:
            self._first_came = time.monotonic()
        self._items.append(item)
        self._bytes += size
        self._wake.set()
        if self._bytes >= ENOUGH_BYTES:
            self._enough.set()
        return True

    def offer(self, item: T, size: int) -> bool:
        """As `put`, but False, and nothing else, if there is no room now."""
        if self._items and self._bytes + size > self._max_bytes:
            return False
        return self.put(item, size)

    async def put_when_room(self, item: T, size: int) -> bool:
        """As `put`, but waits until the consumer has made room; False only once closed."""
        while self._items and self._bytes + size > self._max_bytes and not self._closed:
            self._enough.set()  # A full outbox does not wait for more.
            self._room.clear()
            await self._room.wait()
        return self.put(item, size)

    def reset(self) -> None:
        """Empty the outbox and end its overflow; the consumer is being resynchronised."""
        self._items.clear()
        self._bytes = 0
        self.overflowed = False

    def close(self, error: BaseException | None = None) -> None:
        """No more items: what is buffered is delivered, then CLOSED or `error`."""
        self._closed = True
        self._error = error
        self._wake.set()
        self._room.set()

    async def batches(
        self, draining: asyncio.Event, hold: float = 0.0
    ) -> AsyncGenerator[Batch[T], None]:
        """Batches for the consumer: at once while few come, under load every 20 ms or 256 KiB.

        With `hold`, in seconds, each waits so long for more after its first item. None waits
        while a producer waits for room.
        """
        last_sent = -math.inf
        sent = 0.0  # items sent of late; they count less the longer ago
        loop = asyncio.get_running_loop()
        drain = asyncio.create_task(draining.wait())
        drain.add_done_callback(lambda _: self._wake.set())
        try:
            while True:
                if not await self._anything(drain, HEARTBEAT_SECONDS):
                    yield Batch(Signal.HEARTBEAT, [])
                    continue
                now = time.monotonic()
                pause = last_sent + BATCH_SECONDS - now
                sent *= max(0.0, pause / BATCH_SECONDS)
                if sent < self._load_items:
                    pause = 0.0
                pause = max(pause, self._first_came + hold - now)
                if pause > 0 and not (self.overflowed or self._closed or drain.done()):
                    timer = loop.call_later(pause, self._enough.set)
                    await self._enough.wait()
                    timer.cancel()
                self._enough.clear()
                if self.overflowed:
                    yield Batch(Signal.OVERFLOW, [])
                    continue
                if self._items:
                    items, self._items, self._bytes = self._items, [], 0
                    self._room.set()
                    sent += len(items)
                    yield Batch(Signal.ITEMS, items)
                    last_sent = time.monotonic()
                elif self._closed:
                    if self._error is not None:
                        raise self._error
                    yield Batch(Signal.CLOSED, [])
                    return
                if drain.done():
                    yield Batch(Signal.DRAINING, [])
                    return
        finally:
            drain.cancel()

    async def _anything(self, drain: asyncio.Task[bool], timeout: float) -> bool:
        """Wait for something to do; False if nothing came within `timeout` seconds."""
        if self._items or self.overflowed or self._closed or drain.done():
            return True
        self._wake.clear()
        try:
            async with asyncio.timeout(timeout):
                return await self._wake.wait()
        except TimeoutError:
            return False
