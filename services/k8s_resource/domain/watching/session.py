"""One watch stream, from its first event to its end.

Each target is first brought up to the present: by its whole state, or, for one that
resumes, by what it missed, from the cache's history or from the API server's. From then
on the stream reads the histories of its targets at its subscriber's own pace. Whoever
is slower than a history is long loses its place, and is told so.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from itertools import repeat

from prometheus_client import Counter

from services.common.errors import PodyardError, ResourceExhaustedError, UnavailableError
from services.common.paging import encode_token
from services.common.streams import BATCH_SECONDS, HEARTBEAT_SECONDS, LOAD_ITEMS
from services.k8s_resource.domain.cache.item import Change, Entry
from services.k8s_resource.domain.cache.kind_cache import NOWHERE, Position
from services.k8s_resource.domain.watching.coalescing import Coalescer
from services.k8s_resource.domain.watching.events import (
    EventBatch,
    EventEncoder,
    Notice,
    WatchOptions,
    WatchTarget,
)
from services.k8s_resource.domain.watching.feed import TargetFeed
from services.k8s_resource.domain.watching.missed_past import missed_past
from services.k8s_resource.domain.watching.present_state import PlaceLostError, present_state

_BATCH_BYTES = 64 * 1024
_ENTRIES = 1024
"""So many entries of a history are looked at in one go."""
_LOSSES = 5
"""Losing the place so often, without ever being up to date, means being too slow."""
_FIRST = "history before this connection is not known"
_LOST = "the changes since the resume token are not known any more"
_SLOW = "this subscriber read too slowly: the changes since its last event are not kept any more"

RELISTS = Counter(
    "podyard_watch_relists", "Times that a subscriber was given the whole state anew.", ["kind"]
)


class WatchSession:
    """Targets must be loaded. `positions` are those of a resume token, None without one."""

    def __init__(
        self,
        targets: Sequence[WatchTarget],
        encoder: EventEncoder,
        draining: asyncio.Event,
        query: bytes,
        positions: Sequence[Position] | None,
        options: WatchOptions,
    ) -> None:
        self._encoder = encoder
        self._draining = draining
        self._query = query
        self._positions = positions
        self._options = options
        self._wake = asyncio.Event()
        self._feeds = [TargetFeed(target, encoder, self._wake.set) for target in targets]
        self._coalescer = Coalescer(encoder) if options.coalesce else None
        self._sent_at = self._looked_at = time.monotonic()
        self._losses = 0
        # Events of late; they count less the longer ago.
        self._load = 0.0

    async def batches(self) -> AsyncGenerator[EventBatch, None]:
        """The stream; ends after its END event when the server drains or the time is over.

        Raises what ends it otherwise: UnavailableError when the cluster is not what it
        was, ResourceExhaustedError for a subscriber that never catches up.
        """
        drain = asyncio.create_task(self._draining.wait())
        drain.add_done_callback(lambda _: self._wake.set())
        try:
            for feed in self._feeds:
                feed.cache.subscribe(feed)
            self._check_loaded()
            async with aclosing(self._served()) as served:
                async for batch in served:
                    self._sent_at = time.monotonic()
                    yield batch
        finally:
            drain.cancel()
            for feed in self._feeds:
                feed.cache.unsubscribe(feed)

    async def _served(self) -> AsyncGenerator[EventBatch, None]:
        timeout = self._options.timeout
        deadline = None if timeout is None else time.monotonic() + timeout
        async with aclosing(self._beginning()) as beginning:
            async for batch in beginning:
                yield batch
                if self._draining.is_set():
                    yield self._batch([self._encoder.notice(Notice.DRAINING, 0)])
                    return
        while True:
            self._wake.clear()
            self._looked_at = time.monotonic()
            lost = self._lost()
            if lost:
                async for batch in self._relisted(lost):
                    yield batch
                continue
            events, more = self._next()
            self._load += max(1, len(events))
            if events:
                yield self._batch(events)
            if more:
                continue
            self._losses = 0
            for feed in self._feeds:
                if feed.error is not None:
                    raise feed.error
            marks = [mark for feed in self._feeds for mark in feed.marks()]
            if marks:
                yield self._batch(marks)
            if self._draining.is_set():
                yield self._batch([self._encoder.notice(Notice.DRAINING, 0)])
                return
            if deadline is not None and time.monotonic() >= deadline:
                yield self._batch([self._encoder.notice(Notice.TIMEOUT, 0)])
                return
            if not await self._news(deadline):
                yield self._batch([self._encoder.notice(Notice.HEARTBEAT, 0)])

    async def _news(self, deadline: float | None) -> bool:
        """Wait for something to do; False if a heartbeat is due.

        A few events are each told at once; under load, they wait a little for others to
        share their message.
        """
        heartbeat = self._sent_at + HEARTBEAT_SECONDS
        until = heartbeat if deadline is None else min(heartbeat, deadline)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(until - time.monotonic(), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
        now = time.monotonic()
        if now >= heartbeat:
            return False
        pause = self._looked_at + BATCH_SECONDS - now
        self._load *= max(0.0, pause / BATCH_SECONDS)
        if pause > 0 and self._load >= LOAD_ITEMS and not self._draining.is_set():
            await asyncio.sleep(pause)
        return True

    def _lost(self) -> list[TargetFeed]:
        """The targets that must be served anew."""
        if self._coalescer is not None:
            return self._coalescer.lost()
        return [feed for feed in self._feeds if feed.pending(1) is None]

    def _next(self) -> tuple[list[bytes], bool]:
        """A batch of events, and whether there are more; the positions move with them."""
        if self._coalescer is not None:
            return self._coalescer.take(_BATCH_BYTES)
        feeds = self._feeds
        events: list[bytes] = []
        size = 0
        passed: dict[TargetFeed, Entry] = {}
        for feed, entry in _in_order(feeds):
            passed[feed] = entry
            event = feed.event(entry)
            if event is not None:
                events.append(event)
                size += len(event)
                if size >= _BATCH_BYTES:
                    break
        for feed, entry in passed.items():
            feed.passed(entry)
        more = False
        for feed in feeds:
            if feed.pending(1) == []:
                feed.up_to_date()
            else:
                more = True
        return events, more

    async def _beginning(self) -> AsyncGenerator[EventBatch, None]:
        positions = self._positions
        for index, feed in enumerate(self._feeds):
            if positions is not None:
                async for batch in self._resumed(feed, positions[index]):
                    yield batch
            elif not self._options.skip_initial_state:
                async for batch in self._state(feed):
                    yield batch
            else:
                feed.up_to_date()
            self._begin_coalescing(feed)
        more = positions is not None
        while more and not self._lost():
            events, more = self._next()
            if events:
                yield self._batch(events)
        notice = Notice.SYNCED if positions is None else Notice.BOOKMARK
        yield self._batch([self._encoder.notice(notice, 0)])

    async def _resumed(self, feed: TargetFeed, since: Position) -> AsyncGenerator[EventBatch, None]:
        """Put the feed where the subscriber is, or serve it anew."""
        feed.position = since
        missed = feed.cache.entries_after(since)
        if missed is not None and not (
            self._encoder.view.needs_whole_objects and _without_whole_objects(missed)
        ):
            return
        if not since.version or not feed.cache.version:
            async for batch in self._anew(feed, _FIRST if since == NOWHERE else _LOST):
                yield batch
            return
        try:
            async with aclosing(missed_past(feed, self._encoder, since)) as past:
                async for events in past:
                    yield self._batch(events)
        except PodyardError as error:
            async for batch in self._anew(feed, f"{_LOST}: {error.message}"):
                yield batch

    async def _relisted(self, lost: Sequence[TargetFeed]) -> AsyncGenerator[EventBatch, None]:
        self._losses += 1
        if self._losses > _LOSSES:
            raise ResourceExhaustedError(
                "this subscriber is too slow for the changes of what it watches; resume with the "
                "last token, with selectors, a smaller view or coalescing",
                reason="SLOW_SUBSCRIBER",
                retry_after=1.0,
            )
        for feed in lost:
            same = feed.position.instance in (b"", feed.cache.position.instance)
            why = _SLOW if same else feed.cache.set_back or _FIRST
            async for batch in self._anew(feed, why):
                yield batch
            self._begin_coalescing(feed)

    async def _anew(self, feed: TargetFeed, why: str) -> AsyncGenerator[EventBatch, None]:
        """RELISTED, everything that is there now, SYNCED."""
        RELISTS.labels(feed.cache.kind.resource.full_name).inc()
        feed.position = NOWHERE
        yield self._batch([self._encoder.notice(Notice.RELISTED, feed.target.index, why)])
        async for batch in self._state(feed):
            yield batch
        yield self._batch([self._encoder.notice(Notice.SYNCED, feed.target.index)])

    async def _state(self, feed: TargetFeed) -> AsyncGenerator[EventBatch, None]:
        """Everything that is there now. A token from between leads to a new beginning."""
        if self._coalescer is not None:
            self._coalescer.stop(feed)
        try:
            for events in present_state(feed, self._encoder, _BATCH_BYTES):
                reached, feed.position = feed.position, NOWHERE
                batch = self._batch(events)
                feed.position = reached
                if events:
                    yield batch
                # A client that reads as fast as this writes must not keep others waiting.
                await asyncio.sleep(0)
        except PlaceLostError:
            async for batch in self._relisted([feed]):
                yield batch

    def _begin_coalescing(self, feed: TargetFeed) -> None:
        if self._coalescer is not None:
            self._coalescer.begin(feed)

    def _check_loaded(self) -> None:
        """A cache may have been given up while the others were waited for."""
        for feed in self._feeds:
            if not feed.cache.loaded:
                raise feed.cache.problem or UnavailableError(
                    "the cache was given up; connect again"
                )

    def _batch(self, events: list[bytes]) -> EventBatch:
        positions = [feed.position for feed in self._feeds]
        return EventBatch(events, encode_token(self._query, positions))


def _in_order(feeds: Sequence[TargetFeed]) -> Iterator[tuple[TargetFeed, Entry]]:
    """What comes next of all targets, in the order in which it came to this process."""
    if len(feeds) == 1:
        yield from zip(repeat(feeds[0]), feeds[0].pending(_ENTRIES) or ())
        return
    found = [feed.pending(_ENTRIES) or () for feed in feeds]
    # Beyond the end of a part of one history, its next entry may come before others'.
    ends = [entries[-1].sequence for entries in found if len(entries) == _ENTRIES]
    end = min(ends, default=None)
    pairs = [zip(repeat(feed), entries) for feed, entries in zip(feeds, found, strict=True)]
    for feed, entry in heapq.merge(*pairs, key=lambda pair: pair[1].sequence):
        if end is not None and entry.sequence > end:
            return
        yield feed, entry


def _without_whole_objects(entries: Sequence[Entry]) -> bool:
    """Whether some are of a time when whole objects were not asked for."""
    return any(isinstance(entry, Change) and entry.item.raw is None for entry in entries)
