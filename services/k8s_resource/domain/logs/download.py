"""The DownloadLogs use case: logs as a file that is either whole or visibly not."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from enum import Enum

from services.common.errors import InvalidArgumentError, NotFoundError, PodyardError
from services.k8s_resource.domain.logs.compression import ZipStream, gzipped
from services.k8s_resource.domain.logs.library import RunLog
from services.k8s_resource.domain.logs.merged_text import PrefixedLog, merged_text
from services.k8s_resource.domain.logs.read_query import FoundLogs, LogFinder, ReadQuery
from services.k8s_resource.domain.logs.reading import PATIENCE_SECONDS, read_log
from services.k8s_resource.domain.logs.targets import TargetKind
from services.k8s_resource.domain.logs.text_stream import TextStream

MOST_MERGED = 256
"""Logs of one merged text: all of them are open at a time."""

_OPENING_PATIENCE_SECONDS = 5.0
"""In an archive, how long a log that cannot be opened is tried again; then the others go on."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 200
_FAILURES_ENTRY = "UNREADABLE.txt"


class DownloadFormat(Enum):
    """What to make of the logs; see LogDownloadFormat of the API."""

    AUTOMATIC = "automatic"
    TEXT = "text"
    ZIP = "zip"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class DownloadOptions:
    """Which bytes, and in which form. `limit_bytes` of each log, None for all."""

    tail: int | None = None
    timestamps: bool = False
    format: DownloadFormat = DownloadFormat.AUTOMATIC
    gzip: bool = False
    limit_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """A file to be sent. Close `chunks`, which raises if the file cannot be made whole."""

    file_name: str
    content_type: str
    chunks: AsyncGenerator[bytes, None]


class Downloads:
    """Makes downloads."""

    def __init__(self, finder: LogFinder) -> None:
        self._finder = finder

    async def make(self, query: ReadQuery, options: DownloadOptions) -> Download:
        """The download of a query. Domain errors for what is wrong with it, and where there is
        nothing to read."""
        found = await self._finder.find(query)
        logs = found.chosen.runs
        form = options.format
        if form is DownloadFormat.AUTOMATIC:
            form = DownloadFormat.TEXT if len(logs) == 1 else DownloadFormat.ZIP
        _check(form, found)
        reader = _Reader(found, options)
        name = _file_name(query, found)
        if form is DownloadFormat.ZIP:
            return Download(f"{name}.zip", "application/zip", reader.archive())
        chunks = reader.text(logs[0]) if form is DownloadFormat.TEXT else reader.merged()
        if options.gzip:
            return Download(f"{name}.log.gz", "application/gzip", _closing(chunks))
        return Download(f"{name}.log", "text/plain; charset=utf-8", chunks)


def _check(form: DownloadFormat, found: FoundLogs) -> None:
    logs = found.chosen.runs
    if not logs:
        text = "; ".join(found.chosen.notes)
        raise NotFoundError("log", found.target.described, f"{text}, so nothing to download")
    if form is DownloadFormat.TEXT and len(logs) != 1:
        names = sorted({log.source.container for log in logs})
        raise InvalidArgumentError.field(
            "format",
            f"text is the bytes of one log, and these are {len(logs)} ({', '.join(names)}); name "
            "one pod and container, or take an archive or merged text",
        )
    if form is DownloadFormat.MERGED and len(logs) > MOST_MERGED:
        raise InvalidArgumentError.field(
            "format",
            f"{len(logs)} logs are more than the {MOST_MERGED} that can be merged; choose fewer, "
            "or take an archive",
        )


class _Reader:
    def __init__(self, found: FoundLogs, options: DownloadOptions) -> None:
        self._found = found
        self._options = options

    async def text(
        self, log: RunLog, *, opening_patience: float = PATIENCE_SECONDS
    ) -> AsyncGenerator[bytes, None]:
        """The text of one log."""
        left = self._options.limit_bytes
        async with aclosing(self._lines(log, self._options.timestamps, opening_patience)) as lines:
            async for text in lines:
                if left is not None and len(text) >= left:
                    if left:
                        yield text[:left]
                    return
                yield text
                left = None if left is None else left - len(text)

    async def merged(self) -> AsyncGenerator[bytes, None]:
        """All logs as one text."""
        async with AsyncExitStack() as stack:
            logs = []
            for log in self._found.chosen.runs:
                source = log.source
                run = "" if log.latest else f" run {log.run}"
                prefix = f"[pod/{source.pod}/{source.container}{run}] ".encode()
                lines = await stack.enter_async_context(aclosing(self._limited(log)))
                logs.append(PrefixedLog(prefix, lines))
            text = merged_text(logs, timestamps=self._options.timestamps)
            async with aclosing(text) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def archive(self) -> AsyncGenerator[bytes, None]:
        """A file for each log. What cannot be opened is named in a file at the end; what breaks
        midway and cannot be gone on with fails the whole."""
        archive = ZipStream(compress=self._options.gzip, made=time.time())
        unreadable = list(self._found.chosen.notes)
        for name, log in _entry_names(self._found.chosen.runs):
            text = self.text(log, opening_patience=_OPENING_PATIENCE_SECONDS)
            async with aclosing(text):
                try:
                    first = await anext(text, b"")
                except PodyardError as error:
                    unreadable.append(f"{name}: {error.message}")
                    continue
                async with aclosing(archive.entry(name, _chain(first, text))) as packed:
                    async for data in packed:
                        if data:
                            yield data
        if unreadable:
            lines = "".join(f"{line}\n" for line in unreadable).encode()
            async with aclosing(archive.entry(_FAILURES_ENTRY, _chain(lines))) as packed:
                async for data in packed:
                    yield data
        yield archive.finish()

    async def _limited(self, log: RunLog) -> AsyncGenerator[bytes, None]:
        """Raw lines of a log, up to the limit."""
        left = self._options.limit_bytes
        async with aclosing(self._lines(log, True, _OPENING_PATIENCE_SECONDS)) as lines:
            async for text in lines:
                if left is not None and len(text) >= left:
                    yield text[:left]
                    return
                yield text
                left = None if left is None else left - len(text)

    async def _lines(
        self, log: RunLog, timestamps: bool, opening_patience: float
    ) -> AsyncGenerator[bytes, None]:
        window = self._found.window
        stream = TextStream(timestamps=timestamps, since=window.since, until=window.until)
        reading = read_log(
            self._found.address(log),
            window.start(self._options.tail),
            opening_patience=opening_patience,
        )
        async with aclosing(reading):
            async for chunk in reading:
                if text := stream.feed(chunk):
                    yield text
                if stream.past_end:
                    return
        if text := stream.finish():
            yield text


async def _chain(
    first: bytes, rest: AsyncIterator[bytes] | None = None
) -> AsyncGenerator[bytes, None]:
    if first:
        yield first
    if rest is not None:
        async for chunk in rest:
            yield chunk


async def _closing(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(chunks), aclosing(gzipped(chunks)) as packed:
        async for data in packed:
            yield data


def _entry_names(logs: tuple[RunLog, ...]) -> list[tuple[str, RunLog]]:
    """A path in the archive for each log; pods of one name, one after the other, by their uid."""
    uids: dict[str, set[str]] = {}
    for log in logs:
        uids.setdefault(log.source.pod, set()).add(log.source.pod_uid)
    named = []
    for log in logs:
        source = log.source
        pod = source.pod if len(uids[source.pod]) == 1 else f"{source.pod}_{source.pod_uid[:8]}"
        run = "" if log.latest else f".run{log.run}"
        named.append((f"{_safe(pod)}/{_safe(source.container)}{run}.log", log))
    return named


def _file_name(query: ReadQuery, found: FoundLogs) -> str:
    logs = found.chosen.runs
    if len(logs) == 1:
        log = logs[0]
        run = "" if log.latest else f"_run{log.run}"
        return _safe(f"{log.source.pod}_{log.source.container}{run}")
    if query.kind is TargetKind.SELECTOR:
        return _safe(f"{found.target.namespace}_logs")
    return _safe(f"{query.name}_logs")


def _safe(name: str) -> str:
    """A name for a file on any system, whatever the parts of it are."""
    return _UNSAFE.sub("-", name)[:_LONGEST_NAME].lstrip(".-") or "logs"
