"""Retention of captured logs: what goes, what stays, and in which order."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from services.k8s_resource.adapters.captured.segment_files import LocalSegmentFiles
from services.k8s_resource.domain.captured import listing
from services.k8s_resource.domain.captured.listing import LogQuery
from services.k8s_resource.domain.captured.reading import StoreArchive
from services.k8s_resource.domain.captured.records import (
    Chunk,
    Place,
    PodKey,
    PodRecord,
    RunKey,
)
from services.k8s_resource.domain.captured.retention import Retainer
from services.k8s_resource.domain.captured.rules import CaptureRule, Retention
from services.k8s_resource.domain.captured.store import CaptureStore, StoreLimits
from services.k8s_resource.domain.logs.cursor import advance
from services.k8s_resource.domain.logs.events import Source
from services.k8s_resource.domain.logs.lines import Lines

HOUR = 3600 * 1_000_000_000
LINES = 100


@asynccontextmanager
async def opened(root: Path) -> AsyncIterator[CaptureStore]:
    store = CaptureStore(LocalSegmentFiles(root), StoreLimits())
    async with store.running():
        await store.opened.wait()
        yield store


async def keep(
    store: CaptureStore,
    name: str,
    *hours_ago: int,
    rules: tuple[str, ...] = ("r",),
    gone: bool = True,
) -> None:
    """A pod with a sealed segment for each age, the oldest first."""
    now = time.time_ns()
    key = PodKey("local", "default", name, f"uid-{name}")
    first = now - hours_ago[0] * HOUR
    await store.put_pod(PodRecord(*key, rules=rules, first_seen=first, removed=now * gone))
    run = store.catalogue.run(RunKey(key, "main", 0))
    for age in hours_ago:
        times = [now - age * HOUR + number for number in range(LINES)]
        texts = [f"{name} {age} {number}" for number in range(LINES)]
        whole = gone and age == hours_ago[-1]
        await store.append(
            [(run, Chunk(0, Lines(texts, times), [], Place(advance(None, times), whole)))]
        )
        await store.seal(run.segments[-1])


def left(store: CaptureStore) -> list[tuple[str, int]]:
    """Pods with their numbers of segments."""
    return sorted(
        (key.pod, len(run.segments))
        for key, pod in store.catalogue.pods.items()
        for run in pod.runs.values()
    )


def rule(name: str = "r", *, hours: int = 0, size: int = 0, pods: int = 0) -> CaptureRule:
    return CaptureRule(name, retention=Retention(hours * HOUR, size, pods))


async def test_age_deletes_segments_and_at_last_the_pod(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await keep(store, "old", 9, 8)
        await keep(store, "half", 9, 1)
        await keep(store, "new", 2, 1)
        await Retainer(store).retain([rule(hours=5)], 0)
        assert left(store) == [("half", 1), ("new", 2)]
        assert {key.pod for key in store.catalogue.pods} == {"half", "new"}
    async with opened(tmp_path) as store:
        assert left(store) == [("half", 1), ("new", 2)]
        [half] = listing.listed(store.catalogue, LogQuery("local", pod="half"))
        assert half.run.segments[0].summary.first_line == LINES


async def test_what_holds_the_place_to_go_on_from_stays(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await keep(store, "lives", 9, 8, gone=False)
        await Retainer(store).retain([rule(hours=5)], 0)
        assert left(store) == [("lives", 1)]
        pod = store.catalogue.named("local", "default", "lives")[0]
        position = pod.position("main")
        assert position is not None
        assert position.cursor is not None


async def test_bytes_delete_the_oldest_first(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for number in range(4):
            await keep(store, f"p{number}", 10 - number)
        size = store.catalogue.size
        await Retainer(store).retain([rule(size=size // 2 + 10)], 0)
        assert left(store) == [("p2", 1), ("p3", 1)]


async def test_only_so_many_pods_that_are_gone(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await keep(store, "lives", 20, gone=False)
        for number in range(4):
            await keep(store, f"p{number}", 10 - number)
        await Retainer(store).retain([rule(pods=1)], 0)
        assert left(store) == [("lives", 1), ("p3", 1)]


async def test_the_last_of_several_rules_lets_go(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await keep(store, "both", 9, rules=("long", "short"))
        await keep(store, "one", 9, rules=("short",))
        await Retainer(store).retain([rule("short", hours=1), rule("long", hours=24)], 0)
        assert left(store) == [("both", 1)]


async def test_the_whole_store_has_a_limit_and_nobodys_logs_go_first(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await keep(store, "orphan", 1, rules=("deleted",))
        await keep(store, "old", 9)
        await keep(store, "new", 2)
        size = store.catalogue.size
        await Retainer(store).retain([rule()], 0)
        assert len(left(store)) == 3
        await Retainer(store).retain([rule()], size - 1)
        assert left(store) == [("new", 1), ("old", 1)]
        await Retainer(store).retain([rule()], size // 2)
        assert left(store) == [("new", 1)]


async def test_what_is_being_read_is_not_deleted(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await keep(store, "old", 9, 8)
        source = Source("default", "old", "main", "uid-old")
        reading = StoreArchive(store).read("local", source, 0)
        first = await anext(reading)
        await Retainer(store).retain([rule(hours=1)], 1)
        assert left(store) == [("old", 2)]
        deletion = await listing.delete(store, LogQuery("local", pod="old"), validate_only=False)
        assert (deletion.deleted, deletion.skipped_read) == (0, 1)
        rest = [part async for part in reading]
        assert [len(part) for part in (first, *rest)] == [LINES, LINES]
        await Retainer(store).retain([rule(hours=1)], 0)
        assert left(store) == []


async def test_deletion_names_what_it_leaves(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await keep(store, "a", 9)
        await keep(store, "b", 1)
        run = store.catalogue.named("local", "default", "b")[0].runs["main", 0]
        run.active = True
        counted = await listing.delete(store, LogQuery("local", "default"), validate_only=True)
        assert (counted.deleted, counted.skipped_active) == (1, 1)
        assert len(left(store)) == 2
        before = time.time_ns() - 5 * HOUR
        done = await listing.delete(store, LogQuery("local", before=before), validate_only=False)
        assert (done.deleted, done.skipped_active) == (1, 0)
        assert left(store) == [("b", 1)]


async def test_nothing_is_stored_behind_a_hole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.k8s_resource.domain.captured.records import StoreUnwritableError

    async with opened(tmp_path) as store:
        await keep(store, "a", 1, gone=False)
        run = store.catalogue.named("local", "default", "a")[0].runs["main", 0]
        before = msgspec.structs.asdict(run.segments[-1].summary)

        def full(_item: object) -> int:
            raise StoreUnwritableError("no space left on device")

        def chunk(text: str) -> Chunk:
            return Chunk(0, Lines([text], [time.time_ns()]))

        with monkeypatch.context() as patched:
            patched.setattr(store.files, "append", full)
            with pytest.raises(StoreUnwritableError):
                await store.append([(run, chunk("lost"))])
        with pytest.raises(StoreUnwritableError):
            await store.append([(run, chunk("behind the hole"))])
        assert msgspec.structs.asdict(run.segments[-1].summary) == before
        store.go_on()
        await store.append([(run, chunk("again"))])
        assert run.end_line == LINES + 1
