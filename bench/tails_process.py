"""A tail of each pod, all in one process: `python -m bench.tails_process ADDRESS POD…`.

Prints "ready" when every pod is attached. Reads the newest line numbers as one JSON object, and
prints what was lost and doubled when all of them have come.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc
from podyard.k8s_resource.v1 import logs_pb2 as pb

from bench.log_lines import Tally
from bench.processes import CHECKOUT, ended
from bench.tailing import Tail
from bench.timing import CHANNEL_OPTIONS

_WAIT_SECONDS = 60


@dataclass(frozen=True)
class ManyTails:
    """Tails that are attached."""

    process: subprocess.Popen[bytes]

    def result(self, last: dict[str, int]) -> dict[str, int]:
        """Lines lost and doubled, up to these numbers."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(last).encode() + b"\n")
        self.process.stdin.flush()
        found: dict[str, int] = json.loads(self.process.stdout.readline())
        return found


@contextmanager
def many_tails(address: str, pods: Sequence[str]) -> Iterator[ManyTails]:
    """A TailLogs call for each pod, attached."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.tails_process", address, *pods],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with ended(process):
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", "not all tails are attached"
        yield ManyTails(process)


async def _run(address: str, pods: Sequence[str]) -> None:
    async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        stub = pb_grpc.K8sResourceServiceStub(channel)
        tally = Tally()
        tails = [Tail(tally) for _ in pods]
        attached = asyncio.Event()

        async def follow(tail: Tail, pod: str) -> None:
            request = pb.TailLogsRequest(namespace="default", pod=pod, follow=True, tail_lines=0)
            async for response in stub.TailLogs(request):
                tail.take(response)
                if not attached.is_set() and all(each.attached for each in tails):
                    attached.set()

        tasks = [asyncio.create_task(follow(t, pod)) for t, pod in zip(tails, pods, strict=True)]
        async with asyncio.timeout(_WAIT_SECONDS):
            await attached.wait()
        print("ready", flush=True)
        last = json.loads(await asyncio.to_thread(sys.stdin.readline))
        # What does not come is told as lost.
        for _ in range(_WAIT_SECONDS * 20):
            if tally.complete(last):
                break
            await asyncio.sleep(0.05)
        print(
            json.dumps(
                {"lost": tally.lost(dict.fromkeys(last, -1), last), "doubled": tally.doubled()}
            ),
            flush=True,
        )
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], sys.argv[2:]))
