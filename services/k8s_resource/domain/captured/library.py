"""`logs.library.LogLibrary` of what Kubernetes has and of what is kept, as one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.common.errors import PodyardError
from services.k8s_resource.domain.logs.archive import (
    ArchivedContainer,
    ArchivedRun,
    LogArchive,
)
from services.k8s_resource.domain.logs.cursor import Gate, advance
from services.k8s_resource.domain.logs.events import Source
from services.k8s_resource.domain.logs.library import (
    WHOLE,
    ContainerLogs,
    LogBytes,
    LogLibrary,
    ReadStart,
    RunLog,
)
from services.k8s_resource.domain.logs.lines import Lines, LineSplitter
from services.k8s_resource.domain.logs.log_api import LogApi
from services.k8s_resource.domain.logs.targets import Target
from services.k8s_resource.domain.ports import Connection

_SECOND = 1_000_000_000


class LiveAndKeptLogs:
    """Of pods that exist what Kubernetes gives, with what it has forgotten before that; of pods
    that are gone what is kept."""

    def __init__(self, live: LogLibrary, archive: LogArchive) -> None:
        self._live = live
        self._archive = archive

    async def containers(self, connection: Connection, target: Target) -> list[ContainerLogs]:
        live = await self._live.containers(connection, target)
        found = [self._with_kept_runs(connection.name, container) for container in live]
        if not (target.pod_name and live):
            present = {container.source.pod_uid for container in live}
            gone = self._archive.gone(connection.name, target, present)
            found += [self._gone(connection.name, container) for container in gone]
        found.sort(key=lambda c: (c.source.namespace, c.source.pod, c.source.container))
        return found

    def open(
        self, connection: Connection, log: RunLog, start: ReadStart = WHOLE
    ) -> AbstractAsyncContextManager[LogBytes]:
        kept = self._kept(connection.name, log)
        if kept is None or (start.tail is not None and not log.archived):
            return self._live.open(connection, log, start)
        return self._opened(connection, log, start, kept)

    @asynccontextmanager
    async def _opened(
        self, connection: Connection, log: RunLog, start: ReadStart, kept: ArchivedRun
    ) -> AsyncIterator[LogBytes]:
        if log.archived:
            async with aclosing(self._kept_bytes(connection.name, log, start)) as chunks:
                yield _Chunks(chunks)
        elif await self._reaches_back(connection, log, start, kept):
            async with aclosing(self._joined_bytes(connection, log, start, kept)) as chunks:
                yield _Chunks(chunks)
        else:
            async with self._live.open(connection, log, start) as opened:
                yield opened

    async def _reaches_back(
        self, connection: Connection, log: RunLog, start: ReadStart, kept: ArchivedRun
    ) -> bool:
        """Whether the archive has lines that are asked for and that Kubernetes has not."""
        if not kept.lines:
            return False
        first = await LogApi(connection).oldest_time(log.source, previous=not log.latest)
        oldest = kept.first_time
        if start.since_second is not None:
            oldest = max(oldest, start.since_second * _SECOND)
        return not first or oldest < first

    async def _kept_bytes(
        self, cluster: str, log: RunLog, start: ReadStart
    ) -> AsyncGenerator[bytes, None]:
        parts = self._archive.read(
            cluster, log.source, log.run, since_second=start.since_second, tail=start.tail
        )
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, Lines):
                    yield rendered(part)

    async def _joined_bytes(
        self, connection: Connection, log: RunLog, start: ReadStart, kept: ArchivedRun
    ) -> AsyncGenerator[bytes, None]:
        """What is kept, and from just there on what Kubernetes has."""
        try:
            newest = await LogApi(connection).newest_time(log.source)
        except PodyardError:
            newest = 0
        complete = start.since_second is not None or kept.first_line == 0
        cursor = None
        parts = self._archive.read(
            connection.name, log.source, log.run, since_second=start.since_second, until=newest
        )
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, Lines):
                    cursor = advance(cursor, part.times, complete=complete)
                    yield rendered(part)
        gate, splitter = Gate(cursor), LineSplitter()
        since = cursor.since_second if cursor is not None else start.since_second
        async with self._live.open(connection, log, ReadStart(since)) as stream:
            async for chunk in stream.chunks():
                lines = gate.take(splitter.feed(chunk))
                if len(lines):
                    yield rendered(lines)
            lines = gate.take(splitter.finish())
            if len(lines):
                yield rendered(lines)

    def _kept(self, cluster: str, log: RunLog) -> ArchivedRun | None:
        runs = self._archive.runs(cluster, log.source)
        return next((kept for kept in runs if kept.run == log.run), None)

    def _with_kept_runs(self, cluster: str, container: ContainerLogs) -> ContainerLogs:
        """With the runs before those that Kubernetes has."""
        if not container.runs:
            return container
        first = container.runs[0].run
        runs = self._archive.runs(cluster, container.source)
        earlier = [
            _run_log(kept, container.source, container.init, latest=False)
            for kept in runs
            if kept.run < first
        ]
        return replace(container, runs=(*earlier, *container.runs)) if earlier else container

    def _gone(self, cluster: str, container: ArchivedContainer) -> ContainerLogs:
        runs = self._archive.runs(cluster, container.source)
        logs = [
            _run_log(kept, container.source, container.init, latest=kept is runs[-1])
            for kept in runs
        ]
        return ContainerLogs(container.source, container.init, tuple(logs))


@dataclass(frozen=True, slots=True)
class _Chunks:
    _chunks: AsyncGenerator[bytes, None]

    def chunks(self) -> AsyncIterator[bytes]:
        return self._chunks


def rendered(lines: Lines) -> bytes:
    """Lines as the kubelet writes them with timestamps."""
    parts: list[str] = []
    second, stamp = -1, ""
    for text, time in zip(lines.texts, lines.times, strict=True):
        its_second, fraction = divmod(time, _SECOND)
        if its_second != second:
            second = its_second
            stamp = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
        parts.append(f"{stamp}.{fraction:09d}Z {text}\n")
    return "".join(parts).encode()


def _run_log(kept: ArchivedRun, source: Source, init: bool, *, latest: bool) -> RunLog:
    end = kept.ended.end if kept.ended is not None else 0
    return RunLog(source, kept.run, init, latest, False, kept.start, end, archived=True)
