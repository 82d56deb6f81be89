"""Reading the store's folder at the start, and mending what a crash left half done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from services.common.logs import get_logger
from services.k8s_resource.adapters.captured import framing
from services.k8s_resource.adapters.captured.disk import Disk
from services.k8s_resource.adapters.captured.encoding import (
    decoded_chunk,
    decoded_index,
    read_index,
    text_bytes,
)
from services.k8s_resource.adapters.captured.paths import (
    OPEN,
    RECORD,
    REMOTE,
    SEALED,
    TEMPORARY,
    Paths,
    plain,
)
from services.k8s_resource.domain.captured.records import (
    FoundRun,
    PodKey,
    PodRecord,
    RunKey,
    Summary,
)


class Recovery:
    """One look at the folder."""

    def __init__(self, paths: Paths, disk: Disk) -> None:
        self._paths = paths
        self._disk = disk
        self._log = get_logger("captured_logs")

    def scan(self) -> tuple[list[PodRecord], list[FoundRun]]:
        """Every pod and every run that is kept."""
        records: list[PodRecord] = []
        runs: list[FoundRun] = []
        for cluster in _folders(self._paths.logs):
            for namespace in _folders(cluster):
                for pod in _folders(namespace):
                    for uid in _folders(pod):
                        record = self._record(uid)
                        records.append(record)
                        runs += self._runs(record.key, uid)
        return records, runs

    def _record(self, folder: Path) -> PodRecord:
        path = folder / RECORD
        self._disk.unlink(path.with_name(f"{RECORD}{TEMPORARY}"))
        try:
            return msgspec.json.decode(path.read_bytes(), type=PodRecord)
        except (OSError, msgspec.DecodeError) as error:
            self._log.error("record of a captured pod unreadable", path=str(path), why=str(error))
        uid, pod, namespace, cluster = (
            plain(part)
            for part in (folder.name, *(above.name for above in list(folder.parents)[:3]))
        )
        return PodRecord(cluster, namespace, pod, uid)

    def _runs(self, pod: PodKey, folder: Path) -> Iterator[FoundRun]:
        for container in _folders(folder):
            for run in _folders(container):
                if run.name.isdigit():
                    found = self._run(RunKey(pod, plain(container.name), int(run.name)), run)
                    if found.segments:
                        yield found

    def _run(self, key: RunKey, folder: Path) -> FoundRun:
        found = FoundRun(key)
        for path in sorted(folder.iterdir()):
            if path.suffix == TEMPORARY:
                self._disk.unlink(path)
                continue
            if path.suffix not in (OPEN, REMOTE, SEALED) or not path.stem.isdigit():
                continue
            number = int(path.stem)
            # In order of name: a segment's open form comes first, the sealed one last.
            known = found.segments.get(number)
            if path.suffix == OPEN:
                summary = self._open(path)
            elif path.suffix == REMOTE:
                summary = self._remote(path) or known
            else:
                summary = self._sealed(path, known)
            if summary is not None:
                found.segments[number] = summary
        return found

    def _open(self, path: Path) -> Summary | None:
        """What an open segment holds, cut after its last whole frame; None if that is nothing."""
        data = path.read_bytes()
        summary = Summary()
        bad: list[framing.Bad] = []
        synced = 0
        for frame in framing.frames(data):
            decoded = decoded_chunk(frame) if isinstance(frame, framing.Frame) else None
            if decoded is None:
                bad.append(framing.Bad(frame.start, frame.end))
            else:
                synced = max(synced, decoded[1])
        torn = next((part.start for part in bad if part.start >= synced), len(data))
        if torn < len(data):
            self._log.info("cut an unfinished write", path=str(path), bytes=len(data) - torn)
            if torn:
                self._disk.truncate(path, torn)
        if not torn:
            self._disk.unlink(path)
            return None
        fill(summary, data[:torn])
        return summary

    def _remote(self, path: Path) -> Summary | None:
        """What a segment holds that was copied elsewhere."""
        data = path.read_bytes()
        start = framing.index_start(data)
        index = decoded_index(framing.unpacked(data, 0))
        if index is None or start is None:
            self._log.error("index of a copied segment damaged", path=str(path))
            return None
        summary = index.summary
        summary.size, summary.copied, summary.local = start + len(data), True, False
        return summary

    def _sealed(self, path: Path, known: Summary | None) -> Summary | None:
        """What a sealed segment holds; `known` is what its open or copied form does."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            index = read_index(descriptor, size)
        finally:
            os.close(descriptor)
        if index is not None:
            if known is not None and not known.sealed:
                self._disk.unlink(path.with_suffix(OPEN))
            index.summary.size = size
            index.summary.copied = known is not None and known.copied
            return index.summary
        if known is not None:
            self._disk.unlink(path)
            return known
        summary = Summary(sealed=True)
        fill(summary, path.read_bytes())
        summary.problems.append("the index is damaged; the blocks that are whole are read")
        self._log.error("index of a captured segment damaged", path=str(path))
        return summary


def fill(summary: Summary, data: bytes) -> None:
    """Note all whole frames of a segment, and that others are damaged."""
    first = True
    for frame in framing.frames(data):
        decoded = decoded_chunk(frame) if isinstance(frame, framing.Frame) else None
        if decoded is not None:
            if first:
                summary.first_line, first = decoded[0].first_line, False
            summary.note(decoded[0], text_bytes(decoded[0].lines))
        elif isinstance(frame, framing.Bad):
            summary.problems.append(f"bytes {frame.start} to {frame.end} are damaged")
    summary.size = len(data)


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []
