"""The logs of a cluster's steps: list, read from an offset, follow."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum

from services.cluster_lifecycle.domain.config_rules import check_tag
from services.cluster_lifecycle.domain.log_text import (
    LONGEST_CHARACTER,
    to_text,
    whole_characters,
)
from services.cluster_lifecycle.domain.model import STEPS, LogFile
from services.cluster_lifecycle.domain.ports import ClusterStore, LogEntry, LogStore
from services.common.errors import InvalidArgumentError, NotFoundError, OutOfRangeError
from services.common.operations.ports import OperationEngine
from services.common.streams import HEARTBEAT_SECONDS

DEFAULT_CHUNK = 64 * 1024
TAIL_CHUNK = 256 * 1024
POLL_SECONDS = 0.1
"""How often a followed log is looked at: one stat, about two microseconds."""

_LOG_ID = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(-\d{1,6})?_(launch|configure)")


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of a log. `next_offset` and `size` are in bytes."""

    log: LogFile
    content: str
    next_offset: int


class TailEnd(Enum):
    """Why a followed log ends."""

    FINISHED = "finished"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class TailPiece:
    """The next piece of a followed log; empty content is a heartbeat."""

    log: LogFile
    content: str
    next_offset: int
    end: TailEnd | None = None


class Logs:
    """Logs by cluster and id; "launch" and "configure" name the newest of that step."""

    def __init__(self, store: LogStore, clusters: ClusterStore, engine: OperationEngine) -> None:
        self._store = store
        self._clusters = clusters
        self._engine = engine
        self._finished: set[str] = set()

    async def list(self, tag: str, step: str) -> list[LogFile]:
        """A cluster's logs, newest first; NotFoundError for an unknown cluster."""
        check_tag(tag)
        await asyncio.to_thread(self._clusters.read, tag)
        entries = await asyncio.to_thread(self._store.list, tag)
        return [await self._log_file(entry) for entry in entries if step in ("", entry.step)]

    async def read(self, tag: str, log_id: str, offset: int, max_bytes: int) -> LogChunk:
        """A piece from `offset`; OutOfRangeError beyond the end, NotFoundError."""
        log = await self._find(tag, log_id)
        _check_offset(log, offset)
        length = max(max_bytes or DEFAULT_CHUNK, LONGEST_CHARACTER)
        data = self._store.read(tag, log.id, offset, length)
        if offset + len(data) < log.size or not log.complete:
            data = data[: whole_characters(data)]
        return LogChunk(log, to_text(data), offset + len(data))

    async def tail(
        self, tag: str, log_id: str, offset: int, resume_token: str, draining: asyncio.Event
    ) -> AsyncGenerator[TailPiece, None]:
        """The log from `offset`, then what is appended, until its run has ended.

        The errors of `read`, and InvalidArgumentError for a bad `resume_token`.
        """
        log = await self._find(tag, log_id)
        if resume_token:
            offset = _resume_offset(resume_token)
        _check_offset(log, offset)
        end = asyncio.create_task(self._await_end(log, draining))
        try:
            async with aclosing(self._follow(tag, log, offset, end, draining)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            end.cancel()
            await asyncio.gather(end, return_exceptions=True)

    async def _follow(
        self,
        tag: str,
        log: LogFile,
        offset: int,
        end: asyncio.Task[None],
        draining: asyncio.Event,
    ) -> AsyncGenerator[TailPiece, None]:
        yield TailPiece(log, "", offset)
        sent = time.monotonic()
        while True:
            # Whether the run has ended comes first: what it wrote last is read after.
            ended = end.done()
            if ended and not draining.is_set():
                end.result()
            data = self._store.read(tag, log.id, offset, TAIL_CHUNK)
            at_end = len(data) < TAIL_CHUNK
            whole = data if ended and at_end else data[: whole_characters(data)]
            if whole:
                offset += len(whole)
                yield TailPiece(log, to_text(whole), offset)
                sent = time.monotonic()
            if draining.is_set():
                yield TailPiece(log, "", offset, TailEnd.DRAINING)
                return
            if ended and at_end:
                yield TailPiece(log, "", offset, TailEnd.FINISHED)
                return
            if time.monotonic() - sent >= HEARTBEAT_SECONDS:
                yield TailPiece(log, "", offset)
                sent = time.monotonic()
            if at_end:
                # The end of the run cuts the pause short.
                await asyncio.wait({end}, timeout=POLL_SECONDS)

    async def _await_end(self, log: LogFile, draining: asyncio.Event) -> None:
        """Return when the run has ended, or the server drains."""
        if not log.complete:
            async for _ in self._engine.subscribe(draining, operation_id=log.operation_id):
                pass

    async def _find(self, tag: str, log_id: str) -> LogFile:
        check_tag(tag)
        if log_id not in STEPS and not _LOG_ID.fullmatch(log_id):
            raise InvalidArgumentError.field(
                "log_id", 'must be the id of a log, or "launch" or "configure" for the newest'
            )
        entry = self._store.find(tag, log_id)
        if entry is None:
            await asyncio.to_thread(self._clusters.read, tag)
            raise NotFoundError("log", log_id, f'cluster "{tag}" has no log "{log_id}"')
        return await self._log_file(entry)

    async def _log_file(self, entry: LogEntry) -> LogFile:
        complete = await self._complete(entry.operation_id)
        # The size again: between the two, the last lines may have been written.
        size = self._store.size(entry) if complete else entry.size
        return LogFile(entry.id, entry.step, entry.create_time, size, complete, entry.operation_id)

    async def _complete(self, operation_id: str) -> bool:
        """Whether nothing more will be written; a log of no known operation is left as it is."""
        if not operation_id or operation_id in self._finished:
            return True
        try:
            operation = await self._engine.get(operation_id)
        except NotFoundError:
            return True
        if operation.state.terminal:
            self._finished.add(operation_id)
        return operation.state.terminal


def _check_offset(log: LogFile, offset: int) -> None:
    if offset > log.size:
        raise OutOfRangeError(
            f"offset {offset} is past the end of log {log.id}, which has {log.size} bytes",
            metadata={"size": str(log.size)},
        )


def _resume_offset(token: str) -> int:
    if token.isascii() and token.isdigit() and len(token) <= 19:
        return int(token)
    raise InvalidArgumentError.field(
        "resume_token",
        "is not a token of this stream; leave it empty and give an offset",
        reason="BAD_TOKEN",
    )
