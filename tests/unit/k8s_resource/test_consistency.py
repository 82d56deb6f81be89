"""Consistent reads wait for what the API server has and the cache does not show, and only for that."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache import consistency
from services.k8s_resource.domain.cache.clusters import WatchedKind
from services.k8s_resource.domain.cache.consistency import ConsistentReads
from services.k8s_resource.domain.cache.decoding import KindDecoder
from services.k8s_resource.domain.cache.history import History
from services.k8s_resource.domain.cache.item import ChangeType, Item
from services.k8s_resource.domain.cache.kind_cache import KindCache
from services.k8s_resource.domain.ports import KubeResponse
from services.k8s_resource.domain.selection import EVERYTHING, parse_selection


def document(name: str, version: int) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "d", "uid": name, "resourceVersion": str(version)}
    return {"metadata": metadata}


def pod(name: str, version: int) -> Item:
    return KindDecoder(kinds.POD, keep_raw=False).item(msgspec.json.encode(document(name, version)))


class Server:
    """An API server that has these pods, at version 20; answers once it is let."""

    def __init__(self, **versions: int) -> None:
        self.versions = versions
        self.requests: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        self.answering = asyncio.Event()
        self.answering.set()

    async def request(self, method: str, path: str, **options: Any) -> KubeResponse:
        self.requests.append({"path": path, **options})
        items = [document(name, version) for name, version in self.versions.items()]
        self.asked.set()
        await self.answering.wait()
        body = {"metadata": {"resourceVersion": "20"}, "items": items}
        return KubeResponse(200, {}, msgspec.json.encode(body))


class Source:
    """A list-watch that does nothing, and counts how often all was listed."""

    def __init__(self) -> None:
        self.caught_up = 0

    def kick(self) -> None:
        pass

    async def catch_up(self) -> None:
        self.caught_up += 1


def caching(*items: Item) -> tuple[WatchedKind, Source]:
    cache = KindCache(kinds.POD, History(10, 1 << 20))
    cache.replace(items, 10, raw=False)
    source: Any = Source()
    task: Any = None
    return WatchedKind(cache, source, task, None), source


async def test_what_is_known_in_the_same_versions_is_not_waited_for() -> None:
    watched, source = caching(pod("a", 3), pod("b", 9))
    api: Any = Server(a=3, b=9)
    assert await ConsistentReads().catch_up(api, watched, EVERYTHING) == 20
    assert watched.cache.version == 10
    assert (len(api.requests), source.caught_up) == (1, 0)


async def test_new_changed_and_deleted_objects_are_waited_for_one_by_one() -> None:
    watched, source = caching(pod("changed", 3), pod("deleted", 4), pod("same", 5))
    api: Any = Server(changed=13, same=5, new=11)
    reading = asyncio.create_task(ConsistentReads().catch_up(api, watched, EVERYTHING))
    for type_, item in (
        (ChangeType.ADDED, pod("new", 11)),
        (ChangeType.DELETED, pod("deleted", 12)),
        (ChangeType.MODIFIED, pod("changed", 13)),
    ):
        for _ in range(10):
            await asyncio.sleep(0)
        assert not reading.done()
        watched.cache.apply(type_, item)
    assert await reading == 20
    assert source.caught_up == 0


async def test_only_the_selection_is_asked_for_and_compared() -> None:
    watched, source = caching(pod("a", 3), pod("b", 9))
    api: Any = Server(a=3)
    selection = parse_selection(
        kinds.POD, "d", "", "metadata.name=a", filters={"phases": ["Running"]}
    )
    await ConsistentReads().catch_up(api, watched, selection)
    assert source.caught_up == 0
    assert api.requests[0]["path"] == "/api/v1/namespaces/d/pods"
    assert api.requests[0]["params"] == {"fieldSelector": "metadata.name=a"}


async def test_callers_share_a_request_that_began_after_they_asked() -> None:
    watched, _ = caching(pod("a", 3))
    api: Any = Server(a=3)
    api.answering.clear()
    reads = ConsistentReads()
    first = asyncio.create_task(reads.catch_up(api, watched, EVERYTHING))
    await api.asked.wait()
    # Asked while the first request was under way, which may have been answered before.
    others = [asyncio.create_task(reads.catch_up(api, watched, EVERYTHING)) for _ in range(10)]
    await asyncio.sleep(0)
    api.answering.set()
    assert set(await asyncio.gather(first, *others)) == {20}
    assert len(api.requests) == 2


async def test_a_watch_that_brings_nothing_is_passed_by(monkeypatch: Any) -> None:
    monkeypatch.setattr(consistency, "_WATCH_SECONDS", 0.01)
    watched, source = caching(pod("a", 3))
    api: Any = Server(a=13)
    await ConsistentReads().catch_up(api, watched, EVERYTHING)
    assert source.caught_up == 1
