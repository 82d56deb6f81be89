"""One watch stream, from its first event to its end.

Each target is first brought up to the present: by its whole state, or, for one that
resumes, by what it missed, from the cache's history or from the API server's. From
then on events come through the outbox. A subscriber that cannot keep up is brought up
again the same way, at its own pace.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

from services.common.errors import PodyardError, ResourceExhaustedError, UnavailableError
from services.common.paging import encode_token
from services.common.streams import Batch, Outbox, Signal
from services.k8s_resource.domain.cache.item import Change
from services.k8s_resource.domain.cache.kind_cache import NOWHERE, KindCache, Position
from services.k8s_resource.domain.cache.replay import replay
from services.k8s_resource.domain.watching.events import (
    EventBatch,
    EventEncoder,
    Notice,
    View,
    WatchTarget,
)
from services.k8s_resource.domain.watching.feed import Entry, TargetFeed

_BATCH_BYTES = 64 * 1024
_OVERFLOWS = 20
"""So many in a row mean that the subscriber cannot keep up at all."""
_FIRST = "history before this connection is not known"
_LOST = "the changes since the resume token are not known any more"


class WatchSession:
    """Targets must be loaded. `positions` are those of a resume token, None without one."""

    def __init__(
        self,
        targets: Sequence[WatchTarget],
        encoder: EventEncoder,
        draining: asyncio.Event,
        query: bytes,
        positions: Sequence[Position] | None,
    ) -> None:
        self._encoder = encoder
        self._draining = draining
        self._query = query
        self._positions = positions
        self._outbox: Outbox[Entry] = Outbox()
        self._feeds = [TargetFeed(target, encoder, self._outbox) for target in targets]

    async def batches(self) -> AsyncGenerator[EventBatch, None]:
        """The stream; ends after its END event when the server drains.

        Raises what ends it otherwise: UnavailableError when the cluster is not what it
        was, ResourceExhaustedError for a subscriber that never catches up.
        """
        for feed in self._feeds:
            feed.target.watched.cache.subscribe(feed)
        try:
            self._check_loaded()
            async with aclosing(self._beginning()) as beginning:
                async for batch in beginning:
                    yield batch
                    if self._draining.is_set():
                        yield self._end()
                        return
            async with aclosing(self._live()) as live:
                async for batch in live:
                    yield batch
        finally:
            for feed in self._feeds:
                feed.target.watched.cache.unsubscribe(feed)

    async def _beginning(self) -> AsyncGenerator[EventBatch, None]:
        positions = self._positions
        for index, feed in enumerate(self._feeds):
            if positions is None:
                async for batch in self._state(feed):
                    yield batch
            else:
                async for batch in self._resume(feed, positions[index]):
                    yield batch
        notice = Notice.SYNCED if positions is None else Notice.BOOKMARK
        yield self._batch([self._encoder.notice(notice, 0), *self._connection_events()])

    async def _live(self) -> AsyncGenerator[EventBatch, None]:
        overflows = 0
        async with aclosing(self._outbox.batches(self._draining)) as taken:
            async for batch in taken:
                match batch.signal:
                    case Signal.ITEMS:
                        overflows = 0
                        async for sent in self._items(batch):
                            yield sent
                    case Signal.HEARTBEAT:
                        self._advance()
                        yield self._batch([self._encoder.notice(Notice.HEARTBEAT, 0)])
                    case Signal.OVERFLOW:
                        overflows += 1
                        if overflows > _OVERFLOWS:
                            raise ResourceExhaustedError(
                                "this subscriber is too slow for the changes of what it watches; "
                                "resume with the last token, with selectors or a smaller view",
                                reason="SLOW_SUBSCRIBER",
                                retry_after=1.0,
                            )
                        async for sent in self._caught_up():
                            yield sent
                    case Signal.DRAINING:
                        yield self._end()

    async def _items(self, batch: Batch[Entry]) -> AsyncGenerator[EventBatch, None]:
        # Nothing is pending at this moment, so once this batch is delivered the subscriber
        # has seen all that the caches have, also what its selectors left out.
        self._advance()
        lost = {feed for feed, epoch, event in batch.items if event is None and epoch == feed.epoch}
        events = [
            event
            for feed, epoch, event in batch.items
            if event is not None and epoch == feed.epoch and feed not in lost
        ]
        for feed in lost:
            feed.position = NOWHERE
        if events:
            yield self._batch(events)
        for feed in lost:
            async for sent in self._state(feed, feed.target.watched.cache.set_back):
                yield sent

    async def _caught_up(self) -> AsyncGenerator[EventBatch, None]:
        """After an overflow, which left nothing in the outbox."""
        self._outbox.reset()
        for feed in self._feeds:
            async for batch in self._resume(feed, feed.position):
                yield batch
        events = self._connection_events()
        if events:
            yield self._batch(events)

    async def _resume(self, feed: TargetFeed, since: Position) -> AsyncGenerator[EventBatch, None]:
        """What happened since a position, or RELISTED and the whole state."""
        cache = feed.target.watched.cache
        feed.begin()
        feed.position = since
        missed = self._missed(cache, since)
        if missed is not None:
            until = cache.position
            events: list[bytes] = []
            size = 0
            for change in missed:
                event = feed.encoded(change)
                if event is not None:
                    events.append(event)
                    size += len(event)
                feed.position = Position(since.instance, change.number, change.version)
                if size >= _BATCH_BYTES:
                    yield self._batch(events)
                    events, size = [], 0
            feed.position = until
            if events:
                yield self._batch(events)
            return
        if not since.version or not cache.version:
            async for batch in self._state(feed, _FIRST if since == NOWHERE else _LOST):
                yield batch
            return
        try:
            async with aclosing(self._replayed(feed, since)) as replayed:
                async for batch in replayed:
                    yield batch
        except PodyardError as error:
            async for batch in self._state(feed, f"{_LOST}: {error.message}"):
                yield batch

    async def _replayed(
        self, feed: TargetFeed, since: Position
    ) -> AsyncGenerator[EventBatch, None]:
        """What the API server still knows to have happened; NotReplayableError if not all."""
        target = feed.target
        cache = target.watched.cache
        if since.version > cache.version:
            # The token is of a process that was ahead of this one.
            await target.watched.source.catch_up()
        feed.begin()
        until = cache.position
        past = replay(
            target.api,
            cache.kind,
            since.version,
            until.version,
            namespace=target.selection.namespace,
            label_selector=str(target.selection.labels),
            field_selector=str(target.selection.fields),
            raw=self._encoder.view is View.FULL,
            receive_time=time.time(),
        )
        async with aclosing(past):
            async for changes in past:
                if changes:
                    feed.position = Position(b"", 0, changes[-1].version)
                    yield self._batch([self._encoder.change(target, c.type, c) for c in changes])
        feed.position = until

    async def _state(self, feed: TargetFeed, lost: str = "") -> AsyncGenerator[EventBatch, None]:
        """Everything that is there now; after RELISTED and before SYNCED if something was lost."""
        cache = feed.target.watched.cache
        feed.begin()
        items = feed.target.selection.of(cache.store)
        until = cache.position
        feed.position = NOWHERE
        events: list[bytes] = []
        size = 0
        if lost:
            events.append(self._encoder.notice(Notice.RELISTED, feed.target.index, lost))
        for item in items:
            event = self._encoder.state(feed.target, item)
            events.append(event)
            size += len(event)
            if size >= _BATCH_BYTES:
                yield self._batch(events)
                events, size = [], 0
                # A client that reads as fast as this writes must not keep others waiting.
                await asyncio.sleep(0)
        feed.position = until
        if lost:
            events.append(self._encoder.notice(Notice.SYNCED, feed.target.index))
        if events:
            yield self._batch(events)

    def _missed(self, cache: KindCache, since: Position) -> list[Change] | None:
        """Changes since a position; None if the cache cannot tell them as this stream needs."""
        missed = cache.changes_after(since)
        if missed and self._encoder.view is View.FULL:
            # Whole objects are kept only while they are asked for.
            return missed if all(change.item.raw is not None for change in missed) else None
        return missed

    def _check_loaded(self) -> None:
        """A cache may have been given up while the others were waited for."""
        for feed in self._feeds:
            cache = feed.target.watched.cache
            if not cache.loaded:
                raise cache.problem or UnavailableError("the cache was given up; connect again")

    def _advance(self) -> None:
        for feed in self._feeds:
            feed.position = feed.target.watched.cache.position
            feed.told_down = feed.down

    def _connection_events(self) -> list[bytes]:
        events = [feed.connection_event() for feed in self._feeds]
        return [event for event in events if event is not None]

    def _batch(self, events: Iterable[bytes]) -> EventBatch:
        positions = [feed.position for feed in self._feeds]
        return EventBatch(list(events), encode_token(self._query, positions))

    def _end(self) -> EventBatch:
        return self._batch([self._encoder.notice(Notice.DRAINING, 0)])
