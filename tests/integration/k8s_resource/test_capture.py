"""Capture: logs that nobody follows are kept, and outlive their pods."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

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


async def test_the_log_of_a_deleted_pod_is_there_as_kubernetes_had_it(
    cluster: Cluster, captured: Captured
) -> None:
    await captured.rule()
    await cluster.running_pod("gone")
    await cluster.write("gone", *numbered(0, 500), "zürich \U0001f600\ttab\r", "")
    await captured.until_lines(502, "gone")
    await cluster.write("gone", "last words")
    await cluster.kubectl("delete", "pod", "gone", "--wait=false")
    [log] = await captured.until_gone("gone")
    assert (log.lines, log.container, log.run, list(log.rules)) == (503, "main", 0, ["all"])
    assert not log.gaps
