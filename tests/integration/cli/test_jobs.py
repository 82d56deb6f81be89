"""`podyard job show` and `podyard queues` against the real service and a real control plane."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.integration.cli.command_line import CommandLine
from tests.integration.k8s_resource.manifests import crd, custom_job, pod
from tests.service_process import running_service
from tools.stack.testing import ControlPlane

GROUP = "kueue.x-k8s.io"
KINDS = (
    ("ClusterQueue", "clusterqueues", "Cluster"),
    ("LocalQueue", "localqueues", "Namespaced"),
    ("Workload", "workloads", "Namespaced"),
)


@pytest.fixture
def kueue(control_plane: ControlPlane) -> Iterator[None]:
    """Two queues, a job that waits in one of them, and a job with a pod."""
    definitions = [
        crd(GROUP, kind, plural, version="v1beta2", scope=scope) for kind, plural, scope in KINDS
    ]
    definitions.append(crd("sagemaker.amazonaws.com", "HyperPodPyTorchJob", "hyperpodpytorchjobs"))
    names = [each["metadata"]["name"] for each in definitions]
    control_plane.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": definitions}))
    control_plane.kubectl("wait", "crd", *names, "--for=condition=Established", "--timeout=30s")
    cluster_queue = custom_job(f"{GROUP}/v1beta2", "ClusterQueue", "cli-team", "")
    del cluster_queue["metadata"]["namespace"]
    quota = {"name": "nvidia.com/gpu", "nominalQuota": 8}
    flavors = [{"name": "p5", "resources": [quota, {"name": "memory", "nominalQuota": "64Gi"}]}]
    cluster_queue["spec"] = {"cohortName": "all", "resourceGroups": [{"flavors": flavors}]}
    used = [{"name": "p5", "resources": [{"name": "nvidia.com/gpu", "total": "6"}]}]
    cluster_queue["status"] = {
        "pendingWorkloads": 1,
        "flavorsUsage": used,
        "conditions": [{"type": "Active", "status": "True"}],
    }
    local = custom_job(f"{GROUP}/v1beta2", "LocalQueue", "cli-train", "default")
    local["spec"] = {"clusterQueue": "cli-team"}
    runs = custom_job("sagemaker.amazonaws.com/v1", "HyperPodPyTorchJob", "cli-runs", "default")
    runs["spec"] = {"replicaSpecs": [{"name": "pods", "replicas": 1}]}
    runs["status"] = {
        "startTime": "2026-01-01T00:00:00Z",
        "completionTime": "2026-01-01T02:30:00Z",
        "conditions": [{"type": "Completed", "status": "True"}],
    }
    waits = custom_job("sagemaker.amazonaws.com/v1", "HyperPodPyTorchJob", "cli-waits", "default")
    waits["metadata"]["labels"] = {f"{GROUP}/queue-name": "cli-train"}
    waits["spec"] = {"runPolicy": {"suspend": True}, "replicaSpecs": [{"name": "pods"}]}
    items = [
        cluster_queue, local, runs, waits,
        pod("cli-runs-pods-0", "default", labels={"HPJob": "cli-runs"}, node="not-there", gpus=2),
    ]  # fmt: skip
    control_plane.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    yield
    control_plane.kubectl("delete", "pod", "cli-runs-pods-0", "--force", "--wait=false")
    control_plane.kubectl("delete", "crd", *names)


@pytest.fixture
async def podyard(
    control_plane: ControlPlane, tmp_path: Path, kueue: None
) -> AsyncIterator[CommandLine]:
    environment = {"PODYARD_K8S_RESOURCE_KUBECONFIG": str(control_plane.kubeconfig)}
    async with running_service("k8s_resource", environment, tmp_path) as service:
        yield CommandLine({"PODYARD_K8S_RESOURCE_ADDRESS": service.address}, tmp_path)


async def test_jobs_and_queues(podyard: CommandLine) -> None:
    listed = (await podyard("jobs", "--consistent")).stdout
    rows = {line.split()[0]: line for line in listed.splitlines()}
    assert " Queued " in rows["cli-waits"]
    assert " 150m " in rows["cli-runs"]

    shown = (await podyard("job", "show", "cli-runs")).stdout
    fields = dict(line.split(":", 1) for line in shown.splitlines() if ":  " in line)
    assert {key: value.strip() for key, value in fields.items()}.items() >= {
        "State": "Completed", "GPUs": "2", "Duration": "150m",
    }.items()  # fmt: skip
    assert "0  cli-runs-pods-0  master  Pending" in shown
    document = json.loads((await podyard("job", "show", "cli-runs", "-o", "json")).stdout)
    assert document["trainingJob"]["duration"] == "9000s"
    assert document["pods"][0]["rank"] == 0
    waits = (await podyard("job", "show", "cli-waits")).stdout
    assert "cli-train (cli-team)" in waits
    assert "NoWorkload" in waits

    queues = [
        line.split() for line in (await podyard("queues", "--consistent")).stdout.splitlines()
    ]
    header = queues[0]
    assert header[header.index("FLAVOR") :] == [
        "FLAVOR", "RESOURCE", "QUOTA", "RESERVED", "USED", "BORROWED",
    ]  # fmt: skip
    assert queues[1][:8] == ["cli-team", "cluster", "-", "all", "Active", "1", "0", "-"]
    assert queues[1][8:] == ["p5", "nvidia.com/gpu", "8", "0", "6", "0"]
    assert queues[2][8:] == ["p5", "memory", "64Gi", "0", "0", "0"]
    local = json.loads((await podyard("queues", "--type", "local", "-o", "json")).stdout)
    assert [queue["name"] for queue in local["queues"]] == ["cli-train"]

    for line, code, complaint in (
        ("job show nobody", 3, '"nobody"'),
        ("job show cli-runs --kind Pod", 1, "kind"),
        ("queues --sort-by colour", 1, "order_by"),
        ("queues --type other", 2, "cluster"),
    ):
        result = await podyard(*line.split())
        assert (result.code, result.stdout) == (code, ""), line
        assert complaint in result.stderr, line
