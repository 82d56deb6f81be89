"""Captured logs in S3 (the emulator's): copied, read from there, found again, deleted."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import boto3
import pytest

from services.common.errors import UnavailableError
from services.k8s_resource.adapters.captured.s3_objects import S3Objects
from services.k8s_resource.adapters.captured.tiered_files import TieredSegmentFiles
from services.k8s_resource.domain.captured import listing
from services.k8s_resource.domain.captured.listing import LogQuery
from services.k8s_resource.domain.captured.reading import StoreArchive
from services.k8s_resource.domain.captured.store import CaptureStore, StoreLimits
from services.k8s_resource.domain.captured.uploads import Uploader
from services.k8s_resource.domain.logs.events import Source
from services.k8s_resource.domain.logs.lines import Lines
from services.k8s_resource.settings import K8sResourceSettings
from tests.unit.k8s_resource.captured_store import POD, RECORD, RUN, chunk, texts
from tools.stack.testing import AwsEmulator

SOURCE = Source(POD.namespace, POD.pod, RUN.container, POD.uid)
CHUNK_LINES = 2000


@pytest.fixture
def url(aws_emulator: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket, with a prefix."""
    for name, value in aws_emulator.environment.items():
        monkeypatch.setenv(name, value)
    bucket = f"logs-{uuid.uuid4().hex[:8]}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return f"s3://{bucket}/podyard/k8s"


@contextlib.asynccontextmanager
async def opened(
    root: Path, url: str, *, local_bytes: int = 0
) -> AsyncIterator[tuple[CaptureStore, Uploader]]:
    files = TieredSegmentFiles(root, S3Objects(url))
    store = CaptureStore(files, StoreLimits())
    async with store.running():
        await store.opened.wait()
        uploader = Uploader(store, files, local_bytes)
        task = asyncio.create_task(uploader.run())
        try:
            yield store, uploader
        finally:
            task.cancel()
            await asyncio.wait({task})


async def fill(store: CaptureStore, segments: int) -> None:
    """So many sealed segments, which hold several blocks, and an open one."""
    if RUN.pod not in store.catalogue.pods:
        await store.put_pod(RECORD)
    run = store.catalogue.run(RUN)
    for _ in range(segments):
        for _ in range(4):
            await store.append([(run, chunk(run.end_line, CHUNK_LINES))])
        await store.seal(run.segments[-1])
    await store.append([(run, chunk(run.end_line, 10))])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while True:
            if condition():
                return
            await asyncio.sleep(0.05)  # nothing tells of a copy


def in_s3(url: str) -> list[str]:
    return [key for key, _ in S3Objects(url).listed()]


def all_local(store: CaptureStore) -> list[bool]:
    return [s.summary.local for s in store.catalogue.run(RUN).segments if s.summary.copied]


async def read(store: CaptureStore, tail: int | None = None) -> list[str]:
    return [
        text
        async for part in StoreArchive(store).read(POD.cluster, SOURCE, 0, tail=tail)
        for text in (part.texts if isinstance(part, Lines) else [part])
    ]


async def test_segments_go_to_s3_and_are_read_from_there(tmp_path: Path, url: str) -> None:
    async with opened(tmp_path / "a", url) as (store, uploader):
        await fill(store, 3)
        await until(lambda: all_local(store) == [False] * 3)
        assert uploader.pending == 0
        assert not list((tmp_path / "a").rglob("*.sealed"))
        assert len(in_s3(url)) == 4
        whole = texts(0, 3 * 4 * CHUNK_LINES + 10)
        assert await read(store) == whole
        assert await read(store, tail=15) == whole[-15:]
    async with opened(tmp_path / "a", url) as (store, _):
        assert await read(store) == whole


async def test_a_lost_folder_is_made_anew_from_s3(tmp_path: Path, url: str) -> None:
    async with opened(tmp_path / "a", url, local_bytes=1 << 40) as (store, _):
        await fill(store, 2)
        await until(lambda: all_local(store) == [True] * 2)
    shutil.rmtree(tmp_path / "a")
    async with opened(tmp_path / "a", url) as (store, _):
        assert [pod.record for pod in store.catalogue.pods.values()] == [RECORD]
        assert await read(store) == texts(0, 2 * 4 * CHUNK_LINES)
        position = store.catalogue.pods[POD].position("main")
        assert position is not None
        assert position.cursor is not None


async def test_deleting_deletes_the_copies(tmp_path: Path, url: str) -> None:
    async with opened(tmp_path / "a", url) as (store, _):
        await fill(store, 2)
        await until(lambda: all_local(store) == [False] * 2)
        await store.mark_removed(POD, time.time_ns())
        await listing.delete(store, LogQuery(POD.cluster, pod=POD.pod), validate_only=False)
        assert in_s3(url) == []
        assert not list((tmp_path / "a" / "logs").iterdir())


async def test_without_s3_capture_goes_on_and_says_so(
    tmp_path: Path, url: str, aws_emulator: AwsEmulator
) -> None:
    async with opened(tmp_path / "a", url) as (store, uploader):
        await fill(store, 1)
        await until(lambda: all_local(store) == [False])
        await asyncio.to_thread(aws_emulator.server.stop)
        try:
            await fill(store, 1)
            await until(lambda: bool(uploader.problem))
            assert url in uploader.problem
            assert uploader.pending == 1
            with pytest.raises(UnavailableError, match="S3"):
                await read(store)
            assert await store.delete(store.catalogue.run(RUN).segments[:1]) == 0
        finally:
            await asyncio.to_thread(aws_emulator.server.start)
        await until(lambda: all_local(store) == [False] * 2)
        assert uploader.problem == ""
        assert await read(store) == texts(0, store.catalogue.run(RUN).end_line)


@pytest.mark.parametrize("url", ["bucket", "s3://", "s3://A", "https://example.com/x"])
def test_a_bad_url_stops_the_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="s3://bucket/prefix"):
        K8sResourceSettings(state=tmp_path, capture_s3=url)
