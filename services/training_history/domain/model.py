"""Runs and experiments as values.

A service holds all runs of a tracking server, so a run is kept small: the keys of its metrics,
parameters and tags are tuples that runs of the same kind share (see `compaction`), beside the
tuple of this run's values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import msgspec

SYSTEM_TAG_PREFIX = "mlflow."
"""Tags with this prefix are MLflow's own; all others are business tags."""


class RunStatus(Enum):
    """MLflow's status of a run."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"

    @property
    def live(self) -> bool:
        """Whether the run may still change by itself."""
        return self in (RunStatus.RUNNING, RunStatus.SCHEDULED)


class Run(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One run. Times in milliseconds since the epoch, as its client stated them; None if unstated.

    The field order is the layout in the persisted cache: change `SCHEMA_VERSION` of the store with
    it. Values never refer back to a run, so the garbage collector need not visit runs (`gc=False`).
    """

    run_id: str
    experiment_id: str
    run_name: str
    status: RunStatus
    start_ms: int | None
    end_ms: int | None
    user: str
    artifact_uri: str
    metric_keys: tuple[str, ...]
    metric_values: tuple[float, ...]
    param_keys: tuple[str, ...]
    param_values: tuple[str, ...]
    tag_keys: tuple[str, ...]
    tag_values: tuple[str, ...]
    system_tag_keys: tuple[str, ...]
    system_tag_values: tuple[str, ...]

    def duration_ms(self, now_ms: int) -> int | None:
        """End minus start; of a run at work, the time since its start; None if not known."""
        if self.start_ms is None:
            return None
        if self.status is RunStatus.RUNNING:
            return max(0, now_ms - self.start_ms)
        return None if self.end_ms is None else self.end_ms - self.start_ms

    def metric(self, key: str) -> float | None:
        """The latest value of a metric; None if the run has none of that name."""
        return self.metric_values[self.metric_keys.index(key)] if key in self.metric_keys else None

    def param(self, key: str) -> str | None:
        """The value of a parameter; None if the run has none of that name."""
        return self.param_values[self.param_keys.index(key)] if key in self.param_keys else None

    def tag(self, key: str) -> str | None:
        """The value of a tag, business or MLflow's own; None if the run has none of that name."""
        if key in self.tag_keys:
            return self.tag_values[self.tag_keys.index(key)]
        if key in self.system_tag_keys:
            return self.system_tag_values[self.system_tag_keys.index(key)]
        return None


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment that is not deleted."""

    experiment_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Freshness:
    """How recent an answer is; `confirmed_ms` (since the epoch) is None before the first sync."""

    confirmed_ms: int | None
    stale_reason: str = ""
    live: bool = False

    @property
    def stale(self) -> bool:
        """Whether the data may be outdated."""
        return bool(self.stale_reason)
