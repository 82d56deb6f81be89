"""Reading runs from the tracking server into the cache, in an order that keeps it right."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace

from services.training_history.domain.cache import RunCache
from services.training_history.domain.model import Run
from services.training_history.domain.ports import (
    Lifecycle,
    RunPage,
    RunSearch,
    TrackingServer,
    TrackingServerFaultError,
    TrackingServerRefusedError,
)

SCOPE_SIZE = 1000
"""Experiments in one search; the server's database limits the values of an IN."""

IDS_SIZE = 100
"""Run ids in one filter, about 3.5 kB of it."""

MAX_BROKEN = 16
"""Experiments that may be unreadable at once before the server itself counts as failing."""

ExperimentError = TrackingServerFaultError | TrackingServerRefusedError
"""Errors that may concern one experiment only: broken rows, or no permission to read it."""


class RunReader:
    """Searches that put what they find into the cache.

    A page is requested and applied before the next one is requested, by whichever sync: so a row
    read earlier never replaces one read later.
    """

    def __init__(self, server: TrackingServer, cache: RunCache) -> None:
        self._server = server
        self._cache = cache
        self._turn = asyncio.Lock()

    async def read(self, search: RunSearch) -> AsyncIterator[list[Run]]:
        """All runs of a search, page by page; active ones are in the cache when yielded."""
        token = ""
        while True:
            async with self._turn:
                page = await self._read_page(search, token)
            yield page.runs
            token = page.next_page_token
            if not token:
                return

    async def read_page(self, search: RunSearch, page_token: str) -> RunPage:
        """One page of a search."""
        async with self._turn:
            return await self._read_page(search, page_token)

    async def confirm(self, scope: Sequence[str], run_ids: Collection[str]) -> set[str]:
        """Read these runs of the experiments `scope` by id; those that are gone are removed.

        Returns the ids of the gone ones: deleted runs, also by deletion of their experiment.
        """
        gone = set(run_ids)
        ordered = sorted(run_ids)
        for start in range(0, len(ordered), IDS_SIZE):
            chosen = ordered[start : start + IDS_SIZE]
            quoted = ", ".join(f"'{run_id}'" for run_id in chosen if "'" not in run_id)
            for experiments in scopes(scope):
                search = RunSearch(experiments, f"run_id IN ({quoted})", page_size=IDS_SIZE)
                async for runs in self.read(search):
                    gone.difference_update(run.run_id for run in runs)
        self._cache.remove(gone)
        return gone

    async def _read_page(self, search: RunSearch, token: str) -> RunPage:
        begun = time.monotonic()
        page = await self._server.search_runs(search, token)
        if search.lifecycle is Lifecycle.ACTIVE:
            self._cache.put(page.runs, begun)
        return page


def scopes(experiment_ids: Sequence[str]) -> list[Sequence[str]]:
    """The experiments in groups that fit one search."""
    return [
        experiment_ids[start : start + SCOPE_SIZE]
        for start in range(0, len(experiment_ids), SCOPE_SIZE)
    ]


async def find_broken(
    reader: RunReader, search: RunSearch, error: ExperimentError
) -> dict[str, ExperimentError]:
    """The experiments because of which `search` failed with `error`, by halving its scope.

    What the rest holds is read on the way. Raises `error` when all of them fail, or very many:
    then the server as a whole has failed, and asking on would only burden it.
    """
    broken: dict[str, ExperimentError] = {}
    await _halve(reader, search, error, broken)
    if len(broken) == len(search.experiment_ids):
        raise error
    return broken


async def _halve(
    reader: RunReader,
    search: RunSearch,
    error: ExperimentError,
    broken: dict[str, ExperimentError],
) -> None:
    if len(search.experiment_ids) <= 1:
        broken.update((experiment_id, error) for experiment_id in search.experiment_ids)
        if len(broken) > MAX_BROKEN:
            raise error
        return
    middle = len(search.experiment_ids) // 2
    for part in (search.experiment_ids[:middle], search.experiment_ids[middle:]):
        narrowed = replace(search, experiment_ids=part)
        try:
            async for _ in reader.read(narrowed):
                pass
        except (TrackingServerFaultError, TrackingServerRefusedError) as found:
            await _halve(reader, narrowed, found, broken)
