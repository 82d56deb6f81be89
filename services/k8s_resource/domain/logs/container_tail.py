"""Following one container for one subscriber, from run to run, until nothing can come any more."""

from __future__ import annotations

import asyncio
import math
import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from services.common.errors import (
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    PodyardError,
)
from services.k8s_resource.domain.logs.delivery import Sink
from services.k8s_resource.domain.logs.events import MarkType, Source
from services.k8s_resource.domain.logs.feed import Feed, FeedReader, Start
from services.k8s_resource.domain.logs.feed_registry import FeedRegistry
from services.k8s_resource.domain.logs.filter import LineFilter
from services.k8s_resource.domain.logs.lines import Lines
from services.k8s_resource.domain.logs.log_api import ContainerLog, LogApi
from services.k8s_resource.domain.logs.pods import ContainerState, PodState
from services.k8s_resource.domain.logs.position import ContainerPosition
from services.k8s_resource.domain.logs.progress import Progress

_SECOND = 1_000_000_000
MOST_CONTAINERS = 2000
"""What one stream may follow. Its resume token, which comes with each batch, holds about 50
characters for each container."""

SILENCE_SECONDS = 1.0
"""When a container has ended, how long its connection must be silent before what is left is
read in a request of its own, which proves the end."""

_ORDERLY_SECONDS = 5.0
_FIRST_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 2.0
# In a row: without `follow`, and of a run that has ended and so will not begin to have a log.
_MOST_FAILURES = 6
_MOST_REFUSALS = 6
_REFUSALS = (NotFoundError, InvalidArgumentError, PermissionDeniedError)
_USUAL_WAITS = frozenset({"", "ContainerCreating", "PodInitializing"})


@dataclass(frozen=True, slots=True)
class TailOptions:
    """What a subscriber asked for. `since` in nanoseconds since 1970; `tail` in lines.

    Lines that arrive within `merge_seconds` are put in one order; 0 means within one message.
    """

    follow: bool
    previous: bool
    since: int | None
    tail: int | None
    filter: LineFilter
    merge_seconds: float = 0.0
    most_containers: int = MOST_CONTAINERS


class ContainerTail:
    """One container of one pod. Told of changes by `update` and `remove`."""

    def __init__(
        self,
        api: LogApi,
        feeds: FeedRegistry,
        options: TailOptions,
        sink: Sink,
        pod: PodState,
        container: ContainerState,
        position: ContainerPosition,
    ) -> None:
        self._cluster = api.cluster
        self._feeds = feeds
        self._options = options
        self._pod = pod
        self._state = container
        self._source = Source(pod.namespace, pod.name, container.name, pod.uid)
        self._log = ContainerLog(api, self._source)
        self._progress = Progress(self._source, position, options.filter, sink)
        # Set by changes of the pod and by news of the feed being read.
        self._changed = asyncio.Event()
        self._removed = False
        self._attached = False
        self._interrupted = False
        # The connection of the run that ended was open, and is silent or closed since.
        self._drained = False
        # When a followed connection was last ended in order by the server.
        self._ended_in_order = -math.inf
        self._failures = 0
        self._told_wait = ""

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
        progress = self._progress
        while not progress.full:
            state, position = self._state, progress.position
            if not state.has_log:
                if self._is_final:
                    return
                await self._tell_wait(state.waiting_reason)
                await self._next_change()
            elif position.run is None:
                await self._begin(state.restarts, state.start)
            elif state.restarts > position.run:
                await self._finish_earlier_run(state, position.run)
            elif not position.whole:
                await self._read_run()
            else:
                if not position.told_end and state.ended is not None:
                    await progress.end(state.ended, state.restarts)
                if self._is_final:
                    return
                await self._next_change()

    # Runs

    @property
    def _is_final(self) -> bool:
        """Whether no further run can come, or is asked for."""
        return self._removed or self._pod.finished or not self._options.follow

    @property
    def _run_ended(self) -> bool:
        """Whether the run being read has ended."""
        state = self._state
        ended = state.ended is not None or state.restarts != self._progress.position.run
        return self._removed or ended

    @property
    def _has_just_ended(self) -> bool:
        """Whether the server ended the log moments ago: of a pod that went with it, the end may
        be known before that the pod is gone."""
        return time.monotonic() - self._ended_in_order < _ORDERLY_SECONDS

    async def _begin(self, run: int, start: int = 0) -> None:
        self._drained = False
        await self._progress.begin(run, start)

    async def _finish_earlier_run(self, state: ContainerState, run: int) -> None:
        """The container has been started again: read what is left of the run before."""
        progress, newest_ended = self._progress, state.restarts - 1
        if not progress.position.whole:
            if run == newest_ended:
                await self._read_remainder()
                if progress.full:
                    return
            else:
                await progress.lost(
                    f"run {run} of the container ended and another after it; Kubernetes keeps "
                    "only the log of the run before the present one"
                )
        if not progress.position.told_end and run == newest_ended and state.previous is not None:
            await progress.end(state.previous, run)
        if run < newest_ended:
            if newest_ended - run > 1:
                await progress.gap(f"the logs of runs {run + 1} to {newest_ended - 1} are gone")
            await self._begin(newest_ended)
            await self._read_remainder()
            if state.previous is not None:
                await progress.end(state.previous, newest_ended)
        await self._begin(state.restarts, state.start)

    async def _read_previous_only(self) -> None:
        state, progress = self._state, self._progress
        if progress.position.whole:
            return
        first_run = state.restarts == 0 and state.previous is None
        if first_run and (state.running or not state.has_log):
            raise InvalidArgumentError.field(
                "previous",
                f"container {self._source.container} of pod {self._source.pod} has had no "
                "earlier run",
            )
        if progress.position.run is None:
            progress.begin_quietly(max(0, state.restarts - 1))
        while not (progress.position.whole or progress.full):
            await self._read(previous=True)
        if state.previous is not None:
            await progress.end(state.previous, max(0, state.restarts - 1))

    async def _read_remainder(self) -> None:
        """Read the run before the present one to its end; a GAP if that cannot be done."""
        progress = self._progress
        while not (progress.position.whole or progress.full):
            if self._state.restarts - 1 != progress.position.run:
                await progress.lost("the container was started again before its log was read")
                return
            try:
                await self._read(previous=True)
            except (InvalidArgumentError, NotFoundError) as error:
                await progress.lost(f"the rest of an ended run cannot be read: {error.message}")

    async def _read_run(self) -> None:
        try:
            await self._read(previous=False)
        except (NotFoundError, InvalidArgumentError) as error:
            # The pod is gone, not yet known to its node, or its container about to start: the
            # pod source will tell.
            if self._removed and (self._drained or self._has_just_ended):
                await self._progress.complete()
            elif self._removed or (self._run_ended and self._failures >= _MOST_REFUSALS):
                await self._progress.lost(
                    f"the log of an ended run cannot be read: {error.message}"
                )
            else:
                await self._back_off(error)

    # One reading

    async def _read(self, *, previous: bool) -> None:
        """One reading of the present run, or of the one before it.

        Ends when the log was read to the end of the run (then it is `whole`), when it must be
        read anew (the run ended, the connection broke), or raises why it cannot be read.
        """
        run_ended = previous or self._run_ended
        follow = self._options.follow and not run_ended
        start = self._start(previous=previous, follow=follow)
        key = self._feed_key()
        async with AsyncExitStack() as stack:
            reader = await stack.enter_async_context(
                self._feeds.open(key, start, self._log, self._changed)
            )
            resumed = start.cursor is not None
            while not reader.at_end:
                if reader.left_behind:
                    return
                lines = reader.take()
                if lines is not None:
                    await self._note_answer(reader.feed)
                    if resumed:
                        await self._check_resumption(reader.feed)
                        resumed = False
                    await self._take(lines, start)
                    if self._progress.full:
                        return
                elif not await self._wait(
                    reader, follow=follow, settled=not resumed and self._feeds.shares(key, reader)
                ):
                    self._drained = True
                    if self._removed:
                        await self._progress.complete()
                    return
                elif follow and (joined := self._joinable(key, reader)) is not None:
                    alone = stack.pop_all()
                    reader = await stack.enter_async_context(self._feeds.use(key, joined))
                    await alone.aclose()
            await self._finish_reading(reader.feed, start, run_ended=run_ended)

    def _feed_key(self) -> tuple[str, ...]:
        run = self._progress.position.run
        return (self._cluster, self._source.pod_uid, self._source.container, str(run))

    def _start(self, *, previous: bool, follow: bool) -> Start:
        position, options = self._progress.position, self._options
        if position.cursor is not None:
            return Start(position.cursor, position.cursor.since_second, None, previous, follow)
        second = None if options.since is None else options.since // _SECOND
        tail = options.tail if position.initial or previous else None
        return Start(None, second, tail, previous, follow)

    def _joinable(self, key: tuple[str, ...], reader: FeedReader) -> FeedReader | None:
        cursor = self._progress.position.cursor
        if cursor is None:
            return None
        return self._feeds.find(key, reader, cursor.last, self._progress.last_text)

    async def _check_resumption(self, feed: Feed) -> None:
        """After the first lines of a reading that goes on from a cursor."""
        if feed.gap:
            await self._progress.gap(
                "the last line read is no longer in the log, which was rotated or truncated; "
                "lines written before this may be missing"
            )
        if not feed.counting:
            self._progress.recount()

    async def _take(self, lines: Lines, start: Start) -> None:
        await self._progress.lines(lines, complete=start.tail is None)

    async def _wait(self, reader: FeedReader, *, follow: bool, settled: bool) -> bool:
        """Wait for something new; False when the run has ended and its connection is silent.

        A `settled` reading needs nothing but its lines passed on.
        """
        if reader.feed.readable:
            await self._note_answer(reader.feed)
        closing = follow and self._run_ended
        limit = SILENCE_SECONDS if closing else None
        self._changed.clear()
        if reader.has_news:
            return True
        if settled and self._attached and limit is None:
            reader.sink = self._progress.lines_at_once
        try:
            if await self._changed_within(limit) or reader.has_news:
                return True
        finally:
            reader.sink = None
        return not closing

    async def _note_answer(self, feed: Feed) -> None:
        self._failures = 0
        if not self._attached and feed.readable:
            await self._attach()

    async def _attach(self) -> None:
        self._attached, self._interrupted = True, False
        await self._progress.mark(MarkType.ATTACHED, restarts=self._progress.position.run or 0)

    async def _finish_reading(self, feed: Feed, start: Start, *, run_ended: bool) -> None:
        """The connection has ended: at the end of the log, or broken."""
        error = feed.error
        if error is not None:
            if not isinstance(error, PodyardError) or isinstance(error, _REFUSALS):
                raise error
            if error.reason != "INACTIVE":
                await self._back_off(error)
            return
        await self._note_answer(feed)
        if not start.follow:
            if len(feed.unfinished_line):
                await self._take(feed.unfinished_line, start)
            if run_ended or not self._options.follow:
                await self._progress.complete()
        elif self._removed:
            await self._progress.complete()
        elif self._run_ended:
            self._drained = True
        else:
            # The run has ended, or a server on the way has; the next reading shows which.
            self._ended_in_order = time.monotonic()
            await self._pause()

    async def _back_off(self, error: PodyardError) -> None:
        """Say once that the log cannot be read, and wait before the next attempt."""
        if not self._interrupted:
            self._interrupted, self._attached = True, False
            await self._progress.mark(MarkType.INTERRUPTED, error.message)
        if not self._options.follow and self._failures >= _MOST_FAILURES:
            await self._progress.lost(f"given up: {error.message}")
            return
        await self._pause()

    async def _pause(self) -> None:
        """Wait longer with each failure, spread at random, or until the pod changes."""
        self._failures += 1
        longest = min(_FIRST_BACKOFF_SECONDS * 2.0**self._failures, _LONGEST_BACKOFF_SECONDS)
        self._changed.clear()
        await self._changed_within(random.uniform(longest / 2, longest))  # noqa: S311

    async def _tell_wait(self, reason: str) -> None:
        """Why a container does not start, when that is more than a matter of seconds."""
        if reason not in _USUAL_WAITS and reason != self._told_wait:
            self._told_wait = reason
            await self._progress.mark(
                MarkType.INTERRUPTED, f"the container has not started: {reason}", reason=reason
            )

    async def _next_change(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    async def _changed_within(self, seconds: float | None) -> bool:
        """Wait for news of the pod or of the feed; False if none came within so many seconds."""
        if seconds is None:
            return await self._changed.wait()
        try:
            async with asyncio.timeout(seconds):
                return await self._changed.wait()
        except TimeoutError:
            return False
