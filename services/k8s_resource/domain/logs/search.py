"""The SearchLogs use case: one pattern in many logs at once."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from services.common.errors import PodyardError, UnavailableError
from services.common.streams import Outbox, Signal
from services.k8s_resource.domain.logs.groups import Group
from services.k8s_resource.domain.logs.library import RunLog
from services.k8s_resource.domain.logs.lines import Lines
from services.k8s_resource.domain.logs.log_scan import Found, LogScan
from services.k8s_resource.domain.logs.matcher import LineMatcher, PatternOptions
from services.k8s_resource.domain.logs.ordered_matches import OrderedMatches
from services.k8s_resource.domain.logs.raw_lines import stamp_length, time_of
from services.k8s_resource.domain.logs.read_query import FoundLogs, LogFinder, ReadQuery
from services.k8s_resource.domain.logs.search_events import (
    LogCount,
    LogFailure,
    MatchGroup,
    SearchEvent,
    SearchLimit,
    SearchOrder,
    SearchProgress,
    SearchSummary,
)

AT_ONCE = 16
"""Logs that one search reads at a time."""

AT_ONCE_IN_ALL = 64
"""Logs that all searches of one cluster read at a time."""

MAX_MATCHES = 10_000
MAX_BYTES = 4 * 1024**3
MAX_HELD_BYTES = 32 * 1024 * 1024
"""Lines that a search in order of time may hold."""

PROGRESS_SECONDS = 0.5
_EVENT_BYTES = 200
_LINE_BYTES = 16


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What to find and how much of it; zeros mean the defaults."""

    pattern: PatternOptions
    before: int = 0
    after: int = 0
    order: SearchOrder = SearchOrder.AS_FOUND
    max_matches: int = 0
    max_matches_per_log: int = 0
    max_bytes: int = 0
    count_only: bool = False


class Searches:
    """Opens searches."""

    def __init__(self, finder: LogFinder, draining: asyncio.Event) -> None:
        self._finder = finder
        self._draining = draining
        self._slots: dict[str, asyncio.Semaphore] = {}

    async def search(
        self, query: ReadQuery, options: SearchOptions
    ) -> AsyncGenerator[list[SearchEvent], None]:
        """Batches of events, the last of them the summary.

        Domain errors for what is wrong with the query; UnavailableError when the server stops.
        """
        matcher = LineMatcher(options.pattern)
        found = await self._finder.find(query)
        name = found.connection.name
        slots = self._slots.setdefault(name, asyncio.Semaphore(AT_ONCE_IN_ALL))
        batches = _Search(found, options, matcher, slots).batches(self._draining)
        async with aclosing(batches):
            async for batch in batches:
                yield batch


class _Search:
    def __init__(
        self,
        found: FoundLogs,
        options: SearchOptions,
        matcher: LineMatcher,
        slots: asyncio.Semaphore,
    ) -> None:
        self._found = found
        self._options = options
        self._matcher = matcher
        self._slots = slots
        most = sys.maxsize if options.count_only else MAX_MATCHES
        self._max_matches = options.max_matches or most
        self._max_per_log = min(options.max_matches_per_log or self._max_matches, self._max_matches)
        self._max_bytes = options.max_bytes or MAX_BYTES
        self._newest = options.order is SearchOrder.NEWEST_FIRST
        in_order = options.order is not SearchOrder.AS_FOUND and not options.count_only
        self._ordered = self._best(self._max_matches) if in_order else None
        self._outbox: Outbox[SearchEvent] = Outbox()
        self._summary = SearchSummary(notes=found.chosen.notes)

    def _best(self, count: int) -> OrderedMatches:
        return OrderedMatches(newest=self._newest, max_matches=count, max_bytes=MAX_HELD_BYTES)

    async def batches(self, draining: asyncio.Event) -> AsyncGenerator[list[SearchEvent], None]:
        runner = asyncio.create_task(self._run(), name="log search")
        try:
            async for batch in self._outbox.batches(draining):
                match batch.signal:
                    case Signal.ITEMS:
                        yield batch.items
                    case Signal.HEARTBEAT:
                        yield [self._progress()]
                    case Signal.DRAINING:
                        raise UnavailableError(
                            "the server is stopping; search again", retry_after=1, reason="DRAINING"
                        )
                    case _:
                        return
        finally:
            runner.cancel()
            await asyncio.wait({runner})

    async def _run(self) -> None:
        started = time.monotonic()
        summary = self._summary
        try:
            async with asyncio.TaskGroup() as group:
                reporter = group.create_task(self._report())
                await self._search_all()
                reporter.cancel()
            if self._ordered is not None:
                for log, matches in self._ordered.result():
                    await self._tell(log, matches)
                if summary.limit is SearchLimit.NONE:
                    summary.limit = _limit_of(self._ordered)
            summary.seconds = time.monotonic() - started
            await self._put(self._progress())
            await self._put(summary)
        except Exception as error:  # noqa: BLE001 - the stream's consumer raises it
            self._outbox.close(error)
        else:
            self._outbox.close()

    async def _report(self) -> None:
        while True:
            await self._put(self._progress())
            await asyncio.sleep(PROGRESS_SECONDS)

    async def _search_all(self) -> None:
        waiting = iter(self._begun_in_order())

        async def work() -> None:
            for log in waiting:
                async with self._slots:
                    if self._summary.limit is SearchLimit.NONE:
                        await self._search_one(log)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(self._found.chosen.runs))):
                group.create_task(work())

    def _begun_in_order(self) -> list[RunLog]:
        logs = list(self._found.chosen.runs)
        if self._newest:
            logs.sort(key=lambda log: (log.growing, log.end or log.start), reverse=True)
        elif self._options.order is SearchOrder.OLDEST_FIRST:
            logs.sort(key=lambda log: log.start or log.end)
        return logs

    async def _search_one(self, log: RunLog) -> None:
        newest = self._best(self._max_per_log) if self._ordered and self._newest else None
        scan = LogScan(
            self._found,
            log,
            self._matcher,
            before=self._options.before,
            after=self._options.after,
            room=self._room,
            show=not self._options.count_only,
        )
        summary = self._summary
        try:
            async with aclosing(scan.pieces()) as pieces:
                async for piece in pieces:
                    if not await self._take(scan, piece, newest or self._ordered):
                        scan.limited = True
                        break
        except PodyardError as error:
            summary.logs_failed += 1
            await self._put(LogFailure(log, error))
        if newest is not None and self._ordered is not None:
            self._ordered.add_all(newest)
            scan.limited = scan.limited or newest.dropped_for_matches
        summary.logs += 1
        summary.logs_matched += scan.matches > 0
        summary.logs_limited += scan.limited
        await self._put(LogCount(log, scan.matches, scan.lines, scan.limited))

    def _room(self, scan: LogScan) -> int:
        """How many more matches of a log are wanted."""
        if self._ordered is not None and self._newest:
            return sys.maxsize
        room = self._max_per_log - scan.matches
        if self._ordered is None:
            room = min(room, self._max_matches - self._summary.matches)
        return room

    async def _take(self, scan: LogScan, piece: Found, best: OrderedMatches | None) -> bool:
        """Note what was found; False when no more of this log is wanted."""
        summary = self._summary
        summary.bytes += piece.size
        summary.lines += piece.lines
        summary.matches += piece.matches
        for group in piece.groups:
            if best is None:
                await self._tell(scan.log, group)
            else:
                best.add(scan.log, group)
        if summary.bytes >= self._max_bytes:
            summary.limit = SearchLimit.BYTES
        elif best is None and summary.matches >= self._max_matches:
            summary.limit = SearchLimit.MATCHES
        if summary.limit is not SearchLimit.NONE:
            return summary.limit is SearchLimit.MATCHES and scan.waits
        return best is None or self._newest or best.takes(piece.time)

    async def _tell(self, log: RunLog, group: Group) -> None:
        event = self._shown(log, group)
        size = sum(map(len, event.lines.texts)) + len(event.lines) * _LINE_BYTES
        await self._outbox.put_when_room(event, size + _EVENT_BYTES)

    def _shown(self, log: RunLog, group: Group) -> MatchGroup:
        texts = [line[stamp_length(line) :].decode("utf-8", "replace") for line in group.lines]
        times: list[int] = []
        for line in group.lines:
            times.append(time_of(line) or (times[-1] if times else 0))
        spans = [
            (index, start, end)
            for index in group.matches
            for start, end in self._matcher.spans(texts[index])
        ]
        lines = Lines(texts, times, group.cut)
        return MatchGroup(log, group.first + 1, lines, group.matches, spans)

    async def _put(self, event: SearchEvent) -> None:
        await self._outbox.put_when_room(event, _EVENT_BYTES)

    def _progress(self) -> SearchProgress:
        summary = self._summary
        total = len(self._found.chosen.runs)
        return SearchProgress(total, summary.logs, summary.bytes, summary.matches)


def _limit_of(ordered: OrderedMatches) -> SearchLimit:
    if ordered.dropped_for_memory:
        return SearchLimit.MEMORY
    return SearchLimit.MATCHES if ordered.dropped_for_matches else SearchLimit.NONE
