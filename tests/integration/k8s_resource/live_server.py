"""A gRPC server of the RPCs on objects and logs, on a real control plane."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc

from services.common.server import Draining, GrpcServer, Registration
from services.k8s_resource.adapters.kubeconfig import KubeconfigConnections
from services.k8s_resource.domain.apply import Applier
from services.k8s_resource.domain.cache.clusters import CacheLimits, ClusterCaches
from services.k8s_resource.domain.delete import Deleter
from services.k8s_resource.domain.discovery import Discovery
from services.k8s_resource.domain.live_objects import LiveObjects
from services.k8s_resource.domain.logs.cached_pods import CachedPodSource
from services.k8s_resource.domain.logs.logs import Logs
from services.k8s_resource.servicers.logs import LogsServicer
from services.k8s_resource.servicers.objects import ObjectsServicer

SERVICE = "podyard.k8s_resource.v1.K8sResourceService"


class LiveServer:
    """The server, a channel to it, and what a test may look into."""

    def __init__(self) -> None:
        self.server: GrpcServer
        self.channel: grpc.aio.Channel
        self.logs: Logs

    def stub(self) -> Any:
        return pb_grpc.K8sResourceServiceStub(self.channel)

    async def apply(self, manifest: str, **fields: Any) -> pb.ApplyResponse:
        response: pb.ApplyResponse = await self.stub().Apply(
            pb.ApplyRequest(manifest=manifest, **fields)
        )
        return response


@asynccontextmanager
async def live_server(kubeconfig: Path) -> AsyncIterator[LiveServer]:
    """Serve until the block ends."""
    live = LiveServer()
    draining = Draining()
    connections = KubeconfigConnections([kubeconfig])
    caches = ClusterCaches(connections, CacheLimits())
    discovery = Discovery()
    live.logs = Logs(connections, CachedPodSource(caches), draining.event)
    topics = (
        LogsServicer(live.logs),
        ObjectsServicer(
            LiveObjects(connections, discovery),
            Applier(connections, discovery),
            Deleter(connections, discovery),
        ),
    )
    servicer = pb_grpc.K8sResourceServiceServicer()
    for topic in topics:
        for name in dir(topic):
            if not name.startswith("_"):
                setattr(servicer, name, getattr(topic, name))
    live.server = GrpcServer(
        "127.0.0.1:0",
        [Registration(SERVICE, pb_grpc.add_K8sResourceServiceServicer_to_server, servicer)],
        draining,
        drain_seconds=2,
    )
    try:
        async with caches.running():
            port = await live.server.start()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as live.channel:
                yield live
            await live.server.stop()
    finally:
        await connections.close()
        # aiohttp closes TLS connections in callbacks of the loop.
        await asyncio.sleep(0)
