"""When which sync runs, and what becomes of its failures."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from services.common.errors import PodyardError
from services.common.logs import get_logger
from services.training_history.domain.cache import RunCache
from services.training_history.domain.full_sync import FullSync
from services.training_history.domain.incremental_sync import IncrementalSync
from services.training_history.domain.persistence import Persistence
from services.training_history.domain.ports import (
    TrackingServerUnavailableError,
)
from services.training_history.domain.sync_state import SyncState

MAX_PAUSE_SECONDS = 30.0
"""Between attempts while the tracking server is down."""

RETRY_SECONDS = 60.0
"""After which an experiment that could not be read is tried again."""


class Synchroniser:
    """Runs the incremental sync every `state.period_seconds`, the full one where it is due."""

    def __init__(
        self,
        cache: RunCache,
        incremental: IncrementalSync,
        full: FullSync,
        persistence: Persistence,
        state: SyncState,
        now_ms: Callable[[], int],
        *,
        full_sync_seconds: float,
    ) -> None:
        self._cache = cache
        self._incremental = incremental
        self._full = full
        self._persistence = persistence
        self._state = state
        self._now_ms = now_ms
        self._full_sync_seconds = full_sync_seconds
        self._retry_at: dict[str, float] = {}
        self._round_ended = asyncio.Event()
        self._log = get_logger("sync")

    async def run(self) -> None:
        """Synchronise until cancelled; no failure ends it."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._rounds())
            tasks.create_task(self._full_syncs())

    async def _rounds(self) -> None:
        failures = 0
        while True:
            try:
                failures = 0 if await self._round() else failures + 1
            finally:
                await self._persistence.save()
            self._round_ended.set()
            pause = self._state.period_seconds * 2 ** min(failures, 10)
            limit = max(self._state.period_seconds, MAX_PAUSE_SECONDS)
            # Jitter keeps replicas from asking in step.
            await asyncio.sleep(min(pause, limit) * random.uniform(0.9, 1.0))  # noqa: S311

    async def _round(self) -> bool:
        """One incremental sync; whether it succeeded."""
        begun_ms, begun = self._now_ms(), time.monotonic()
        try:
            await self._incremental.run()
        except Exception as error:  # noqa: BLE001 - the next round may well succeed
            self._failed(error)
            return False
        if self._state.failure:
            self._log.info("in sync", runs=len(self._cache.runs))
        self._state.succeeded(begun_ms, time.monotonic() - begun)
        return True

    def _failed(self, error: Exception) -> None:
        if isinstance(error, PodyardError):
            reason = error.message
        else:
            self._log.error("sync failed unexpectedly", exc_info=error)
            reason = "internal error in the sync; the service's log has the details"
        if reason != self._state.failure:
            self._log.warning("sync failed", why=reason)
        self._state.failed(
            reason,
            reachable=not isinstance(error, TrackingServerUnavailableError),
        )

    async def _full_syncs(self) -> None:
        while True:
            await self._round_ended.wait()
            self._round_ended.clear()
            while not self._state.failure and (experiment_id := self._due()):
                await self._full_sync(experiment_id)

    def _due(self) -> str | None:
        """An experiment to be read in full now: never read before, to be retried, or long ago."""
        limit = self._now_ms() - self._full_sync_seconds * 1000
        due = [
            (self._state.full_sync_ms.get(experiment_id, 0), experiment_id)
            for experiment_id in self._cache.experiments
            if self._state.full_sync_ms.get(experiment_id, 0) < limit
            or experiment_id in self._state.experiment_errors
        ]
        now = time.monotonic()
        ready = [entry for entry in due if self._retry_at.get(entry[1], 0) <= now]
        return min(ready)[1] if ready else None

    async def _full_sync(self, experiment_id: str) -> None:
        try:
            begun_ms = await self._full.run(experiment_id)
        except Exception as error:  # noqa: BLE001 - one experiment must not stop the others
            self._retry_at[experiment_id] = time.monotonic() + RETRY_SECONDS
            if isinstance(error, TrackingServerUnavailableError):
                self._retry_at[experiment_id] = time.monotonic() + self._state.period_seconds
                return
            known = isinstance(error, PodyardError)
            self._log.warning(
                "experiment unreadable", experiment=experiment_id, exc_info=None if known else error
            )
            self._state.experiment_errors[experiment_id] = (
                error.message if isinstance(error, PodyardError) else "internal error in the sync"
            )
        else:
            self._retry_at.pop(experiment_id, None)
            self._state.experiment_errors.pop(experiment_id, None)
            if experiment_id in self._cache.experiments:
                self._state.full_sync_ms[experiment_id] = begun_ms
        await self._persistence.save()
