"""Subscribers of log tails that go on with their token through everything."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from typing import Any

import grpc
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc
from podyard.k8s_resource.v1 import logs_pb2 as pb

from tests.soak.log_guarantees import TailCheck

_CHANNEL = [
    # Each subscriber is a client of its own, that comes back soon.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]
_PAUSE_SECONDS = 0.1
_RETRIED = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


@dataclass
class LogSubscriber:
    """One tail. `slow` is how long it may rest between two messages; with `cut_after` it hangs
    up itself each time after so many seconds."""

    check: TailCheck
    request: dict[str, Any]
    slow: float = 0.0
    cut_after: float | None = None
    connections: int = 0
    marks: list[str] = field(default_factory=list)
    _token: str = ""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self, port: int, chance: random.Random) -> None:
        """Follow through the port until cancelled."""
        while True:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=_CHANNEL) as channel:
                await self._once(pb_grpc.K8sResourceServiceStub(channel), chance)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def until_all(self, written: dict[tuple[str, str], int]) -> None:
        """Wait until the last line of each container was sent."""
        async with self._news:
            await self._news.wait_for(lambda: self.check.has_all(written))

    async def _once(self, stub: Any, chance: random.Random) -> None:
        call = stub.TailLogs(
            pb.TailLogsRequest(**self.request, follow=True, resume_token=self._token)
        )
        self.connections += 1
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.cut_after):
                    while (message := await call.read()) is not grpc.aio.EOF:
                        await self._take(message)
                        await asyncio.sleep(chance.uniform(0, self.slow))
        except grpc.aio.AioRpcError as error:
            if error.code() not in _RETRIED:
                self.check.problems.append(f"ended with {error.code()}: {error.details()}")
                raise
        finally:
            call.cancel()

    async def _take(self, message: pb.TailLogsResponse) -> None:
        self._token = message.resume_token
        for event in message.events:
            if event.WhichOneof("event") == "lines":
                source = event.lines.source
                for text in event.lines.text:
                    self.check.line((source.pod, source.container), text)
                continue
            source = event.marker.source
            self.marks.append(f"{source.pod}/{source.container} {_name(event.marker)}")
            if event.marker.type == pb.LOG_MARKER_TYPE_GAP:
                self.check.gap((source.pod, source.container))
        async with self._news:
            self._news.notify_all()


def _name(marker: pb.LogMarker) -> str:
    return pb.LogMarkerType.Name(marker.type).removeprefix("LOG_MARKER_TYPE_").lower()
