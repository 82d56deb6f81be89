"""The Watch RPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from podyard.k8s_resource.v1 import watch_pb2 as pb

from services.k8s_resource.convert.watch import (
    WatchEventEncoder,
    encoded_batch,
    options_from_pb,
    targets_from_pb,
)
from services.k8s_resource.domain.watching.watches import Watches


class WatchServicer:
    """Answers are encoded messages, see `convert.wire`."""

    def __init__(self, watches: Watches) -> None:
        self._watches = watches

    async def Watch(self, request: pb.WatchRequest, _context: Any) -> AsyncIterator[bytes]:
        batches = self._watches.watch(
            request.cluster,
            targets_from_pb(request),
            WatchEventEncoder(request.view),
            request.resume_token,
            options_from_pb(request),
        )
        async with aclosing(batches):
            async for batch in batches:
                yield encoded_batch(batch)
