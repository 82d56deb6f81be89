"""Reading captured logs: from a time, the last lines, between gaps, around damage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.k8s_resource.adapters.captured.segment_files import LocalSegmentFiles
from services.k8s_resource.domain.captured import listing
from services.k8s_resource.domain.captured.listing import LogQuery
from services.k8s_resource.domain.captured.reading import StoreArchive
from services.k8s_resource.domain.captured.records import Chunk, StoredMark
from services.k8s_resource.domain.captured.store import CaptureStore, StoreLimits
from services.k8s_resource.domain.logs.events import Source
from services.k8s_resource.domain.logs.lines import Lines
from tests.unit.k8s_resource.captured_store import POD, RECORD, RUN, START, chunk, texts

SOURCE = Source(POD.namespace, POD.pod, RUN.container, POD.uid)
SECOND = 1_000_000_000
COUNT = 12_000


@asynccontextmanager
async def opened(root: Path) -> AsyncIterator[CaptureStore]:
    store = CaptureStore(LocalSegmentFiles(root), StoreLimits())
    async with store.running():
        await store.opened.wait()
        yield store


async def fill(store: CaptureStore, *, seal: bool) -> None:
    """A line each millisecond, in chunks of 20, the first half sealed."""
    await store.put_pod(RECORD)
    run = store.catalogue.run(RUN)
    for number in range(0, COUNT, 20):
        await store.append([(run, chunk(number, 20))])
        if seal and number == COUNT // 2:
            await store.seal(run.segments[-1])


async def read(store: CaptureStore, **start: int) -> list[str]:
    return [
        text
        async for part in StoreArchive(store).read(POD.cluster, SOURCE, 0, **start)
        for text in (part.texts if isinstance(part, Lines) else [f"<{part}>"])
    ]


@pytest.mark.parametrize("seal", [False, True])
async def test_from_a_time_and_the_last_lines(tmp_path: Path, seal: bool) -> None:
    async with opened(tmp_path) as store:
        await fill(store, seal=seal)
        whole = texts(0, COUNT)
        assert await read(store) == whole
        for tail in (0, 1, 19, 20, 21, COUNT // 2, COUNT - 1, COUNT, COUNT + 5):
            assert await read(store, tail=tail) == whole[COUNT - tail if tail < COUNT else 0 :], (
                tail
            )
        for second in (0, 1, 5, 11):
            since = START // SECOND + second
            assert await read(store, since_second=since) == whole[second * 1000 :]
        assert await read(store, since_second=START // SECOND + 100) == []


async def test_times_out_of_order_are_chosen_each_by_itself(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.put_pod(RECORD)
        times = [START, START + SECOND, START - 5, START + 2 * SECOND]
        lines = Lines(["a", "b", "c", "d"], times, [3])
        await store.append([(store.catalogue.run(RUN), Chunk(0, lines))])
        reading = StoreArchive(store).read(POD.cluster, SOURCE, 0, since_second=START // SECOND)
        [part] = [part async for part in reading]
        assert isinstance(part, Lines)
        assert (part.texts, part.truncated) == (["a", "b", "d"], [2])


async def test_gaps_stand_where_they_were_noticed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.put_pod(RECORD)
        run = store.catalogue.run(RUN)
        for number in range(2):
            marked = chunk(number * 4, 4)
            marked.marks = [StoredMark(2, "gap", START, f"gap {number}")]
            await store.append([(run, marked)])
        expected = [*texts(0, 2), "<gap 0>", *texts(2, 4), "<gap 1>", *texts(6, 2)]
        for _ in range(2):
            assert await read(store) == expected
            assert await read(store, tail=1) == expected[-1:]
            [log] = listing.listed(store.catalogue, LogQuery(POD.cluster))
            assert [mark.message for mark in log.run.marks] == ["gap 0", "gap 1"]
            if not run.segments[-1].summary.sealed:
                await store.seal(run.segments[-1])


async def test_damage_is_told_in_its_place_and_in_the_list(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await fill(store, seal=True)
        [path] = tmp_path.rglob("*.sealed")
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 1
        path.write_bytes(data)
        found = await read(store)
        [told] = [text for text in found if text.startswith("<")]
        assert "the store is damaged" in told
        assert "checksum" in told
        lost = COUNT - (len(found) - 1)
        assert f"{lost} lines are lost" in told
        at = found.index(told)
        whole = texts(0, COUNT)
        assert found[:at] == whole[:at]
        assert found[at + 1 :] == whole[at + lost :]
        [log] = listing.listed(store.catalogue, LogQuery(POD.cluster))
        assert len(log.run.problems) == 1


async def test_a_reader_waits_for_what_is_on_its_way(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.put_pod(RECORD)
        run = store.catalogue.run(RUN)
        run.active = True
        await store.append([(run, chunk(0, 5))])
        reading = StoreArchive(store).read(POD.cluster, SOURCE, 0)
        first = await anext(reading)
        await store.append([(run, chunk(5, 5))])
        second = await anext(reading)
        run.active = False
        store.tell()
        assert [part async for part in reading] == []
        assert isinstance(first, Lines)
        assert isinstance(second, Lines)
        assert first.texts + second.texts == texts(0, 10)
