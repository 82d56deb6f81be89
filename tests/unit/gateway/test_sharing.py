"""Sharing of streams: who joins what, who is ended, what is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from gateway.problems import Problem
from gateway.streams.frames import Frame
from gateway.streams.sharing import (
    MAX_REPLAY_BYTES,
    PAUSE_LAG_BYTES,
    SUBSCRIBER_BYTES,
    EndOfStream,
    StreamHub,
    StreamSpec,
    Subscription,
)
from services.common.errors import NotFoundError


class Upstream:
    """Upstream streams of a test: each one that is opened, fed by hand."""

    def __init__(self) -> None:
        self.opened: list[asyncio.Queue[Frame | Exception | None]] = []
        self.closed = 0
        self.read = 0

    async def open(self) -> AsyncGenerator[Frame, None]:
        queue: asyncio.Queue[Frame | Exception | None] = asyncio.Queue()
        self.opened.append(queue)
        try:
            while (item := await queue.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                self.read += 1
                yield item
        finally:
            self.closed += 1

    def spec(self, key: str | None = "k", *, replay: bool = True) -> StreamSpec:
        return StreamSpec("test", self.open, key, replay)


@pytest.fixture
async def hub() -> AsyncIterator[StreamHub]:
    hub = StreamHub()
    yield hub
    await hub.close()


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


def frame(number: int, size: int = 100) -> Frame:
    return Frame(b"x" * size, str(number), b"")


async def settled() -> None:
    """Let every task that can go on do so."""
    for _ in range(50):
        await asyncio.sleep(0)


async def tokens(subscription: Subscription, count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        frames = await subscription.take(5)
        assert frames, "nothing came"
        found += [each.token for each in frames]
    return found


async def end_of(subscription: Subscription) -> Problem | None:
    try:
        while True:
            await subscription.take(5)
    except EndOfStream as end:
        return end.problem


async def test_equal_requests_share_one_upstream(hub: StreamHub, upstream: Upstream) -> None:
    first, second = hub.subscribe(upstream.spec()), hub.subscribe(upstream.spec())
    other = hub.subscribe(upstream.spec("other"))
    await settled()
    assert len(upstream.opened) == 2
    upstream.opened[0].put_nowait(frame(1))
    one, two = await first.take(5), await second.take(5)
    assert one[0] is two[0]
    assert await other.take(0.001) == []


async def test_who_joins_later_gets_the_stream_from_its_beginning(
    hub: StreamHub, upstream: Upstream
) -> None:
    first = hub.subscribe(upstream.spec())
    await settled()
    for number in range(3):
        upstream.opened[0].put_nowait(frame(number))
    assert await tokens(first, 3) == ["0", "1", "2"]
    second = hub.subscribe(upstream.spec())
    upstream.opened[0].put_nowait(frame(3))
    assert await tokens(second, 4) == ["0", "1", "2", "3"]
    assert len(upstream.opened) == 1


async def test_without_its_beginning_a_stream_is_not_joined(
    hub: StreamHub, upstream: Upstream
) -> None:
    first = hub.subscribe(upstream.spec())
    await settled()
    for number in range(12):
        upstream.opened[0].put_nowait(frame(number, MAX_REPLAY_BYTES // 10))
        await tokens(first, 1)
    second, third = hub.subscribe(upstream.spec()), hub.subscribe(upstream.spec())
    await settled()
    assert len(upstream.opened) == 2
    upstream.opened[1].put_nowait(frame(100))
    assert await tokens(second, 1) == await tokens(third, 1) == ["100"]


async def test_a_request_that_counts_from_now_is_shared_until_its_first_frame(
    hub: StreamHub, upstream: Upstream
) -> None:
    spec = upstream.spec(replay=False)
    first, second = hub.subscribe(spec), hub.subscribe(spec)
    await settled()
    upstream.opened[0].put_nowait(frame(1))
    assert await tokens(first, 1) == await tokens(second, 1) == ["1"]
    hub.subscribe(spec)
    await settled()
    assert len(upstream.opened) == 2


async def test_a_key_of_none_is_never_shared(hub: StreamHub, upstream: Upstream) -> None:
    hub.subscribe(upstream.spec(None))
    hub.subscribe(upstream.spec(None))
    await settled()
    assert len(upstream.opened) == 2


async def test_the_last_to_leave_cancels_upstream(hub: StreamHub, upstream: Upstream) -> None:
    first, second = hub.subscribe(upstream.spec()), hub.subscribe(upstream.spec())
    await settled()
    first.leave()
    await settled()
    assert upstream.closed == 0
    second.leave()
    await settled()
    assert upstream.closed == 1
    hub.subscribe(upstream.spec())
    await settled()
    assert len(upstream.opened) == 2


async def test_leaving_before_upstream_was_opened_leaves_nothing_behind(
    hub: StreamHub, upstream: Upstream
) -> None:
    hub.subscribe(upstream.spec()).leave()
    hub.subscribe(upstream.spec())
    await settled()
    assert len(upstream.opened) - upstream.closed == 1


async def test_a_slow_reader_is_ended_and_the_others_go_on(
    hub: StreamHub, upstream: Upstream
) -> None:
    fast, slow = hub.subscribe(upstream.spec()), hub.subscribe(upstream.spec())
    await settled()
    upstream.opened[0].put_nowait(frame(0))
    assert await tokens(slow, 1) == ["0"]
    size = 50_000
    count = 3 * SUBSCRIBER_BYTES // size
    for number in range(count):
        upstream.opened[0].put_nowait(frame(number, size))
        await tokens(fast, 1 if number else 2)
    problem = await end_of(slow)
    assert problem is not None
    assert (problem.http_status, problem.code) == (429, "RESOURCE_EXHAUSTED")
    assert b'"resume_token":"0"' in problem.body()
    upstream.opened[0].put_nowait(frame(99))
    assert await tokens(fast, 1) == ["99"]


async def test_a_single_slow_reader_slows_upstream_and_loses_nothing(
    hub: StreamHub, upstream: Upstream
) -> None:
    reader = hub.subscribe(upstream.spec())
    await settled()
    size = 50_000
    count = 4 * SUBSCRIBER_BYTES // size
    for number in range(count):
        upstream.opened[0].put_nowait(frame(number, size))
    await settled()
    assert upstream.read * size <= PAUSE_LAG_BYTES + 2 * size
    upstream.opened[0].put_nowait(None)
    assert await tokens(reader, count) == [str(number) for number in range(count)]
    assert await end_of(reader) is None


async def test_a_joiner_with_much_to_catch_up_is_not_slow(
    hub: StreamHub, upstream: Upstream
) -> None:
    first = hub.subscribe(upstream.spec())
    await settled()
    size = 100_000
    for number in range(9):
        upstream.opened[0].put_nowait(frame(number, size))
        await tokens(first, 1)
    second = hub.subscribe(upstream.spec())
    for number in range(9, 15):
        upstream.opened[0].put_nowait(frame(number, size))
        await tokens(first, 1)
    assert await tokens(second, 15) == [str(number) for number in range(15)]


async def test_a_frame_larger_than_the_limit_is_delivered(
    hub: StreamHub, upstream: Upstream
) -> None:
    first, second = hub.subscribe(upstream.spec()), hub.subscribe(upstream.spec())
    await settled()
    upstream.opened[0].put_nowait(frame(1, 4 * SUBSCRIBER_BYTES))
    upstream.opened[0].put_nowait(frame(2))
    assert await tokens(first, 2) == await tokens(second, 2) == ["1", "2"]


async def test_an_error_comes_after_what_was_sent_before_it(
    hub: StreamHub, upstream: Upstream
) -> None:
    reader = hub.subscribe(upstream.spec())
    await settled()
    upstream.opened[0].put_nowait(frame(1))
    upstream.opened[0].put_nowait(NotFoundError("pod", "a"))
    await settled()
    assert await tokens(reader, 1) == ["1"]
    problem = await end_of(reader)
    assert problem is not None
    assert problem.code == "NOT_FOUND"


async def test_a_stream_that_ended_is_not_joined(hub: StreamHub, upstream: Upstream) -> None:
    first = hub.subscribe(upstream.spec())
    await settled()
    upstream.opened[0].put_nowait(None)
    assert await end_of(first) is None
    hub.subscribe(upstream.spec())
    await settled()
    assert len(upstream.opened) == 2


async def test_upstream_is_not_read_for_readers_that_were_ended(
    hub: StreamHub, upstream: Upstream
) -> None:
    hub.subscribe(upstream.spec())
    await settled()
    hub.drain()
    upstream.opened[0].put_nowait(frame(1))
    await settled()
    assert upstream.closed == 1


async def test_draining_ends_every_stream_now_and_later(hub: StreamHub, upstream: Upstream) -> None:
    before = hub.subscribe(upstream.spec())
    await settled()
    upstream.opened[0].put_nowait(frame(7))
    await tokens(before, 1)
    hub.drain()
    after = hub.subscribe(upstream.spec("later"))
    for subscription, token in ((before, b'"resume_token":"7"'), (after, b'"metadata":{}')):
        problem = await end_of(subscription)
        assert problem is not None
        assert (problem.http_status, problem.retry_after) == (503, 1.0)
        assert token in problem.body()


async def test_silence_is_told_after_the_wait_that_was_asked_for(
    hub: StreamHub, upstream: Upstream
) -> None:
    subscription = hub.subscribe(upstream.spec())
    first = asyncio.create_task(subscription.take(0.02))
    await settled()
    upstream.opened[0].put_nowait(frame(1))
    assert [each.token for each in await first] == ["1"]

    long = asyncio.create_task(subscription.take(3600))
    await asyncio.wait({long}, timeout=0.1)
    assert not long.done(), "the time of the wait before has passed, not that of this one"
    upstream.opened[0].put_nowait(frame(2))
    assert [each.token for each in await long] == ["2"]

    assert await subscription.take(0.001) == [], "shorter than what was asked for before"
    subscription.leave()


async def test_a_subscription_that_is_left_while_it_waits_ends(
    hub: StreamHub, upstream: Upstream
) -> None:
    subscription = hub.subscribe(upstream.spec())
    waiting = asyncio.create_task(subscription.take(3600))
    await settled()
    subscription.leave()
    with pytest.raises(EndOfStream):
        await waiting
