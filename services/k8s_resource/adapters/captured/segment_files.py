"""`records.SegmentFiles` on a local file system.

What holds after a crash, at whatever moment:

- A chunk is in the store wholly or not at all: its frame has a checksum, and a frame that is
  not whole at the end of an open segment is cut off. The place to go on from lies in the same
  frame, so the lines after it are read from Kubernetes again, once.
- `sync` makes durable what was appended. Each frame tells how much of its segment was durable
  when it was written. So after a power failure a bad frame beyond that is a write that did not
  reach the disk: it and all after it are cut off and read again. Before it, it is damage: what
  lies around it is kept, and the loss is told.
- A segment is not begun before the one before it, and the run before it, are durable.
- A sealed segment is written beside the open one, made durable, renamed, and only then the open
  one deleted. Of two, the sealed one counts if it is whole.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from services.k8s_resource.adapters.captured import framing
from services.k8s_resource.adapters.captured.disk import Disk
from services.k8s_resource.adapters.captured.encoding import (
    BlockEntry,
    block_frame,
    blocks,
    chunk_frame,
    decoded_chunk,
    index_frame,
    read_index,
    text_bytes,
)
from services.k8s_resource.adapters.captured.paths import Paths
from services.k8s_resource.adapters.captured.recovery import Recovery
from services.k8s_resource.domain.captured.records import (
    Append,
    Chunk,
    Damage,
    FoundRun,
    PodKey,
    PodRecord,
    SegmentKey,
    StoreUnwritableError,
    Summary,
)


class LocalSegmentFiles:
    """See `records.SegmentFiles`."""

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self.paths = Paths(root)
        self._disk = disk or Disk()
        self._new: set[Path] = set()
        self._lock: int | None = None

    def acquire(self) -> bool:
        self._disk.make_folder(self.paths.root)
        lock = os.open(self.paths.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def scan(self) -> tuple[list[PodRecord], list[FoundRun]]:
        return Recovery(self.paths, self._disk).scan()

    def write_pod(self, record: PodRecord) -> None:
        path = self.paths.record(record.key)
        try:
            self._disk.make_folder(path.parent)
            self._disk.write_whole(path, msgspec.json.encode(record))
        except OSError as error:
            raise _unwritable(error, path) from error

    def append(self, item: Append) -> int:
        path = self.paths.open(item.segment)
        data = chunk_frame(item.chunk, item.synced)
        try:
            if item.after is not None:
                self._sync(item.after)
            if item.offset == 0:
                self._disk.make_folder(path.parent)
                self._new.add(path)
            self._disk.append(path, item.offset, data)
        except OSError as error:
            raise _unwritable(error, path) from error
        return item.offset + len(data)

    def sync(self, segments: Sequence[SegmentKey]) -> None:
        for segment in segments:
            try:
                self._sync(segment)
            except OSError as error:
                raise _unwritable(error, self.paths.open(segment)) from error

    def _sync(self, segment: SegmentKey) -> None:
        path = self.paths.open(segment)
        try:
            self._disk.sync(path)
        except FileNotFoundError:
            return  # Sealed since, and durable, or deleted.
        if path in self._new:
            self._disk.sync_folder(path.parent)
            self._new.discard(path)

    def seal(self, segment: SegmentKey) -> Summary:
        source, target = self.paths.open(segment), self.paths.sealed(segment)
        summary = Summary(sealed=True)
        entries: list[BlockEntry] = []
        data = bytearray()
        for chunk in blocks(_without_damage(_open_chunks(source.read_bytes()), summary)):
            if not entries:
                summary.first_line = chunk.first_line
            frame = block_frame(chunk)
            times = chunk.lines.times
            entries.append(
                BlockEntry(
                    len(data),
                    len(data) + len(frame),
                    chunk.first_line,
                    chunk.end_line,
                    max(times, default=0),
                )
            )
            summary.note(chunk, text_bytes(chunk.lines))
            data += frame
        start = len(data)
        data += index_frame(entries, summary)
        data += framing.trailer(start)
        try:
            self._disk.write_whole(target, bytes(data))
            self._disk.unlink(source)
        except OSError as error:
            raise _unwritable(error, target) from error
        self._new.discard(source)
        summary.size = len(data)
        return summary

    def chunks(
        self, segment: SegmentKey, *, from_line: int, since: int, size: int
    ) -> Iterator[Chunk | Damage]:
        try:
            with self.paths.open(segment).open("rb") as file:
                data = file.read(min(size, os.fstat(file.fileno()).st_size))
            found: Iterable[Chunk | Damage] = _open_chunks(data[_start_of(data, from_line) :])
        except FileNotFoundError:
            descriptor = os.open(self.paths.sealed(segment), os.O_RDONLY | os.O_CLOEXEC)
            return _sealed_chunks(descriptor, from_line, since)
        return (c for c in found if isinstance(c, Damage) or c.end_line >= from_line)

    def delete(self, segments: Sequence[SegmentKey]) -> None:
        for segment in segments:
            path = self.paths.sealed(segment)
            try:
                self._disk.unlink(self.paths.open(segment))
                self._disk.unlink(path)
            except OSError as error:
                raise _unwritable(error, path) from error
            self._disk.remove_folder(path.parent)
            self._disk.remove_folder(path.parent.parent)

    def delete_pod(self, pod: PodKey) -> None:
        path = self.paths.record(pod)
        try:
            self._disk.unlink(path)
        except OSError as error:
            raise _unwritable(error, path) from error
        for above in path.parents:
            if above == self.paths.logs:
                break
            self._disk.remove_folder(above)

    def free_bytes(self) -> int:
        return self._disk.free_bytes(self.paths.root)


def _open_chunks(data: bytes) -> Iterator[Chunk | Damage]:
    line = 0
    for frame in framing.frames(data):
        decoded = decoded_chunk(frame) if isinstance(frame, framing.Frame) else None
        if decoded is None:
            yield Damage(f"bytes {frame.start} to {frame.end} are damaged", line, line)
        else:
            line = decoded[0].end_line
            yield decoded[0]


def _start_of(data: bytes, line: int) -> int:
    """Where an open segment is to be read from to find a line, by halving."""
    starts = framing.starts(data) if line else []
    low, high = 0, len(starts) - 1
    while low < high:
        middle = (low + high + 1) // 2
        frame = framing.unpacked(data, starts[middle])
        decoded = decoded_chunk(frame) if frame is not None else None
        if decoded is None:
            return 0  # Damage is told by reading from the beginning.
        low, high = (middle, high) if decoded[0].first_line <= line else (low, middle - 1)
    return starts[low] if starts else 0


def _without_damage(parts: Iterable[Chunk | Damage], summary: Summary) -> Iterator[Chunk]:
    """The chunks; damage becomes part of the summary. What was lost shows in the numbers of
    the lines."""
    for part in parts:
        if isinstance(part, Damage):
            summary.problems.append(part.problem)
        else:
            yield part


def _sealed_chunks(descriptor: int, from_line: int, since: int) -> Iterator[Chunk | Damage]:
    try:
        size = os.fstat(descriptor).st_size
        index = read_index(descriptor, size)
        if index is None:
            yield from _open_chunks(_without_index(os.pread(descriptor, size, 0)))
            return
        for entry in index.blocks:
            if entry.end_line < from_line or entry.highest_time < since:
                continue
            data = os.pread(descriptor, entry.end - entry.start, entry.start)
            frame = framing.unpacked(data, 0)
            decoded = decoded_chunk(frame) if frame is not None else None
            if decoded is None:
                problem = f"the block at byte {entry.start} does not match its checksum"
                yield Damage(problem, entry.first_line, entry.end_line)
            else:
                yield decoded[0]
    finally:
        os.close(descriptor)


def _without_index(data: bytes) -> bytes:
    """The blocks of a segment whose index cannot be found by its trailer."""
    end = 0
    for frame in framing.frames(data):
        if isinstance(frame, framing.Frame) and frame.kind == framing.BLOCK:
            end = frame.end
    return data[:end]


def _unwritable(error: OSError, path: Path) -> StoreUnwritableError:
    return StoreUnwritableError(f"{path}: {error.strerror or error}")
