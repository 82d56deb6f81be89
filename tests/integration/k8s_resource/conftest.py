"""The service as it runs, on a real control plane."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc

from services.k8s_resource.__main__ import assembled
from services.k8s_resource.settings import K8sResourceSettings
from tests.integration.k8s_resource.config_maps import Maps
from tests.integration.k8s_resource.log_tailing import Cluster
from tools.stack.testing import ControlPlane


@dataclass
class Service:
    """A running service: `stub` for calls, `stop()` to end it before the test does."""

    stub: Any
    port: int
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def stop(self) -> None:
        """Drain and stop; returns when it is over."""
        self._stopping.set()
        await self._stopped.wait()


@asynccontextmanager
async def running_service(kubeconfig: Path, **settings: Any) -> AsyncIterator[Service]:
    """The service on a free port, in this process and loop."""
    made = K8sResourceSettings(
        listen="127.0.0.1:0", kubeconfig=str(kubeconfig), drain_seconds=10, **settings
    )
    started: asyncio.Future[Service] = asyncio.get_running_loop().create_future()

    async def serve() -> None:
        try:
            async with assembled(made) as server:
                port = await server.start()
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                    service = Service(pb_grpc.K8sResourceServiceStub(channel), port)
                    started.set_result(service)
                    await service._stopping.wait()
                    await server.stop()
            service._stopped.set()
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    task = asyncio.create_task(serve())
    service = await started
    try:
        yield service
    finally:
        service._stopping.set()
        await task


@pytest.fixture
async def service(control_plane: ControlPlane) -> AsyncIterator[Service]:
    """The service on the session's cluster."""
    async with running_service(control_plane.kubeconfig) as running:
        yield running


@pytest.fixture
def passing(control_plane: ControlPlane) -> Iterator[Callable[[str, str], None]]:
    """Called with a kind and a name, for what must not outlive the test: all share the cluster."""
    made: list[tuple[str, str]] = []
    yield lambda kind, name: made.append((kind, name))
    for kind, name in reversed(made):
        # A definition that is still going makes the next test's refused.
        wait = str(kind == "crd").lower()
        control_plane.kubectl("delete", kind, name, "--ignore-not-found", f"--wait={wait}")


@pytest.fixture
def namespace(control_plane: ControlPlane, passing: Callable[[str, str], None]) -> str:
    """A new namespace of the test's own."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    control_plane.kubectl("create", "namespace", name)
    passing("namespace", name)
    # Without it the namespace refuses pods.
    control_plane.kubectl("wait", "-n", name, "--for=create", "serviceaccount/default")
    return name


@pytest.fixture
async def cluster(control_plane: ControlPlane, service: Any, namespace: str) -> Cluster:
    cluster = Cluster(control_plane, service, namespace)
    await cluster.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=30s")
    return cluster


@pytest.fixture
def maps(control_plane: ControlPlane, namespace: str) -> Maps:
    """The config maps of the test's namespace."""
    return Maps(control_plane, namespace)
