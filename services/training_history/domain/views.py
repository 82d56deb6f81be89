"""Sorted views of the cache: made when first asked for, then kept up to date run by run."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from services.training_history.domain.cache import RunCache
from services.training_history.domain.model import Run, RunStatus
from services.training_history.domain.ordering import Order, SortKey, sort_key

Entry = tuple[bytes, str]
"""Sort key and run id: unique, and ties are ordered by run id."""

MAX_ENTRIES = 400_000
"""Entries of all views together, about 120 bytes each; the views used longest ago are dropped."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which runs; an empty set means all."""

    experiment_ids: frozenset[str] = frozenset()
    statuses: frozenset[RunStatus] = frozenset()

    def __contains__(self, run: Run) -> bool:
        return (not self.experiment_ids or run.experiment_id in self.experiment_ids) and (
            not self.statuses or run.status in self.statuses
        )


class RunView:
    """The runs of a selection in an order.

    Where the order depends on the time (`duration`), the runs at work are kept apart and sorted
    in when they are read.
    """

    def __init__(self, selection: Selection, order: Order, key: SortKey) -> None:
        self._selection = selection
        self._key = key
        self._time_matters = any(column.live for column in order)
        self._entries: list[Entry] = []
        self._moving: dict[str, Run] = {}

    def __len__(self) -> int:
        return len(self._entries) + len(self._moving)

    def fill(self, runs: Iterable[Run]) -> None:
        """Take in all runs at once."""
        chosen = [run for run in runs if run in self._selection]
        self._moving = {run.run_id: run for run in chosen if self._moves(run)}
        self._entries = sorted(
            (self._key(run, 0), run.run_id) for run in chosen if run.run_id not in self._moving
        )

    def change(self, old: Run | None, new: Run | None) -> None:
        """Follow one change of the cache."""
        if old is not None and old in self._selection and not self._moving.pop(old.run_id, None):
            entry = (self._key(old, 0), old.run_id)
            at = bisect_left(self._entries, entry)
            if at < len(self._entries) and self._entries[at] == entry:
                del self._entries[at]
        if new is not None and new in self._selection:
            if self._moves(new):
                self._moving[new.run_id] = new
            else:
                insort(self._entries, (self._key(new, 0), new.run_id))

    def after(self, position: Entry | None, limit: int, now_ms: int) -> tuple[list[Entry], bool]:
        """Up to `limit` entries that follow `position` at `now_ms`, and whether more follow."""
        entries = self._entries
        if self._moving:
            # Sorting two sorted runs merges them.
            entries = entries + sorted(
                (self._key(run, now_ms), run.run_id) for run in self._moving.values()
            )
            entries.sort()
        start = 0 if position is None else bisect_right(entries, position)
        return entries[start : start + limit], start + limit < len(entries)

    def _moves(self, run: Run) -> bool:
        return self._time_matters and run.status is RunStatus.RUNNING


class RunViews:
    """The views in use. A listener of the cache."""

    def __init__(self, cache: RunCache, max_entries: int = MAX_ENTRIES) -> None:
        self._cache = cache
        self._max_entries = max_entries
        self._views: OrderedDict[tuple[Selection, Order], RunView] = OrderedDict()
        cache.listen(self)

    def get(self, selection: Selection, order: Order) -> RunView:
        """The view, made now if it is new."""
        name = (selection, order)
        view = self._views.get(name)
        if view is None:
            view = RunView(selection, order, sort_key(order, self._cache.experiment_name))
            view.fill(self._cache.runs.values())
            self._views[name] = view
            self._trim()
        self._views.move_to_end(name)
        return view

    def run_changed(self, old: Run | None, new: Run | None) -> None:
        for view in self._views.values():
            view.change(old, new)

    def experiments_changed(self) -> None:
        """Drop all views: keys by experiment name are outdated, and this is rare."""
        self._views.clear()

    def _trim(self) -> None:
        while len(self._views) > 1 and sum(map(len, self._views.values())) > self._max_entries:
            self._views.popitem(last=False)
