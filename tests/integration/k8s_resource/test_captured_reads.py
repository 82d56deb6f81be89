"""Pages, downloads and searches of logs that are kept beyond their pods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from podyard.k8s_resource.v1 import log_reads_pb2 as pb

from tests.integration.k8s_resource.capturing import Captured
from tests.integration.k8s_resource.conftest import Service, running_service
from tests.integration.k8s_resource.log_tailing import Cluster, numbered
from tools.stack.testing import ControlPlane


@pytest.fixture
async def service(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Service]:
    async with running_service(control_plane.kubeconfig, state=tmp_path / "state") as running:
        yield running


@pytest.fixture
def captured(service: Service, cluster: Cluster) -> Captured:
    return Captured(service, cluster)


async def gone_pod(cluster: Cluster, captured: Captured, name: str, *lines: str) -> bytes:
    """A pod whose log was captured, deleted; what the API server gave while it was there."""
    await cluster.running_pod(name)
    await cluster.write(name, *lines)
    await captured.until_lines(len(lines), name)
    path = f"/api/v1/namespaces/{cluster.namespace}/pods/{name}/log?timestamps=true"
    shown = await asyncio.to_thread(cluster.plane.api().request, "GET", path)
    await cluster.kubectl("delete", "pod", name, "--wait=false")
    await captured.until_gone(name)
    return bytes(shown)


async def page(cluster: Cluster, **fields: Any) -> tuple[list[str], list[str]]:
    """Lines and notes of a page."""
    request = pb.GetLogsRequest(namespace=cluster.namespace, **fields)
    answer = await cluster.service.stub.GetLogs(request)
    assert not answer.failures
    return [text for lines in answer.lines for text in lines.text], list(answer.notes)


async def downloaded(cluster: Cluster, **fields: Any) -> bytes:
    request = pb.DownloadLogsRequest(namespace=cluster.namespace, **fields)
    return b"".join([body.data async for body in cluster.service.stub.DownloadLogs(request)])


async def found(cluster: Cluster, pattern: str, **fields: Any) -> list[str]:
    request = pb.SearchLogsRequest(namespace=cluster.namespace, pattern=pattern, **fields)
    return [
        event.group.lines.text[index]
        async for batch in cluster.service.stub.SearchLogs(request)
        for event in batch.events
        if event.WhichOneof("event") == "group"
        for index in event.group.matches
    ]


async def test_a_pod_that_is_gone_is_read_as_if_it_were_there(
    cluster: Cluster, captured: Captured
) -> None:
    await captured.rule()
    lines = [*numbered(0, 400), "zürich \U0001f600\r", ""]
    shown = await gone_pod(cluster, captured, "gone", *lines)
    texts, notes = await page(cluster, pod="gone")
    assert texts == lines
    assert any("captured" in note for note in notes)
    assert (await page(cluster, pod="gone", page_size=5))[0] == lines[-5:]
    oldest = await page(cluster, pod="gone", page_size=5, edge=pb.LOG_PAGE_EDGE_OLDEST)
    assert oldest[0] == lines[:5]
    assert await downloaded(cluster, pod="gone", timestamps=True) == shown
    assert await found(cluster, "line 39[0-9]", pod="gone") == numbered(390, 10)


async def test_a_rotated_log_is_whole(cluster: Cluster, captured: Captured) -> None:
    await captured.rule()
    logs = cluster.plane.pod_logs("turns", cluster.namespace)
    await asyncio.to_thread(logs.announce, "main")
    await cluster.running_pod("turns")
    for turn in range(3):
        await cluster.write("turns", *numbered(turn * 100, 100))
        await captured.until_lines((turn + 1) * 100, "turns")
        await asyncio.to_thread(logs.rotate)
    await cluster.write("turns", "line 300")
    whole = "".join(f"{line}\n" for line in numbered(0, 301)).encode()
    assert await downloaded(cluster, pod="turns") == whole
    assert await found(cluster, "line (0|150|300)$", pod="turns") == [
        "line 0",
        "line 150",
        "line 300",
    ]
    oldest = await page(cluster, pod="turns", page_size=500, edge=pb.LOG_PAGE_EDGE_OLDEST)
    assert oldest[0] == numbered(0, 301)


async def test_pods_of_a_label_and_of_a_job_that_are_gone(
    cluster: Cluster, captured: Captured
) -> None:
    await captured.rule()
    await gone_pod(cluster, captured, "a", "of a")
    await cluster.running_pod("b")
    await cluster.write("b", "of b")
    assert sorted((await page(cluster, label_selector="app=talk"))[0]) == ["of a", "of b"]
    assert sorted(await found(cluster, "^of", label_selector="app=talk")) == ["of a", "of b"]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await page(cluster, pod="never")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
