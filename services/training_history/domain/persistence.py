"""Keeping the cache over a restart."""

from __future__ import annotations

import asyncio

from services.common.logs import get_logger
from services.training_history.domain.cache import RunCache
from services.training_history.domain.compaction import Compactor
from services.training_history.domain.ports import RunStore
from services.training_history.domain.sync_state import SyncState


class Persistence:
    """Saves what changed. A store that cannot be written costs only the next quick start."""

    def __init__(self, store: RunStore, cache: RunCache, state: SyncState) -> None:
        self._store = store
        self._cache = cache
        self._state = state
        self._turn = asyncio.Lock()
        self._log = get_logger("sync")

    async def load(self, compactor: Compactor) -> None:
        """Fill the empty cache and the state with what was saved last."""
        snapshot = await self._store.load()
        self._cache.load(snapshot.experiments, map(compactor.again, snapshot.runs))
        self._state.restore(snapshot.marks)
        if snapshot.runs:
            self._log.info("cache loaded", runs=len(snapshot.runs))

    async def save(self) -> None:
        """Save what changed since the last time; on failure it is tried again next time."""
        async with self._turn:
            changes = self._cache.take_changes(self._state.marks())
            try:
                await self._store.save(changes)
            except OSError as error:
                self._cache.give_back(changes)
                if not self._state.save_error:
                    self._log.warning("cache not saved", why=str(error))
                self._state.save_error = str(error)
            except BaseException:
                self._cache.give_back(changes)
                raise
            else:
                self._state.save_error = ""
