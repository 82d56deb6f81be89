"""Capture through kills of the service, absences, and a disk without room: each line once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from podyard.k8s_resource.v1 import captured_logs_pb2 as pb
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc

from tests.integration.k8s_resource.capturing import Captured
from tests.integration.k8s_resource.conftest import Service, running_service
from tests.integration.k8s_resource.log_tailing import Cluster, numbered, tailing
from tests.service_process import ServiceProcess
from tools.stack.testing import ControlPlane

KILLS = 4
PODS = ("a", "b", "c")


@contextlib.asynccontextmanager
async def connected(process: ServiceProcess) -> AsyncIterator[Service]:
    async with grpc.aio.insecure_channel(process.address) as channel:
        yield Service(pb_grpc.K8sResourceServiceStub(channel), 0)


@pytest.fixture
async def process(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    environment = {
        "PODYARD_K8S_RESOURCE_KUBECONFIG": str(control_plane.kubeconfig),
        "PODYARD_K8S_RESOURCE_STATE": str(tmp_path / "state"),
        # Small and young, so that kills come while segments are sealed and synced.
        "PODYARD_K8S_RESOURCE_CAPTURE_SEGMENT_BYTES": "8192",
        "PODYARD_K8S_RESOURCE_CAPTURE_SYNC_SECONDS": "0.05",
    }
    made = ServiceProcess("k8s_resource", environment, tmp_path)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def service(process: ServiceProcess) -> AsyncIterator[Service]:
    async with connected(process) as service:
        yield service


class Writers:
    """Write numbered lines to some pods until they are stopped."""

    def __init__(self, cluster: Cluster, pods: tuple[str, ...]) -> None:
        self.written = dict.fromkeys(pods, 0)
        self._cluster = cluster
        self._stop = threading.Event()

    def _write(self, pod: str) -> None:
        while not self._stop.wait(0.01):
            lines = numbered(self.written[pod], 20)
            self._cluster.plane.write_logs(pod, *lines, namespace=self._cluster.namespace)
            self.written[pod] += 20

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(asyncio.to_thread(self._write, pod)) for pod in self.written]
        try:
            yield
        finally:
            self._stop.set()
            await asyncio.gather(*tasks)


async def test_kills_at_any_moment_lose_and_double_nothing(
    cluster: Cluster, process: ServiceProcess, service: Service
) -> None:
    captured = Captured(service, cluster)
    await captured.rule()
    for pod in PODS:
        await cluster.running_pod(pod)
        await cluster.write(pod)
    writers = Writers(cluster, PODS)
    choose = random.Random(20261124)  # noqa: S311
    async with writers.running():
        for _ in range(KILLS):
            before = sum(log.lines for log in await captured.logs())
            await captured.until_lines(before + 200)
            await asyncio.sleep(choose.uniform(0, 0.3))  # any moment
            await process.end(signal.SIGKILL)
            await process.start()
    for pod, count in writers.written.items():
        await captured.until_lines(count, pod)
        await cluster.kubectl("delete", "pod", pod, "--wait=false")
        [log] = await captured.until_gone(pod)
        assert log.lines == count
        assert not log.gaps
        assert not log.problems
        async with cluster.tailing(pod=pod, follow=False) as tail:
            await tail.until_end()
        assert tail.texts() == numbered(0, count)


async def test_what_went_while_nothing_captured_is_told(
    cluster: Cluster, process: ServiceProcess, service: Service
) -> None:
    captured = Captured(service, cluster)
    await captured.rule()
    for pod in ("gone", "restarted"):
        await cluster.running_pod(pod)
        await cluster.write(pod, *numbered(0, 10))
        await captured.until_lines(10, pod)
    await process.end(signal.SIGTERM)
    for pod in ("gone", "restarted"):
        await cluster.write(pod, "unseen")
    logs = cluster.plane.pod_logs("restarted", cluster.namespace)
    await asyncio.to_thread(logs.rotate)
    await cluster.write("restarted", "after")
    await asyncio.to_thread(cluster.plane.kubectl, "delete", "pod", "gone", "-n", cluster.namespace)
    await process.start()
    [gone] = await captured.until_gone("gone")
    assert gone.lines == 10
    assert "while nothing captured it" in gone.gaps[0].message
    rotated = await captured.until_lines(11, "restarted")
    assert "rotated" in rotated.gaps[0].message
    async with cluster.tailing(pod="gone", follow=False) as tail:
        await tail.until_end()
    assert tail.texts() == numbered(0, 10)
    assert tail.mark_names() == ["CAPTURED", "GAP", "DELETED", "END"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte; skipped where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_pauses_capture_and_nothing_else(
    control_plane: ControlPlane,
    namespace: str,
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.k8s_resource.domain.captured.capture._RETRY_SECONDS", 0.2)
    settings = {"state": small_disk / "state", "capture_min_free_bytes": 0}
    async with running_service(control_plane.kubeconfig, **settings) as service:
        cluster = Cluster(control_plane, service, namespace)
        captured = Captured(service, cluster)
        await captured.rule()
        await cluster.running_pod("chatty")
        choose = random.Random(1)  # noqa: S311
        texts = [f"{number} {choose.randbytes(400).hex()}" for number in range(3000)]
        for start in range(0, 3000, 500):
            await cluster.write("chatty", *texts[start : start + 500])
        status = await captured.until_state(pb.CAPTURE_STATE_PAUSED)
        assert "No space left on device" in status.message
        assert str(small_disk) in status.message
        async with tailing(service, pod="chatty", namespace=namespace) as tail:
            await tail.until_lines(3000)
            await cluster.write("chatty", "live")
            await tail.until_lines(3001)
        assert tail.texts() == [*texts, "live"]
        larger = ["mount", "-o", "remount,size=64m", str(small_disk)]
        await asyncio.to_thread(subprocess.run, larger, check=True)
        await captured.until_state(pb.CAPTURE_STATE_ACTIVE)
        await captured.until_lines(3001, "chatty")
        await cluster.kubectl("delete", "pod", "chatty", "--wait=false")
        [log] = await captured.until_gone("chatty")
        assert (log.lines, list(log.gaps), list(log.problems)) == (3001, [], [])
        async with tailing(service, pod="chatty", namespace=namespace, follow=False) as tail:
            await tail.until_end()
        assert tail.texts() == [*texts, "live"]


async def test_what_is_to_stay_free_stays_free(
    control_plane: ControlPlane,
    namespace: str,
    small_disk: Path,
) -> None:
    settings = {
        "state": small_disk / "state",
        "capture_min_free_bytes": 600_000,
        "capture_sync_seconds": 0.05,
    }
    async with running_service(control_plane.kubeconfig, **settings) as service:
        cluster = Cluster(control_plane, service, namespace)
        captured = Captured(service, cluster)
        await captured.rule()
        await cluster.running_pod("chatty")
        await cluster.write("chatty", *("x" * 1000 for _ in range(600)))
        status = await captured.until_state(pb.CAPTURE_STATE_PAUSED)
        assert "less than 600000 bytes are free" in status.message
        async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest(service="dependency:captured-logs")
            watch = health.Watch(request)
            while True:
                answer = await watch.read()
                if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                    break
            watch.cancel()
