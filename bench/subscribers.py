"""Many subscribers of a watch in one process: `python -m bench.subscribers grpc|sse …`.

Prints "ready" when all have the present state, and one JSON object when all have seen what is the
last. They look for what they need in the bytes as they come: decoding would measure them.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import uvloop
from podyard.k8s_resource.v1 import watch_pb2 as pb

from bench.processes import CHECKOUT, ended
from bench.timing import CHANNEL_OPTIONS, percentile

_PER_CHANNEL = 50
_WATCH = "/podyard.k8s_resource.v1.K8sResourceService/Watch"
# The label `sent` in JSON, and as an entry of a map in protobuf.
_SENT = {"sse": re.compile(rb'"sent":"(\d{19})"'), "grpc": re.compile(rb"sent\x12\x13(\d{19})")}
_SYNCED = {"sse": b"WATCH_EVENT_TYPE_SYNCED", "grpc": b"\n\x02\x08\x04"}
_PATTERN_BYTES = 28
_WAIT_SECONDS = 120


@dataclass(frozen=True)
class Subscribers:
    """Subscribers that have the present state."""

    process: subprocess.Popen[bytes]

    def result(self) -> dict[str, float]:
        """p50 and p99 of the latency in ms, and when (ns) the last of them had everything."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"not all subscribers have seen everything within {_WAIT_SECONDS} s"
        found: dict[str, float] = json.loads(line)
        return found


@contextmanager
def subscribers(
    kind: str, address: str, count: int, last: str, *, latencies: bool
) -> Iterator[Subscribers]:
    """So many subscribers, each on a stream of its own, until `last` comes: a version, a label."""
    arguments = [kind, address, str(count), last, str(int(latencies))]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.subscribers", *arguments],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    with ended(process):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == b"ready\n", "the subscribers did not get the present state"
        yield Subscribers(process)


class _Tally:
    """What all subscribers have seen."""

    def __init__(self, kind: str, count: int, last: str, latencies: bool) -> None:
        self.kind = kind
        self.latencies: list[float] = []
        self.waiting = self.unfinished = count
        self.ready = asyncio.Event()
        self.done = asyncio.Event()
        self.last = last.encode()
        self.sent = _SENT[kind] if latencies else None

    def synced(self) -> None:
        self.waiting -= 1
        if not self.waiting:
            self.ready.set()

    def finished(self) -> None:
        self.unfinished -= 1
        if not self.unfinished:
            self.done.set()


class _Reader:
    """One subscriber's view of its bytes."""

    def __init__(self, tally: _Tally) -> None:
        self._tally = tally
        self._tail = b""
        self._synced = self._finished = False

    def take(self, data: bytes) -> None:
        tally = self._tally
        seen = self._tail + data
        self._tail = seen[-_PATTERN_BYTES + 1 :]
        if not self._synced:
            if _SYNCED[tally.kind] in seen:
                self._synced = True
                tally.synced()
            return
        if tally.sent is not None:
            now = time.time_ns()
            tally.latencies += [
                (now - int(each)) / 1e6 for each in tally.sent.findall(seen) if each != tally.last
            ]
        if not self._finished and tally.last in seen:
            self._finished = True
            tally.finished()


class _SseProtocol(asyncio.Protocol):
    def __init__(self, tally: _Tally) -> None:
        self._reader = _Reader(tally)

    def connection_made(self, transport: Any) -> None:
        transport.write(
            b"GET /v1/k8s/watch?kinds=pods HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Accept: text/event-stream\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        self._reader.take(data)


async def _grpc_subscriber(channel: grpc.aio.Channel, tally: _Tally) -> None:
    reader = _Reader(tally)
    watch: Any = channel.unary_stream(_WATCH, request_serializer=pb.WatchRequest.SerializeToString)
    async for message in watch(pb.WatchRequest(kinds=["pods"])):
        reader.take(message)


async def _run(kind: str, address: str, count: int, last: str, latencies: bool) -> None:
    tally = _Tally(kind, count, last, latencies)
    tasks = []
    if kind == "sse":
        host, _, port = address.rpartition(":")
        loop = asyncio.get_running_loop()
        for _ in range(count):
            await loop.create_connection(lambda: _SseProtocol(tally), host, int(port))
    else:
        options = [*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
        for number in range(count):
            if number % _PER_CHANNEL == 0:
                channel = grpc.aio.insecure_channel(address, options=options)
            tasks.append(asyncio.create_task(_grpc_subscriber(channel, tally)))
    await tally.ready.wait()
    print("ready", flush=True)
    async with asyncio.timeout(_WAIT_SECONDS):
        await tally.done.wait()
    ended_at = time.time_ns()
    found = {
        "p50": percentile(tally.latencies, 50),
        "p99": percentile(tally.latencies, 99),
        "seen": len(tally.latencies),
        "ended": ended_at,
    }
    print(json.dumps(found), flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    uvloop.run(_run(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5] == "1"))
