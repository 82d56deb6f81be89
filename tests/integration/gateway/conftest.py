"""The gateway on a real socket, in front of real gRPC servers with servicers of the tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2_grpc as lifecycle_grpc
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as k8s_grpc
from podyard.training_history.v1 import training_history_service_pb2_grpc as history_grpc

from gateway.app import build_app
from gateway.server import HttpServer, bind
from gateway.settings import GatewaySettings
from gateway.streams.sharing import StreamHub
from gateway.upstreams import Upstreams
from services.common.server import Draining, GrpcServer, Registration
from tests.integration.gateway.servicers import Clusters, Kubernetes, Runs, Watching


@dataclass
class World:
    """Everything that runs, and the client of the tests."""

    kubernetes: Kubernetes = field(default_factory=Kubernetes)
    clusters: Clusters = field(default_factory=Clusters)
    runs: Runs = field(default_factory=Runs)
    servers: dict[str, GrpcServer] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    url: str = ""
    client: httpx.AsyncClient = field(init=False)
    http: HttpServer = field(init=False)
    serving: asyncio.Task[None] = field(init=False)

    async def stop_gateway(self) -> None:
        """What SIGTERM does."""
        self.http.should_exit = True
        await self.serving

    @asynccontextmanager
    async def stream(
        self, path: str, *messages: Any, headers: dict[str, str] | None = None
    ) -> AsyncIterator[tuple[httpx.Response, Watching]]:
        """An open answer and its new upstream stream, fed with messages, or ended by None."""
        feeding = asyncio.create_task(self.feed(*messages))
        async with self.client.stream("GET", path, headers=headers) as response:
            yield response, await feeding

    async def feed(self, *messages: Any) -> Watching:
        """The next stream that is opened upstream, fed."""
        watching = await asyncio.wait_for(self.kubernetes.opened.get(), 20)
        for message in messages:
            watching.feed.put_nowait(message)
        return watching


SERVICES: dict[str, tuple[str, Callable[[Any, Any], None]]] = {
    "k8s_resource": (
        "podyard.k8s_resource.v1.K8sResourceService",
        k8s_grpc.add_K8sResourceServiceServicer_to_server,
    ),
    "cluster_lifecycle": (
        "podyard.cluster_lifecycle.v1.ClusterLifecycleService",
        lifecycle_grpc.add_ClusterLifecycleServiceServicer_to_server,
    ),
    "training_history": (
        "podyard.training_history.v1.TrainingHistoryService",
        history_grpc.add_TrainingHistoryServiceServicer_to_server,
    ),
}


async def start_service(stem: str, servicer: Any) -> tuple[GrpcServer, str]:
    """A gRPC server of one of the services, and its address."""
    name, add = SERVICES[stem]
    server = GrpcServer("127.0.0.1:0", [Registration(name, add, servicer)], Draining())
    server.drain_seconds = 0.2
    return server, f"127.0.0.1:{await server.start()}"


@asynccontextmanager
async def gateway(
    world: World, addresses: dict[str, str], *, heartbeat: float = 15, **settings: Any
) -> AsyncIterator[None]:
    """The gateway of `world` in front of these addresses."""
    upstreams, hub = Upstreams(addresses), StreamHub()
    sock = bind("127.0.0.1:0")
    world.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    world.http = HttpServer(
        build_app(GatewaySettings(**settings), upstreams, hub, heartbeat=heartbeat),
        drain_seconds=5,
        on_stopping=hub.drain,
    )
    world.serving = asyncio.create_task(world.http.serve(sockets=[sock]))
    try:
        async with httpx.AsyncClient(base_url=world.url, timeout=30) as world.client:
            yield
    finally:
        await world.stop_gateway()
        await hub.close()
        await upstreams.close()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    servicers = {
        "k8s_resource": world.kubernetes,
        "cluster_lifecycle": world.clusters,
        "training_history": world.runs,
    }
    for stem, servicer in servicers.items():
        world.servers[stem], world.addresses[stem] = await start_service(stem, servicer)
    options: dict[str, Any] = {
        "allowed_origins": ("https://console.example",),
        "allowed_hosts": ("podyard.example",),
    }
    async with gateway(world, world.addresses, **options):
        yield world
    for server in world.servers.values():
        await server.stop()
