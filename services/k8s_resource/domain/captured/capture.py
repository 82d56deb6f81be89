"""Capturing: what the rules ask for is followed, cluster by cluster, and written to the store."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum

from services.common.errors import PodyardError
from services.common.logs import get_logger
from services.k8s_resource.domain.cache.clusters import ClusterCaches
from services.k8s_resource.domain.captured import measures
from services.k8s_resource.domain.captured.cluster_capture import ClusterCapture, first_error
from services.k8s_resource.domain.captured.records import StoreUnwritableError
from services.k8s_resource.domain.captured.retention import Retainer
from services.k8s_resource.domain.captured.rules import CaptureRule, RuleMatcher
from services.k8s_resource.domain.captured.store import CaptureStore
from services.k8s_resource.domain.captured.writer import CaptureWriter
from services.k8s_resource.domain.logs.feed_registry import FeedRegistry
from services.k8s_resource.domain.ports import Connections

_RETRY_SECONDS = 5.0
_LOOK_SECONDS = 1.0
_RETAIN_SECONDS = 30.0
"""Retention looks at every segment that is kept, so not all the time."""


class CaptureState(Enum):
    """What capture does; see CaptureState of the API."""

    ACTIVE = "active"
    PAUSED = "paused"
    OPENING = "opening"


@dataclass(frozen=True, slots=True)
class CaptureStatus:
    """Capture and its store; bytes, `max_bytes` 0 without limit."""

    state: CaptureState
    message: str = ""
    active: int = 0
    interrupted: int = 0
    stored_bytes: int = 0
    max_bytes: int = 0
    free_bytes: int = 0
    pending_uploads: int = 0
    upload_problem: str = ""


@dataclass(frozen=True)
class CaptureLimits:
    """Of the whole store: `max_bytes`, 0 for none, and `min_free_bytes`, which capture leaves
    free on its disk."""

    max_bytes: int = 0
    min_free_bytes: int = 0


class Capture:
    """Use within `running()`. `set_rules` says what to capture."""

    def __init__(
        self,
        connections: Connections,
        caches: ClusterCaches,
        feeds: FeedRegistry,
        store: CaptureStore,
        retainer: Retainer,
        limits: CaptureLimits,
    ) -> None:
        self._connections = connections
        self._caches = caches
        self._feeds = feeds
        self._store = store
        self._writer = CaptureWriter(store)
        self._retainer = retainer
        self._limits = limits
        self._rules: tuple[CaptureRule, ...] = ()
        self._changed = asyncio.Event()
        self._clusters: dict[str, ClusterCapture] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._problem = ""
        self._stopping = False
        self._log = get_logger("capture")

    def set_rules(self, rules: tuple[CaptureRule, ...]) -> None:
        """Capture by these rules from now on."""
        self._rules = rules
        self._changed.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Captures within; ends with everything written."""
        task = asyncio.create_task(self._run(), name="capture")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled() and (error := task.exception()) is not None:
                self._log.error("capture ended", exc_info=error)

    async def status(self) -> CaptureStatus:
        """How it goes."""
        if not self._store.opened.is_set():
            return CaptureStatus(
                CaptureState.OPENING, self._store.problem, max_bytes=self._limits.max_bytes
            )
        return CaptureStatus(
            CaptureState.PAUSED if self._problem else CaptureState.ACTIVE,
            self._problem,
            self._active,
            sum(cluster.interrupted for cluster in self._clusters.values()),
            self._store.catalogue.size,
            self._limits.max_bytes,
            await asyncio.to_thread(self._store.files.free_bytes),
        )

    def active_of(self, rule: str) -> int:
        """Containers being captured for a rule now."""
        return sum(cluster.active_of(rule) for cluster in self._clusters.values())

    @property
    def _active(self) -> int:
        return sum(cluster.active for cluster in self._clusters.values())

    async def _run(self) -> None:
        await self._store.opened.wait()
        try:
            while True:
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._follow_rules(group))
                        group.create_task(self._write())
                        group.create_task(self._look_after())
                except* StoreUnwritableError as errors:
                    self._pause(
                        f"logs cannot be stored: {first_error(errors)}; make room or mend the "
                        "folder, and capture goes on by itself where it stopped"
                    )
                except* Exception as errors:  # noqa: BLE001 - capture outlives its own faults
                    self._log.error("unexpected error in capture", exc_info=errors)
                    self._pause("an unexpected error, which the service's log shows")
                finally:
                    self._clusters.clear()
                    self._tasks.clear()
                    measures.CONTAINERS.set(0)
                # What was not written is read again, from what is stored on.
                self._writer.drop()
                self._store.go_on()
                await self._until_writable()
        finally:
            await self._write_rest()

    async def _write_rest(self) -> None:
        try:
            await self._writer.flush()
        except StoreUnwritableError as error:
            self._log.error("captured lines not written at the end", why=str(error))

    def _pause(self, why: str) -> None:
        self._problem = why
        measures.PAUSED.set(1)
        self._log.error("capture paused", why=why)

    async def _until_writable(self) -> None:
        while True:
            await asyncio.sleep(_RETRY_SECONDS)
            with contextlib.suppress(StoreUnwritableError):
                await self._retain()
                if await self._room_left():
                    break
        self._problem = ""
        measures.PAUSED.set(0)
        self._log.info("capture goes on")

    async def _room_left(self) -> bool:
        free = await asyncio.to_thread(self._store.files.free_bytes)
        return free >= self._limits.min_free_bytes

    # Following

    async def _follow_rules(self, group: asyncio.TaskGroup) -> None:
        while True:
            self._changed.clear()
            wanted = self._by_cluster()
            for name in list(self._tasks):
                if name not in wanted:
                    self._clusters.pop(name)
                    task = self._tasks.pop(name)
                    task.cancel()
                    # Who captures it next must find everything stored.
                    await asyncio.wait({task})
            for name, matchers in wanted.items():
                if name in self._clusters:
                    self._clusters[name].set_rules(matchers)
                else:
                    cluster = ClusterCapture(
                        name,
                        self._connections,
                        self._caches,
                        self._feeds,
                        self._store,
                        self._writer,
                        matchers,
                    )
                    self._clusters[name] = cluster
                    self._tasks[name] = group.create_task(cluster.run())
            await self._changed.wait()

    def _by_cluster(self) -> dict[str, list[RuleMatcher]]:
        wanted: dict[str, list[RuleMatcher]] = {}
        for rule in self._rules:
            if not rule.disabled:
                wanted.setdefault(self._cluster_of(rule), []).append(RuleMatcher(rule))
        return wanted

    def _cluster_of(self, rule: CaptureRule) -> str:
        if rule.cluster:
            return rule.cluster
        try:
            return self._connections.get("").name
        except PodyardError:
            return ""

    # Writing and looking after

    async def _write(self) -> None:
        while True:
            await self._writer.wait_for_work()
            await self._writer.flush()

    async def _look_after(self) -> None:
        """Sync, seal, let go of what is too old or too much."""
        synced = time.monotonic()
        retained = -_RETAIN_SECONDS
        while True:
            await asyncio.sleep(min(_LOOK_SECONDS, self._store.limits.sync_seconds))
            now = time.monotonic()
            if now - synced >= self._store.limits.sync_seconds:
                synced = now
                await self._store.sync()
                if not await self._room_left():
                    raise StoreUnwritableError(
                        f"less than {self._limits.min_free_bytes} bytes are free on its disk"
                    )
            for segment in self._store.due_for_sealing(now):
                await self._store.seal(segment)
            if now - retained >= _RETAIN_SECONDS:
                retained = now
                await self._retain()
            measures.CONTAINERS.set(self._active)

    async def _retain(self) -> None:
        await self._retainer.retain(self._rules, self._limits.max_bytes)
        measures.STORED_BYTES.set(self._store.catalogue.size)
