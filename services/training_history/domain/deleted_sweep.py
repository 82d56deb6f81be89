"""Noticing runs that others deleted or restored.

MLflow can list deleted runs but not filter them by when they were deleted, and sends them whole.
So each round looks at the deleted runs that started last, and at one more page of the others,
going round: the cost of a round is bounded however many deleted runs there are.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.common.logs import get_logger
from services.training_history.domain.cache import RunCache
from services.training_history.domain.ports import (
    Lifecycle,
    RunSearch,
    TrackingServerFaultError,
    TrackingServerRefusedError,
)
from services.training_history.domain.reading import RunReader, scopes

PAGE_SIZE = 50


class DeletedSweep:
    """Goes round the deleted runs, a page or two at a time."""

    def __init__(self, reader: RunReader, cache: RunCache) -> None:
        self._reader = reader
        self._cache = cache
        self._next_tokens: dict[int, str] = {}
        self._seen: dict[int, set[str]] = {}
        self._known: dict[int, set[str]] = {}
        self._warned = False
        self._log = get_logger("sync")

    async def run(self, experiment_ids: Sequence[str]) -> None:
        """Look at the newest deleted runs, and at one further page.

        Deleted runs that the server fails to list are left to the full sync.
        """
        for number, scope in enumerate(scopes(experiment_ids)):
            try:
                await self._step(number, scope)
            except (TrackingServerFaultError, TrackingServerRefusedError) as error:
                self._next_tokens.pop(number, None)
                if not self._warned:
                    self._log.warning("deleted runs unreadable", why=error.message)
                self._warned = True

    async def _step(self, number: int, scope: Sequence[str]) -> None:
        search = RunSearch(
            scope, lifecycle=Lifecycle.DELETED, newest_first=True, page_size=PAGE_SIZE
        )
        token = await self._look(number, search, "")
        further = self._next_tokens.get(number) or token
        if further:
            token = await self._look(number, search, further)
        self._next_tokens[number] = token
        if not token:
            await self._finish_round(number, scope)

    async def _look(self, number: int, search: RunSearch, token: str) -> str:
        """Remove the deleted runs of one page from the cache; the next page's token."""
        page = await self._reader.read_page(search, token)
        ids = {run.run_id for run in page.runs}
        self._cache.remove(ids)
        self._seen.setdefault(number, set()).update(ids)
        return page.next_page_token

    async def _finish_round(self, number: int, scope: Sequence[str]) -> None:
        """Runs deleted in the round before and not in this one were restored, or are gone for good."""
        seen = self._seen.pop(number, set())
        missing = self._known.get(number, set()) - seen
        self._known[number] = seen
        await self._reader.confirm(scope, missing)
