"""TailLogs as a service: shared connections, slow readers, failures of the API server, the end."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from typing import Any

import pytest
from podyard.k8s_resource.v1 import logs_pb2

from tests.integration.k8s_resource.log_tailing import Cluster, numbered
from tests.integration.k8s_resource.watching import watching


async def test_nothing_lost_or_doubled_when_the_api_server_is_killed(cluster: Cluster) -> None:
    for pod in ("a", "b"):
        await cluster.running_pod(pod)
        await cluster.write(pod, "line 0")
    stop = threading.Event()
    written: dict[str, int] = {}

    def write(pod: str) -> None:
        number = 1
        while not stop.wait(0.01):
            cluster.plane.write_logs(pod, f"line {number}", namespace=cluster.namespace)
            number += 1
        written[pod] = number

    async with cluster.tailing(label_selector="app=talk") as tail:
        await tail.until_lines(2)
        writers = [asyncio.create_task(asyncio.to_thread(write, pod)) for pod in ("a", "b")]
        try:
            await tail.until_lines(40)
            await asyncio.to_thread(cluster.plane.kill_apiserver)
            await tail.until_mark("INTERRUPTED", 2)
            cut = len(tail.lines)
            await asyncio.to_thread(cluster.plane.start_apiserver)
            await tail.until_mark("ATTACHED", 4)
            await tail.until_lines(cut + 100)
        finally:
            stop.set()
            await asyncio.gather(*writers)
        await tail.until_lines(sum(written.values()))
    for pod in ("a", "b"):
        assert tail.texts(pod) == numbered(0, written[pod])
    assert "GAP" not in tail.mark_names()


async def test_a_filter_that_takes_nothing_keeps_the_stream_alive(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.k8s_resource.domain.logs.tail.HEARTBEAT_SECONDS", 0.05)
    await cluster.running_pod("chatty")
    await cluster.write("chatty", "nothing")
    async with cluster.tailing(pod="chatty", include=["something"]) as tail:
        await tail.until_mark("ATTACHED")
        while "HEARTBEAT" not in tail.mark_names():
            await cluster.write("chatty", "nothing")
        token = tail.token
        await cluster.write("chatty", "something")
        await tail.until_lines(1)
    async with cluster.tailing(pod="chatty", include=["something"], resume_token=token) as again:
        await again.until_lines(1)


async def test_subscribers_share_one_connection(cluster: Cluster) -> None:
    await cluster.running_pod("shared")
    await cluster.write("shared", *numbered(0, 50))
    async with cluster.tailing(pod="shared") as early:
        await early.until_lines(50)
        async with (
            cluster.tailing(pod="shared") as late,
            cluster.tailing(pod="shared", tail_lines=1) as short,
        ):
            await late.until_lines(50)
            await short.until_lines(1)
            await cluster.write("shared", "line 50")
            await asyncio.gather(early.until_lines(51), late.until_lines(51), short.until_lines(2))
            await cluster.write("shared", "line 51")
            await asyncio.gather(early.until_lines(52), late.until_lines(52), short.until_lines(3))
            assert early.texts() == late.texts() == numbered(0, 52)
            assert short.texts() == numbered(49, 3)
            await cluster.until_followed_logs(1)
        await cluster.write("shared", "line 52")
        await early.until_lines(53)
    await cluster.until_followed_logs(0)


async def received(call: Any) -> int:
    """Lines of the next batch."""
    batch = await call.read()
    return sum(len(event.lines.text) for event in batch.events)


async def test_a_subscriber_that_does_not_read_holds_up_nobody(cluster: Cluster) -> None:
    await cluster.running_pod("flood")
    text = "z" * 1000
    count = 20_000
    stuck = cluster.service.stub.TailLogs(
        logs_pb2.TailLogsRequest(pod="flood", namespace=cluster.namespace, follow=True)
    )
    await cluster.write("flood", "first")
    got = await received(stuck)
    async with cluster.tailing(pod="flood") as tail:
        for _ in range(20):
            await cluster.write("flood", *([text] * (count // 20)))
        await tail.until_lines(count + 1)
    while got < count + 1:
        got += await received(stuck)
    assert got == count + 1
    stuck.cancel()


async def test_streams_that_are_cut_leave_no_task_and_no_connection_behind(
    cluster: Cluster,
) -> None:
    for name in ("one", "two"):
        await cluster.running_pod(name)
        await cluster.write(name, "x")

    async def cut(count: int) -> None:
        async with AsyncExitStack() as stack:
            for number in range(count):
                fields: Any = {"pod": "one"} if number % 2 else {"label_selector": "app=talk"}
                # Of their own start, so that not all share one connection.
                tail = await stack.enter_async_context(
                    cluster.tailing(tail_lines=1 + number % 3, **fields)
                )
                watcher = await stack.enter_async_context(
                    watching(cluster.service.stub, kinds=["pods", "nodes"])
                )
                await watcher.synced()
                await tail.until_lines(1)

    async def tasks(limit: int) -> int:
        """How many tasks there are, once what ends has ended or some time has passed."""
        for _ in range(200):
            if len(asyncio.all_tasks()) <= limit:
                break
            await asyncio.sleep(0.02)  # a task tells no one that it has gone
        return len(asyncio.all_tasks())

    await cut(1)
    await cluster.until_followed_logs(0)
    before = await tasks(0)
    await cut(25)
    await cluster.until_followed_logs(0)
    assert await tasks(before) <= before


async def test_a_server_that_stops_says_so(cluster: Cluster) -> None:
    await cluster.running_pod("one")
    await cluster.write("one", "x")
    async with cluster.tailing(pod="one") as tail:
        await tail.until_lines(1)
        stopping = asyncio.create_task(cluster.service.stop())
        await tail.until_end()
        await stopping
        assert tail.end == "DRAINING"
        assert tail.marks[-1].end.retry_after.seconds > 0
