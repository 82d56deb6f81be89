"""Captured logs as a whole: the rules, the store and the capture, or none of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from services.common.errors import NotFoundError, PodyardError, UnavailableError
from services.common.logs import get_logger
from services.k8s_resource.domain.cache.clusters import ClusterCaches
from services.k8s_resource.domain.captured import listing
from services.k8s_resource.domain.captured.capture import (
    Capture,
    CaptureLimits,
    CaptureState,
    CaptureStatus,
)
from services.k8s_resource.domain.captured.listing import Deletion, LogPage, LogQuery
from services.k8s_resource.domain.captured.reading import StoreArchive
from services.k8s_resource.domain.captured.records import Copies, SegmentFiles
from services.k8s_resource.domain.captured.retention import Retainer
from services.k8s_resource.domain.captured.rule_book import CaptureOffError, RuleBook, RuleStore
from services.k8s_resource.domain.captured.rules import CaptureRule
from services.k8s_resource.domain.captured.store import CaptureStore, StoreLimits
from services.k8s_resource.domain.captured.uploads import Uploader
from services.k8s_resource.domain.logs.feed_registry import FeedRegistry
from services.k8s_resource.domain.ports import Connections

_OPENING_SECONDS = 5.0


class CapturedLogs:
    """Use within `running()`. Without a state folder `rules` and what is stored refuse calls,
    saying what to set."""

    def __init__(
        self,
        connections: Connections,
        caches: ClusterCaches,
        feeds: FeedRegistry,
        *,
        rules: RuleStore | None,
        files: SegmentFiles | None,
        limits: CaptureLimits,
        store_limits: StoreLimits,
        seed: tuple[Sequence[CaptureRule], str] | None = None,
        copies: Copies | None = None,
        local_bytes: int = 0,
    ) -> None:
        """`local_bytes` is what may stay on the local disk of segments that `copies` has."""
        self._connections = connections
        self._seed = seed
        self.store = CaptureStore(files, store_limits) if files is not None else None
        self._capture = (
            Capture(connections, caches, feeds, self.store, Retainer(self.store), limits)
            if self.store is not None
            else None
        )
        self._uploader = (
            Uploader(self.store, copies, local_bytes)
            if self.store is not None and copies is not None
            else None
        )
        self.archive = StoreArchive(self.store) if self.store is not None else None
        """What is kept, for readers of logs."""
        self.rules = RuleBook(rules, lambda name: connections.get(name).name, self._rules_changed)
        """Calls are refused until the rules are read, and while another process has them."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Captures within."""
        if self.store is None or self._capture is None:
            yield
            return
        async with self.store.running():
            tasks = [asyncio.create_task(self._load_rules(self.store), name="capture rules")]
            if self._uploader is not None:
                tasks.append(asyncio.create_task(self._uploader.run(), name="capture uploads"))
            try:
                async with self._capture.running():
                    # Other calls need not wait for a large store.
                    await asyncio.wait(tasks[:1], timeout=_OPENING_SECONDS)
                    yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)

    async def _load_rules(self, store: CaptureStore) -> None:
        """Read the rules once the folder is this process's own."""
        await store.opened.wait()
        try:
            await self.rules.load()
            if self._seed is not None:
                await self.rules.seed(*self._seed)
        except PodyardError as error:
            get_logger("capture").error("nothing is captured", why=error.message)

    async def status(self) -> CaptureStatus:
        """What capture does."""
        if self._capture is None:
            return CaptureStatus(CaptureState.OPENING)
        status = await self._capture.status()
        if self._uploader is None:
            return status
        return replace(
            status,
            pending_uploads=self._uploader.pending,
            upload_problem=self._uploader.problem,
        )

    async def check(self) -> None:
        """Returns while logs are captured as the rules say; UnavailableError with why not."""
        status = await self.status()
        if status.state is not CaptureState.ACTIVE:
            raise UnavailableError(status.message or "the captured logs are being opened")
        if status.upload_problem:
            raise UnavailableError(f"logs are captured, and not copied: {status.upload_problem}")

    def cluster(self, name: str) -> str:
        """The name of a cluster; a captured one may be named that no longer exists."""
        try:
            return self._connections.get(name).name
        except NotFoundError:
            if name and any(key.cluster == name for key in self._store.needed().pods):
                return name
            raise

    def figures_of(self, rule: str) -> tuple[int, int]:
        """Containers that are captured for a rule now, and bytes that it keeps."""
        if self.store is None or self._capture is None or not self.store.opened.is_set():
            return 0, 0
        pods = self.store.catalogue.pods.values()
        size = sum(
            run.size for pod in pods if rule in pod.record.rules for run in pod.runs.values()
        )
        return self._capture.active_of(rule), size

    def list(self, query: LogQuery, page_size: int, page_token: str) -> LogPage:
        """A page of what is kept; UnavailableError while the store is being opened."""
        return listing.page_of(self._store.needed(), query, page_size, page_token)

    async def delete(self, query: LogQuery, *, validate_only: bool) -> Deletion:
        """Delete what is kept."""
        return await listing.delete(self._store, query, validate_only=validate_only)

    @property
    def _store(self) -> CaptureStore:
        if self.store is None:
            raise CaptureOffError
        return self.store

    def _rules_changed(self) -> None:
        if self._capture is not None:
            self._capture.set_rules(self.rules.rules)
