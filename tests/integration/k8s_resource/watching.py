"""A watcher that keeps what it was sent, as a careful client would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from podyard.k8s_resource.v1 import watch_pb2 as pb

ADDED = pb.WATCH_EVENT_TYPE_ADDED
MODIFIED = pb.WATCH_EVENT_TYPE_MODIFIED
DELETED = pb.WATCH_EVENT_TYPE_DELETED
SYNCED = pb.WATCH_EVENT_TYPE_SYNCED
RELISTED = pb.WATCH_EVENT_TYPE_RELISTED
DISCONNECTED = pb.WATCH_EVENT_TYPE_DISCONNECTED
RECONNECTED = pb.WATCH_EVENT_TYPE_RECONNECTED
END = pb.WATCH_EVENT_TYPE_END


class Watcher:
    """Applies events to a copy of the state and refuses whatever a correct stream cannot hold."""

    def __init__(self) -> None:
        self.events: list[pb.WatchEvent] = []
        self.state: dict[tuple[int, str, str], int] = {}
        self.token = ""
        self.view: dict[tuple[int, str, str], pb.WatchEvent] = {}
        self._more = asyncio.Event()

    def take(self, response: pb.WatchResponse) -> None:
        assert response.events, "a batch is never empty"
        assert response.resume_token
        for event in response.events:
            self._take(event)
        self.token = response.resume_token
        self._more.set()

    def _take(self, event: pb.WatchEvent) -> None:
        self.events.append(event)
        key = (event.target, event.ref.namespace, event.ref.name)
        version = int(event.ref.resource_version or 0)
        if event.type == ADDED:
            assert key not in self.state, f"{key} was added twice"
            self.state[key] = version
        elif event.type == MODIFIED:
            assert self.state[key] < version, f"{key} went back or was told twice"
            self.state[key] = version
        elif event.type == DELETED:
            assert self.state.pop(key) <= version, f"{key} was deleted at an older version"
        elif event.type == RELISTED:
            for known in [known for known in self.state if known[0] == event.target]:
                del self.state[known]
        if event.ref.name:
            self.view[key] = event

    def names(self, target: int = 0) -> list[str]:
        """Names of the present objects of a target."""
        return sorted(name for index, _, name in self.state if index == target)

    def types(self) -> list[str]:
        """All events in short."""
        return [
            pb.WatchEventType.Name(e.type).removeprefix("WATCH_EVENT_TYPE_")
            + (f" {e.ref.name}" if e.ref.name else "")
            for e in self.events
        ]

    def has(self, type_: int) -> bool:
        """Whether an event of that type came."""
        return any(event.type == type_ for event in self.events)

    async def until(self, condition: Callable[[], bool], timeout: float = 90.0) -> None:
        """Wait until what came meets a condition."""
        try:
            async with asyncio.timeout(timeout):
                while not condition():
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"did not come; came: {self.types()[-40:]}") from None

    async def synced(self) -> None:
        """Wait for the present state."""
        await self.until(lambda: self.has(SYNCED))


@asynccontextmanager
async def watching(
    stub: Any, watcher: Watcher | None = None, **request: Any
) -> AsyncIterator[Watcher]:
    """Watch within; with a watcher that was used before, from its token."""
    watcher = watcher or Watcher()
    call = stub.Watch(pb.WatchRequest(resume_token=watcher.token, **request))

    async def read() -> None:
        async for response in call:
            watcher.take(response)

    task = asyncio.create_task(read())
    failed = asyncio.create_task(_wake_on_end(task, watcher))
    try:
        yield watcher
        if task.done():
            await task
    finally:
        call.cancel()
        task.cancel()
        await asyncio.gather(task, failed, return_exceptions=True)


async def _wake_on_end(task: asyncio.Task[None], watcher: Watcher) -> None:
    await asyncio.wait({task})
    watcher._more.set()
