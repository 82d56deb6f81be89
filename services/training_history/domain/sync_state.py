"""How far the cache has followed the tracking server, in values that people can be told."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from services.training_history.domain.model import Freshness
from services.training_history.domain.ports import SyncMarks

NOT_SYNCED_YET = (
    "not yet synchronised with the tracking server since this service started; "
    "the answer comes from the cache"
)

_LATE_FACTOR = 6
"""A sync is late after so many periods: a slow tracking server alone makes nothing stale."""

_LATE_SECONDS = 60.0


@dataclass
class SyncState:
    """Written by the synchroniser, read by everyone. Times in milliseconds since the epoch."""

    now_ms: Callable[[], int]
    period_seconds: float
    confirmed_ms: int | None = None
    """Begin of the last incremental sync that succeeded: changes before it are in the cache."""
    failure: str = NOT_SYNCED_YET
    """Why the last attempt failed; empty when it did not."""
    reachable: bool = False
    last_duration_seconds: float | None = None
    full_sync_ms: dict[str, int] = field(default_factory=dict)
    """When each experiment was last read in full."""
    experiment_errors: dict[str, str] = field(default_factory=dict)
    """Experiments that could not be read, with the reason."""
    save_error: str = ""
    """Why the cache cannot be persisted; empty when it can."""

    def restore(self, marks: SyncMarks) -> None:
        """Take over what was persisted."""
        self.confirmed_ms = marks.confirmed_ms
        self.full_sync_ms = dict(marks.full_sync_ms)

    def marks(self) -> SyncMarks:
        """What is persisted."""
        return SyncMarks(self.confirmed_ms, dict(self.full_sync_ms))

    def succeeded(self, begun_ms: int, seconds: float) -> None:
        """An incremental sync that began at `begun_ms` ended well after `seconds`."""
        self.confirmed_ms = begun_ms
        self.last_duration_seconds = seconds
        self.failure = ""
        self.reachable = True

    def failed(self, reason: str, *, reachable: bool) -> None:
        """A sync failed."""
        self.failure = reason
        self.reachable = reachable

    def last_full_sync_ms(self, experiment_ids: Collection[str]) -> int | None:
        """Since when all of these experiments have been read in full at least once."""
        times = [self.full_sync_ms.get(experiment_id) for experiment_id in experiment_ids]
        known = [time for time in times if time is not None]
        return min(known) if known and len(known) == len(times) else None

    def freshness(self, experiment_ids: Collection[str]) -> Freshness:
        """How recent an answer from the cache is, that draws on these experiments."""
        return Freshness(self.confirmed_ms, self._stale_reason(experiment_ids))

    def _stale_reason(self, experiment_ids: Collection[str]) -> str:
        if self.failure:
            return self.failure
        if self.confirmed_ms is None:
            return NOT_SYNCED_YET
        age = (self.now_ms() - self.confirmed_ms) / 1000
        if age > max(_LATE_SECONDS, _LATE_FACTOR * self.period_seconds):
            return f"the last sync with the tracking server began {age:.0f} s ago and has not ended"
        broken = [eid for eid in experiment_ids if eid in self.experiment_errors]
        if broken:
            return f"experiment {broken[0]} cannot be read: {self.experiment_errors[broken[0]]}" + (
                f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
            )
        unread = sum(1 for eid in experiment_ids if eid not in self.full_sync_ms)
        if unread:
            return f"{unread} of {len(experiment_ids)} experiments are still being read in full"
        return ""
