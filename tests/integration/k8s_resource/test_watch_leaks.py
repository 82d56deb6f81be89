"""What subscribers leave behind: nothing, however badly they behave."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc
from podyard.k8s_resource.v1 import watch_pb2 as pb

from tests.integration.k8s_resource.watching import Watcher, watching
from tests.service_process import ServiceProcess, running_service
from tools.stack.ports import free_ports
from tools.stack.testing import ControlPlane

_OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]
_WAIT_SECONDS = 60.0
_SUBSCRIBERS = 20
_TEXT = "x" * 100_000
_CHANGES = 60
_ALLOWED_BYTES = 12 * 1024 * 1024
"""What a process of Python may keep from one repetition of the same work to the next."""
_READER = """
import sys
from podyard.client import Podyard
from podyard.k8s_resource.v1 import watch_pb2
with Podyard(k8s_resource=sys.argv[1]) as client:
    for event in client.k8s.watch("configmaps", namespace=sys.argv[2], view=watch_pb2.OBJECT_VIEW_FULL):
        print(event.type, flush=True)
"""


@dataclass(frozen=True)
class Held:
    """What the service holds. `memory` in bytes."""

    tasks: int
    sockets: int
    streams: int
    memory: int


@dataclass
class World:
    """A service in a process of its own, and objects to change."""

    service: ServiceProcess
    metrics: str
    plane: ControlPlane
    namespace: str

    def held(self) -> Held:
        """What the service holds now."""
        with urllib.request.urlopen(self.metrics) as answer:  # noqa: S310 - our own
            lines = answer.read().decode().splitlines()
        samples = [line.rpartition(" ") for line in lines if not line.startswith("#")]
        values = {name: float(value) for name, _, value in samples}
        streams = sum(v for name, v in values.items() if name.startswith("podyard_streams_open{"))
        folder = Path(f"/proc/{self.service.pid}")
        sockets = 0
        for descriptor in (folder / "fd").iterdir():
            try:
                sockets += str(descriptor.readlink()).startswith("socket:")
            except FileNotFoundError:
                continue
        resident = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return Held(int(values["podyard_asyncio_tasks"]), sockets, int(streams), resident)

    async def until(self, reached: Callable[[Held], bool]) -> Held:
        """Wait until what is held meets a condition."""
        held = await asyncio.to_thread(self.held)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                while not reached(held):
                    await asyncio.sleep(0.1)
                    held = await asyncio.to_thread(self.held)
        except TimeoutError:
            raise AssertionError(f"it holds {held}") from None
        return held

    async def settled(self, before: Held) -> Held:
        """Wait until no more tasks, sockets and streams are held than before."""
        return await self.until(
            lambda now: (
                now.tasks <= before.tasks
                and now.sockets <= before.sockets
                and now.streams <= before.streams
            )
        )

    def request(self) -> pb.WatchRequest:
        """A watch of the objects that `change` changes, whole."""
        return pb.WatchRequest(
            kinds=["configmaps"], namespace=self.namespace, view=pb.OBJECT_VIEW_FULL
        )

    async def change(self, first: int, count: int) -> None:
        """Change one large object so many times."""
        api = self.plane.api()
        path = f"/api/v1/namespaces/{self.namespace}/configmaps"

        def write() -> None:
            for number in range(first, first + count):
                data = {"number": str(number), "text": _TEXT}
                body = {"apiVersion": "v1", "kind": "ConfigMap", "data": data}
                api.request("PUT", f"{path}/large", {**body, "metadata": {"name": "large"}})

        await asyncio.to_thread(write)


@pytest.fixture
async def world(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> AsyncIterator[World]:
    metrics = f"127.0.0.1:{free_ports(1)[0]}"
    environment = {
        "PODYARD_K8S_RESOURCE_KUBECONFIG": str(control_plane.kubeconfig),
        "PODYARD_K8S_RESOURCE_METRICS_LISTEN": metrics,
        # Small, so that what streams hold is not hidden by what all share.
        "PODYARD_K8S_RESOURCE_WATCH_HISTORY_BYTES": str(1024 * 1024),
    }
    control_plane.kubectl("create", "configmap", "large", "-n", namespace)
    async with running_service("k8s_resource", environment, tmp_path) as service:
        made = World(service, f"http://{metrics}/metrics", control_plane, namespace)
        async with grpc.aio.insecure_channel(service.address) as channel:
            stub: Any = pb_grpc.K8sResourceServiceStub(channel)
            call = stub.Watch(made.request())
            await call.read()
            # The kind stays watched from here on.
            yield made
            call.cancel()


async def _repeated(world: World, work: Callable[[int], Awaitable[None]]) -> None:
    """Once to warm up, then three times: tasks and sockets return, memory does not grow."""
    await work(0)
    before = await asyncio.to_thread(world.held)
    before = await world.settled(Held(before.tasks, before.sockets, 1, 0))
    for turn in range(1, 4):
        await work(turn)
        after = await world.settled(before)
    assert after.memory <= before.memory + _ALLOWED_BYTES


async def test_subscribers_that_never_read(world: World) -> None:
    async def work(turn: int) -> None:
        async with AsyncExitStack() as stack:
            calls = []
            for _ in range(_SUBSCRIBERS):
                channel = grpc.aio.insecure_channel(world.service.address, options=_OWN_CONNECTION)
                stub: Any = pb_grpc.K8sResourceServiceStub(await stack.enter_async_context(channel))
                calls.append(stub.Watch(world.request()))
                await calls[-1].read()
            idle = await asyncio.to_thread(world.held)
            await world.change(turn * _CHANGES, _CHANGES)
            # All that was written has passed: one that reads has it.
            async with watching(stub, Watcher(), **_fields(world)) as reader:
                await reader.synced()
            full = await asyncio.to_thread(world.held)
            assert full.memory - idle.memory <= _SUBSCRIBERS * 1024 * 1024 + _ALLOWED_BYTES
            for call in calls:
                call.cancel()

    await _repeated(world, work)


async def test_subscribers_that_disconnect_again_and_again(world: World) -> None:
    async def one() -> None:
        for _ in range(15):
            channel = grpc.aio.insecure_channel(world.service.address, options=_OWN_CONNECTION)
            async with channel:
                stub: Any = pb_grpc.K8sResourceServiceStub(channel)
                await stub.Watch(world.request()).read()
                await asyncio.sleep(0.1)

    async def work(_turn: int) -> None:
        await asyncio.gather(*(one() for _ in range(_SUBSCRIBERS)))

    await _repeated(world, work)


async def test_a_stopped_client_holds_up_nobody_and_leaves_nothing(world: World) -> None:
    async def work(turn: int) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _READER, world.service.address, world.namespace),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            await process.stdout.readline()
            process.send_signal(signal.SIGSTOP)
            async with grpc.aio.insecure_channel(world.service.address) as channel:
                stub: Any = pb_grpc.K8sResourceServiceStub(channel)
                async with watching(stub, Watcher(), **_fields(world)) as reader:
                    await reader.synced()
                    await world.change(turn * _CHANGES, _CHANGES)
                    last = f'"number":"{(turn + 1) * _CHANGES - 1}"'
                    await reader.until(lambda: last in reader.events[-1].json)
        finally:
            process.kill()
            await process.communicate()

    await _repeated(world, work)


def _fields(world: World) -> dict[str, Any]:
    request = world.request()
    return {"kinds": request.kinds, "namespace": request.namespace, "view": request.view}
