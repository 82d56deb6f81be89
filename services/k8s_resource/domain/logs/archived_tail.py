"""Following a container whose log is kept: from the archive, and on from Kubernetes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from services.common.errors import InvalidArgumentError, PodyardError
from services.k8s_resource.domain.logs.archive import ArchivedRun, LogArchive
from services.k8s_resource.domain.logs.container_tail import ContainerTail, TailOptions
from services.k8s_resource.domain.logs.cursor import Gate
from services.k8s_resource.domain.logs.delivery import Sink
from services.k8s_resource.domain.logs.events import MarkType, Source
from services.k8s_resource.domain.logs.pods import ContainerState, PodState
from services.k8s_resource.domain.logs.position import ContainerPosition
from services.k8s_resource.domain.logs.progress import Progress

_SECOND = 1_000_000_000
_AWAY = 10 * _SECOND
"""A subscriber that was away for longer may find its place rotated out of Kubernetes' log."""

POD_GONE = "POD_GONE"
EARLIER_LINES = "EARLIER_LINES"


class Follower(Protocol):
    """Follows one container."""

    def update(self, pod: PodState, container: ContainerState) -> None:
        """The pod has changed."""

    def remove(self) -> None:
        """The pod is gone."""

    async def run(self) -> None:
        """Deliver lines and marks; returns when nothing can come any more."""


class _Replay:
    """Delivers runs from the archive."""

    def __init__(
        self,
        archive: LogArchive,
        cluster: str,
        source: Source,
        options: TailOptions,
        deliveries: Sink,
        position: ContainerPosition,
    ) -> None:
        self.progress = Progress(source, position, options.filter, deliveries)
        self._archive = archive
        self._cluster = cluster
        self._source = source
        self._options = options

    def runs(self) -> list[ArchivedRun]:
        """What is kept, from the position on."""
        position = self.progress.position
        first = 0 if position.run is None else position.run
        runs = self._archive.runs(self._cluster, self._source)
        return [run for run in runs if run.run >= first]

    async def tell(self, reason: str, message: str) -> None:
        """Mark that what follows comes from the archive."""
        await self.progress.mark(MarkType.CAPTURED, message, reason=reason)

    async def begin(self, run: ArchivedRun) -> None:
        """Begin a run unless it is the one that is being read."""
        if self.progress.position.run != run.run:
            await self.progress.begin(run.run, run.start)

    async def lines(
        self, run: ArchivedRun, *, tail: int | None = None, until: int | None = None
    ) -> None:
        """The lines of a run after the position; `until` as in `LogArchive.read`."""
        progress, options = self.progress, self._options
        cursor = progress.position.cursor
        gate = Gate(cursor)
        since = None if options.since is None else options.since // _SECOND
        if cursor is not None:
            since, tail = cursor.since_second, None
        complete = tail is None and (since is not None or run.first_line == 0)
        resumed = cursor is not None
        reading = self._archive.read(
            self._cluster, self._source, run.run, since_second=since, tail=tail, until=until
        )
        try:
            async for part in reading:
                if isinstance(part, str):
                    if gate.passing:
                        await progress.gap(part)
                    continue
                lines = gate.take(part)
                if not len(lines):
                    continue
                if resumed and not gate.found:
                    await progress.gap("lines at this place are no longer kept")
                resumed = False
                await progress.lines(lines, complete=complete)
                if progress.full:
                    return
        finally:
            await reading.aclose()

    async def finish(self, run: ArchivedRun) -> None:
        """The run is read to its end."""
        progress = self.progress
        await progress.complete()
        if run.ended is not None and not progress.position.told_end:
            await progress.end(run.ended, run.run)


class ArchivedTail:
    """A container of a pod that is gone: all its runs that are kept."""

    def __init__(
        self,
        archive: LogArchive,
        cluster: str,
        source: Source,
        options: TailOptions,
        deliveries: Sink,
        position: ContainerPosition,
        turns: asyncio.Semaphore,
    ) -> None:
        """`turns` bounds how many are read at the same time."""
        self._source = source
        self._options = options
        self._turns = turns
        self._replay = _Replay(archive, cluster, source, options, deliveries, position)

    def update(self, pod: PodState, container: ContainerState) -> None:
        """A pod that is gone does not change."""

    def remove(self) -> None:
        """It is gone already."""

    async def run(self) -> None:
        async with self._turns:
            await self._run()

    async def _run(self) -> None:
        replay, progress = self._replay, self._replay.progress
        runs = self._chosen(replay.runs())
        tails = _tails(runs, self._options.tail if progress.position.run is None else None)
        if runs and not (progress.position.whole and progress.position.run == runs[-1].run):
            message = f"pod {self._source.pod} is gone; its captured log follows"
            await replay.tell(POD_GONE, message)
        for run, tail in zip(runs, tails, strict=True):
            if tail == 0 and run is not runs[-1]:
                continue
            if progress.full:
                return
            await replay.begin(run)
            if not progress.position.whole:
                await replay.lines(run, tail=tail)
            await replay.finish(_again(replay.runs(), run))

    def _chosen(self, runs: list[ArchivedRun]) -> list[ArchivedRun]:
        if not self._options.previous:
            return runs
        if len(runs) < 2:
            raise InvalidArgumentError.field(
                "previous",
                f"container {self._source.container} of pod {self._source.pod} has had no "
                "earlier run that was captured",
            )
        return runs[-2:-1]


class JoinedTail:
    """A container that is there: first what is kept of it, then on from just there."""

    def __init__(
        self,
        archive: LogArchive,
        cluster: str,
        options: TailOptions,
        deliveries: Sink,
        pod: PodState,
        container: ContainerState,
        position: ContainerPosition,
        live: Callable[[PodState, ContainerState, ContainerPosition], ContainerTail],
        newest: Callable[[Source], Awaitable[int]],
    ) -> None:
        """`live` makes the follower that goes on; `newest` tells the time of a log's last line."""
        source = Source(pod.namespace, pod.name, container.name, pod.uid)
        self._replay = _Replay(archive, cluster, source, options, deliveries, position)
        self._pod, self._container = pod, container
        self._removed = False
        self._live: ContainerTail | None = None
        self._make_live = live
        self._newest_of = newest
        self._source = source

    @staticmethod
    def is_better(
        archive: LogArchive,
        cluster: str,
        options: TailOptions,
        container: ContainerState,
        source: Source,
        position: ContainerPosition,
    ) -> bool:
        """Whether the archive may have lines that Kubernetes has not."""
        if options.previous or not container.has_log:
            return False
        if options.tail is not None and position.initial and position.cursor is None:
            return False  # The last lines are those that Kubernetes has.
        runs = {run.run: run for run in archive.runs(cluster, source)}
        if position.run is None:
            return container.restarts in runs
        if position.run < container.restarts:
            return position.run in runs
        cursor, kept = position.cursor, runs.get(position.run)
        return (
            not position.whole
            and kept is not None
            and cursor is not None
            and kept.last_time - cursor.last > _AWAY
        )

    def update(self, pod: PodState, container: ContainerState) -> None:
        """The pod has changed."""
        self._pod, self._container = pod, container
        if self._live is not None:
            self._live.update(pod, container)

    def remove(self) -> None:
        """The pod is gone."""
        self._removed = True
        if self._live is not None:
            self._live.remove()

    async def run(self) -> None:
        progress = self._replay.progress
        present = self._container.restarts
        told = False
        for run in self._replay.runs():
            position = progress.position
            if position.run is None and run.run < present:
                continue  # As Kubernetes would: the present run only.
            if run.run > present or (position.run is not None and run.run > position.run + 1):
                break
            await self._replay.begin(run)
            if not progress.position.whole:
                if not told:
                    told = True
                    await self._replay.tell(EARLIER_LINES, "from the captured log")
                # The archive is read until it holds what is the log's last line now: that line
                # is found in the log again, whatever was rotated away before it.
                until = await self._newest(run.run == present)
                await self._replay.lines(run, until=until)
            if run.run == present or not run.whole:
                break
            await self._replay.finish(run)
        if progress.full:
            return
        self._live = self._make_live(self._pod, self._container, progress.position)
        if self._removed:
            self._live.remove()
        await self._live.run()

    async def _newest(self, present: bool) -> int | None:
        """How far the archive is to be read: an earlier run to its end."""
        if not present:
            return None
        try:
            return await self._newest_of(self._source)
        except PodyardError:
            return 0


def _tails(runs: list[ArchivedRun], tail: int | None) -> list[int | None]:
    """How many last lines of each run make the last `tail` lines of all."""
    if tail is None:
        return [None] * len(runs)
    tails: list[int | None] = []
    for run in reversed(runs):
        tails.append(min(tail, run.lines))
        tail -= min(tail, run.lines)
    return tails[::-1]


def _again(runs: list[ArchivedRun], run: ArchivedRun) -> ArchivedRun:
    """The run as it stands now: its end may have been stored while it was read."""
    return next((now for now in runs if now.run == run.run), run)
