"""What is kept of a captured log, and the port to the files that keep it.

A log is kept by run of a container (`RunKey`), a run in numbered segments. The newest
segment of a run is open: chunks are appended to it. When it is large or old enough, or the run
has ended, it is sealed: compressed in blocks with an index. Each chunk carries the place in the
container's log after it, so what is stored and where to go on are always one and the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec

from services.k8s_resource.domain.logs.cursor import Cursor
from services.k8s_resource.domain.logs.lines import Lines
from services.k8s_resource.domain.logs.pods import ContainerKind


class PodKey(NamedTuple):
    """A pod, told apart by `uid` from others of its name."""

    cluster: str
    namespace: str
    pod: str
    uid: str


class RunKey(NamedTuple):
    """One run of a container; `run` is how often it had been restarted."""

    pod: PodKey
    container: str
    run: int


class SegmentKey(NamedTuple):
    """A segment of a run; numbers go up."""

    run: RunKey
    number: int


class PodRecord(msgspec.Struct, frozen=True):
    """What is kept of a pod beside its logs. `owner` and `training_job` are "Kind/name", empty
    for none; `kinds` of the containers that are not regular ones; times in nanoseconds since
    1970 UTC, `removed` 0 while the pod exists."""

    cluster: str
    namespace: str
    pod: str
    uid: str
    labels: dict[str, str] = {}
    owner: str = ""
    training_job: str = ""
    node: str = ""
    rules: tuple[str, ...] = ()
    first_seen: int = 0
    removed: int = 0
    kinds: dict[str, ContainerKind] = {}

    @property
    def key(self) -> PodKey:
        return PodKey(self.cluster, self.namespace, self.pod, self.uid)


class StoredMark(msgspec.Struct, frozen=True, array_like=True):
    """Something that happened before line `before` of its chunk. `type` is "started", "ended"
    or "gap"; `time` in nanoseconds."""

    before: int
    type: str
    time: int
    message: str = ""
    exit_code: int | None = None
    reason: str = ""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where capture stands in a run; as in `position.ContainerPosition`."""

    cursor: Cursor | None = None
    whole: bool = False
    told_end: bool = False


NOWHERE = Place()


@dataclass(slots=True)
class Chunk:
    """Consecutive lines of a run, `first_line` counted from its beginning, with marks between."""

    first_line: int
    lines: Lines
    marks: list[StoredMark] = field(default_factory=list)
    place: Place = NOWHERE

    @property
    def end_line(self) -> int:
        return self.first_line + len(self.lines)


class Summary(msgspec.Struct, array_like=True):
    """What a segment holds. Times in nanoseconds, 0 without lines; `text_bytes` of UTF-8.

    `sealed` segments are compressed and do not change. `size` in bytes on disk. `copied` ones
    are in S3 too; then they need not be `local`.
    """

    first_line: int = 0
    lines: int = 0
    text_bytes: int = 0
    first_time: int = 0
    last_time: int = 0
    lowest_time: int = 0
    highest_time: int = 0
    marks: list[StoredMark] = []
    place: Place = NOWHERE
    problems: list[str] = []
    sealed: bool = False
    size: int = 0
    copied: bool = False
    local: bool = True

    @property
    def end_line(self) -> int:
        return self.first_line + self.lines

    def note(self, chunk: Chunk, text_bytes: int) -> None:
        """Count a chunk in."""
        times = chunk.lines.times
        if times:
            low, high = min(times), max(times)
            if not self.lines:
                self.first_time, self.lowest_time, self.highest_time = times[0], low, high
            self.lowest_time = min(self.lowest_time, low)
            self.highest_time = max(self.highest_time, high)
            self.last_time = times[-1]
            self.lines = chunk.end_line - self.first_line
        self.text_bytes += text_bytes
        self.marks.extend(chunk.marks)
        self.place = chunk.place


@dataclass(frozen=True, slots=True)
class Append:
    """One chunk to append at byte `offset` of an open segment, of which `synced` bytes are
    known to be durable. `after` must be durable before it is begun."""

    segment: SegmentKey
    offset: int
    chunk: Chunk
    synced: int
    after: SegmentKey | None = None


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of a segment that cannot be read: `problem` in words, and the lines it held if
    that is known."""

    problem: str
    first_line: int = 0
    end_line: int = 0


@dataclass(slots=True)
class FoundRun:
    """A run as it was found on disk: its segments in order."""

    key: RunKey
    segments: dict[int, Summary] = field(default_factory=dict)


class StoreUnwritableError(Exception):
    """The store's disk is full, or not to be written to; the text says which and where."""


class CopyFailedError(Exception):
    """A copy elsewhere could not be made or read; the text says why."""


class Copies(Protocol):
    """Copies of sealed segments elsewhere. The methods block."""

    def copy(self, segment: SegmentKey) -> None:
        """Copy a sealed segment; CopyFailedError. Repeating it does no harm."""

    def drop_local(self, segment: SegmentKey) -> None:
        """Delete the local copy of a segment that was copied."""


class SegmentFiles(Protocol):
    """The files of the store. All methods block and are called from threads; those that change
    a run, only one at a time."""

    def acquire(self) -> bool:
        """Take the store for this process; False while another one holds it. OSError."""

    def release(self) -> None:
        """Let go of the store."""

    def scan(self) -> tuple[list[PodRecord], list[FoundRun]]:
        """Everything that is kept, after mending what a crash left half done. OSError."""

    def write_pod(self, record: PodRecord) -> None:
        """Keep a pod's record, durably. StoreUnwritableError."""

    def append(self, item: Append) -> int:
        """Append a chunk; the segment's size after it. StoreUnwritableError: nothing was added."""

    def sync(self, segments: Sequence[SegmentKey]) -> None:
        """Make segments durable that were appended to. StoreUnwritableError."""

    def seal(self, segment: SegmentKey) -> Summary:
        """Compress a segment that is not appended to any more. StoreUnwritableError: it stays
        as it was."""

    def chunks(
        self, segment: SegmentKey, *, from_line: int, since: int, size: int
    ) -> Iterator[Chunk | Damage]:
        """The chunks of a segment that may hold lines from a line and a time on, in order.

        Of an open segment, the first `size` bytes. A damaged part is told in its place.
        FileNotFoundError if it was deleted.
        """

    def delete(self, segments: Sequence[SegmentKey]) -> None:
        """Delete segments. StoreUnwritableError. CopyFailedError: nothing was deleted, for their
        copies could not be."""

    def delete_pod(self, pod: PodKey) -> None:
        """Delete the record of a pod without segments. CopyFailedError as `delete`."""

    def free_bytes(self) -> int:
        """What is free on the disk."""
