"""What a subscriber missed that comes from another server, as the API server tells it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from services.k8s_resource.domain.cache.kind_cache import Position
from services.k8s_resource.domain.cache.replay import NotReplayableError, replay
from services.k8s_resource.domain.watching.events import EventEncoder
from services.k8s_resource.domain.watching.feed import TargetFeed


async def missed_past(
    feed: TargetFeed, encoder: EventEncoder, since: Position
) -> AsyncGenerator[list[bytes], None]:
    """The events after version `since`; the feed is then in place for what follows.

    NotReplayableError if the API server cannot tell them all, and what keeps it from
    answering.
    """
    target, cache = feed.target, feed.cache
    if since.version > cache.known:
        # The other server was ahead of this one.
        await target.watched.source.catch_up()
        if since.version > cache.known:
            raise NotReplayableError("the cluster's history was set back")
    until = cache.position
    if since.version >= until.version:
        feed.floor = since.version
        feed.position = Position(until.instance, until.number, since.version)
        return
    past = replay(
        target.api,
        cache.kind,
        since.version,
        until.version,
        namespace=target.selection.namespace,
        label_selector=str(target.selection.labels),
        field_selector=str(target.selection.fields),
        raw=encoder.view.needs_whole_objects,
        receive_time=time.time(),
    )
    async with aclosing(past):
        async for changes in past:
            if changes:
                feed.position = Position(b"", 0, changes[-1].version)
                yield [encoder.change(target, c.type, c) for c in changes]
    feed.position = until
