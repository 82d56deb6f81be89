"""Catching up with what was just written hides nothing that the watch is about to tell."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.decoding import KindDecoder
from services.k8s_resource.domain.cache.history import History
from services.k8s_resource.domain.cache.item import ChangeType, Item
from services.k8s_resource.domain.cache.kind_cache import KindCache
from services.k8s_resource.domain.cache.list_watch import ListWatch
from services.k8s_resource.domain.ports import KubeResponse


class Lists:
    """An API server at version 13 with the pod "new" of version 12, without watches."""

    def __init__(self) -> None:
        self.listed = asyncio.Event()

    async def request(self, method: str, path: str, **options: Any) -> KubeResponse:
        if options["params"]["limit"] > 1:
            self.listed.set()
        body = {"metadata": {"resourceVersion": "13"}, "items": [document("new", 12)]}
        return KubeResponse(200, {}, msgspec.json.encode(body))


def document(name: str, version: int) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "d", "uid": name, "resourceVersion": str(version)}
    return {"metadata": metadata}


def pod(name: str, version: int, *, raw: bool = False) -> Item:
    return KindDecoder(kinds.POD, keep_raw=raw).item(msgspec.json.encode(document(name, version)))


def watched(*items: Item) -> tuple[KindCache, ListWatch, Lists]:
    cache = KindCache(kinds.POD, History(10, 1 << 20))
    cache.replace(items, 10, raw=False)
    api: Any = Lists()
    return cache, ListWatch(api, cache, inactivity=60), api


def told(cache: KindCache) -> list[tuple[str, int]]:
    return [(change.type.value, change.item.version) for change in cache.history.changes()]


async def test_a_reader_waits_until_the_watch_has_told_what_a_list_shows() -> None:
    cache, source, api = watched(pod("old", 5))
    catching_up = asyncio.create_task(source.catch_up())
    await api.listed.wait()
    for type_, item in (
        (ChangeType.ADDED, pod("new", 11)),
        (ChangeType.MODIFIED, pod("new", 12)),
    ):
        await asyncio.sleep(0)
        assert not catching_up.done()
        cache.apply(type_, item)
    assert not catching_up.done()
    # The list has it no more: its removal is still to be told.
    cache.apply(ChangeType.DELETED, pod("old", 13))
    async with asyncio.timeout(5):
        await catching_up
    assert told(cache) == [("ADDED", 11), ("MODIFIED", 12), ("DELETED", 13)]


async def test_a_reader_needs_no_watch_where_a_list_shows_nothing_new() -> None:
    cache, source, _ = watched(pod("new", 12))
    async with asyncio.timeout(5):
        await source.catch_up()
    assert cache.freshness().version == 13
    # Not up to where the watch has told everything: it may still tell of what came and went.
    assert cache.position.version == 10
    cache.apply(ChangeType.ADDED, pod("passing", 11))
    cache.apply(ChangeType.DELETED, pod("passing", 12))
    assert told(cache) == [("ADDED", 11), ("DELETED", 12)]
    assert cache.freshness().version == 12


async def test_whole_objects_come_from_a_list_and_from_the_watch_together() -> None:
    cache, source, api = watched(pod("new", 11))
    keeping = asyncio.create_task(source.keep_raw())
    await api.listed.wait()
    await asyncio.sleep(0)
    assert not keeping.done()
    cache.apply(ChangeType.MODIFIED, pod("new", 12, raw=True))
    async with asyncio.timeout(5):
        await keeping
    assert cache.has_raw
    assert told(cache) == [("MODIFIED", 12)]


def test_what_differs_from_a_list_is_behind_it_only_where_it_is_older() -> None:
    cache, _, _ = watched(pod("same", 5), pod("older", 6), pod("gone", 7))
    cache.apply(ChangeType.ADDED, pod("newer", 20))
    listed = {("d", "same"): 5, ("d", "older"): 8, ("d", "newer"): 9, ("d", "missing"): 9}
    behind = cache.lags_behind(listed, 10)
    assert behind == {("d", "older"), ("d", "gone"), ("d", "missing")}
