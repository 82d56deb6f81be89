"""The frequent sync: a handful of small searches that find almost every change.

MLflow has no change feed, no change time that a filter could use, and pages by offset. What its
filters can say finds new runs (start time), ended ones (end time), and all changes of runs at
work (status); runs that left the running ones without a recent end time are asked for by id; and
deleted ones are listed. Left to the full sync: tags and metrics changed on a run that has ended,
runs imported late with old times, and whatever clocks wrong by more than the overlap hide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.common.logs import get_logger
from services.training_history.domain.cache import RunCache
from services.training_history.domain.deleted_sweep import DeletedSweep
from services.training_history.domain.model import Experiment, RunStatus
from services.training_history.domain.ports import (
    RunSearch,
    TrackingServer,
    TrackingServerFaultError,
    TrackingServerRefusedError,
)
from services.training_history.domain.reading import RunReader, find_broken, scopes
from services.training_history.domain.sync_state import SyncState

OVERLAP_MS = 15 * 60 * 1000
"""Times are stated by the runs' clients: how wrong their clocks may be, and how late they write."""


class IncrementalSync:
    """One round after another; each ends with the cache as the tracking server was at its begin."""

    def __init__(
        self,
        server: TrackingServer,
        cache: RunCache,
        reader: RunReader,
        state: SyncState,
        now_ms: Callable[[], int],
    ) -> None:
        self._server = server
        self._cache = cache
        self._reader = reader
        self._state = state
        self._now_ms = now_ms
        self._deleted = DeletedSweep(reader, cache)
        self._log = get_logger("sync")

    async def run(self) -> None:
        """One round. Raises the tracking server's error when it cannot be followed at all."""
        experiments = await self._experiments()
        scope = [
            experiment.experiment_id
            for experiment in experiments
            if experiment.experiment_id not in self._state.experiment_errors
        ]
        if not scope:
            return
        now = self._now_ms()
        confirmed = self._state.confirmed_ms
        # Not after now: the clock may have been set back since.
        since = (now if confirmed is None else min(confirmed, now)) - OVERLAP_MS
        live_before = self._cache.live_run_ids
        seen_live: set[str] = set()
        for status in (RunStatus.RUNNING, RunStatus.SCHEDULED):
            seen_live |= await self._read(scope, f"status = '{status.value}'")
        await self._read(scope, f"start_time > {since}")
        await self._read(scope, f"end_time > {since}")
        readable = [eid for eid in scope if eid not in self._state.experiment_errors]
        vanished = {
            run_id
            for run_id in (live_before - seen_live) & self._cache.live_run_ids
            if self._cache.runs[run_id].experiment_id in readable
        }
        await self._reader.confirm(readable, vanished)
        await self._deleted.run(readable)

    async def _experiments(self) -> list[Experiment]:
        """Follow the experiments; the runs of deleted ones leave the cache."""
        found = await self._server.experiments()
        names = {experiment.experiment_id for experiment in found}
        for known in list(self._cache.experiments):
            if known in names:
                continue
            # Pages are by offset: one may be missing only because another moved.
            experiment = await self._server.experiment(known)
            if experiment is not None:
                found.append(experiment)
                continue
            self._cache.remove(self._cache.run_ids_of(known))
            self._state.full_sync_ms.pop(known, None)
            self._state.experiment_errors.pop(known, None)
        self._cache.set_experiments(found)
        return found

    async def _read(self, scope: Sequence[str], filter_text: str) -> set[str]:
        """Read one search into the cache, past experiments that fail; the ids found."""
        found: set[str] = set()
        for experiment_ids in scopes(scope):
            readable = [e for e in experiment_ids if e not in self._state.experiment_errors]
            search = RunSearch(readable, filter_text)
            try:
                async for runs in self._reader.read(search):
                    found.update(run.run_id for run in runs)
            except (TrackingServerFaultError, TrackingServerRefusedError) as error:
                broken = await find_broken(self._reader, search, error)
                for experiment_id, reason in broken.items():
                    self._log.warning(
                        "experiment unreadable", experiment=experiment_id, why=reason.message
                    )
                    self._state.experiment_errors[experiment_id] = reason.message
                # Every run of it counts as seen: what cannot be read cannot have vanished.
                found.update(self._cache.live_run_ids)
        return found
