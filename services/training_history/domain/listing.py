"""Listing runs: pages of a view, stable while runs come, change and go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from services.common.paging import decode_token, encode_token, fingerprint
from services.training_history.domain.cache import RunCache
from services.training_history.domain.model import Run, RunStatus
from services.training_history.domain.ordering import Order, parse_order
from services.training_history.domain.views import Entry, RunViews, Selection

DEFAULT_PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a caller asks for; see ListRunsRequest."""

    experiment_ids: frozenset[str]
    statuses: frozenset[RunStatus]
    order_by: str
    page_size: int
    page_token: str


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page. A shorter part of it is a page too: see `token_after`."""

    runs: list[Run]
    total: int
    query: bytes
    entries: list[Entry]
    as_of_ms: int
    more: bool

    def token_after(self, count: int) -> str:
        """The token of the page that follows the first `count` runs; empty if none follows."""
        if count == len(self.runs) and not self.more:
            return ""
        return encode_token(self.query, _Position(*self.entries[count - 1], self.as_of_ms))


class _Position(msgspec.Struct, array_like=True):
    """The last entry of a page, and the time at which durations were compared."""

    key: bytes
    run_id: str
    as_of_ms: int


class RunLister:
    """The use case ListRuns."""

    def __init__(self, cache: RunCache, views: RunViews, now_ms: Callable[[], int]) -> None:
        self._cache = cache
        self._views = views
        self._now_ms = now_ms

    def list(self, query: ListQuery) -> ListPage:
        """The page; InvalidArgumentError on `order_by` or `page_token`.

        Pages continue after the last entry of the one before (keyset), so that runs added or
        removed in between shift nothing. Durations of running runs are compared as of the first
        page, or a run could move from a page not yet read into one that was.
        """
        order = parse_order(query.order_by)
        digest = _digest(query, order)
        position = decode_token(query.page_token, digest, _Position) if query.page_token else None
        as_of_ms = self._now_ms() if position is None else position.as_of_ms
        view = self._views.get(Selection(query.experiment_ids, query.statuses), order)
        entries, more = view.after(
            None if position is None else (position.key, position.run_id),
            query.page_size or DEFAULT_PAGE_SIZE,
            as_of_ms,
        )
        runs = self._cache.runs
        return ListPage(
            runs=[runs[run_id] for _, run_id in entries],
            total=len(view),
            query=digest,
            entries=entries,
            as_of_ms=as_of_ms,
            more=more,
        )


def _digest(query: ListQuery, order: Order) -> bytes:
    return fingerprint(
        "ListRuns",
        sorted(query.experiment_ids),
        sorted(status.value for status in query.statuses),
        [(column.family.value, column.key, column.descending) for column in order],
    )
