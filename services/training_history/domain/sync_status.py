"""What can be told about the sync."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.training_history.domain.cache import RunCache
from services.training_history.domain.model import Freshness
from services.training_history.domain.sync_state import SyncState


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """See GetSyncStatusResponse."""

    tracking_uri: str
    reachable: bool
    runs: int
    experiments: int
    freshness: Freshness
    last_sync_seconds: float | None
    last_full_sync_ms: int | None
    experiment_errors: Mapping[str, str]


def sync_status(tracking_uri: str, cache: RunCache, state: SyncState) -> SyncStatus:
    """The use case GetSyncStatus."""
    return SyncStatus(
        tracking_uri=tracking_uri,
        reachable=state.reachable,
        runs=len(cache.runs),
        experiments=len(cache.experiments),
        freshness=state.freshness(cache.experiments),
        last_sync_seconds=state.last_duration_seconds,
        last_full_sync_ms=state.last_full_sync_ms(cache.experiments),
        experiment_errors=dict(state.experiment_errors),
    )
