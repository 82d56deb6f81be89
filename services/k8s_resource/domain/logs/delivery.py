"""Events on their way to one subscriber, within what it may cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from services.common.streams import Batch, Outbox
from services.k8s_resource.domain.logs.events import Mark, SourceLines
from services.k8s_resource.domain.logs.position import ContainerPosition

BUFFERED_BYTES = 128 * 1024
"""What waits for a subscriber that does not read. The message being sent and the connection
that it may have for itself come on top, within the 1 MiB that one subscriber may cost."""

_EVENT_BYTES = 512


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to the subscriber, and where the container stands after it."""

    event: Mark | SourceLines | None
    position: ContainerPosition | None = None
    forget_pod: str = ""

    @property
    def size(self) -> int:
        """About what it costs in memory, in bytes."""
        if isinstance(self.event, SourceLines):
            return self.event.lines.size + _EVENT_BYTES
        return _EVENT_BYTES


class Sink(Protocol):
    """Where the events of containers go."""

    async def deliver(self, delivery: Delivery) -> None:
        """Wait until there is room for it."""

    def offer(self, delivery: Delivery) -> bool:
        """Take it if there is room now; False if not."""


class Deliveries:
    """What waits for one subscriber."""

    def __init__(self) -> None:
        # Each message carries where all containers stand: lines that come within 20 ms share one.
        self._outbox: Outbox[Delivery] = Outbox(BUFFERED_BYTES, load_items=0)

    async def deliver(self, delivery: Delivery) -> None:
        """Wait until there is room for it."""
        await self._outbox.put_when_room(delivery, delivery.size)

    def offer(self, delivery: Delivery) -> bool:
        """Take it if there is room now; False if not."""
        return self._outbox.offer(delivery, delivery.size)

    def close(self, error: BaseException | None = None) -> None:
        """No more events: what waits is delivered, then the end or the error."""
        self._outbox.close(error)

    def batches(
        self, draining: asyncio.Event, hold: float = 0.0
    ) -> AsyncGenerator[Batch[Delivery], None]:
        """As `Outbox.batches`."""
        return self._outbox.batches(draining, hold)
