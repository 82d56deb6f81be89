"""What followers of containers deliver, gathered and written to the store."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from services.k8s_resource.domain.captured import measures
from services.k8s_resource.domain.captured.catalogue import CapturedRun
from services.k8s_resource.domain.captured.records import (
    NOWHERE,
    Chunk,
    Place,
    RunKey,
    StoredMark,
    StoreUnwritableError,
)
from services.k8s_resource.domain.captured.store import CaptureStore
from services.k8s_resource.domain.logs.events import Mark, MarkType, SourceLines
from services.k8s_resource.domain.logs.lines import Lines
from services.k8s_resource.domain.logs.position import ContainerPosition

FLUSH_SECONDS = 0.5
"""How long lines are gathered, unless much comes. What is lost by a kill is read again."""

_ENOUGH_BYTES = 1024 * 1024
_RUN_BYTES = 256 * 1024
_ALL_BYTES = 32 * 1024 * 1024
_LINE_BYTES = 16

_STORED = {MarkType.STARTED: "started", MarkType.ENDED: "ended", MarkType.GAP: "gap"}


@dataclass(slots=True)
class _Gathered:
    lines: Lines = field(default_factory=Lines)
    marks: list[StoredMark] = field(default_factory=list)
    place: Place = NOWHERE
    size: int = 0


class CaptureWriter:
    """Holds at most 256 KiB of a run and 32 MiB of all; more has to wait, and with it only the
    capture of that container: its viewers go on."""

    def __init__(self, store: CaptureStore) -> None:
        self._store = store
        self._gathered: dict[RunKey, _Gathered] = {}
        self._size = 0
        self._enough = store.wanted
        self._written = asyncio.Event()

    async def put(
        self, key: RunKey, event: Mark | SourceLines | None, position: ContainerPosition
    ) -> None:
        """Gather an event of a run, and where its container stands after it; waits for room."""
        while not self.offer(key, event, position):
            self._written.clear()
            await self._written.wait()

    def offer(
        self, key: RunKey, event: Mark | SourceLines | None, position: ContainerPosition
    ) -> bool:
        """As `put`; False, and nothing else, if there is no room now."""
        if self._size >= _ALL_BYTES or self._size_of(key) >= _RUN_BYTES:
            self._enough.set()
            return False
        gathered = self._gathered.setdefault(key, _Gathered())
        before = gathered.size
        if isinstance(event, SourceLines):
            _extend(gathered, event.lines)
        elif event is not None and (kind := _STORED.get(event.type)) is not None:
            gathered.marks.append(_stored(kind, len(gathered.lines), event))
            if kind == "gap":
                measures.GAPS.inc()
        gathered.place = Place(position.cursor, position.whole, position.told_end)
        self._size += gathered.size - before
        if self._size >= _ENOUGH_BYTES:
            self._enough.set()
        return True

    async def wait_for_work(self) -> None:
        """Returns when it is time to write."""
        try:
            await asyncio.wait_for(self._enough.wait(), FLUSH_SECONDS)
        except TimeoutError:
            return

    async def flush(self) -> None:
        """Write what was gathered. StoreUnwritableError: what could not be written is dropped;
        who follows must go on from what is stored."""
        gathered, self._gathered, self._size = self._gathered, {}, 0
        self._enough.clear()
        chunks: list[tuple[CapturedRun, Chunk]] = []
        for key, part in gathered.items():
            if key.pod in self._store.catalogue.pods:
                run = self._store.catalogue.run(key)
                if (
                    not (part.lines.texts or part.marks)
                    and run.segments
                    and run.place == part.place
                ):
                    continue
                chunks.append((run, Chunk(0, part.lines, part.marks, part.place)))
        try:
            await self._store.append(chunks)
        except StoreUnwritableError:
            self.drop()
            raise
        finally:
            self._written.set()

    def drop(self) -> None:
        """Forget what was gathered."""
        self._gathered, self._size = {}, 0
        self._written.set()

    def _size_of(self, key: RunKey) -> int:
        gathered = self._gathered.get(key)
        return gathered.size if gathered is not None else 0


def _extend(gathered: _Gathered, lines: Lines) -> None:
    shift = len(gathered.lines)
    gathered.lines.truncated += [index + shift for index in lines.truncated]
    gathered.lines.texts += lines.texts
    gathered.lines.times += lines.times
    gathered.size += sum(map(len, lines.texts)) + _LINE_BYTES * len(lines)


def _stored(kind: str, before: int, mark: Mark) -> StoredMark:
    return StoredMark(before, kind, mark.time, mark.message, mark.exit_code, mark.reason)
