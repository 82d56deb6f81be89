"""Several clusters at once: one that is ill degrades only itself."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from tests.faults.tcp_proxy import TcpFaultProxy
from tests.integration.k8s_resource.conftest import Service, running_service
from tests.integration.k8s_resource.test_connections import kubeconfig_of, with_contexts, write
from tests.integration.k8s_resource.watching import DISCONNECTED, RECONNECTED, watching
from tools.stack import testing
from tools.stack.testing import ControlPlane


@pytest.fixture(scope="module")
def beside() -> Iterator[ControlPlane]:
    """A second cluster."""
    with testing.control_plane("beside", nodes=2) as plane:
        yield plane


@asynccontextmanager
async def stopped(plane: ControlPlane) -> AsyncIterator[None]:
    """The API server neither answers nor closes anything: as a machine that hangs."""
    pid = plane.identities()["kube-apiserver"].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def use_the_other(service: Service, plane: ControlPlane, name: str) -> None:
    """Everything works on the healthy cluster: lists, consistent ones, watches, live reads."""
    for consistent in (False, True):
        request = pb.ListNodesRequest(cluster=plane.context, consistent=consistent)
        listed = await service.stub.ListNodes(request)
        assert not listed.freshness.stale
    await service.stub.ListObjects(pb.ListObjectsRequest(cluster=plane.context, kind="configmaps"))
    async with watching(service.stub, kinds=["nodes"], cluster=plane.context) as watcher:
        await watcher.synced()
        await asyncio.to_thread(plane.kubectl, "label", "node", name, f"t{os.getpid()}=1")
        await watcher.until(lambda: f"MODIFIED {name}" in watcher.types())
        await asyncio.to_thread(plane.kubectl, "label", "node", name, f"t{os.getpid()}-")


async def test_a_cluster_that_hangs_degrades_only_itself(
    control_plane: ControlPlane, beside: ControlPlane, tmp_path: Path
) -> None:
    config = kubeconfig_of(control_plane)
    second = kubeconfig_of(beside)
    for section in ("clusters", "users", "contexts"):
        config[section] += second[section]
    path = write(tmp_path / "config", config)
    async with running_service(path, watch_inactivity_seconds=5) as service:
        ill = pb.ListNodesRequest(cluster=beside.context)
        await service.stub.ListNodes(ill)
        async with watching(service.stub, kinds=["nodes"], cluster=beside.context) as watcher:
            await watcher.synced()
            async with stopped(beside):
                # Calls that hang, of lists never made before, and of many callers.
                hanging = [
                    asyncio.ensure_future(
                        service.stub.ListServices(pb.ListServicesRequest(cluster=beside.context))
                    )
                    for _ in range(20)
                ]
                await use_the_other(service, control_plane, "node-000000")
                assert not any(call.done() for call in hanging)
                # What is known is still told, as what it is.
                await watcher.until(lambda: watcher.has(DISCONNECTED))
                stale = await service.stub.ListNodes(ill)
                assert stale.total_size == 2
                assert stale.freshness.stale
                assert "sent nothing for 5 s" in stale.freshness.stale_reason
                assert stale.freshness.HasField("confirmed_time")
                info = await service.stub.GetClusterInfo(
                    pb.GetClusterInfoRequest(cluster=beside.context)
                )
                assert not info.reachable
                assert "did not answer" in info.problem or "no answer" in info.problem
                assert any(k.resource == "nodes" and k.freshness.stale for k in info.cached_kinds)
                await use_the_other(service, control_plane, "node-000001")
                for call in hanging:
                    call.cancel()
                await asyncio.gather(*hanging, return_exceptions=True)
            await watcher.until(lambda: watcher.has(RECONNECTED))
            fresh = await service.stub.ListNodes(ill)
            assert not fresh.freshness.stale


async def test_a_network_that_swallows_everything_degrades_only_its_cluster(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    """A black hole: connections are made, and nothing ever comes back."""
    port = int(control_plane.server_url.rpartition(":")[2])
    async with TcpFaultProxy(port) as proxy:
        hole = f"https://127.0.0.1:{proxy.port}"
        config = with_contexts(control_plane, good="", hole=hole)
        proxy.stall()
        async with running_service(write(tmp_path / "config", config)) as service:
            waiting = [
                asyncio.ensure_future(
                    service.stub.ListPods(pb.ListPodsRequest(cluster="hole"), timeout=60)
                )
                for _ in range(20)
            ]
            info = await service.stub.GetClusterInfo(pb.GetClusterInfoRequest(cluster="hole"))
            assert not info.reachable
            for consistent in (False, True):
                request = pb.ListPodsRequest(cluster="good", consistent=consistent)
                assert not (await service.stub.ListPods(request)).freshness.stale
            assert not any(call.done() for call in waiting)
            # One connection was tried for all who wait, and it is used when it comes to life.
            proxy.flow()
            answers = await asyncio.gather(*waiting)
            assert len({answer.total_size for answer in answers}) == 1


async def test_a_deadline_of_the_caller_ends_its_wait(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    port = int(control_plane.server_url.rpartition(":")[2])
    async with TcpFaultProxy(port) as proxy:
        config = with_contexts(control_plane, hole=f"https://127.0.0.1:{proxy.port}")
        proxy.stall()
        async with running_service(write(tmp_path / "config", config)) as service:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await service.stub.ListPods(pb.ListPodsRequest(cluster="hole"), timeout=1)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
