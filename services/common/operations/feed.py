"""Changes of operations, to everyone subscribed in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import timedelta

from services.common.errors import NotFoundError
from services.common.operations.ports import Mark, OperationEvent
from services.common.operations.store import Filter, OperationStore, position
from services.common.operations.table import StoredOperation, now
from services.common.streams import Batch, Outbox, Signal

_PAGE = 200
_CLOCK_DIFFERENCE = timedelta(minutes=5)  # between replicas; more only delivers a state twice
_BASE_BYTES = 512
_STEP_BYTES = 160


class _Resync:
    """Changes may have been missed."""


_Item = StoredOperation | _Resync


@dataclass(eq=False)
class _Subscriber:
    target: str
    operation_id: str
    outbox: Outbox[_Item] = field(default_factory=Outbox)

    def wants(self, stored: StoredOperation) -> bool:
        operation = stored.operation
        return (not self.target or operation.target == self.target) and (
            not self.operation_id or operation.id == self.operation_id
        )


class OperationFeed:
    """Delivers each change once to each subscriber; the store has what was before."""

    def __init__(self, store: OperationStore) -> None:
        self._store = store
        self._subscribers: set[_Subscriber] = set()

    def publish(self, stored: StoredOperation) -> None:
        """Tell of a change. A change told twice is delivered once."""
        for subscriber in self._subscribers:
            if subscriber.wants(stored):
                subscriber.outbox.put(stored, _size(stored))

    def resynchronise(self) -> None:
        """Give all subscribers the present states again: changes may have been missed."""
        for subscriber in self._subscribers:
            subscriber.outbox.put(_Resync(), _BASE_BYTES)

    async def subscribe(
        self, draining: asyncio.Event, *, target: str, operation_id: str
    ) -> AsyncGenerator[Batch[OperationEvent], None]:
        """See OperationEngine.subscribe."""
        subscriber = _Subscriber(target, operation_id)
        # Before the present states are read: what changes meanwhile is in the outbox.
        self._subscribers.add(subscriber)
        try:
            seen = _Seen()
            async with contextlib.aclosing(subscriber.outbox.batches(draining)) as changes:
                async for batch in self._present(subscriber, seen, draining):
                    yield batch
                while not (operation_id and seen.ended):
                    change = await anext(changes, None)
                    if change is None:
                        return
                    if change.signal is Signal.OVERFLOW or _resync_in(change):
                        subscriber.outbox.reset()
                        async for batch in self._present(subscriber, seen, draining):
                            yield batch
                    elif change.signal is Signal.ITEMS:
                        news = _news(change, seen)
                        if news:
                            yield Batch(Signal.ITEMS, news)
                    else:
                        yield Batch(change.signal, [])
            yield Batch(Signal.CLOSED, [])
        finally:
            self._subscribers.discard(subscriber)

    async def _present(
        self, subscriber: _Subscriber, seen: _Seen, draining: asyncio.Event
    ) -> AsyncGenerator[Batch[OperationEvent], None]:
        seen.restart()
        if subscriber.operation_id:
            stored = await self._store.get(subscriber.operation_id)
            if stored is None:
                raise NotFoundError("operation", subscriber.operation_id)
            seen.note(stored)
            yield Batch(Signal.ITEMS, [stored.operation, Mark.SYNCED])
            return
        after = None
        filter_ = Filter(target=subscriber.target)
        while not draining.is_set():
            page = await self._store.page(filter_, newest_first=False, after=after, limit=_PAGE)
            for stored in page:
                seen.note(stored)
            if len(page) < _PAGE:
                yield Batch(Signal.ITEMS, [*(stored.operation for stored in page), Mark.SYNCED])
                return
            yield Batch(Signal.ITEMS, [stored.operation for stored in page])
            after = position(page[-1])


class _Seen:
    """Revisions that a subscriber has, of operations that may still change."""

    def __init__(self) -> None:
        self._revisions: dict[str, int] = {}
        self._since = now()
        self.ended = False

    def restart(self) -> None:
        self._revisions.clear()
        self._since = now() - _CLOCK_DIFFERENCE

    def note(self, item: StoredOperation) -> bool:
        """Keep in mind that this is given; False if it, or something newer, was before."""
        operation = item.operation
        if self._revisions.get(operation.id, 0) >= item.revision:
            return False
        # What ended long ago cannot be in the outbox any more, and would fill the memory.
        if operation.end_time is None or operation.end_time >= self._since:
            self._revisions[operation.id] = item.revision
        self.ended = operation.state.terminal
        return True


def _news(batch: Batch[_Item], seen: _Seen) -> list[OperationEvent]:
    return [
        item.operation
        for item in batch.items
        if isinstance(item, StoredOperation) and seen.note(item)
    ]


def _resync_in(batch: Batch[_Item]) -> bool:
    return any(isinstance(item, _Resync) for item in batch.items)


def _size(stored: StoredOperation) -> int:
    operation = stored.operation
    text = sum(len(step.message) for step in operation.steps)
    return _BASE_BYTES + _STEP_BYTES * len(operation.steps) + text
