"""All known runs in memory, and who must be told when they change."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

from services.training_history.domain.model import Experiment, Run
from services.training_history.domain.ports import Changes, SyncMarks

_TOMBSTONE_SECONDS = 900.0
"""Longer than any read of the tracking server lasts, so that none brings a deleted run back."""


class CacheListener(Protocol):
    """Follows the cache."""

    def run_changed(self, old: Run | None, new: Run | None) -> None:
        """A run was added (`old` is None), replaced, or removed (`new` is None)."""

    def experiments_changed(self) -> None:
        """Experiments were added, removed or renamed."""


class RunCache:
    """Runs by id and experiments by id, in one event loop."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._experiments: dict[str, Experiment] = {}
        self._live: set[str] = set()
        self._tag_keys: Counter[tuple[str, ...]] = Counter()
        self._deleted_at: dict[str, float] = {}
        self._unsaved: set[str] = set()
        self._listeners: list[CacheListener] = []

    @property
    def runs(self) -> Mapping[str, Run]:
        """Runs by id; not to be kept over an await while iterating."""
        return self._runs

    @property
    def experiments(self) -> Mapping[str, Experiment]:
        """Experiments by id."""
        return self._experiments

    @property
    def live_run_ids(self) -> frozenset[str]:
        """Ids of the runs that are running or scheduled."""
        return frozenset(self._live)

    def experiment_name(self, experiment_id: str) -> str:
        """The name of an experiment; empty if it is not known."""
        experiment = self._experiments.get(experiment_id)
        return "" if experiment is None else experiment.name

    def run_ids_of(self, experiment_id: str) -> set[str]:
        """Ids of the runs of one experiment."""
        return {run.run_id for run in self._runs.values() if run.experiment_id == experiment_id}

    def tag_keys(self) -> set[str]:
        """Keys of all business tags that any run has."""
        return {key for keys, count in self._tag_keys.items() if count > 0 for key in keys}

    def listen(self, listener: CacheListener) -> None:
        """Tell `listener` of every change from now on."""
        self._listeners.append(listener)

    def load(self, experiments: Iterable[Experiment], runs: Iterable[Run]) -> None:
        """Fill an empty cache with what was persisted; nothing of it needs saving."""
        self.set_experiments(experiments)
        for run in runs:
            self._replace(None, run)
        self._unsaved.clear()

    def set_experiments(self, experiments: Iterable[Experiment]) -> None:
        """Replace the experiments."""
        new = {experiment.experiment_id: experiment for experiment in experiments}
        if new != self._experiments:
            self._experiments = new
            for listener in self._listeners:
                listener.experiments_changed()

    def put(self, runs: Iterable[Run], read_at: float) -> None:
        """Add or replace runs that a read begun at `read_at` (time.monotonic) returned.

        Runs deleted through Podyard since then are left out: the read may be older than that.
        """
        for run in runs:
            deleted_at = self._deleted_at.get(run.run_id)
            if deleted_at is not None and read_at <= deleted_at:
                continue
            old = self._runs.get(run.run_id)
            if run != old:
                self._replace(old, run)

    def remove(self, run_ids: Iterable[str]) -> None:
        """Remove runs that the tracking server no longer has."""
        for run_id in run_ids:
            old = self._runs.get(run_id)
            if old is not None:
                self._replace(old, None)

    def remove_deleted(self, run_ids: Iterable[str]) -> None:
        """Remove runs that were just deleted through Podyard."""
        now = time.monotonic()
        self._deleted_at = {
            run_id: at for run_id, at in self._deleted_at.items() if now - at < _TOMBSTONE_SECONDS
        }
        for run_id in run_ids:
            self._deleted_at[run_id] = now
            self.remove([run_id])

    def take_changes(self, marks: SyncMarks) -> Changes:
        """What changed since the last call, to be saved with `marks`."""
        unsaved, self._unsaved = self._unsaved, set()
        return Changes(
            experiments=list(self._experiments.values()),
            runs=[self._runs[run_id] for run_id in unsaved if run_id in self._runs],
            removed_run_ids=[run_id for run_id in unsaved if run_id not in self._runs],
            marks=marks,
        )

    def give_back(self, changes: Changes) -> None:
        """Saving failed: the changes are still to be saved."""
        self._unsaved.update(run.run_id for run in changes.runs)
        self._unsaved.update(changes.removed_run_ids)

    def _replace(self, old: Run | None, new: Run | None) -> None:
        if old is not None:
            self._tag_keys[old.tag_keys] -= 1
            if self._tag_keys[old.tag_keys] == 0:
                del self._tag_keys[old.tag_keys]
            self._live.discard(old.run_id)
            self._unsaved.add(old.run_id)
            del self._runs[old.run_id]
        if new is not None:
            self._tag_keys[new.tag_keys] += 1
            if new.status.live:
                self._live.add(new.run_id)
            self._unsaved.add(new.run_id)
            self._runs[new.run_id] = new
        for listener in self._listeners:
            listener.run_changed(old, new)
