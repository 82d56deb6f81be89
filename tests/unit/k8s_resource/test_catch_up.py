"""Catching up with what was just written, whatever happens beside it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.kind_cache import KindCache
from services.k8s_resource.domain.cache.list_watch import ListWatch
from services.k8s_resource.domain.ports import KubeResponse


class SlowLists:
    """An API server at version 12 whose first list is answered when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    async def request(self, method: str, path: str, **options: Any) -> KubeResponse:
        if options["params"]["limit"] > 1:
            self.asked.set()
            await self.answer.wait()
        metadata = {"name": "new", "namespace": "d", "uid": "u", "resourceVersion": "12"}
        body = {"metadata": {"resourceVersion": "12"}, "items": [{"metadata": metadata}]}
        return KubeResponse(200, {}, msgspec.json.encode(body))


async def test_what_was_written_is_there_although_whole_objects_were_asked_for_meanwhile() -> None:
    api: Any = SlowLists()
    cache = KindCache(kinds.POD, 10)
    cache.replace([], 10, raw=False)
    source = ListWatch(api, cache, inactivity=60)
    catching_up = asyncio.create_task(source.catch_up())
    await api.asked.wait()
    keeping = asyncio.create_task(source.keep_raw())
    await asyncio.sleep(0)
    api.answer.set()
    async with asyncio.timeout(5):
        await catching_up
    assert [item.key for item in cache.store.items()] == [("d", "new")]
    keeping.cancel()
    await asyncio.wait({keeping})
