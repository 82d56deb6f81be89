"""Reading logs through faults: cut connections, callers that go away, logs that cannot be read."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
from podyard.k8s_resource.v1 import log_reads_pb2 as pb

from tests.faults.tcp_proxy import TcpFaultProxy, kubeconfig_through
from tests.integration.k8s_resource.conftest import running_service
from tests.integration.k8s_resource.log_tailing import Cluster, numbered
from tools.stack.pod_logs import cri_line

START = 1_800_000_000


async def big_log(cluster: Cluster, pod: str, lines: int = 60_000) -> bytes:
    """A log of about 20 MB, more than buffers on the way hold; its text."""
    await cluster.running_pod(pod)
    texts = [f"line {number} {'x' * 300}" for number in range(lines)]
    await cluster.write_raw(
        pod, b"".join(cri_line(text, timestamp=START + n / 10) for n, text in enumerate(texts))
    )
    return "".join(f"{text}\n" for text in texts).encode()


@asynccontextmanager
async def behind_a_proxy(cluster: Cluster, folder: Path) -> AsyncIterator[tuple[Cluster, Any]]:
    """The same cluster by a service whose connections can be broken."""
    server = urlsplit(re.search(r"server: (\S+)", cluster.plane.kubeconfig.read_text())[1])  # type: ignore[index]
    async with TcpFaultProxy(int(server.port or 0)) as proxy:
        kubeconfig = kubeconfig_through(
            cluster.plane.kubeconfig, server.geturl(), proxy.port, folder / "kubeconfig"
        )
        async with running_service(kubeconfig) as service:
            yield Cluster(cluster.plane, service, cluster.namespace), proxy


async def test_a_download_goes_on_at_the_right_byte_after_each_cut(
    cluster: Cluster, tmp_path: Path
) -> None:
    text = await big_log(cluster, "long")
    async with behind_a_proxy(cluster, tmp_path) as (broken, proxy):
        request = pb.DownloadLogsRequest(namespace=cluster.namespace, pod="long")
        data, cuts = b"", 0
        async for body in broken.service.stub.DownloadLogs(request):
            data += body.data
            if len(data) > (cuts + 1) * 3_000_000 and cuts < 4:
                cuts += 1
                proxy.cut()
        assert data == text
        assert cuts == 4
        # One connection asks for the last line, the others are those that were cut and the last.
        assert proxy.accepted > 4
        found = 0
        query = pb.SearchLogsRequest(namespace=cluster.namespace, pod="long", pattern="9 x")
        async for batch in broken.service.stub.SearchLogs(query):
            for event in batch.events:
                if event.HasField("group"):
                    found += len(event.group.matches)
                    if found < 200:
                        proxy.cut()
        assert found == 6000


async def test_a_log_rotated_meanwhile_fails_the_download(cluster: Cluster, tmp_path: Path) -> None:
    await big_log(cluster, "long")
    async with behind_a_proxy(cluster, tmp_path) as (broken, proxy):
        request = pb.DownloadLogsRequest(namespace=cluster.namespace, pod="long")

        async def rotated_in_between() -> None:
            size = 0
            async for body in broken.service.stub.DownloadLogs(request):
                before, size = size, size + len(body.data)
                if before < 1_000_000 <= size:
                    logs = cluster.plane.pod_logs("long", cluster.namespace)
                    await asyncio.to_thread(logs.rotate)
                    await cluster.write("long", "of another file")
                    proxy.cut()

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rotated_in_between()
        assert caught.value.code() is grpc.StatusCode.ABORTED
        assert "rotated or cut" in str(caught.value.details())


async def test_callers_that_go_away_leave_no_connection(cluster: Cluster) -> None:
    await big_log(cluster, "long")
    fields: dict[str, Any] = {"namespace": cluster.namespace, "pod": "long"}
    stub = cluster.service.stub
    calls: tuple[Callable[[], Any], ...] = (
        lambda: stub.DownloadLogs(pb.DownloadLogsRequest(**fields)),
        lambda: stub.DownloadLogs(pb.DownloadLogsRequest(gzip=True, **fields)),
        lambda: stub.DownloadLogs(
            pb.DownloadLogsRequest(format="LOG_DOWNLOAD_FORMAT_MERGED", **fields)
        ),
        lambda: stub.DownloadLogs(
            pb.DownloadLogsRequest(format="LOG_DOWNLOAD_FORMAT_ZIP", **fields)
        ),
        lambda: stub.SearchLogs(pb.SearchLogsRequest(pattern="line", **fields)),
    )
    for call in calls:
        for _ in range(3):
            stream = call()
            async for _message in stream:
                break
            stream.cancel()
        await cluster.until_followed_logs(0)


async def test_what_cannot_be_read_is_named_in_the_archive(cluster: Cluster) -> None:
    await cluster.running_pod("well")
    await cluster.running_pod("mute")  # Its kubelet has no log for it.
    await cluster.write("well", *numbered(0, 3))
    request = pb.DownloadLogsRequest(namespace=cluster.namespace, label_selector="app=talk")
    data = b""
    async for body in cluster.service.stub.DownloadLogs(request):
        data += body.data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert sorted(archive.namelist()) == ["UNREADABLE.txt", "well/main.log"]
        assert archive.read("well/main.log") == b"line 0\nline 1\nline 2\n"
        assert b"mute/main.log: " in archive.read("UNREADABLE.txt")


async def test_hundreds_of_containers_and_pods_that_vanish_meanwhile(cluster: Cluster) -> None:
    containers = [f"c{number}" for number in range(60)]
    for pod in range(5):
        await cluster.pod(f"many-{pod}", *containers)
    await cluster.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
    for pod in range(5):
        # One file for all containers: a rule that names none holds for each.
        logs = cluster.plane.pod_logs(f"many-{pod}", cluster.namespace)
        file = await asyncio.to_thread(logs.file, "c0")
        file.write_bytes(cri_line(f"needle of {pod}"))
        rule = {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "Logs",
            "metadata": {"name": f"many-{pod}", "namespace": cluster.namespace},
            "spec": {"logs": [{"logsFile": str(file), "previousLogsFile": str(file)}]},
        }
        path = f"/apis/kwok.x-k8s.io/v1alpha1/namespaces/{cluster.namespace}/logs/many-{pod}"
        await asyncio.to_thread(cluster.plane.api().apply, path, rule)
    await asyncio.to_thread(
        cluster.plane.api().request,
        "GET",
        f"/api/v1/namespaces/{cluster.namespace}/pods/many-4/log?container=c59",
    )
    request = pb.SearchLogsRequest(
        namespace=cluster.namespace, label_selector="app=talk", pattern="needle"
    )

    async def searched(remove: bool) -> tuple[int, int, Any]:
        matches = failures = 0
        async for batch in cluster.service.stub.SearchLogs(request):
            for event in batch.events:
                matches += len(event.group.matches)
                failures += event.HasField("failure")
                summary = event.summary
                if matches and remove:
                    remove = False
                    await cluster.kubectl("delete", "pod", "many-4", "--now", "--wait=false")
        return matches, failures, summary

    matches, failures, summary = await searched(remove=False)
    assert (matches, failures, summary.logs, summary.logs_matched) == (300, 0, 300, 300)
    matches, failures, summary = await searched(remove=True)
    assert matches + failures == summary.logs == 300
    assert matches >= 240
    await cluster.until_followed_logs(0)
