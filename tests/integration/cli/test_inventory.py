"""`podyard gpus` against the real service and a real control plane."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.integration.cli.command_line import CommandLine
from tests.integration.k8s_resource.manifests import node, pod
from tests.service_process import running_service
from tools.stack.testing import ControlPlane

TYPE = "ml.p5.48xlarge"
OWN = "own=cli-gpus"


@pytest.fixture
async def podyard(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[CommandLine]:
    environment = {"PODYARD_K8S_RESOURCE_KUBECONFIG": str(control_plane.kubeconfig)}
    async with running_service("k8s_resource", environment, tmp_path) as service:
        yield CommandLine({"PODYARD_K8S_RESOURCE_ADDRESS": service.address}, tmp_path)


@pytest.fixture
def cordoned(control_plane: ControlPlane) -> Iterator[str]:
    """A cordoned node with 8 GPUs, 3 of them held by a job."""
    made = node("cli-gpus", gpus=8, efa=4)
    made["metadata"]["labels"]["own"] = "cli-gpus"
    held = pod("cli-train-0", "default", labels={"HPJob": "cli-train"}, node="cli-gpus", gpus=3)
    waits = pod("cli-waits", "default", gpus=5)
    waits["spec"]["nodeSelector"] = {"kubernetes.io/hostname": "nowhere"}
    items = {"apiVersion": "v1", "kind": "List", "items": [made, held, waits]}
    control_plane.apply(json.dumps(items))
    control_plane.kubectl(
        "wait", "pod", "cli-waits", "--for=condition=PodScheduled=false", "--timeout=30s"
    )
    yield "cli-gpus"
    control_plane.kubectl("delete", "pod", "cli-train-0", "cli-waits", "--force", "--wait=false")
    control_plane.kubectl("delete", "node", "cli-gpus")


async def test_gpus_by_type_node_holder_and_who_waits(podyard: CommandLine, cordoned: str) -> None:
    totals = await podyard("gpus", "--instance-type", TYPE, "-l", OWN, "--consistent")
    rows = [line.split() for line in totals.stdout.splitlines()]
    assert rows[0] == [
        "INSTANCE", "RESOURCE", "NODES", "CAPACITY", "ALLOCATABLE", "REQUESTED", "FREE",
        "UNSCHEDULABLE", "LARGEST",
    ]  # fmt: skip
    assert [TYPE, "nvidia.com/gpu", "1", "8", "8", "3", "0", "5", "0"] in rows
    assert ["all", "vpc.amazonaws.com/efa", "1", "4", "4", "0", "0", "4", "0"] in rows
    assert "--pending shows them" in totals.stderr
    everything = await podyard("gpus", "-l", OWN, "--problems", "--jobs", "--pending")
    assert "Ready,SchedulingDisabled" in everything.stdout
    assert "it is cordoned" in everything.stdout
    assert f"HyperPodPyTorchJob/cli-train  3 nvidia.com/gpu     1  {cordoned}" in everything.stdout
    assert "Pod/cli-waits" in everything.stdout
    assert "5 nvidia.com/gpu  5 nvidia.com/gpu" in everything.stdout
    document = json.loads((await podyard("gpus", "-l", OWN, "-o", "json")).stdout)
    assert {n["name"] for n in document["nodes"]} == {cordoned}
    assert document["holders"][0]["devices"] == [{"name": "nvidia.com/gpu", "amount": "3"}]
    wrong = await podyard("gpus", "--resource", "*gpu*")
    assert (wrong.code, wrong.stdout) == (1, "")
    assert "resource_names" in wrong.stderr
