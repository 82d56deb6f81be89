"""The parts of the service put together: everything behind the RPCs, and before the settings."""

from __future__ import annotations

import time
from dataclasses import dataclass

from services.training_history.domain.cache import RunCache
from services.training_history.domain.columns import ColumnConfig
from services.training_history.domain.deletion import RunDeleter
from services.training_history.domain.full_sync import FullSync
from services.training_history.domain.incremental_sync import IncrementalSync
from services.training_history.domain.listing import RunLister
from services.training_history.domain.lookup import RunLookup
from services.training_history.domain.persistence import Persistence
from services.training_history.domain.ports import RunStore, TrackingServer
from services.training_history.domain.reading import RunReader
from services.training_history.domain.sync_state import SyncState
from services.training_history.domain.synchroniser import Synchroniser
from services.training_history.domain.views import RunViews
from services.training_history.run_messages import RunMessages


def now_ms() -> int:
    """The wall clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Application:
    """One tracking server's cache with its use cases."""

    server: TrackingServer
    cache: RunCache
    state: SyncState
    lister: RunLister
    lookup: RunLookup
    deleter: RunDeleter
    columns: ColumnConfig
    messages: RunMessages
    persistence: Persistence
    synchroniser: Synchroniser

    @staticmethod
    def now_ms() -> int:
        """The wall clock, in milliseconds since the epoch."""
        return now_ms()


def assemble(
    server: TrackingServer,
    store: RunStore,
    columns: ColumnConfig,
    *,
    sync_seconds: float,
    full_sync_seconds: float,
) -> Application:
    """Wire the domain to its ports."""
    cache = RunCache()
    state = SyncState(now_ms, sync_seconds)
    persistence = Persistence(store, cache, state)
    reader = RunReader(server, cache)
    return Application(
        server=server,
        cache=cache,
        state=state,
        lister=RunLister(cache, RunViews(cache), now_ms),
        lookup=RunLookup(server, cache, state, now_ms),
        deleter=RunDeleter(server, cache, persistence),
        columns=columns,
        messages=RunMessages(cache.experiment_name),
        persistence=persistence,
        synchroniser=Synchroniser(
            cache,
            IncrementalSync(server, cache, reader, state, now_ms),
            FullSync(cache, reader, now_ms),
            persistence,
            state,
            now_ms,
            full_sync_seconds=full_sync_seconds,
        ),
    )
