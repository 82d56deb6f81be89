"""The thorough sync: every run of an experiment, and proof of absence for those not found."""

from __future__ import annotations

from collections.abc import Callable

from services.training_history.domain.cache import RunCache
from services.training_history.domain.ports import RunSearch
from services.training_history.domain.reading import RunReader


class FullSync:
    """Reads experiments whole: those never seen before at once, the others now and then."""

    def __init__(self, cache: RunCache, reader: RunReader, now_ms: Callable[[], int]) -> None:
        self._cache = cache
        self._reader = reader
        self._now_ms = now_ms

    async def run(self, experiment_id: str) -> int:
        """Read one experiment; when it began, in milliseconds since the epoch.

        By start time ascending, so that new runs come behind the pages already read. Deletions
        meanwhile shift later pages and can hide a run: it is asked for by id before it is given up.
        """
        begun = self._now_ms()
        before = self._cache.run_ids_of(experiment_id)
        async for runs in self._reader.read(RunSearch([experiment_id])):
            before.difference_update(run.run_id for run in runs)
        await self._reader.confirm([experiment_id], before)
        return begun
