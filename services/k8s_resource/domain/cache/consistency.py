"""Consistent reads: answers that show everything written before the question.

One request lists what a selection chooses, names and versions only, as the API server
has it now (without a resourceVersion it answers no earlier than now: "Resource versions"
in Kubernetes' API concepts). What the cache has in the same versions is thereby proved to
be up to date; for the rest its watch is waited for, which usually brings it in
milliseconds. The version of the whole cache cannot tell: a watch hears of a version only
with an event of its own kind, or with a bookmark about once a minute.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace

import msgspec

from services.common.errors import NotFoundError, PermissionDeniedError, UnavailableError
from services.k8s_resource.domain.cache.clusters import WatchedKind
from services.k8s_resource.domain.cache.decoding import PARTIAL
from services.k8s_resource.domain.cache.item import Item, ItemKey
from services.k8s_resource.domain.cache.kind_cache import KindCache
from services.k8s_resource.domain.ports import KubeApi
from services.k8s_resource.domain.selection import EVERYTHING, Selection

_LIST_SECONDS = 60.0
_WATCH_SECONDS = 2.0
"""A watch that does not bring within this what the API server has is passed by: all is listed."""
_MOST_REQUESTS = 4
"""More namespaces than this are read by one list of all of them."""
_NEWEST = 2**63


class _Meta(msgspec.Struct, gc=False):
    name: str = ""
    namespace: str = ""
    resource_version: str = msgspec.field(default="", name="resourceVersion")


class _Stamp(msgspec.Struct, gc=False):
    metadata: _Meta


class _Stamps(msgspec.Struct):
    metadata: _Meta
    items: list[_Stamp] | None = None


_DECODER = msgspec.json.Decoder(_Stamps)


@dataclass
class _Check:
    """Callers with the same question; `begun` by the monotonic clock."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    callers: int = 0
    begun: float = -1.0
    version: int = 0


class ConsistentReads:
    """Brings caches up to the present. Callers at the same time share requests."""

    def __init__(self) -> None:
        self._checks: dict[tuple[KindCache, tuple[str, ...]], _Check] = {}

    async def catch_up(
        self, api: KubeApi, watched: WatchedKind, selection: Selection = EVERYTHING
    ) -> int:
        """Return when the cache shows what was written before this call and is selected.

        Gives the version as of which it does. Raises what keeps it from that:
        UnavailableError and the like.
        """
        asked = time.monotonic()
        # The API server knows no filters; without them more is checked, never less.
        selection = replace(selection, filters=())
        key = (watched.cache, selection.identity())
        check = self._checks.setdefault(key, _Check())
        check.callers += 1
        try:
            async with check.lock:
                if check.begun < asked:
                    begun = time.monotonic()
                    check.version = await _caught_up(api, watched, selection)
                    check.begun = begun
            return check.version
        finally:
            check.callers -= 1
            if not check.callers:
                del self._checks[key]


async def _caught_up(api: KubeApi, watched: WatchedKind, selection: Selection) -> int:
    cache = watched.cache
    try:
        present, version = await _present(api, cache, selection)
    except NotFoundError:
        # The kind is not served: nothing is there, as of any version.
        present, version = {}, _NEWEST
    except PermissionDeniedError:
        # Perhaps only some namespaces may be read; the source knows which.
        await watched.source.catch_up()
        return cache.version
    served = version != _NEWEST
    missing = _Missing(cache, selection, present, version, served)
    if missing:
        attempts = cache.attempts
        watched.source.kick()
        try:
            async with asyncio.timeout(_WATCH_SECONDS):
                while missing:
                    if cache.problem is not None and cache.attempts > attempts:
                        raise cache.problem.with_traceback(None)
                    await cache.pulse()
        except TimeoutError:
            if served:
                await watched.source.catch_up()
    cache.confirm()
    return max(cache.version, version) if served else cache.version


class _Missing:
    """What the cache does not show yet; false when that is nothing."""

    def __init__(
        self,
        cache: KindCache,
        selection: Selection,
        present: dict[ItemKey, int],
        version: int,
        served: bool,
    ) -> None:
        self._cache = cache
        self._served = served
        store = cache.store
        self._older = {
            key: found
            for key, found in present.items()
            if (item := store.get(key)) is None or item.version < found
        }
        self._gone: dict[ItemKey, Item] = {
            item.key: item
            for item in selection.of(store)
            if item.key not in present and item.version <= version
        }

    def __bool__(self) -> bool:
        store = self._cache.store
        if self._older:
            self._older = {
                key: version
                for key, version in self._older.items()
                if (item := store.get(key)) is None or item.version < version
            }
        if self._gone:
            self._gone = {key: item for key, item in self._gone.items() if store.get(key) is item}
        return bool(self._older or self._gone or (self._served and self._cache.absent))


async def _present(
    api: KubeApi, cache: KindCache, selection: Selection
) -> tuple[dict[ItemKey, int], int]:
    """Versions by key of what the API server has now, and the version of that answer."""
    params: dict[str, str | int | bool] = {}
    if selection.labels.requirements:
        params["labelSelector"] = str(selection.labels)
    if selection.fields.requirements:
        params["fieldSelector"] = str(selection.fields)
    namespaces = selection.namespaces if len(selection.namespaces) <= _MOST_REQUESTS else ()
    present: dict[ItemKey, int] = {}
    versions = []
    for namespace in namespaces or ("",):
        response = await api.request(
            "GET",
            cache.kind.resource.path(namespace),
            params=params,
            accept=PARTIAL.replace("{list}", "List"),
            timeout=_LIST_SECONDS,
        )
        try:
            stamps = _DECODER.decode(response.body)
            versions.append(int(stamps.metadata.resource_version))
            for each in stamps.items or ():
                meta = each.metadata
                present[(meta.namespace, meta.name)] = int(meta.resource_version)
        except (msgspec.DecodeError, ValueError) as error:
            raise UnavailableError(f"the API server sent an unreadable list: {error}") from None
    return present, min(versions)
