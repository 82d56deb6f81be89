"""Finding one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.common.errors import RetryableError
from services.training_history.domain.cache import RunCache
from services.training_history.domain.model import Freshness, Run
from services.training_history.domain.ports import (
    RunNotFoundError,
    TrackingServer,
    TrackingServerUnavailableError,
)
from services.training_history.domain.sync_state import SyncState


@dataclass(frozen=True, slots=True)
class Found:
    """A run, the name of its experiment, and how recent this is."""

    run: Run
    experiment_name: str
    freshness: Freshness


class RunLookup:
    """The use case GetRun."""

    def __init__(
        self,
        server: TrackingServer,
        cache: RunCache,
        state: SyncState,
        now_ms: Callable[[], int],
    ) -> None:
        self._server = server
        self._cache = cache
        self._state = state
        self._now_ms = now_ms

    async def get(self, run_id: str) -> Found:
        """The run from the cache, or else from the tracking server; RunNotFoundError."""
        run = self._cache.runs.get(run_id)
        if run is not None:
            return Found(
                run,
                self._cache.experiment_name(run.experiment_id),
                self._state.freshness([run.experiment_id]),
            )
        return await self._get_live(run_id)

    async def _get_live(self, run_id: str) -> Found:
        asked_ms = self._now_ms()
        try:
            found = await self._server.get_run(run_id)
            run = found.run
            name = self._cache.experiment_name(run.experiment_id)
            if not name:
                experiment = await self._server.experiment(run.experiment_id)
                name = "" if experiment is None else experiment.name
        except RetryableError as error:
            raise TrackingServerUnavailableError(
                f'run "{run_id}" is not in the cache, and the tracking server cannot be asked '
                f"for it: {error.message}",
                retry_after=error.retry_after,
            ) from error
        if found.deleted:
            raise RunNotFoundError(
                run_id,
                f'run "{run_id}" is deleted; until MLflow\'s garbage collection it can be '
                "restored in MLflow",
            )
        return Found(run, name, Freshness(asked_ms, live=True))
