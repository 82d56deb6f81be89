"""Stores of captured logs for tests, and disks on which things go wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from services.k8s_resource.adapters.captured.disk import Disk
from services.k8s_resource.adapters.captured.segment_files import LocalSegmentFiles
from services.k8s_resource.domain.captured.records import (
    Append,
    Chunk,
    Damage,
    Place,
    PodKey,
    PodRecord,
    RunKey,
    SegmentKey,
)
from services.k8s_resource.domain.logs.cursor import Cursor, advance
from services.k8s_resource.domain.logs.lines import Lines

POD = PodKey("local", "default", "llama-0", "8e3d6c4e-0000-4000-8000-000000000001")
RECORD = PodRecord(*POD, labels={"HPJob": "llama"}, rules=("training",), first_seen=1)
RUN = RunKey(POD, "main", 0)
START = 1_800_000_000 * 1_000_000_000


class Killed(BaseException):
    """The process ends here."""


class CountingDisk(Disk):
    """Counts what it does, and ends the process at one of these operations: before it, or,
    where that makes a difference, in the middle."""

    def __init__(self, kill_at: int | None = None, *, halfway: bool = False) -> None:
        self.operations = 0
        self._kill_at = kill_at
        self._halfway = halfway

    def append(self, path: Path, offset: int, data: bytes) -> None:
        if self._is_last() and self._halfway:
            super().append(path, offset, data[: len(data) // 2])
        self._count()
        super().append(path, offset, data)

    def sync(self, path: Path) -> None:
        self._count()
        super().sync(path)

    def rename(self, old: Path, new: Path) -> None:
        self._count()
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self._count()
        super().unlink(path)

    def truncate(self, path: Path, size: int) -> None:
        self._count()
        super().truncate(path, size)

    def _is_last(self) -> bool:
        return self.operations + 1 == self._kill_at

    def _count(self) -> None:
        self.operations += 1
        if self.operations == self._kill_at:
            raise Killed


@dataclass
class PowerFailingDisk(Disk):
    """Knows what is durable. `fail` leaves on the real disk a state that a power failure may
    leave: of what was not synced, any part in any order."""

    durable: dict[Path, int] = field(default_factory=dict)
    written: dict[Path, int] = field(default_factory=dict)
    names: set[Path] = field(default_factory=set)
    unlinked: dict[Path, bytes] = field(default_factory=dict)

    def append(self, path: Path, offset: int, data: bytes) -> None:
        super().append(path, offset, data)
        self.written[path] = offset + len(data)

    def sync(self, path: Path) -> None:
        super().sync(path)
        if path in self.written:
            self.durable[path] = self.written[path]

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self.names |= {path for path in self.written if path.parent == folder}

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        self.written[new] = self.written.pop(old)
        self.durable[new] = self.durable.pop(old, 0)

    def unlink(self, path: Path) -> None:
        if path in self.written:
            self.unlinked[path] = path.read_bytes()
        super().unlink(path)

    def fail(self, choose: random.Random) -> None:
        """The power fails now."""
        for path, data in self.unlinked.items():
            if choose.random() < 0.5:  # Deletions that had not reached the disk.
                path.write_bytes(data)
        for path, size in self.written.items():
            if not path.exists():
                continue
            durable = self.durable.get(path, 0)
            if path not in self.names and choose.random() < 0.5:
                path.unlink()
            elif size > durable:
                left = bytearray(path.read_bytes())
                for _ in range(choose.randrange(3)):  # Pages that were not written are zeros.
                    hole = choose.randrange(durable, size)
                    length = min(choose.randrange(1, 4096), size - hole)
                    left[hole : hole + length] = bytes(length)
                path.write_bytes(left[: choose.randrange(durable, size + 1)])


def texts(first: int, count: int) -> list[str]:
    return [f"line {number} {'x' * (number % 50)}" for number in range(first, first + count)]


def chunk(first: int, count: int, cursor: Cursor | None = None) -> Chunk:
    """Lines that follow one another by number and by time."""
    times = [START + number * 1_000_000 for number in range(first, first + count)]
    place = Place(advance(cursor, times))
    return Chunk(first, Lines(texts(first, count), times), [], place)


def files(root: Path, disk: Disk | None = None) -> LocalSegmentFiles:
    made = LocalSegmentFiles(root, disk)
    made.write_pod(RECORD)
    return made


def append(
    store: LocalSegmentFiles,
    number: int,
    offset: int,
    what: Chunk,
    synced: int = 0,
    after: SegmentKey | None = None,
) -> int:
    return store.append(Append(SegmentKey(RUN, number), offset, what, synced, after))


def stored(store: LocalSegmentFiles, number: int, size: int = 1 << 40) -> list[Chunk | Damage]:
    return list(store.chunks(SegmentKey(RUN, number), from_line=0, since=0, size=size))


def stored_texts(store: LocalSegmentFiles) -> Iterator[str]:
    """All lines of the run that a reopened store has."""
    for found in store.scan()[1]:
        for number in sorted(found.segments):
            for part in store.chunks(
                SegmentKey(found.key, number), from_line=0, since=0, size=1 << 40
            ):
                assert isinstance(part, Chunk), part
                yield from part.lines.texts
