"""Segments of captured logs: what is stored is read again, whatever crash came between."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from services.k8s_resource.adapters.captured.disk import Disk
from services.k8s_resource.adapters.captured.segment_files import LocalSegmentFiles
from services.k8s_resource.domain.captured.records import (
    Chunk,
    Damage,
    SegmentKey,
    StoredMark,
    StoreUnwritableError,
    Summary,
)
from tests.unit.k8s_resource.captured_store import (
    RECORD,
    RUN,
    START,
    CountingDisk,
    Killed,
    PowerFailingDisk,
    append,
    chunk,
    files,
    stored,
    stored_texts,
    texts,
)

FIRST = SegmentKey(RUN, 1)


def filled(
    root: Path, chunks: int = 20, lines: int = 50, disk: Disk | None = None
) -> tuple[LocalSegmentFiles, int]:
    store, size = files(root, disk), 0
    for number in range(chunks):
        size = append(store, 1, size, chunk(number * lines, lines))
    return store, size


def found(store: LocalSegmentFiles) -> Summary:
    _, [run] = store.scan()
    [summary] = run.segments.values()
    return summary


def test_what_was_appended_is_found_again(tmp_path: Path) -> None:
    store, size = filled(tmp_path)
    records, [run] = LocalSegmentFiles(tmp_path).scan()
    assert records == [RECORD]
    summary = run.segments[1]
    assert (run.key, summary.lines, summary.size, summary.sealed) == (RUN, 1000, size, False)
    assert summary.place == chunk(950, 50).place or summary.place.cursor is not None
    assert list(stored_texts(store)) == texts(0, 1000)


def test_sealing_changes_nothing_but_the_size(tmp_path: Path) -> None:
    store, size = filled(tmp_path, chunks=200)
    before = found(store)
    sealed = store.seal(FIRST)
    assert sealed.size < size / 3
    assert sealed == found(LocalSegmentFiles(tmp_path))
    unsealed = [
        getattr(before, name)
        for name in ("lines", "text_bytes", "first_time", "last_time", "place")
    ]
    assert unsealed == [
        getattr(sealed, name)
        for name in ("lines", "text_bytes", "first_time", "last_time", "place")
    ]
    assert list(stored_texts(store)) == texts(0, 10_000)


def test_only_the_blocks_that_are_asked_for_are_read(tmp_path: Path) -> None:
    store, _ = filled(tmp_path, chunks=400)
    store.seal(FIRST)
    everything = stored(store, 1)
    assert len(everything) > 2
    late = list(store.chunks(FIRST, from_line=19_999, since=0, size=0))
    assert len(late) == 1
    recent = list(store.chunks(FIRST, from_line=0, since=START + 19_999 * 1_000_000, size=0))
    assert recent == late == everything[-1:]


def test_marks_cut_lines_and_odd_characters_are_kept(tmp_path: Path) -> None:
    store = files(tmp_path)
    mark = StoredMark(1, "gap", START, "rotated", None, "")
    ended = StoredMark(2, "ended", START, "", 137, "OOMKilled")
    odd = chunk(0, 2)
    odd.lines.texts[:] = ["ü\r\x00�", "\U0001f600"]
    odd.lines.truncated, odd.marks = [1], [mark, ended]
    size = append(store, 1, 0, odd)
    append(store, 1, size, chunk(2, 1))
    for _ in range(2):
        parts = [part for part in stored(store, 1) if isinstance(part, Chunk)]
        assert [text for part in parts for text in part.lines.texts][:2] == odd.lines.texts
        assert parts[0].lines.truncated == [1]
        assert [m for part in parts for m in part.marks] == [mark, ended]
        if store.paths.open(FIRST).exists():
            store.seal(FIRST)


def test_names_never_leave_the_folder(tmp_path: Path) -> None:
    cluster = "arn:aws:eks:us-east-1:123456789012:cluster/../../../etc"
    for name in (cluster, "..", ".", "x" * 253, "ü" * 100):
        root = tmp_path / str(abs(hash(name)))
        record = RECORD.__class__(name, "default", "pod", "uid")
        LocalSegmentFiles(root).write_pod(record)
        [path] = root.rglob("pod.json")
        assert len(path.relative_to(root).parts) == 6
        assert LocalSegmentFiles(root).scan()[0] == [record]


Step = Callable[[LocalSegmentFiles], None]


def write_all(store: LocalSegmentFiles) -> None:
    """A life of a store: three segments, of which two are sealed."""
    line = 0
    for number in (1, 2, 3):
        size, synced = 0, 0
        after = SegmentKey(RUN, number - 1) if number > 1 else None
        for _ in range(4):
            size = append(store, number, size, chunk(line, 10), synced, after)
            line, after = line + 10, None
            if line % 20 == 0:
                store.sync([SegmentKey(RUN, number)])
                synced = size
        if number > 1:
            store.seal(SegmentKey(RUN, number - 1))


def go_on(root: Path) -> list[str]:
    """Open after a crash, go on from the place that is stored, and read everything."""
    store = LocalSegmentFiles(root)
    store.write_pod(RECORD)
    _, runs = store.scan()
    line = 0
    if runs:
        numbers = sorted(runs[0].segments)
        line = max(summary.end_line for summary in runs[0].segments.values())
        last = runs[0].segments[numbers[-1]]
        place = last.place.cursor
        assert place is not None
        assert place.last == START + (line - 1) * 1_000_000
        for number in numbers:
            if not runs[0].segments[number].sealed and number != numbers[-1]:
                store.seal(SegmentKey(RUN, number))
        number = numbers[-1] + 1 if last.sealed else numbers[-1]
        size = 0 if last.sealed else last.size
    else:
        number, size = 1, 0
    append(store, number, size, chunk(line, 200 - line))
    return list(stored_texts(LocalSegmentFiles(root)))


def test_a_kill_at_any_operation_loses_and_doubles_nothing(tmp_path: Path) -> None:
    counting = CountingDisk()
    write_all(files(tmp_path / "whole", counting))
    assert counting.operations > 30
    for halfway in (False, True):
        for operation in range(1, counting.operations + 1):
            root = tmp_path / f"{halfway}-{operation}"
            with pytest.raises(Killed):
                write_all(files(root, CountingDisk(operation, halfway=halfway)))
            assert go_on(root) == texts(0, 200), (operation, halfway)


def test_a_power_failure_at_any_operation_loses_and_doubles_nothing(tmp_path: Path) -> None:
    counting = CountingDisk()
    write_all(files(tmp_path / "whole", counting))

    class Failing(PowerFailingDisk, CountingDisk):
        def __init__(self, kill_at: int) -> None:
            CountingDisk.__init__(self, kill_at)
            PowerFailingDisk.__init__(self)

    for operation in range(1, counting.operations + 1):
        for seed in range(5):
            root = tmp_path / f"{operation}-{seed}"
            disk = Failing(operation)
            with pytest.raises(Killed):
                write_all(files(root, disk))
            disk.fail(random.Random(seed * 1000 + operation))  # noqa: S311
            assert go_on(root) == texts(0, 200), (operation, seed)


def test_a_crash_while_a_crash_is_mended_is_mended_too(tmp_path: Path) -> None:
    for operation in range(1, 12):
        root = tmp_path / str(operation)
        store, size = filled(root, chunks=4, lines=10)
        path = store.paths.open(FIRST)
        path.write_bytes(path.read_bytes()[:-5])
        (path.parent / "00000001.sealed.tmp").write_bytes(b"half")
        with contextlib.suppress(Killed):
            LocalSegmentFiles(root, CountingDisk(operation)).scan()
        assert go_on(root) == texts(0, 200)
        assert size


def flipped(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


def test_a_flipped_bit_in_a_sealed_segment_costs_its_block_only(tmp_path: Path) -> None:
    store, _ = filled(tmp_path, chunks=400)
    store.seal(FIRST)
    whole = stored(store, 1)
    middle = len(whole) // 2
    flipped(store.paths.sealed(FIRST), store.paths.sealed(FIRST).stat().st_size // 2)
    parts = stored(LocalSegmentFiles(tmp_path), 1)
    damaged = [part for part in parts if isinstance(part, Damage)]
    assert len(parts) == len(whole)
    assert len(damaged) == 1
    assert "checksum" in damaged[0].problem
    lost = whole[parts.index(damaged[0])]
    assert isinstance(lost, Chunk)
    assert (damaged[0].first_line, damaged[0].end_line) == (lost.first_line, lost.end_line)
    assert [part for part in parts if part not in damaged] == [p for p in whole if p is not lost]
    assert middle


@pytest.mark.parametrize("cut", [1, 10, 500, 0.5])
def test_a_sealed_segment_without_its_end_is_read_as_far_as_it_goes(
    tmp_path: Path, cut: float
) -> None:
    store, _ = filled(tmp_path, chunks=400)
    store.seal(FIRST)
    path = store.paths.sealed(FIRST)
    data = path.read_bytes()
    left = len(data) - int(cut) if cut >= 1 else int(len(data) * cut)
    path.write_bytes(data[:left])
    reopened = LocalSegmentFiles(tmp_path)
    summary = found(reopened)
    assert any("index" in problem for problem in summary.problems)
    read = [t for part in stored(reopened, 1) if isinstance(part, Chunk) for t in part.lines.texts]
    assert read == texts(0, len(read))
    assert len(read) == summary.lines
    assert len(read) >= (15_000 if cut >= 1 else 5_000)


def test_damage_in_what_was_durable_is_told_and_the_rest_kept(tmp_path: Path) -> None:
    store = files(tmp_path)
    size = append(store, 1, 0, chunk(0, 10))
    second = size
    for number in range(1, 5):
        size = append(store, 1, size, chunk(number * 10, 10), synced=size)
    flipped(store.paths.open(FIRST), second + 40)
    reopened = LocalSegmentFiles(tmp_path)
    summary = found(reopened)
    assert len(summary.problems) == 1
    assert summary.size == size
    assert summary.end_line == 50
    for _ in range(2):
        parts = stored(reopened, 1)
        read = [t for p in parts if isinstance(p, Chunk) for t in p.lines.texts]
        assert read == texts(0, 10) + texts(20, 30)
        sealed = reopened.seal(FIRST) if not summary.sealed else summary
        assert len(sealed.problems) == 1
        summary = sealed


def test_an_append_that_fails_adds_nothing(tmp_path: Path) -> None:
    class Full(Disk):
        full = False

        def append(self, path: Path, offset: int, data: bytes) -> None:
            if self.full:
                super().append(path, offset, data[:20])
                os.truncate(path, offset)
                raise OSError(28, "No space left on device")
            super().append(path, offset, data)

    disk = Full()
    store, size = filled(tmp_path, chunks=2, disk=disk)
    disk.full = True
    with pytest.raises(StoreUnwritableError, match="No space left"):
        append(store, 1, size, chunk(100, 50))
    disk.full = False
    append(store, 1, size, chunk(100, 50))
    assert list(stored_texts(store)) == texts(0, 150)


def test_only_one_process_holds_a_store(tmp_path: Path) -> None:
    first, second = LocalSegmentFiles(tmp_path), LocalSegmentFiles(tmp_path)
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_what_is_deleted_leaves_no_folders(tmp_path: Path) -> None:
    store, _ = filled(tmp_path)
    store.delete([FIRST])
    store.delete_pod(RUN.pod)
    assert not list((tmp_path / "logs").iterdir())
