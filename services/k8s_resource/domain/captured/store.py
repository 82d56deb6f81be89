"""The store of captured logs: its catalogue and its files, kept in step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from services.common.errors import UnavailableError
from services.common.logs import get_logger
from services.k8s_resource.domain.captured import measures
from services.k8s_resource.domain.captured.catalogue import CapturedRun, Catalogue, Segment
from services.k8s_resource.domain.captured.records import (
    Append,
    Chunk,
    CopyFailedError,
    PodKey,
    PodRecord,
    SegmentFiles,
    SegmentKey,
    StoreUnwritableError,
    Summary,
)

T = TypeVar("T")
_ACQUIRE_SECONDS = 1.0


@dataclass(frozen=True)
class StoreLimits:
    """Of segments: `segment_bytes` before compression, `segment_seconds` of age, after either of
    which one is sealed. `sync_seconds` is what a power failure may cost of what was written."""

    segment_bytes: int = 8 * 1024 * 1024
    segment_seconds: float = 3600.0
    sync_seconds: float = 5.0


class CaptureStore:
    """Use within `running()`. All changes go through one thread, one after the other; sealing
    and reading through others."""

    def __init__(self, files: SegmentFiles, limits: StoreLimits) -> None:
        self.files = files
        self.catalogue = Catalogue()
        self.opened = asyncio.Event()
        self.problem = "the captured logs are being opened"
        """Why it is not open; empty when it is."""
        self.limits = limits
        self._log = get_logger("captured_logs")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="capture-write")
        self._dirty: dict[SegmentKey, Segment] = {}
        self._sealing: set[SegmentKey] = set()
        self._unsealed: dict[SegmentKey, tuple[CapturedRun, Segment]] = {}
        self._changing = asyncio.Lock()
        self._failed: StoreUnwritableError | None = None
        self._news = asyncio.Event()
        self.wanted = asyncio.Event()
        """Set when what is gathered is to be stored at once."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Opens the store, in the background, and closes it."""
        async with asyncio.TaskGroup() as tasks:
            opening = tasks.create_task(self._open())
            try:
                yield
            finally:
                opening.cancel()
                await self._close()

    def needed(self) -> Catalogue:
        """The catalogue; UnavailableError until the store is open."""
        if not self.opened.is_set():
            raise UnavailableError(self.problem, retry_after=1.0, reason="CAPTURE_OPENING")
        return self.catalogue

    def hurry(self) -> None:
        """Somebody waits for what is on its way into the store."""
        self.wanted.set()

    def news(self) -> asyncio.Event:
        """Set when something is stored or a capture ends, after this call."""
        return self._news

    def tell(self) -> None:
        """Something was stored, or a capture ended."""
        self._news.set()
        self._news = asyncio.Event()

    async def _open(self) -> None:
        while (problem := await self._try_to_open()) is not None:
            if problem != self.problem:
                self.problem = problem
                self._log.warning("captured logs not opened", why=problem)
            await asyncio.sleep(_ACQUIRE_SECONDS)
        for run in self.catalogue.runs():
            for segment in run.segments:
                if not segment.summary.sealed:
                    self._unsealed[segment.key] = (run, segment)
        self.problem = ""
        self.opened.set()
        self._log.info("captured logs opened", pods=len(self.catalogue.pods))

    async def _try_to_open(self) -> str | None:
        """Why the store could not be opened now."""
        try:
            if not await self.in_writer(self.files.acquire):
                return (
                    "another process holds the folder of captured logs; they are served again "
                    "when it ends"
                )
            records, runs = await self.in_writer(self.files.scan)
        except OSError as error:
            await self.in_writer(self.files.release)
            return f"the folder of captured logs cannot be used: {error}"
        self.catalogue.fill(records, runs, time.monotonic())
        return None

    async def _close(self) -> None:
        if self.opened.is_set():
            try:
                await self.sync()
            except StoreUnwritableError as error:
                self._log.error("captured logs not synced at the end", why=str(error))
        await self.in_writer(self.files.release)
        self._writer.shutdown()

    # Changing

    async def put_pod(self, record: PodRecord) -> None:
        """Keep a pod's record. StoreUnwritableError."""
        await self.in_writer(self.files.write_pod, record)
        self.catalogue.put(record)

    async def append(self, chunks: Sequence[tuple[CapturedRun, Chunk]]) -> None:
        """Append chunks, one for a run; their `first_line` is set here.

        StoreUnwritableError: those before the one that failed are stored, the others and all
        that come later are not, until `go_on`: nothing is stored behind a hole.
        """
        if chunks:
            await _whole(self._append(chunks))

    async def _append(self, chunks: Sequence[tuple[CapturedRun, Chunk]]) -> None:
        async with self._changing:
            if self._failed is not None:
                raise StoreUnwritableError(str(self._failed))
            try:
                await self._append_in_turn(chunks)
            except StoreUnwritableError as error:
                self._failed = error
                raise

    async def _append_in_turn(self, chunks: Sequence[tuple[CapturedRun, Chunk]]) -> None:
        items: list[tuple[Segment, Append]] = []
        for run, chunk in chunks:
            segment, after = self._segment_for(run)
            offset = segment.summary.size
            chunk.first_line = run.end_line
            items.append((segment, Append(segment.key, offset, chunk, segment.synced, after)))
        done, error = await self.in_writer(self._append_all, [item for _, item in items])
        for (segment, item), size in zip(items, done, strict=False):
            self._note(segment, item.chunk, size)
        for (run, _), (segment, _) in zip(chunks, items, strict=True):
            if not segment.summary.size:
                run.segments.remove(segment)  # Nothing was written to it.
                self._unsealed.pop(segment.key, None)
        self.tell()
        if error is not None:
            raise error

    def _append_all(self, items: Iterable[Append]) -> tuple[list[int], StoreUnwritableError | None]:
        done = []
        for item in items:
            try:
                done.append(self.files.append(item))
            except StoreUnwritableError as error:
                return done, error
        return done, None

    def _segment_for(self, run: CapturedRun) -> tuple[Segment, SegmentKey | None]:
        """The open segment of a run, a new one if need be, and what must be durable before."""
        last = run.segments[-1] if run.segments else None
        if last is not None and self._is_open(last):
            return last, None
        number = last.key.number + 1 if last is not None else 1
        segment = Segment(
            SegmentKey(run.key, number),
            Summary(first_line=run.end_line, place=run.place),
            opened=time.monotonic(),
        )
        after = last if last is not None else self._of_run_before(run)
        run.segments.append(segment)
        self._unsealed[segment.key] = (run, segment)
        return segment, after.key if after is not None and after.key in self._dirty else None

    def _is_open(self, segment: Segment) -> bool:
        return not (
            segment.summary.sealed
            or segment.summary.problems
            or segment.key in self._sealing
            or segment.summary.size >= self.limits.segment_bytes
        )

    def _of_run_before(self, run: CapturedRun) -> Segment | None:
        runs = self.catalogue.pods[run.key.pod].runs_of(run.key.container)
        before = [r for r in runs if r.key.run < run.key.run and r.segments]
        return before[-1].segments[-1] if before else None

    def _note(self, segment: Segment, chunk: Chunk, size: int) -> None:
        size_of_text = sum(map(len, chunk.lines.texts))
        segment.summary.note(chunk, size_of_text)
        measures.LINES.inc(len(chunk.lines))
        measures.TEXT_BYTES.inc(size_of_text)
        segment.summary.size = size
        self._dirty[segment.key] = segment

    def go_on(self) -> None:
        """Everybody who writes goes on from what is stored."""
        self._failed = None

    async def sync(self) -> None:
        """Make durable what was written. StoreUnwritableError."""
        dirty = list(self._dirty.values())
        sizes = [segment.summary.size for segment in dirty]
        if not dirty:
            return
        await asyncio.to_thread(self.files.sync, [segment.key for segment in dirty])
        for segment, size in zip(dirty, sizes, strict=True):
            segment.synced = max(segment.synced, size)
            if segment.summary.size == size:
                self._dirty.pop(segment.key, None)

    async def seal(self, segment: Segment) -> None:
        """Compress a segment. StoreUnwritableError."""
        async with self._changing:  # What is on its way to the segment comes first.
            self._sealing.add(segment.key)
        try:
            problems = segment.summary.problems
            summary = await asyncio.to_thread(self.files.seal, segment.key)
            summary.problems = list(dict.fromkeys([*problems, *summary.problems]))
            segment.summary = summary
            self._dirty.pop(segment.key, None)
            self._unsealed.pop(segment.key, None)
        finally:
            self._sealing.discard(segment.key)

    def due_for_sealing(self, now: float) -> list[Segment]:
        """Open segments that are old, large or damaged, or of runs that get no more lines."""
        return [
            segment
            for key, (run, segment) in self._unsealed.items()
            if key not in self._sealing
            and (
                segment is not run.segments[-1]
                or not self._is_open(segment)
                or (run.place.whole and not run.active)
                or now - segment.opened > self.limits.segment_seconds
            )
        ]

    async def delete(self, segments: Sequence[Segment]) -> int:
        """Delete segments that nobody reads, and the pods that have none left; the bytes.

        Those whose copies cannot be deleted now stay.
        """
        free = [s for s in segments if not s.readers and s.key not in self._sealing]
        if not free:
            return 0
        try:
            await self.in_writer(self.files.delete, [segment.key for segment in free])
        except CopyFailedError as error:
            self._log.warning("captured logs not deleted yet", why=str(error))
            return 0
        for segment in free:
            self.catalogue.forget(segment)
            self._dirty.pop(segment.key, None)
            self._unsealed.pop(segment.key, None)
        size = sum(segment.summary.size for segment in free)
        measures.DELETED_BYTES.inc(size)
        for key in {segment.key.run.pod for segment in free}:
            await self.delete_pod_if_empty(key)
        return size

    async def delete_pod_if_empty(self, key: PodKey) -> None:
        """Delete the record of a pod of which nothing is kept and nothing will come."""
        pod = self.catalogue.pods.get(key)
        if pod is not None and not pod.runs and pod.removed:
            try:
                await self.in_writer(self.files.delete_pod, key)
            except CopyFailedError as error:
                self._log.warning("record of a captured pod not deleted yet", why=str(error))
                return
            self.catalogue.forget_pod(key)

    async def mark_removed(self, key: PodKey, moment: int) -> None:
        """A pod is gone, since `moment` in nanoseconds."""
        pod = self.catalogue.pods.get(key)
        if pod is not None and not pod.removed:
            await self.put_pod(msgspec.structs.replace(pod.record, removed=moment))
            await self.delete_pod_if_empty(key)

    async def in_writer(self, call: Callable[..., T], *arguments: object) -> T:
        """Run in the thread of changes."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)


async def _whole(change: Coroutine[None, None, None]) -> None:
    """Let a change come to its end also when who asked for it is cancelled."""
    task = asyncio.ensure_future(change)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
