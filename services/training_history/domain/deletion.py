"""Deleting runs in MLflow, so that they can be restored there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import PodyardError, RetryableError
from services.training_history.domain.cache import RunCache
from services.training_history.domain.persistence import Persistence
from services.training_history.domain.ports import RunNotFoundError, TrackingServer

CONCURRENCY = 4
"""Requests at once: more only queue up in the tracking server, which has a few workers."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What became of one run: whether it is deleted now, or why not."""

    run_id: str
    deleted: bool
    error: PodyardError | None = None


class RunDeleter:
    """The use case DeleteRuns."""

    def __init__(self, server: TrackingServer, cache: RunCache, persistence: Persistence) -> None:
        self._server = server
        self._cache = cache
        self._persistence = persistence

    async def delete(self, run_ids: Sequence[str], *, validate_only: bool) -> list[Deletion]:
        """One result for each id, in order; an id given twice is deleted once.

        With `validate_only` nothing changes: `deleted` says what is deleted already. Once the
        tracking server cannot be reached, the remaining runs are not tried, and if nothing was
        done by then, its error is raised.
        """
        results: dict[str, Deletion] = {}
        slots = asyncio.Semaphore(CONCURRENCY)
        down: list[RetryableError] = []

        async def one(run_id: str) -> None:
            async with slots:
                if down:
                    results[run_id] = Deletion(run_id, False, down[0])
                    return
                try:
                    deleted = await self._one(run_id, validate_only)
                    results[run_id] = Deletion(run_id, deleted)
                except PodyardError as error:
                    if isinstance(error, RetryableError):
                        down.append(error)
                    results[run_id] = Deletion(run_id, False, error)

        try:
            async with asyncio.TaskGroup() as tasks:
                for run_id in dict.fromkeys(run_ids):
                    tasks.create_task(one(run_id))
        finally:
            if not validate_only:
                await self._persistence.save()
        if down and all(isinstance(r.error, RetryableError) for r in results.values()):
            raise down[0]
        return [results[run_id] for run_id in run_ids]

    async def _one(self, run_id: str, validate_only: bool) -> bool:
        if validate_only:
            return (await self._server.get_run(run_id)).deleted
        try:
            await self._server.delete_run(run_id)
        except RunNotFoundError:
            self._cache.remove([run_id])
            raise
        # At once, not at the end: a list asked for meanwhile must not show it.
        self._cache.remove_deleted([run_id])
        return True
