"""Who reads which container now, so that no log is read twice at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from services.k8s_resource.domain.logs.feed import Feed, FeedReader, Opening, Start, Upstream


@dataclass
class FeedRegistry:
    """The shared feeds of all clusters, by container."""

    _feeds: dict[tuple[str, ...], Feed] = field(default_factory=dict)
    _openings: dict[str, Opening] = field(default_factory=dict)

    @asynccontextmanager
    async def open(
        self, key: tuple[str, ...], start: Start, upstream: Upstream, wake: asyncio.Event
    ) -> AsyncIterator[FeedReader]:
        """A reader from `start` on: of the shared feed of `key` if it began there too, else of a
        new feed, which becomes the shared one if there is none. `key` begins with the cluster."""
        shared = self._feeds.get(key)
        if (
            shared is not None
            and not shared.ended
            and shared.start == start
            and shared.may_be_read_from_its_start()
        ):
            feed = shared
        else:
            feed = Feed(upstream, start, self._openings.setdefault(key[0], Opening()))
            if start.follow and (shared is None or shared.ended):
                self._feeds[key] = feed
            feed.open()
        async with self._use(key, feed.reader(wake=wake)) as reader:
            yield reader

    def shares(self, key: tuple[str, ...], reader: FeedReader) -> bool:
        """Whether the reader's feed is the shared one."""
        return self._feeds.get(key) is reader.feed

    def find(
        self, key: tuple[str, ...], current: FeedReader, time: int, text: str
    ) -> FeedReader | None:
        """A reader of the shared feed, just after a line; None if it cannot be joined there.

        Give it to `use`.
        """
        shared = self._feeds.get(key)
        if shared is None or shared is current.feed or shared.ended:
            return None
        return shared.find(time, text, current.wake)

    def use(
        self, key: tuple[str, ...], reader: FeedReader
    ) -> AbstractAsyncContextManager[FeedReader]:
        """Keep the feed of a reader from `find` open."""
        return self._use(key, reader)

    @asynccontextmanager
    async def _use(self, key: tuple[str, ...], reader: FeedReader) -> AsyncIterator[FeedReader]:
        feed = reader.feed
        try:
            yield reader
        finally:
            reader.leave()
            if feed.unused:
                if self._feeds.get(key) is feed:
                    del self._feeds[key]
                await feed.close()
