"""Reading log tails of a real API server; KWOK plays the kubelets and serves files as logs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
import yaml
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from podyard.common.v1 import stream_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import logs_pb2

from tools.stack.testing import ControlPlane

_WAIT_SECONDS = 45.0


class Tail:
    """Reads one stream and lets a test wait for what has come."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._news = asyncio.Condition()
        self.batches: list[logs_pb2.TailLogsResponse] = []
        self.lines: list[tuple[str, str]] = []
        self.times: list[int] = []
        self.truncated: list[int] = []
        self.levels: list[int] = []
        self.marks: list[logs_pb2.LogMarker] = []
        self.token = ""
        self.tokens: list[tuple[str, int]] = []
        self.ended = False

    async def read(self) -> None:
        async for batch in self._call:
            async with self._news:
                self._take(batch)
                self._news.notify_all()
        async with self._news:
            self.ended = True
            self._news.notify_all()

    def _take(self, batch: logs_pb2.TailLogsResponse) -> None:
        assert batch.events
        assert batch.resume_token
        self.batches.append(batch)
        self.token = batch.resume_token
        for event in batch.events:
            if event.WhichOneof("event") == "marker":
                self.marks.append(event.marker)
            else:
                assert len(event.lines.text) == len(event.lines.time_unix_nano) > 0
                self.truncated += [len(self.lines) + i for i in event.lines.truncated]
                self.lines += [(event.lines.source.pod, text) for text in event.lines.text]
                self.times += event.lines.time_unix_nano
                self.levels += event.lines.level
        self.tokens.append((batch.resume_token, len(self.lines)))

    def texts(self, pod: str = "") -> list[str]:
        return [text for its_pod, text in self.lines if not pod or its_pod == pod]

    def mark_names(self) -> list[str]:
        return [
            logs_pb2.LogMarkerType.Name(mark.type).removeprefix("LOG_MARKER_TYPE_")
            for mark in self.marks
        ]

    async def until(self, condition: Callable[[Tail], bool]) -> None:
        try:
            async with asyncio.timeout(_WAIT_SECONDS), self._news:
                await self._news.wait_for(lambda: condition(self))
        except TimeoutError:
            raise AssertionError(
                f"not within {_WAIT_SECONDS} s; {len(self.lines)} lines, the last "
                f"{self.lines[-3:]}, marks {[(n, m.message) for n, m in zip(self.mark_names(), self.marks, strict=True)]}"
            ) from None

    async def until_lines(self, count: int, pod: str = "") -> None:
        await self.until(lambda tail: len(tail.texts(pod)) >= count)

    async def until_mark(self, name: str, count: int = 1) -> None:
        await self.until(lambda tail: tail.mark_names().count(name) >= count)

    async def until_end(self) -> None:
        await self.until(lambda tail: tail.ended)

    @property
    def end(self) -> str:
        assert self.mark_names()[-1] == "END"
        reason = stream_pb2.StreamEndReason.Name(self.marks[-1].end.reason)
        return reason.removeprefix("STREAM_END_REASON_")


@asynccontextmanager
async def tailing(service: Any, **fields: Any) -> AsyncIterator[Tail]:
    """A stream that is cut when the block ends."""
    fields.setdefault("follow", True)
    call = service.stub.TailLogs(logs_pb2.TailLogsRequest(**fields))
    tail = Tail(call)
    reading = asyncio.create_task(tail.read())
    try:
        yield tail
    finally:
        call.cancel()
        await asyncio.wait({reading})
        if not reading.cancelled() and (error := reading.exception()) is not None:
            raise error


async def _exhaust(call: Any) -> None:
    async for _ in call:
        pass


async def refusal(service: Any, **fields: Any) -> tuple[grpc.StatusCode, str, str]:
    call = service.stub.TailLogs(logs_pb2.TailLogsRequest(**fields))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(_exhaust(call), _WAIT_SECONDS)
    info = error_details_pb2.ErrorInfo()
    failed: Any = caught.value
    status = rpc_status.from_call(failed)
    assert status.details[0].Unpack(info)
    return caught.value.code(), str(caught.value.details()), str(info.reason)


class Cluster:
    """Makes pods in a namespace of its own and writes their logs."""

    def __init__(self, plane: ControlPlane, service: Any, namespace: str) -> None:
        self.plane = plane
        self.service = service
        self.namespace = namespace
        self.restart_policy = "Never"

    async def pod(self, name: str, *containers: str, **annotations: str) -> None:
        marks = {f"stack.podyard.local/{k.replace('_', '-')}": v for k, v in annotations.items()}
        await self.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": name,
                    "labels": {"app": "talk"},
                    "annotations": marks,
                },
                "spec": {
                    "restartPolicy": self.restart_policy,
                    "containers": [
                        {"name": container, "image": "none"}
                        for container in containers or ("main",)
                    ],
                },
            }
        )

    async def apply(self, manifest: dict[str, Any]) -> None:
        response = await self.service.stub.Apply(
            pb.ApplyRequest(manifest=yaml.safe_dump(manifest), namespace=self.namespace)
        )
        assert not response.results[0].HasField("error"), response

    async def running_pod(self, name: str, *containers: str, **annotations: str) -> None:
        await self.pod(name, *containers, **annotations)
        await self.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")

    async def write(self, pod: str, *lines: str, container: str = "main", **rest: Any) -> None:
        await asyncio.to_thread(
            self.plane.write_logs,
            pod,
            *lines,
            namespace=self.namespace,
            container=container,
            **rest,
        )

    async def write_raw(self, pod: str, data: bytes) -> None:
        logs = self.plane.pod_logs(pod, self.namespace)
        await asyncio.to_thread(logs.write_raw, "main", data)

    async def kubectl(self, *arguments: str) -> str:
        return await asyncio.to_thread(
            self.plane.kubectl, *arguments, "--namespace", self.namespace
        )

    async def until_followed_logs(self, count: int) -> None:
        """Wait until the API server itself counts so many logs being followed."""
        wanted = re.compile(
            rb'^apiserver_longrunning_requests\{[^}]*subresource="log"[^}]*\} (\S+)$', re.MULTILINE
        )
        found = -1.0
        for _ in range(100):
            metrics = await asyncio.to_thread(self.plane.api().request, "GET", "/metrics")
            found = sum(float(match[1]) for match in wanted.finditer(metrics))
            if found == count:
                return
        raise AssertionError(f"{found} logs are followed, not {count}")

    def tailing(self, **fields: Any) -> Any:
        return tailing(self.service, namespace=self.namespace, **fields)

    def refusal(self, **fields: Any) -> Coroutine[Any, Any, tuple[grpc.StatusCode, str, str]]:
        return refusal(self.service, namespace=self.namespace, **fields)


def numbered(start: int, count: int) -> list[str]:
    return [f"line {number}" for number in range(start, start + count)]
