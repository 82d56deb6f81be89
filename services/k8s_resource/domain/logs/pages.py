"""The GetLogs use case: pages of lines of many logs, in order of time, in both directions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from services.common.errors import InvalidArgumentError, PodyardError
from services.common.paging import fingerprint
from services.k8s_resource.domain.logs.filter import LineFilter
from services.k8s_resource.domain.logs.page_lines import (
    BEGINNING,
    DISORDER,
    END,
    SECOND,
    LogStretches,
    PageLine,
    PageScope,
    Place,
)
from services.k8s_resource.domain.logs.page_logs import (
    LogPage,
    PageCut,
    PageLog,
    PageQuery,
    after_all,
    counted,
    cursor_after,
    grouped,
    in_order,
    log_key,
    shifted,
)
from services.k8s_resource.domain.logs.page_token import PagePosition, read_page_token
from services.k8s_resource.domain.logs.position import (
    ContainerPosition,
    TailPosition,
    write_token,
)
from services.k8s_resource.domain.logs.read_query import FoundLogs, LogFinder
from services.k8s_resource.domain.logs.search_events import LogFailure

MOST_LOGS = 256
"""Logs of one page."""

SCAN_BYTES = 64 * 1024 * 1024
"""So much is looked through for one page before it ends, full or not."""

SCAN_SECONDS = 10.0
DEFAULT_LINES = 1000
DEFAULT_BYTES = 1024 * 1024

_AT_ONCE = 16
_FIRST_STEP = 10 * SECOND
_LARGEST_STEP = 32 * 24 * 3600 * SECOND


class LogPages:
    """Reads pages."""

    def __init__(self, finder: LogFinder) -> None:
        self._finder = finder

    async def page(self, query: PageQuery) -> LogPage:
        """One page. Domain errors for what is wrong with the query, and when no log can be read."""
        LineFilter(query.include, query.exclude)
        found = await self._finder.find(query.read)
        return await _Page(found, query).read()


class _Page:
    def __init__(self, found: FoundLogs, query: PageQuery) -> None:
        self._found = found
        self._query = query
        read = query.read
        connection = found.connection
        self._source = fingerprint(
            "logs",
            connection.name,
            connection.server,
            found.target.namespace,
            read.kind.value,
            read.name,
        )
        self._identity = fingerprint(
            self._source,
            read.choice.names,
            read.choice.init_too,
            read.choice.previous,
            read.since,
            read.since_time,
            read.until_time,
            query.include,
            query.exclude,
        )
        self._position: PagePosition | None = None
        if query.token:
            self._position = read_page_token(query.token, self._identity)
        window = found.window
        self._since = (self._position.since if self._position else window.since) or 0
        self._until = END if window.until is None else window.until
        self._scope = PageScope(
            LineFilter(query.include, query.exclude),
            self._since,
            query.lines or DEFAULT_LINES,
            query.size or DEFAULT_BYTES,
        )
        self._scanned = 0
        self._started = time.monotonic()
        self._logs = self._logs_to_read()

    async def read(self) -> LogPage:
        position = self._position
        older = position.older if position is not None else not self._query.oldest_first
        if len(self._logs) > MOST_LOGS:
            raise InvalidArgumentError.field(
                self._query.read.kind.value,
                f"means {len(self._logs)} logs, more than the {MOST_LOGS} of a page; choose fewer, "
                "or search them",
            )
        page = await (self._read_older() if older else self._read_newer())
        failed = [each for each in self._logs if each.failure is not None]
        if failed and len(failed) == len(self._logs) and failed[0].failure is not None:
            raise failed[0].failure
        page.failures = [LogFailure(each.log, each.failure) for each in failed if each.failure]
        page.notes = (*self._found.chosen.notes, *self._gone())
        return page

    def _logs_to_read(self) -> list[PageLog]:
        """The logs of the page. Those that the token names come also when a later run of their
        container has begun meanwhile; others, which are new, are read from their beginning."""
        position = self._position
        places = position.by_log() if position is not None else {}
        start = Place(self._until) if self._starts_at_newest else Place(self._since)
        logs = list(self._found.chosen.runs)
        known = set(logs)
        logs += [
            run
            for container in self._found.chosen.containers
            for run in container.runs
            if run not in known and log_key(run) in places
        ]
        logs.sort(
            key=lambda log: (log.source.namespace, log.source.pod, log.source.container, log.run)
        )
        others = BEGINNING if position is not None else start
        return [
            PageLog(
                log,
                LogStretches(self._found.address(log), self._scope),
                places.get(log_key(log), others),
            )
            for log in logs
        ]

    def _gone(self) -> list[str]:
        """What the token names and is no more."""
        known = {log_key(each.log) for each in self._logs}
        gone = [
            key for key in (self._position.by_log() if self._position else ()) if key not in known
        ]
        if not gone:
            return []
        logs = "a log" if len(gone) == 1 else f"{len(gone)} logs"
        return [f"{logs} of the page before cannot be read any more: the pod or its run is gone"]

    @property
    def _starts_at_newest(self) -> bool:
        return self._position is None and not self._query.oldest_first

    # Newer

    async def _read_newer(self) -> LogPage:
        starts = {id(each): each.place for each in self._logs}

        async def read(each: PageLog) -> None:
            each.found = await each.reader.after(each.place, self._until, self._may_go_on)

        await self._each(self._logs, read)
        logs = self._readable()
        ceiling = min((each.found.known_to for each in logs), default=END)
        ordered = in_order(logs, lambda line: line.time < ceiling)
        taken, cut = self._fitting(ordered)
        counts = counted(taken)
        ends: dict[int, Place] = {}
        for each in logs:
            count, lines = counts.get(id(each), 0), each.found.lines
            if count < len(lines):
                ends[id(each)] = shifted(each.found.place(count), each.place)
            elif each.found.known_to < self._until:
                ends[id(each)] = Place(each.found.known_to)
            else:
                ends[id(each)] = after_all(each)
        complete = all(
            counts.get(id(each), 0) == len(each.found.lines) and each.found.known_to >= self._until
            for each in logs
        )
        if complete:
            cut = PageCut.END
        has_older = any(place > Place(self._since) for place in starts.values())
        return self._made(taken, cut, starts if has_older else None, ends, at_end=complete)

    # Older

    async def _read_older(self) -> LogPage:
        ends = {id(each): each.place for each in self._logs}
        at_newest = self._starts_at_newest and self._until == END
        span = self._position.span if self._position is not None else 0
        step = first_step = max(_FIRST_STEP, 2 * span)
        for each in self._logs:
            each.began = each.place <= Place(self._since)
            each.found.known_from = each.place.time
        if at_newest:
            await self._each(self._logs, self._read_newest)
        while (unfinished := self._without_beginning()) and not self._is_full():
            if self._scanned > SCAN_BYTES or time.monotonic() - self._started > SCAN_SECONDS:
                break
            if step > first_step:
                await self._each([each for each in unfinished if each.oldest < 0], _find_oldest)
            floor = max(each.found.known_from for each in unfinished)
            if floor == END or (self._position is None and not at_newest):
                # Asked for by the caller; no line is there yet that tells the log's own time.
                floor = min(floor, int(time.time() * SECOND) + SECOND)
            target = floor - step
            target = self._since if target <= self._since or step > _LARGEST_STEP else target

            async def extend(each: PageLog, target: int = target) -> None:
                await self._extend(each, target)

            await self._each(
                [each for each in unfinished if each.found.known_from > target], extend
            )
            step *= 4
        if at_newest:
            ends = {id(each): after_all(each) for each in self._readable()}
        return self._older_page(ends, at_end=at_newest)

    async def _read_newest(self, each: PageLog) -> None:
        wanted = self._query.tail
        if wanted == 0:
            each.found = await each.reader.newest(1)
            each.found.known_from, each.found.lines = each.found.newest + 1, []
            return
        tail = wanted or self._scope.lines + self._scope.lines // 4 + 16
        each.found = await each.reader.newest(tail)
        self._scanned += each.found.size
        each.began = each.found.known_from <= self._since
        if wanted is not None:
            return
        # Before that, some may be missing.
        known = each.found.known_from
        each.found.lines = [line for line in each.found.lines if line.time >= known]
        if not each.began and known > each.found.newest - DISORDER:
            # So many lines came within a moment that they cannot be told apart from the ones before.
            each.found = await each.reader.before(
                Place(END), (each.found.newest - DISORDER) // SECOND * SECOND
            )
            self._scanned += each.found.size

    async def _extend(self, each: PageLog, target: int) -> None:
        """Read on towards the beginning, down to a time."""
        if target <= each.oldest + DISORDER:
            target = self._since  # All there is.
        upper = Place(each.found.known_from)
        if upper > each.place:
            upper = each.place
        if not each.found.lines and each.found.known_from == each.place.time:
            upper = each.place
        more = await each.reader.before(upper, target)
        self._scanned += more.size
        each.found.lines = more.lines + each.found.lines
        each.found.known_from = more.known_from
        each.began = more.known_from <= self._since
        if more.newest >= each.found.newest:
            each.found.newest, each.found.newest_ties = more.newest, more.newest_ties

    def _older_page(self, ends: dict[int, Place], *, at_end: bool) -> LogPage:
        logs = self._readable()
        tail = self._query.tail if self._starts_at_newest else None
        floor = self._floor() if tail is None else 0
        ordered = in_order(logs, lambda line: line.time >= floor)
        taken, cut = self._fitting(ordered[::-1])
        taken.reverse()
        counts = counted(taken)
        starts: dict[int, Place] = {}
        for each in logs:
            count, lines = counts.get(id(each), 0), each.found.lines
            if 0 < count < len(lines):
                starts[id(each)] = each.found.place(len(lines) - count)
            elif count < len(lines):
                starts[id(each)] = Place(lines[-1].time + 1)
            elif each.began:
                starts[id(each)] = BEGINNING
            elif tail is not None and lines:
                starts[id(each)] = each.found.place(0)
            else:
                starts[id(each)] = Place(each.found.known_from)
        more = any(place != BEGINNING for place in starts.values())
        if not more:
            cut = PageCut.END
        elif cut is PageCut.END:
            cut = PageCut.SCANNED if tail is None else PageCut.LINES
        return self._made(taken, cut, starts if more else None, ends, at_end=at_end)

    def _without_beginning(self) -> list[PageLog]:
        if self._starts_at_newest and self._query.tail is not None and self._until == END:
            return []
        return [each for each in self._readable() if not each.began]

    def _floor(self) -> int:
        """From when on the lines of all logs are known."""
        return max((each.found.known_from for each in self._without_beginning()), default=0)

    def _is_full(self) -> bool:
        floor = self._floor()
        lines = [
            line for each in self._readable() for line in each.found.lines if line.time >= floor
        ]
        return len(lines) > self._scope.lines or sum(line.size for line in lines) > self._scope.size

    # Both

    async def _each(
        self, logs: Iterable[PageLog], read: Callable[[PageLog], Awaitable[None]]
    ) -> None:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(each: PageLog) -> None:
            async with slots:
                try:
                    await read(each)
                except PodyardError as error:
                    each.failure = error

        async with asyncio.TaskGroup() as group:
            for each in logs:
                group.create_task(one(each))

    def _readable(self) -> list[PageLog]:
        return [each for each in self._logs if each.failure is None]

    def _may_go_on(self, size: int) -> bool:
        self._scanned += size
        return self._scanned <= SCAN_BYTES

    def _fitting(
        self, ordered: Sequence[tuple[PageLog, PageLine]]
    ) -> tuple[list[tuple[PageLog, PageLine]], PageCut]:
        """As many as a page holds, at least one, and what the limit was."""
        size = 0
        for index, (_, line) in enumerate(ordered):
            size += line.size
            if index == self._scope.lines:
                return list(ordered[:index]), PageCut.LINES
            if size > self._scope.size and index:
                return list(ordered[:index]), PageCut.BYTES
        return list(ordered), PageCut.END

    def _made(
        self,
        taken: list[tuple[PageLog, PageLine]],
        cut: PageCut,
        starts: dict[int, Place] | None,
        ends: dict[int, Place],
        *,
        at_end: bool,
    ) -> LogPage:
        span = taken[-1][1].time - taken[0][1].time if taken else 0
        if cut is PageCut.SCANNED:
            # The next page goes on with steps as large as the last of these.
            span = max((e.place.time - e.found.known_from for e in self._readable()), default=0)
            span = min(span, _LARGEST_STEP)
        return LogPage(
            grouped(taken),
            cut,
            self._token(starts, span, older=True) if starts is not None else "",
            self._token(ends, span, older=False),
            at_end,
            self._resume_token() if at_end and self._until == END else "",
        )

    def _token(self, places: dict[int, Place], span: int, *, older: bool) -> str:
        position = PagePosition(
            older,
            self._since or None,
            span,
            [
                (
                    each.log.source.pod_uid,
                    each.log.source.container,
                    each.log.run,
                    places.get(id(each), each.place),
                )
                for each in self._logs
            ],
        )
        return position.token(self._identity)

    def _resume_token(self) -> str:
        """Where TailLogs goes on after all that was read."""
        positions = [
            ContainerPosition(
                each.log.source.pod_uid,
                each.log.source.pod,
                each.log.source.container,
                each.log.run,
                cursor_after(each),
            )
            for each in self._readable()
            if each.log.latest
        ]
        return write_token(TailPosition(self._since or None, positions), self._source)


async def _find_oldest(each: PageLog) -> None:
    oldest = await each.reader.oldest_time()
    each.oldest = END if oldest is None else oldest
