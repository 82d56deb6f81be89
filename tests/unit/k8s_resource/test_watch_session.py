"""Watch streams at their subscriber's pace, on a cache that changes meanwhile."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec
import pytest
from podyard.k8s_resource.v1 import watch_pb2 as pb

from services.k8s_resource.convert.watch import WatchEventEncoder, encoded_batch
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.decoding import KindDecoder
from services.k8s_resource.domain.cache.history import History
from services.k8s_resource.domain.cache.item import ChangeType, Item
from services.k8s_resource.domain.cache.kind_cache import KindCache
from services.k8s_resource.domain.selection import parse_selection
from services.k8s_resource.domain.watching.events import EventBatch, WatchOptions, WatchTarget
from services.k8s_resource.domain.watching.session import WatchSession

MODIFIED = ChangeType.MODIFIED


def pod(name: str, version: int, label: str = "") -> Item:
    metadata = {
        "name": name,
        "namespace": "d",
        "uid": name,
        "resourceVersion": str(version),
        "labels": {"text": label},
    }
    return KindDecoder(kinds.POD, keep_raw=False).item(msgspec.json.encode({"metadata": metadata}))


def cache_of(count: int, history: int = 100, label: str = "") -> KindCache:
    cache = KindCache(kinds.POD, History(history, 1 << 30))
    cache.replace([pod(f"p{number:04d}", 1, label) for number in range(count)], 10, raw=False)
    return cache


def stream_of(cache: KindCache) -> AsyncGenerator[EventBatch, None]:
    watched: Any = types.SimpleNamespace(cache=cache)
    api: Any = None
    target = WatchTarget(0, api, watched, parse_selection(kinds.POD, "", "", ""))
    encoder = WatchEventEncoder(pb.OBJECT_VIEW_SUMMARY)
    return WatchSession(
        [target], encoder, asyncio.Event(), b"12345678", None, WatchOptions()
    ).batches()


async def told(stream: AsyncGenerator[EventBatch, None], last: str) -> list[str]:
    """What a stream tells up to an event, which is `TYPE name` or `TYPE`."""
    found: list[str] = []
    async with asyncio.timeout(20):
        while last not in found:
            response = pb.WatchResponse.FromString(encoded_batch(await anext(stream)))
            found += [
                f"{pb.WatchEventType.Name(e.type).removeprefix('WATCH_EVENT_TYPE_')} {e.ref.name}".strip()
                for e in response.events
            ]
    return found


async def test_a_state_that_is_read_slowly_is_kept_true_meanwhile() -> None:
    cache = cache_of(2000, label="x" * 200)
    stream = stream_of(cache)
    first = pb.WatchResponse.FromString(encoded_batch(await anext(stream)))
    sent = [event.ref.name for event in first.events]
    assert 0 < len(sent) < 1000
    cache.apply(MODIFIED, pod(sent[0], 11))
    cache.apply(MODIFIED, pod("p1999", 12))
    cache.apply(ChangeType.DELETED, pod(sent[1], 13))
    cache.apply(ChangeType.DELETED, pod("p1998", 14))
    cache.apply(ChangeType.ADDED, pod("a-new", 15))
    rest = await told(stream, "SYNCED")
    assert [each for each in rest if not each.startswith("ADDED p")] == [
        f"MODIFIED {sent[0]}", f"DELETED {sent[1]}", "ADDED a-new", "SYNCED",
    ]  # fmt: skip
    assert "ADDED p1999" in rest
    assert "ADDED p1998" not in rest
    await stream.aclose()


async def test_whoever_is_slower_than_the_history_is_told_so() -> None:
    cache = cache_of(3, history=100)
    stream = stream_of(cache)
    await told(stream, "SYNCED")
    for version in range(11, 300):
        cache.apply(MODIFIED, pod("p0001", version))
    events = await told(stream, "SYNCED")
    assert events == ["RELISTED", "ADDED p0000", "ADDED p0001", "ADDED p0002", "SYNCED"]
    cache.apply(MODIFIED, pod("p0001", 300))
    assert await told(stream, "MODIFIED p0001") == ["MODIFIED p0001"]
    await stream.aclose()


@pytest.mark.parametrize("jump", [lambda now: now - 86400.0, lambda now: now + 86400.0])
async def test_a_jump_of_the_clock_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, jump: Callable[[float], float]
) -> None:
    import time

    cache = cache_of(1)
    stream = stream_of(cache)
    await told(stream, "SYNCED")
    now = time.time()
    for version in range(11, 20):
        monkeypatch.setattr("time.time", lambda version=version: jump(now) if version % 2 else now)
        cache.apply(MODIFIED, pod("p0000", version))
    cache.apply(ChangeType.DELETED, pod("p0000", 20))
    events = await told(stream, "DELETED p0000")
    assert events == [*["MODIFIED p0000"] * 9, "DELETED p0000"]
    await stream.aclose()
