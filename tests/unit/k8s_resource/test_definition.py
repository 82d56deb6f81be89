"""Following the definition of a kind, to the end of what is followed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from services.common.errors import UnavailableError
from services.k8s_resource.domain.cache.clusters import CacheLimits, ClusterCaches
from services.k8s_resource.domain.cache.definition import WatchedDefinition
from services.k8s_resource.domain.cache.history import History
from services.k8s_resource.domain.cache.item import ChangeType, Item
from services.k8s_resource.domain.cache.kind_cache import KindCache
from services.k8s_resource.domain.kinds import DEFINITION, POD
from services.k8s_resource.domain.objects.metadata import MetadataOnly
from services.k8s_resource.domain.resources import RAY_CLUSTER


class Ready:
    """A source that has read everything."""

    async def ready(self) -> None:
        return


@dataclass
class Definitions:
    cache: KindCache
    source: Any
    asked: int = 0

    def __call__(self) -> Definitions:
        self.asked += 1
        return self


def definition(version: int, name: str = RAY_CLUSTER.full_name) -> Item:
    metadata = {"name": name, "uid": "u", "resourceVersion": str(version)}
    return Item(msgspec.convert({"metadata": metadata}, MetadataOnly), None)


@pytest.fixture
def definitions() -> Definitions:
    cache = KindCache(DEFINITION, History(16, 1 << 20))
    cache.replace([], 1, raw=False)
    return Definitions(cache, Ready())


async def test_a_definition_that_comes_changes_and_goes_is_told(definitions: Definitions) -> None:
    followed = WatchedDefinition(RAY_CLUSTER, definitions)
    cache = definitions.cache
    assert await followed.exists() is False
    changed = asyncio.create_task(followed.changed())
    await asyncio.sleep(0)
    cache.apply(ChangeType.ADDED, definition(2, "others.example.com"))
    await asyncio.sleep(0)
    assert not changed.done()
    cache.apply(ChangeType.ADDED, definition(3))
    await changed
    assert await followed.exists() is True
    # What happens between the question and the waiting is not missed.
    cache.apply(ChangeType.MODIFIED, definition(4))
    await followed.changed()
    assert await followed.exists() is True
    cache.apply(ChangeType.DELETED, definition(5))
    await followed.changed()
    assert await followed.exists() is False


async def test_the_end_of_what_is_followed_ends_the_following_and_starts_nothing(
    definitions: Definitions,
) -> None:
    followed = WatchedDefinition(RAY_CLUSTER, definitions)
    assert await followed.exists() is False
    changed = asyncio.create_task(followed.changed())
    await asyncio.sleep(0)
    definitions.cache.end(UnavailableError("the server is stopping"))
    await changed
    assert definitions.asked == 1
    assert await followed.exists() is None


async def test_caches_that_are_stopping_start_no_others() -> None:
    caches = ClusterCaches(_None(), CacheLimits())
    async with caches.running():
        pass
    with pytest.raises(UnavailableError, match="stopping"):
        caches.watched(_Connection(), POD)  # type: ignore[arg-type]


class _None:
    @property
    def problem(self) -> str:
        return ""

    def get(self, cluster: str) -> Any:
        raise NotImplementedError

    def list(self) -> list[Any]:
        return []


class _Connection:
    name = "c"
    server = "s"
    namespace = ""
    default = True
    api = None
