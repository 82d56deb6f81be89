"""Following one container for one subscriber, from run to run, until nothing can come any more."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import msgspec

from services.common.errors import (
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    PodyardError,
)
from services.k8s_resource.domain.logs.cursor import advance, imprecise
from services.k8s_resource.domain.logs.events import Mark, MarkType, Source, SourceLines
from services.k8s_resource.domain.logs.feed import FeedReader, FeedRegistry, Start
from services.k8s_resource.domain.logs.filter import LineFilter
from services.k8s_resource.domain.logs.lines import Lines
from services.k8s_resource.domain.logs.log_api import LogApi
from services.k8s_resource.domain.logs.pods import ContainerState, PodState, Run
from services.k8s_resource.domain.logs.position import ContainerPosition

_SECOND = 1_000_000_000
SILENCE_SECONDS = 1.0
"""When a container has ended, how long its connection must be silent before what is left is
read in a request of its own, which proves the end."""

UNANSWERED_SECONDS = 0.5
"""The API server answers a followed log only with its first line; after this long the log is
asked for in another way, to know whether it can be read."""

_FIRST_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 2.0
# In a row: without `follow`, and of a run that has ended and so will not begin to have a log.
_MOST_FAILURES = 6
_MOST_REFUSALS = 6
_REFUSALS = (NotFoundError, InvalidArgumentError, PermissionDeniedError)


@dataclass(frozen=True, slots=True)
class TailOptions:
    """What a subscriber asked for. `since` in nanoseconds since 1970; `tail` in lines."""

    follow: bool
    previous: bool
    since: int | None
    tail: int | None
    filter: LineFilter


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to the subscriber, and where the container stands after it."""

    event: Mark | SourceLines | None
    position: ContainerPosition | None = None
    forget_pod: str = ""


Deliver = Callable[[Delivery], Awaitable[None]]


class ContainerTail:
    """One container of one pod. Told of changes by `update` and `remove`."""

    def __init__(
        self,
        api: LogApi,
        feeds: FeedRegistry,
        options: TailOptions,
        deliver: Deliver,
        pod: PodState,
        container: ContainerState,
        position: ContainerPosition,
    ) -> None:
        self._api = api
        self._feeds = feeds
        self._options = options
        self._deliver = deliver
        self._pod = pod
        self._state = container
        self._position = position
        self._removed = False
        self._changed = asyncio.Event()
        self._attached = False
        self._interrupted = False
        self._drained = False
        self._failures = 0
        self._last_text = ""
        self.source = Source(pod.namespace, pod.name, container.name, pod.uid)

    def update(self, pod: PodState, container: ContainerState) -> None:
        """The pod has changed."""
        self._pod, self._state = pod, container
        self._changed.set()

    def remove(self) -> None:
        """The pod is gone."""
        self._removed = True
        self._changed.set()

    async def run(self) -> None:
        """Deliver lines and marks; returns when nothing can come any more."""
        if self._options.previous:
            await self._read_previous_only()
            return
        while True:
            state, position = self._state, self._position
            if not state.has_log:
                if self._is_final:
                    return
                await self._next_change()
            elif position.run is None:
                await self._begin(state, state.restarts)
            elif state.restarts > position.run:
                await self._finish_earlier_run(state, position.run)
            elif not position.whole:
                await self._read_run()
            else:
                if not position.told_end and state.ended is not None:
                    await self._tell_end(state.ended, state.restarts)
                if self._is_final or not self._options.follow:
                    return
                await self._next_change()

    @property
    def _is_final(self) -> bool:
        """Whether no further run can come."""
        return self._removed or self._pod.finished or not self._options.follow

    @property
    def _run_ended(self) -> bool:
        """Whether the run being read has ended."""
        state = self._state
        return self._removed or state.ended is not None or state.restarts != self._position.run

    async def _begin(self, state: ContainerState, run: int) -> None:
        first = self._position.run is None
        self._drained = False
        initial = first and self._position.initial
        self._move(run=run, cursor=None, whole=False, told_end=False, initial=initial)
        if not initial:
            await self._mark(
                MarkType.STARTED, time_ns=state.start, restarts=run, position=self._position
            )

    async def _finish_earlier_run(self, state: ContainerState, run: int) -> None:
        """The container has been started again: read what is left of the run before."""
        newest_ended = state.restarts - 1
        if not self._position.whole:
            if run == newest_ended:
                await self._read_remainder()
            else:
                await self._mark(
                    MarkType.GAP,
                    f"run {run} of the container ended and another after it; Kubernetes keeps "
                    "only the log of the run before the present one",
                )
        if not self._position.told_end and run == newest_ended and state.previous is not None:
            await self._tell_end(state.previous, run)
        if run < newest_ended:
            if newest_ended - run > 1:
                await self._mark(
                    MarkType.GAP, f"the logs of runs {run + 1} to {newest_ended - 1} are gone"
                )
            await self._begin(ContainerState(state.name), newest_ended)
            await self._read_remainder()
            if state.previous is not None:
                await self._tell_end(state.previous, newest_ended)
        await self._begin(state, state.restarts)

    async def _read_previous_only(self) -> None:
        if self._position.whole:
            return
        if self._state.previous is None and self._state.restarts == 0:
            raise InvalidArgumentError.field(
                "previous",
                f"container {self.source.container} of pod {self.source.pod} has had no "
                "earlier run",
            )
        if self._position.run is None:
            self._move(run=max(0, self._state.restarts - 1))
        await self._read_remainder()
        if self._state.previous is not None:
            await self._tell_end(self._state.previous, max(0, self._state.restarts - 1))

    async def _read_remainder(self) -> None:
        """Read the run before the present one to its end; a GAP if that cannot be done."""
        while not self._position.whole:
            if self._state.restarts - 1 != self._position.run:
                await self._lost("the container was started again before its log was read")
                return
            try:
                await self._read(previous=True)
            except (InvalidArgumentError, NotFoundError) as error:
                if self._options.previous:
                    raise
                await self._lost(f"the rest of an ended run cannot be read: {error.message}")

    async def _read_run(self) -> None:
        try:
            await self._read(previous=False)
        except (NotFoundError, InvalidArgumentError) as error:
            # The pod is gone, not yet known to its node, or its container about to start: the
            # pod source will tell.
            if self._removed and self._drained:
                await self._complete()
            elif self._removed or (self._run_ended and self._failures >= _MOST_REFUSALS):
                await self._lost(f"the log of an ended run cannot be read: {error.message}")
            else:
                await self._back_off(error)

    async def _lost(self, why: str) -> None:
        self._move(whole=True)
        await self._mark(MarkType.GAP, why, position=self._position)

    async def _read(self, *, previous: bool) -> None:
        """One reading of the present run, or of the one before it.

        Ends when the log was read to the end of the run (then it is `whole`), when it must be
        read anew (the run ended, the connection broke), or raises why it cannot be read.
        """
        run_ended = previous or self._run_ended
        follow = self._options.follow and not run_ended
        start = self._start(previous=previous, follow=follow)
        key = (
            self._api.cluster,
            self.source.pod_uid,
            self.source.container,
            str(self._position.run),
        )
        resumed = start.cursor is not None
        async with AsyncExitStack() as stack:
            reader = await stack.enter_async_context(
                self._feeds.open(key, start, lambda s: self._api.open(self.source, s))
            )
            while not reader.at_end:
                if reader.left_behind:
                    return
                lines = reader.take()
                if lines is not None:
                    if resumed:
                        await self._check_resumption(reader)
                        resumed = False
                    await self._take(reader, lines, start)
                elif not await self._wait(reader, follow):
                    self._drained = True
                    if self._removed:
                        await self._complete()
                    return
                else:
                    joined = self._joinable(key, reader, follow)
                    if joined is not None:
                        alone = stack.pop_all()
                        reader = await stack.enter_async_context(self._feeds.use(key, joined))
                        await alone.aclose()
            await self._ended(reader, start, run_ended=run_ended)

    def _start(self, *, previous: bool, follow: bool) -> Start:
        cursor = self._position.cursor
        if cursor is not None:
            return Start(cursor, cursor.since_second, None, previous, follow)
        since = self._options.since
        second = None if since is None else since // _SECOND
        tail = self._options.tail if self._position.initial else None
        return Start(None, second, tail, previous, follow)

    def _joinable(
        self, key: tuple[str, ...], reader: FeedReader, follow: bool
    ) -> FeedReader | None:
        cursor = self._position.cursor
        if not follow or cursor is None:
            return None
        return self._feeds.find(key, reader.feed, cursor.last, self._last_text)

    async def _check_resumption(self, reader: FeedReader) -> None:
        """After the first lines of a reading that goes on from a cursor."""
        await self._answered(reader)
        feed, cursor = reader.feed, self._position.cursor
        if feed.gap:
            await self._mark(
                MarkType.GAP,
                "the last line read is no longer in the log, which was rotated or truncated; "
                "lines written before this may be missing",
            )
        if cursor is not None and not feed.counting:
            self._move(cursor=imprecise(cursor))

    async def _take(self, reader: FeedReader, lines: Lines, start: Start) -> None:
        await self._answered(reader)
        self._last_text = lines.texts[-1]
        complete = start.tail is None
        self._move(cursor=advance(self._position.cursor, lines.times, complete=complete))
        kept = self._options.filter.apply(lines)
        event = SourceLines(self.source, kept) if len(kept) else None
        await self._deliver(Delivery(event, self._position))

    async def _complete(self) -> None:
        self._move(whole=True)
        await self._deliver(Delivery(None, self._position))

    async def _wait(self, reader: FeedReader, follow: bool) -> bool:
        """Wait for something new; False when the run has ended and its connection is silent."""
        if not self._attached and reader.feed.answered:
            await self._answered(reader)
        closing = follow and self._run_ended
        limit: float | None = None
        if closing:
            limit = SILENCE_SECONDS
        elif follow and not self._attached:
            limit = UNANSWERED_SECONDS
        reader.wake.clear()
        self._changed.clear()
        if reader.has_news or (follow and self._run_ended and not closing):
            return True
        if await _first_of(limit, reader.wake, self._changed):
            return True
        if closing:
            return False
        if not reader.feed.answered and follow and await self._api.can_be_read(self.source):
            await self._attach()
        return True

    async def _answered(self, reader: FeedReader) -> None:
        self._failures = 0
        if not self._attached and reader.feed.answered:
            await self._attach()

    async def _attach(self) -> None:
        self._attached, self._interrupted = True, False
        await self._mark(MarkType.ATTACHED, restarts=self._position.run or 0)

    async def _ended(self, reader: FeedReader, start: Start, *, run_ended: bool) -> None:
        """The connection has ended: at the end of the log, or broken."""
        error = reader.feed.error
        if error is not None:
            if not isinstance(error, PodyardError) or isinstance(error, _REFUSALS):
                raise error
            if error.reason != "INACTIVE":
                await self._back_off(error)
            return
        await self._answered(reader)
        if not start.follow:
            if len(reader.feed.unfinished_line):
                await self._take(reader, reader.feed.unfinished_line, start)
            if run_ended or not self._options.follow:
                await self._complete()
        elif self._removed:
            await self._complete()
        elif self._run_ended:
            self._drained = True
        else:
            # The run has ended, or a server on the way has; the next reading shows which.
            self._changed.clear()
            await _first_of(self._pause(), self._changed)

    async def _back_off(self, error: PodyardError) -> None:
        """Say once that the log cannot be read, and wait before the next attempt."""
        if not self._interrupted:
            self._interrupted, self._attached = True, False
            await self._mark(MarkType.INTERRUPTED, error.message)
        if not self._options.follow and self._failures >= _MOST_FAILURES:
            await self._lost(f"given up: {error.message}")
            return
        self._changed.clear()
        await _first_of(self._pause(), self._changed)

    def _pause(self) -> float:
        """Seconds until the next attempt, longer with each failure, spread at random."""
        self._failures += 1
        longest = min(_FIRST_BACKOFF_SECONDS * 2.0**self._failures, _LONGEST_BACKOFF_SECONDS)
        return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load

    async def _next_change(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    async def _tell_end(self, run: Run, restarts: int) -> None:
        self._move(told_end=True)
        await self._mark(
            MarkType.ENDED,
            run.message,
            time_ns=run.end,
            exit_code=run.exit_code,
            reason=run.reason,
            restarts=restarts,
            position=self._position,
        )

    async def _mark(
        self,
        type_: MarkType,
        message: str = "",
        *,
        time_ns: int = 0,
        exit_code: int | None = None,
        reason: str = "",
        restarts: int = 0,
        position: ContainerPosition | None = None,
    ) -> None:
        mark = Mark(
            type_, time_ns or time.time_ns(), self.source, message, exit_code, reason, restarts
        )
        await self._deliver(Delivery(mark, position))

    def _move(self, **changes: object) -> None:
        self._position = msgspec.structs.replace(self._position, **changes)


async def _first_of(timeout: float | None, *events: asyncio.Event) -> bool:
    """Wait until one of the events is set; False if none was within `timeout` seconds."""
    if any(event.is_set() for event in events):
        return True
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for task in waiting:
            task.cancel()
