"""The union of the namespaces that may be read, as they come, break and go."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

import msgspec
import pytest

from services.common.errors import PermissionDeniedError, PodyardError, UnavailableError
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache import partial_source
from services.k8s_resource.domain.cache.decoding import KindDecoder
from services.k8s_resource.domain.cache.history import History
from services.k8s_resource.domain.cache.item import Change, ChangeType, Gap, Item
from services.k8s_resource.domain.cache.kind_cache import KindCache, MarkType
from services.k8s_resource.domain.cache.partial_cache import PartialCache
from services.k8s_resource.domain.cache.partial_source import WHOLE, PartialSource
from services.k8s_resource.domain.cache.source import Source, until_loaded
from services.k8s_resource.domain.forbidden import forbidden
from services.k8s_resource.domain.ports import KubeApi, KubeResponse

DENIED = forbidden(
    'pods is forbidden: User "u" cannot list resource "pods" in API group "" at the cluster scope'
)


def pod(namespace: str, name: str, version: int = 1) -> Item:
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": f"{namespace}/{name}",
        "resourceVersion": str(version),
    }
    return KindDecoder(kinds.POD, keep_raw=False).item(msgspec.json.encode({"metadata": metadata}))


class Followed:
    """A cache that a test fills."""

    notes = ()

    def __init__(self) -> None:
        self.cache = KindCache(kinds.POD, History(10, 1 << 20))
        self.source = cast(Source, self)

    @contextmanager
    def raw_wanted(self) -> Iterator[None]:
        yield

    def kick(self) -> None:
        """Nothing waits."""

    async def ready(self) -> None:
        await until_loaded(self.cache, self.kick)


class World:
    """Namespaces, and which of them may be read."""

    def __init__(self, *readable: str) -> None:
        self.readable = set(readable)
        self.followed: dict[str, Followed] = {}
        self.names: Sequence[str] = ("a", "b", "c")
        self.whole = Followed()
        self.whole.cache.failed(DENIED)
        self.cache = PartialCache(kinds.POD, History(100, 1 << 20))
        self.source = PartialSource(cast(KubeApi, self), self.cache, self, self.follow)
        self.told: list[str] = []
        self._more = asyncio.Event()

    def follow(self, namespace: str) -> Followed:
        if namespace == WHOLE:
            return self.whole
        if namespace not in self.followed or not self.followed[namespace].cache.loaded:
            made = self.followed[namespace] = Followed()
            made.cache.replace([pod(namespace, "first")], 1, raw=False)
        return self.followed[namespace]

    async def request(self, _method: str, _path: str, *, body: bytes, **_: Any) -> KubeResponse:
        name = json.loads(body)["spec"]["resourceAttributes"]["namespace"]
        allowed = {"status": {"allowed": name in self.readable}}
        return KubeResponse(201, {}, json.dumps(allowed).encode())

    async def known(self) -> tuple[Sequence[str], bool]:
        return self.names, True

    async def changed(self) -> None:
        await asyncio.Event().wait()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._more.clear()
                await self._more.wait()

    def tell(self, text: str) -> None:
        self.told.append(text)
        self._more.set()

    def names_held(self) -> list[str]:
        return [f"{namespace}/{name}" for namespace, name in self.cache.store.keys()]  # noqa: SIM118


class Listener:
    def __init__(self, world: World) -> None:
        self.world = world

    def changed(self, change: Change) -> None:
        self.world.tell(f"{change.type.value} {'/'.join(change.item.key)}")

    def marked(self, mark: MarkType, message: str) -> None:
        self.world.tell(mark.value)

    def reloaded(self) -> None:
        self.world.tell("reloaded")

    def ended(self, error: PodyardError) -> None:
        self.world.tell(f"ended {error.reason}")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_source, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(partial_source, "_REVIEW_SECONDS", 0.0)


@asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    task = asyncio.create_task(world.source.run())
    try:
        await world.source.ready()
        world.cache.subscribe(Listener(world))
        yield world
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert not any(each.cache.in_use for each in (*world.followed.values(), world.whole))


async def test_what_may_be_read_is_there_and_the_rest_is_noted() -> None:
    async with running(World("a", "b")) as world:
        assert world.names_held() == ["a/first", "b/first"]
        (note,) = world.source.notes
        assert note.startswith("pods: not included is what is in namespace c, which may not be")
        assert "bind user u to a ClusterRole" in note
        world.followed["a"].cache.apply(ChangeType.ADDED, pod("a", "second", 5))
        assert world.told == ["ADDED a/second"]
        world.readable.add("c")
        await world.until(lambda: "ADDED c/first" in world.told)
        assert world.source.notes == ()


async def test_where_nothing_may_be_read_that_is_the_answer() -> None:
    world = World()
    task = asyncio.create_task(world.source.run())
    with pytest.raises(PermissionDeniedError, match="namespaces a, b, c"):
        await world.source.ready()
    world.readable.add("b")
    await world.source.ready()
    assert world.names_held() == ["b/first"]
    task.cancel()
    await asyncio.wait({task})


async def test_a_right_that_is_taken_away_sets_the_view_back_and_the_last_one_ends_it() -> None:
    async with running(World("a", "b")) as world:
        before = world.cache.position
        world.readable.discard("a")
        world.followed["a"].cache.end(DENIED)
        await world.until(lambda: "reloaded" in world.told)
        # Nothing was deleted: it may not be seen any more.
        assert world.told == ["reloaded"]
        assert world.cache.set_back == "what may be read has changed"
        assert world.cache.entries_after(before) is None
        assert world.names_held() == ["b/first"]
        world.readable.clear()
        world.followed["b"].cache.end(DENIED)
        await world.until(lambda: "ended KUBERNETES_FORBIDDEN" in world.told)
        assert not world.cache.loaded
        world.readable.add("b")
        await world.source.ready()
        assert world.names_held() == ["b/first"]


async def test_the_whole_cluster_takes_the_place_of_its_namespaces() -> None:
    async with running(World("a")) as world:
        world.whole.cache.replace(
            [pod("a", "first"), pod("a", "second", 3), pod("z", "far", 2)], 9, raw=False
        )
        world.whole.cache.connected()
        await world.until(lambda: "ADDED z/far" in world.told)
        assert world.names_held() == ["a/first", "a/second", "z/far"]
        assert not [text for text in world.told if text.startswith(("DELETED", "MODIFIED"))]
        assert not world.followed["a"].cache.in_use
        # States between the two may have been passed over: that is told.
        entries = world.cache.history.after(0) or ()
        assert any(isinstance(entry, Gap) for entry in entries)
        world.whole.cache.end(DENIED)
        world.whole = Followed()
        world.whole.cache.failed(DENIED)
        await world.until(lambda: "reloaded" in world.told)
        assert world.names_held() == ["a/first"]


async def test_the_connection_is_lost_once_and_back_when_all_are() -> None:
    async with running(World("a", "b")) as world:
        a, b = world.followed["a"].cache, world.followed["b"].cache
        for cache in (a, b):
            cache.failed(UnavailableError("down"))
        await asyncio.sleep(0)
        assert world.told == ["DISCONNECTED"]
        freshness = world.cache.freshness()
        assert (freshness.stale, freshness.reason) == (True, "down")
        a.connected()
        assert world.told == ["DISCONNECTED"]
        b.connected()
        assert world.told == ["DISCONNECTED", "RECONNECTED"]
        assert world.cache.freshness().confirmed <= b.freshness().confirmed


async def test_a_gap_in_one_namespace_is_one_in_the_union_before_what_it_is_about() -> None:
    async with running(World("a", "b")) as world:
        start = world.cache.position
        world.followed["a"].cache.replace([pod("a", "other", 4)], 7, raw=False, lost="expired")
        entries = world.cache.entries_after(start) or ()
        assert [type(entry) for entry in entries] == [Gap, Change, Change]
        assert isinstance(entries[0], Gap)
        assert entries[0].reason == "expired"
        assert [text for text in world.told if "/" in text] == ["DELETED a/first", "ADDED a/other"]


async def test_a_namespace_that_is_gone_takes_its_objects_with_it() -> None:
    async with running(World("a", "b")) as world:
        world.names = ("b", "c")
        await world.until(lambda: "DELETED a/first" in world.told)
        assert world.names_held() == ["b/first"]
        assert not world.followed["a"].cache.in_use
