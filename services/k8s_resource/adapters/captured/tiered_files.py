"""Segments on the local disk and, once sealed, in S3 too.

A sealed segment is copied to S3 under its path below the store's folder, and then has beside it
a file `<number>.remote` with the segment's index: proof of the copy, and what is needed to read
it. From then on the local copy may be dropped; its blocks are then read from S3 by range. The
records of pods are copied with their first segment. So a folder that was lost is made anew from
S3: all but the open segments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from services.common.logs import get_logger
from services.k8s_resource.adapters.captured import framing
from services.k8s_resource.adapters.captured.disk import Disk
from services.k8s_resource.adapters.captured.encoding import Index, decoded_chunk, decoded_index
from services.k8s_resource.adapters.captured.paths import RECORD, REMOTE, SEALED
from services.k8s_resource.adapters.captured.s3_objects import ObjectsUnavailableError, S3Objects
from services.k8s_resource.adapters.captured.segment_files import LocalSegmentFiles
from services.k8s_resource.domain.captured.records import (
    Chunk,
    CopyFailedError,
    Damage,
    FoundRun,
    PodKey,
    PodRecord,
    SegmentKey,
)

_TAIL_BYTES = 64 * 1024


class TieredSegmentFiles(LocalSegmentFiles):
    """See `records.SegmentFiles` and `records.Copies`."""

    def __init__(self, root: Path, objects: S3Objects, disk: Disk | None = None) -> None:
        super().__init__(root, disk)
        self._objects = objects
        self._log = get_logger("captured_logs")
        self._copied_records: dict[PodKey, bytes] = {}

    def scan(self) -> tuple[list[PodRecord], list[FoundRun]]:
        if not self.paths.logs.exists():
            self._restore()
        return super().scan()

    def copy(self, segment: SegmentKey) -> None:
        """Copy a sealed segment to S3; CopyFailedError. Repeating it does no harm."""
        path = self.paths.sealed(segment)
        try:
            data = path.read_bytes()
            start = framing.index_start(data)
            if start is None or decoded_index(framing.unpacked(data, start)) is None:
                raise CopyFailedError(f"{path}: damaged, so it is not copied")
            self._copy_record(segment.run.pod)
            self._objects.put(self._key(path), data)
            self._disk.write_whole(self.paths.remote(segment), data[start:])
        except ObjectsUnavailableError as error:
            raise CopyFailedError(str(error)) from error
        except OSError as error:
            raise CopyFailedError(f"{path}: {error.strerror}") from error

    def drop_local(self, segment: SegmentKey) -> None:
        """Delete the local copy of a segment that was copied."""
        if self.paths.remote(segment).exists():
            self._disk.unlink(self.paths.sealed(segment))

    def chunks(
        self, segment: SegmentKey, *, from_line: int, since: int, size: int
    ) -> Iterator[Chunk | Damage]:
        try:
            return super().chunks(segment, from_line=from_line, since=since, size=size)
        except FileNotFoundError:
            data = self.paths.remote(segment).read_bytes()
            index = decoded_index(framing.unpacked(data, 0))
            if index is None:
                damage = Damage("the index of a segment in S3 is damaged")
                return iter((damage,))
            return self._remote_chunks(segment, index, from_line, since)

    def delete(self, segments: Sequence[SegmentKey]) -> None:
        copied = [s for s in segments if self.paths.remote(s).exists()]
        try:
            self._objects.delete([self._key(self.paths.sealed(s)) for s in copied])
        except ObjectsUnavailableError as error:
            raise CopyFailedError(f"copies cannot be deleted from {error}") from error
        for segment in copied:
            self._disk.unlink(self.paths.remote(segment))
        super().delete(segments)

    def delete_pod(self, pod: PodKey) -> None:
        try:
            self._objects.delete([self._key(self.paths.record(pod))])
        except ObjectsUnavailableError as error:
            raise CopyFailedError(f"copies cannot be deleted from {error}") from error
        self._copied_records.pop(pod, None)
        super().delete_pod(pod)

    def _remote_chunks(
        self, segment: SegmentKey, index: Index, from_line: int, since: int
    ) -> Iterator[Chunk | Damage]:
        key = self._key(self.paths.sealed(segment))
        for entry in index.blocks:
            if entry.end_line < from_line or entry.highest_time < since:
                continue
            try:
                data = self._objects.get(key, entry.start, entry.end)
            except FileNotFoundError:
                yield Damage(f"{key} is missing in S3", entry.first_line, entry.end_line)
                return
            except ObjectsUnavailableError as error:
                raise CopyFailedError(str(error)) from error
            frame = framing.unpacked(data, 0)
            decoded = decoded_chunk(frame) if frame is not None else None
            if decoded is None:
                problem = f"the block at byte {entry.start} in S3 does not match its checksum"
                yield Damage(problem, entry.first_line, entry.end_line)
            else:
                yield decoded[0]

    def _copy_record(self, pod: PodKey) -> None:
        path = self.paths.record(pod)
        record = path.read_bytes()
        if self._copied_records.get(pod) != record:
            self._objects.put(self._key(path), record)
            self._copied_records[pod] = record

    def _restore(self) -> None:
        """Make the folder anew from what is in S3."""
        try:
            for key, size in self._objects.listed("logs/"):
                path = self.paths.root / key
                if ".." in path.parts or path.suffix not in (SEALED, ".json"):
                    continue
                self._disk.make_folder(path.parent)
                if path.name == RECORD:
                    self._disk.write_whole(path, self._objects.get(key))
                elif (index := self._index_of(key, size)) is not None:
                    self._disk.write_whole(path.with_suffix(REMOTE), index)
        except (ObjectsUnavailableError, FileNotFoundError) as error:
            self._log.error("captured logs in S3 not found again", why=str(error))

    def _index_of(self, key: str, size: int) -> bytes | None:
        """The index of a segment and what follows it."""
        end = self._objects.get(key, -min(size, _TAIL_BYTES))
        start = framing.index_start(end)
        if start is None:
            return None
        if size - start > len(end):
            return self._objects.get(key, start)
        return end[len(end) - (size - start) :]

    def _key(self, path: Path) -> str:
        return path.relative_to(self.paths.root).as_posix()
