"""What tails may cost: open streams, hasty clients."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import logs_pb2

from tests.integration.k8s_resource.conftest import running_service
from tests.integration.k8s_resource.log_tailing import Cluster, numbered
from tools.stack.testing import ControlPlane


async def test_one_stream_too_many_is_told_which_limit_it_met(
    control_plane: ControlPlane, cluster: Cluster
) -> None:
    await cluster.running_pod("one")
    await cluster.write("one", "x")
    async with running_service(control_plane.kubeconfig, max_streams_per_identity=2) as service:
        request = logs_pb2.TailLogsRequest(pod="one", namespace=cluster.namespace, follow=True)
        first, second = (service.stub.TailLogs(request) for _ in range(2))
        await first.read()
        await second.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.stub.TailLogs(request).read()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "PODYARD_K8S_RESOURCE_MAX_STREAMS_PER_IDENTITY" in str(caught.value.details())
        failed: Any = caught.value
        retry = error_details_pb2.RetryInfo()
        assert any(detail.Unpack(retry) for detail in rpc_status.from_call(failed).details)
        assert retry.retry_delay.seconds > 0
        # Unary calls have nothing to do with it, and an ended stream makes room.
        await service.stub.ListPods(pb.ListPodsRequest(namespace=cluster.namespace))
        first.cancel()
        while True:
            again = service.stub.TailLogs(request)
            try:
                assert await again.read()
                break
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise


async def test_a_client_that_hangs_up_again_and_again_leaves_nothing(cluster: Cluster) -> None:
    for pod in ("one", "two"):
        await cluster.running_pod(pod)
        await cluster.write(pod, *numbered(0, 100))
    request = logs_pb2.TailLogsRequest(
        label_selector="app=talk", namespace=cluster.namespace, follow=True, tail_lines=1
    )

    async def hang_up(times: int) -> int:
        for number in range(times):
            call = cluster.service.stub.TailLogs(request)
            if number % 2:
                await call.read()
            else:
                await asyncio.sleep(0)  # at any moment of its beginning
            call.cancel()
        await cluster.until_followed_logs(0)
        for _ in range(100):  # a task tells no one that it has gone
            gc.collect()
            await asyncio.sleep(0.02)
            if len(asyncio.all_tasks()) <= 12:
                break
        return len(asyncio.all_tasks())

    before = await hang_up(2)
    assert await hang_up(60) <= before
