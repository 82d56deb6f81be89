"""Keeps a `KindCache` up to date from the API server: lists once, then watches.

The API's rules are those of "Efficient detection of changes" in Kubernetes' API
concepts: a watch goes on from the last resourceVersion seen; after 410 Gone only a new
list can tell what was missed.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable

import msgspec
from prometheus_client import Counter

from services.common.errors import (
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    PodyardError,
    UnavailableError,
    UnsupportedError,
)
from services.common.logs import get_logger
from services.k8s_resource.domain.api_status import ExpiredError
from services.k8s_resource.domain.cache.backoff import Backoff
from services.k8s_resource.domain.cache.decoding import KindDecoder, Line
from services.k8s_resource.domain.cache.definition import Definition, UnknownDefinition
from services.k8s_resource.domain.cache.item import ChangeType
from services.k8s_resource.domain.cache.kind_cache import KindCache
from services.k8s_resource.domain.cache.snapshots import SnapshotReader
from services.k8s_resource.domain.cache.source import until_loaded
from services.k8s_resource.domain.cache.watch_lines import watch_lines
from services.k8s_resource.domain.discovery_documents import is_served
from services.k8s_resource.domain.ports import KubeApi

_ABSENT_SECONDS = 3.0
"""How soon a kind that comes is noticed where its definition cannot be followed."""
_UNDEFINED_SECONDS = 60.0
"""Kinds come with their definitions, or, rarely, as those of an API server of their own."""
_TIMES_MISSING = 3
"""A restarting API server may not know its custom resources for a moment."""
_DENIED_SECONDS = 5.0
"""How soon a right that was granted is noticed."""
_PATIENCE_WITH_DENIALS_SECONDS = 15.0
"""A restarting API server refuses everybody until it has read its roles; a refusal that lasts
longer is meant."""
_SHORTEST_WATCH_SECONDS = 1.0
_CATCH_UP_SECONDS = 3
"""A watch with this limit gets a bookmark 2 s before its end."""
_CONVERGE_SECONDS = 3.0
"""How long a watch may take to tell what a list has shown; then it is connected anew."""
_ATTEMPTS = 3
_SMALL = 1000
"""Up to this size listing anew is quicker than waiting for a bookmark."""
_OLDEST_VERSION = re.compile(r"\((\d+)\)\s*$")
"""In "too old resource version: 5 (17)", 17 is the oldest that a watch can go on from."""

WATCH_EVENTS = Counter(
    "podyard_kube_watch_events", "Lines received by upstream watches, bookmarks included.", ["kind"]
)


class ListWatch:
    """The task that feeds one cache; a `source.Source`."""

    notes: tuple[str, ...] = ()

    def __init__(
        self,
        api: KubeApi,
        cache: KindCache,
        *,
        namespace: str = "",
        inactivity: float,
        definition: Definition | None = None,
    ) -> None:
        """`inactivity` in seconds: a watch without a byte for this long is taken for dead.

        An empty `namespace` means all.
        """
        self._api = api
        self._cache = cache
        self._path = cache.kind.resource.path(namespace)
        self._snapshots = SnapshotReader(api, cache.kind, self._path)
        self._definition = definition or UnknownDefinition()
        self._inactivity = inactivity
        self._decoder = KindDecoder(cache.kind, keep_raw=False)
        self._keep_raw = False
        self._backoff = Backoff()
        self._must_list = True
        self._lost = ""
        self._oldest = 0
        self._expiries = 0
        self._times_missing = 0
        self._denied_since: float | None = None
        self._scope: asyncio.Timeout | None = None
        self._kicked = asyncio.Event()
        self._fence = asyncio.Lock()
        self._completing = asyncio.Lock()
        self._received = WATCH_EVENTS.labels(cache.kind.resource.full_name)
        self._log = get_logger("cache").bind(kind=cache.kind.resource.full_name)

    async def run(self) -> None:
        """List and watch until cancelled; failures are told to the cache and outlived."""
        while True:
            try:
                await self._until_interrupted()
            except ExpiredError as error:
                self._log.info("watch expired", why=error.message)
                self._must_list = True
                self._lost = error.message
                self._oldest = _oldest_version(error)
                self._expiries += 1
                if self._expiries > 1:
                    await self._pause(self._backoff.pause())
            except NotFoundError as error:
                await self._missing(error)
            except PermissionDeniedError as error:
                if await self._denied(error):
                    return
            except UnsupportedError as error:
                self._cache.end(error)
                return
            except PodyardError as error:
                self._failed(error)
                await self._pause(self._backoff.pause())
            except Exception as error:  # noqa: BLE001 - nothing may end the task silently
                self._log.error("list-watch failed", exc_info=error)
                self._must_list = True
                self._failed(UnavailableError("reading the cluster failed; see the server's log"))
                await self._pause(self._backoff.pause())

    def kick(self) -> None:
        """Try at once instead of after the present pause."""
        self._kicked.set()

    async def ready(self) -> None:
        """Wait until the store is complete; the failure of the next attempt if it fails."""
        await until_loaded(self._cache, self.kick)

    async def keep_raw(self) -> None:
        """Keep whole objects from now on; returns when they are there.

        The watch goes on from where it is, so that nobody misses anything for it; what
        does not change meanwhile gets its whole form from a list beside it.
        """
        cache = self._cache
        if not self._keep_raw:
            self._keep_raw = True
            self._decoder = KindDecoder(cache.kind, keep_raw=True)
            self._reconnect()
        async with self._completing:
            while self._keep_raw and not (cache.has_raw or cache.absent):
                items, _ = await self._snapshots.read(self._decoder)
                cache.complete_raw(items)
                await self._await_cache(cache.check_raw)

    def drop_raw(self) -> None:
        """Keep whole objects no more."""
        self._keep_raw = False
        self._decoder = KindDecoder(self._cache.kind, keep_raw=False)
        self._cache.drop_raw()

    async def catch_up(self) -> None:
        """Return when the cache holds everything that was written before this call.

        Raises what keeps it from that: UnavailableError and the like. The cache changes
        by its watch alone: a list in its place would hide what happened one by one.
        """
        cache = self._cache
        present = await self._snapshots.present_version()
        if cache.known >= present:
            cache.confirm()
            return
        async with self._fence:
            if cache.absent:
                # The kind was installed since.
                self.kick()
                await self._await_cache(lambda: not cache.absent)
            if cache.known < present and len(cache.store) > _SMALL:
                await self._watch_until(present)
            for _ in range(_ATTEMPTS):
                if cache.known >= present:
                    return
                await self._converge()
        if cache.known < present:
            raise UnavailableError("the API server's watch is behind its lists; try again")

    async def _converge(self) -> None:
        """Return when the watch has told what a list shows, or some seconds later."""
        cache = self._cache
        items, version = await self._snapshots.read(KindDecoder(cache.kind, keep_raw=False))
        listed = {item.key: item.version for item in items}

        def agrees() -> bool:
            return cache.version >= version or not cache.lags_behind(listed, version)

        if await self._await_cache(agrees):
            cache.confirmed_up_to(version)
        else:
            self._reconnect()

    async def _await_cache(self, condition: Callable[[], bool]) -> bool:
        """Whether the cache comes to meet a condition in time."""
        if self._cache.problem is not None:
            self.kick()
        try:
            async with asyncio.timeout(_CONVERGE_SECONDS):
                while not condition():
                    await self._cache.pulse()
        except TimeoutError:
            return False
        return True

    def _reconnect(self) -> None:
        """Have the watch go on from where it is, on a new connection."""
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())
        self.kick()

    async def _until_interrupted(self) -> None:
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._scope = scope
                await self._list_and_watch()
        except TimeoutError:
            if not scope.expired():
                raise
        finally:
            self._scope = None

    async def _list_and_watch(self) -> None:
        if self._must_list:
            await self._list()
            self._must_list = False
        self._times_missing = 0
        started = time.monotonic()
        lines = await self._watch(self._cache.version)
        if not lines and time.monotonic() - started < _SHORTEST_WATCH_SECONDS:
            raise UnavailableError("the API server ended a watch at once")

    async def _list(self) -> None:
        """Fill the cache, or bring it up to where a watch can go on."""
        cache = self._cache
        raw, known = self._keep_raw, cache.version
        # What is as old as a watch can go back hides the least.
        at = self._oldest if self._oldest > known else 0
        items, version = await self._snapshots.read(self._decoder, at)
        if cache.loaded and version < known:
            self._log.warning("history set back", known=known, found=version)
            # As when a backup was restored.
            cache.restart("the cluster's history was set back")
        cache.replace(items, version, raw=raw, lost=self._lost or "the watch had to begin anew")
        if raw and not self._keep_raw:
            cache.drop_raw()
        self._lost = ""
        self._backoff.reset()

    async def _watch(self, version: int) -> int:
        """Watch until the server ends it; the number of lines received."""
        count = 0
        params = {
            "watch": True,
            "resourceVersion": version,
            "allowWatchBookmarks": True,
            # Ends on both sides at once, and spreads the reconnections of many kinds.
            "timeoutSeconds": random.randint(300, 600),  # noqa: S311
        }
        decoder = self._decoder
        async with self._api.stream(
            "GET",
            self._path,
            params=params,
            accept=decoder.accept(watch=True),
            inactivity=self._inactivity,
        ) as stream:
            if self._cache.problem is not None:
                self._log.info("connection restored")
            self._denied_since = None
            self._cache.connected()
            async for lines in watch_lines(stream, decoder):
                self._cache.confirm()
                for line in lines:
                    self._take(line, decoder)
                count += len(lines)
                self._received.inc(len(lines))
                self._backoff.reset()
                self._expiries = 0
        return count

    def _take(self, line: Line, decoder: KindDecoder) -> None:
        try:
            if line.type == "BOOKMARK":
                self._cache.bookmark(decoder.version(line.body))
            else:
                self._cache.apply(ChangeType(line.type), decoder.item(line.body))
        except (msgspec.DecodeError, ValueError) as error:
            self._must_list = True
            raise UnavailableError(f"the API server sent an unreadable event: {error}") from None

    async def _watch_until(self, version: int) -> None:
        """Bring the cache to `version` by a short second watch; perhaps not, see `_CATCH_UP_SECONDS`.

        Events that the main watch also brings are recognised by the cache.
        """
        params = {
            "watch": True,
            "resourceVersion": self._cache.version,
            "allowWatchBookmarks": True,
            "timeoutSeconds": _CATCH_UP_SECONDS,
        }
        try:
            async with self._api.stream(
                "GET",
                self._path,
                params=params,
                accept=self._decoder.accept(watch=True),
                inactivity=_CATCH_UP_SECONDS + 2,
            ) as stream:
                # A consistent read makes the API server ask etcd how far it is, and only
                # then does a quiet watch get a bookmark of that version.
                await self._snapshots.present_version()
                async for lines in watch_lines(stream, self._decoder):
                    for line in lines:
                        self._take(line, self._decoder)
                    if self._cache.known >= version:
                        return
        except (ExpiredError, InvalidArgumentError):
            return

    async def _missing(self, error: NotFoundError) -> None:
        """The API server has no such path."""
        self._times_missing += 1
        self._must_list = True
        defined = await self._definition.exists()
        if (
            self._cache.loaded
            and not self._cache.absent
            and defined is not False
            and self._times_missing < _TIMES_MISSING
        ):
            self._failed(error)
            await self._pause(self._backoff.pause())
            return
        self._cache.missing()
        if defined:
            # The API server begins to serve a kind a moment after it took its definition.
            await self._pause(min(self._backoff.pause(), _ABSENT_SECONDS))
            return
        self._backoff.reset()
        await self._until_defined(_ABSENT_SECONDS if defined is None else _UNDEFINED_SECONDS)

    async def _until_defined(self, seconds: float) -> None:
        """Wait until the kind's definition comes or changes, a kick, or so long."""
        following = asyncio.create_task(self._definition.changed())
        following.add_done_callback(lambda _: self.kick())
        try:
            await self._pause(seconds)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _denied(self, error: PermissionDeniedError) -> bool:
        """The API server does not let us; whether that ends this cache.

        Readers of what was loaded before are told once it is certain that the right was taken
        away. A kind that the cluster does not have is refused like any other.
        """
        if not self._cache.loaded:
            if not await is_served(self._api, self._cache.kind.resource):
                await self._missing(NotFoundError("kind", self._cache.kind.resource.full_name))
                return False
            if not isinstance(self._cache.problem, PermissionDeniedError):
                self._log.info("not allowed", why=error.message)
            self._cache.failed(error)
            await self._pause(_DENIED_SECONDS)
            return False
        now = time.monotonic()
        if self._denied_since is None:
            self._denied_since = now
        if now - self._denied_since >= _PATIENCE_WITH_DENIALS_SECONDS:
            self._cache.end(error)
            return True
        self._failed(error)
        await self._pause(self._backoff.pause())
        return False

    def _failed(self, error: PodyardError) -> None:
        if self._cache.problem is None:
            self._log.warning("connection lost", why=error.message)
        self._cache.failed(error)

    async def _pause(self, seconds: float) -> None:
        self._kicked.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._kicked.wait()
        except TimeoutError:
            return


def _oldest_version(error: ExpiredError) -> int:
    """From where on the API server could tell, 0 if it does not say."""
    found = _OLDEST_VERSION.search(error.message)
    return int(found[1]) if found else 0
