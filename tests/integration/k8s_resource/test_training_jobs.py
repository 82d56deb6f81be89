"""Training jobs of every kind on a real cluster: phases, ranks, faults, times."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import objects_pb2
from podyard.k8s_resource.v1 import training_jobs_pb2 as jobs_pb

from tests.integration.k8s_resource.manifests import Manifest, crd, custom_job, node, pod
from tests.integration.k8s_resource.test_lists import _applied, apply, eventually
from tools.stack.testing import ControlPlane

HYPERPOD = ("sagemaker.amazonaws.com", "HyperPodPyTorchJob", "hyperpodpytorchjobs")
PYTORCH = ("kubeflow.org", "PyTorchJob", "pytorchjobs")
RAY = ("ray.io", "RayCluster", "rayclusters")
START = "2026-01-02T00:00:00Z"
END = "2026-01-02T01:30:05Z"


@pytest.fixture
def operators(control_plane: ControlPlane, passing: Callable[[str, str], None]) -> None:
    """The three operators' kinds are installed."""
    for group, kind, plural in (HYPERPOD, PYTORCH, RAY):
        passing("crd", f"{plural}.{group}")
        apply(control_plane, crd(group, kind, plural))
    control_plane.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")


async def made(plane: ControlPlane, *objects: Manifest) -> None:
    """Apply objects of kinds that the API server may be about to serve."""
    for each in objects:
        await eventually(partial(asyncio.to_thread, _applied, plane, each))


def condition(kind: str, status: str = "True", at: str = START, **more: str) -> dict[str, str]:
    return {"type": kind, "status": status, "lastTransitionTime": at, **more}


def set_status(plane: ControlPlane, namespace: str, name: str, status: dict[str, Any]) -> None:
    plane.kubectl(
        "patch", "pod", "-n", namespace, name, "--subresource=status", "--type=merge",
        "-p", json.dumps({"status": status}),
    )  # fmt: skip


def phase(job: objects_pb2.TrainingJob) -> str:
    return objects_pb2.JobPhase.Name(job.phase).removeprefix("JOB_PHASE_")


async def get(service: Any, name: str, namespace: str, **fields: Any) -> Any:
    return await service.stub.GetTrainingJob(
        jobs_pb.GetTrainingJobRequest(name=name, namespace=namespace, consistent=True, **fields)
    )


async def listed(service: Any, namespace: str) -> dict[str, objects_pb2.TrainingJob]:
    response = await service.stub.ListTrainingJobs(
        pb.ListTrainingJobsRequest(namespace=namespace, consistent=True)
    )
    return {job.name: job for job in response.training_jobs}


@pytest.mark.usefixtures("operators")
async def test_ranks_roles_and_groups_of_every_kind(
    service: Any, control_plane: ControlPlane, namespace: str
) -> None:
    hyperpod = custom_job("sagemaker.amazonaws.com/v1", "HyperPodPyTorchJob", "h", namespace)
    hyperpod["spec"] = {
        "replicaSpecs": [
            {"name": "pods", "replicas": 2, "maxReplicas": 4, "spares": 1},
            {"name": "more", "replicas": 1},
        ],
        "elasticPolicy": {"minReplicas": 1},
    }
    hyperpod["status"] = {"masterAddr": "h-pods-1.h.svc", "masterPort": 23456}
    pytorch = custom_job("kubeflow.org/v1", "PyTorchJob", "p", namespace)
    pytorch["spec"] = {"pytorchReplicaSpecs": {"Worker": {"replicas": 2}, "Master": {}}}
    ray = custom_job("ray.io/v1", "RayCluster", "r", namespace)
    ray["spec"] = {"workerGroupSpecs": [{"groupName": "gpu", "replicas": 1, "maxReplicas": 3}]}

    def member(name: str, **labels: str) -> Manifest:
        return pod(name, namespace, node="not-there", labels=labels)

    def kubeflow(role: str, index: int) -> Manifest:
        return member(
            f"p-{role}-{index}",
            **{
                "training.kubeflow.org/job-name": "p",
                "training.kubeflow.org/replica-type": role,
                "training.kubeflow.org/replica-index": str(index),
            },
        )

    await made(control_plane, hyperpod, pytorch, ray)
    apply(
        control_plane,
        member("h-pods-0", HPJob="h"),
        member("h-pods-1", HPJob="h", ReplicaIndex="1"),
        member("h-more-0", HPJob="h"),
        *(kubeflow(role, index) for role, index in (("master", 0), ("worker", 0), ("worker", 1))),
        member("r-head", **{"ray.io/cluster": "r", "ray.io/node-type": "head"}),
        member("r-w", **{"ray.io/cluster": "r", "ray.io/node-type": "worker", "ray.io/group": "gpu"}),
    )  # fmt: skip

    async def parts(name: str) -> list[tuple[str, int | None, str, str]]:
        answer = await get(service, name, namespace)
        return [
            (p.pod.name, p.rank if p.HasField("rank") else None, p.role, p.group)
            for p in answer.pods
        ]

    assert await parts("h") == [
        ("h-pods-0", 0, "worker", "pods"),
        ("h-pods-1", 1, "master", "pods"),
        ("h-more-0", 2, "worker", "more"),
    ]
    assert await parts("p") == [
        ("p-master-0", 0, "master", "Master"),
        ("p-worker-0", 1, "worker", "Worker"),
        ("p-worker-1", 2, "worker", "Worker"),
    ]
    assert await parts("r") == [("r-head", None, "head", "head"), ("r-w", None, "worker", "gpu")]
    answer = await get(service, "h", namespace)
    assert answer.master_address == "h-pods-1.h.svc:23456"
    pods, more = answer.groups
    assert (pods.name, pods.replicas, pods.min_replicas, pods.max_replicas, pods.spares) == (
        "pods", 2, 1, 4, 1,
    )  # fmt: skip
    assert (more.name, more.HasField("max_replicas"), pods.pods.pending) == ("more", False, 2)
    groups = (await get(service, "r", namespace)).groups
    assert [(g.name, g.replicas) for g in groups] == [("head", 1), ("gpu", 1)]


async def test_a_job_that_kubernetes_runs_has_ranks_phases_and_exact_times(
    service: Any, control_plane: ControlPlane, namespace: str
) -> None:
    """The job controller itself makes these; the simulated kubelet lets the pods end."""

    def batch(name: str, **annotations: str) -> Manifest:
        spec = pod("x", namespace)["spec"] | {"restartPolicy": "Never"}
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": name, "namespace": namespace, "annotations": {"created-by": "ada"},
            },
            "spec": {
                "completions": 2, "parallelism": 2, "completionMode": "Indexed",
                "backoffLimit": 0,
                "template": {"metadata": {"annotations": annotations}, "spec": spec},
            },
        }  # fmt: skip

    held = batch("held")
    held["spec"]["suspend"] = True
    apply(
        control_plane,
        batch("good"),
        batch("bad", **{"stack.podyard.local/fail-after": "10ms"}),
        batch("busy", **{"stack.podyard.local/complete-after": "1h"}),
        held,
    )

    async def settled() -> dict[str, objects_pb2.TrainingJob] | None:
        found = await listed(service, namespace)
        phases = {name: phase(job) for name, job in found.items()}
        wanted = {"good": "SUCCEEDED", "bad": "FAILED", "busy": "RUNNING", "held": "SUSPENDED"}
        return found if phases == wanted else None

    found = await eventually(settled)
    for name, field, kind in (("good", "completionTime", "Complete"), ("bad", "", "Failed")):
        job = found[name]
        status = json.loads(
            control_plane.kubectl("get", "job", "-n", namespace, name, "-o", "json")
        )["status"]
        ended = next(c for c in status["conditions"] if c["type"] == kind)["lastTransitionTime"]
        assert job.end_time.ToJsonString() == status.get(field, ended)
        seconds = job.end_time.seconds - job.start_time.seconds
        assert job.duration.ToNanoseconds() == seconds * 10**9
        assert job.created_by == "ada"
    busy = found["busy"]
    assert not busy.HasField("end_time")
    await eventually(lambda: _two_running(service, namespace))
    detail = await get(service, "busy", namespace)
    assert [(p.rank, p.pod.phase) for p in detail.pods] == [(0, "Running"), (1, "Running")]
    later = detail.training_job
    # Live: it goes on with the clock while the job runs, as its age does.
    assert later.duration.ToNanoseconds() > busy.duration.ToNanoseconds()
    assert later.age.ToNanoseconds() > busy.age.ToNanoseconds()
    assert not found["held"].HasField("duration")


async def _two_running(service: Any, namespace: str) -> bool:
    return (await listed(service, namespace))["busy"].pods.running == 2


@pytest.mark.usefixtures("operators")
async def test_faults_restarts_and_times_of_a_hyperpod_job(
    service: Any, control_plane: ControlPlane, namespace: str, passing: Callable[[str, str], None]
) -> None:
    sick = f"hyperpod-i-{namespace}"
    passing("node", sick)
    made_node = node(sick, gpus=8)
    made_node["metadata"]["labels"] |= {
        "sagemaker.amazonaws.com/node-health-status": "UnschedulablePendingReboot",
        "sagemaker.amazonaws.com/deep-health-check-status": "Failed",
    }
    job = custom_job("sagemaker.amazonaws.com/v1", "HyperPodPyTorchJob", "h", namespace)
    job["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "Workflow", "name": "nightly", "uid": "u", "controller": True}
    ]
    job["spec"] = {"replicaSpecs": [{"name": "pods", "replicas": 2}]}
    job["status"] = {
        "startTime": START,
        "restartCount": "2",
        "latestFaultyPodInstanceList": ["h-pods-1", f"i-{namespace}", "i-gone", {"odd": 1}],
        "conditions": [
            condition("Created"),
            condition("Failed", at=END, reason="Faults", message="no restarts are left"),
            condition("Running", "False", at=END),
        ],
    }
    await made(control_plane, job)
    apply(
        control_plane,
        made_node,
        pod("h-pods-0", namespace, labels={"HPJob": "h"}, node="not-there", gpus=4),
        pod("h-pods-1", namespace, labels={"HPJob": "h"}, node=sick, gpus=4),
    )
    status = {
        "name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": 3,
        "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
    }  # fmt: skip
    set_status(
        control_plane, namespace, "h-pods-0", {"phase": "Failed", "containerStatuses": [status]}
    )
    answer = await get(service, "h", namespace)
    found = answer.training_job
    assert (phase(found), found.state, found.message) == (
        "FAILED",
        "Failed",
        "no restarts are left",
    )
    assert found.end_time.ToJsonString() == END
    assert found.duration.seconds == 90 * 60 + 5
    assert (found.restart_count, found.pod_restart_count, found.gpu_request) == (2, 3, 4)
    assert (found.owner.kind, found.owner.name) == ("Workflow", "nightly")
    assert (found.pods.failed, found.pods.pending + found.pods.running) == (1, 1)
    assert list(found.faulty_instances) == ["h-pods-1", f"i-{namespace}", "i-gone"]
    assert [(f.name, f.node, f.deep_health_check_status) for f in answer.faulty_instances] == [
        ("h-pods-1", sick, "Failed"),
        (f"i-{namespace}", sick, "Failed"),
        ("i-gone", "", ""),
    ]
    first, second = answer.pods
    assert (first.pod.containers[0].reason, first.faulty, len(first.node_problems)) == (
        "OOMKilled", False, 0,
    )  # fmt: skip
    assert second.faulty
    assert "HyperPod says UnschedulablePendingReboot" in [p.message for p in second.node_problems]


@pytest.mark.usefixtures("operators")
async def test_jobs_of_any_form_are_told_as_far_as_they_can_be_read(
    service: Any, control_plane: ControlPlane, namespace: str
) -> None:
    def job(name: str, spec: Any, status: Any, **metadata: Any) -> Manifest:
        manifest = custom_job("sagemaker.amazonaws.com/v1", "HyperPodPyTorchJob", name, namespace)
        manifest["metadata"] |= metadata
        return manifest | {"spec": spec, "status": status}

    good = {"replicaSpecs": [{"name": "pods", "replicas": 2}]}
    running = {"conditions": [condition("Running")]}
    huge = {"replicaSpecs": [{"name": "pods", "replicas": 10**15}, {"replicas": "1e9"}]}
    await made(
        control_plane,
        job("good", good, running),
        job("huge", huge, running | {"restartCount": -(10**18), "startTime": "9999-13-99T99:99:99Z"}),
        job("odd-field", good, running | {"restartCount": {"a": 1}, "startTime": START}),
        job("odd-conditions", good, {"conditions": "Running", "startTime": START}),
        job("odd-status", good, {"conditions": [5], "jobPods": 7}),
        job("odd-spec", {"replicaSpecs": {"pods": 2}, "nprocPerNode": ["8"]}, running),
        job("future", good, running | {"startTime": "2999-01-01T00:00:00Z"}),
    )  # fmt: skip
    found = await listed(service, namespace)
    assert {name: (phase(j), j.state, bool(j.problem)) for name, j in found.items()} == {
        "good": ("RUNNING", "Running", False),
        "huge": ("RUNNING", "Running", False),
        "odd-field": ("RUNNING", "Running", True),
        "odd-conditions": ("UNSPECIFIED", "Unknown", True),
        "odd-status": ("UNSPECIFIED", "Unknown", True),
        "odd-spec": ("RUNNING", "Running", True),
        "future": ("RUNNING", "Running", False),
    }
    assert found["odd-field"].start_time.ToJsonString() == START
    assert (found["huge"].replicas, found["huge"].restart_count) == (2**31 - 1, -(2**31))
    assert not found["huge"].HasField("start_time")
    assert found["future"].duration.ToNanoseconds() == 0
    for name in found:
        answer = await get(service, name, namespace)
        assert MessageToDict(answer.training_job)["name"] == name


@pytest.mark.usefixtures("operators")
async def test_a_job_is_named_by_its_kind_where_the_name_is_not_enough(
    service: Any, control_plane: ControlPlane, namespace: str
) -> None:
    await made(
        control_plane,
        custom_job("kubeflow.org/v1", "PyTorchJob", "twin", namespace),
        custom_job("ray.io/v1", "RayCluster", "twin", namespace),
    )
    answer = await get(service, "twin", namespace, kind="raycluster")
    assert answer.training_job.kind == "RayCluster"
    for fields, code, named in (
        ({"name": "twin"}, grpc.StatusCode.INVALID_ARGUMENT, "PyTorchJob, RayCluster"),
        ({"name": "twin", "kind": "Pod"}, grpc.StatusCode.INVALID_ARGUMENT, "HyperPodPyTorchJob"),
        ({"name": "nobody"}, grpc.StatusCode.NOT_FOUND, '"nobody"'),
        ({"name": ""}, grpc.StatusCode.INVALID_ARGUMENT, "name"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await get(service, namespace=namespace, **fields)
        assert caught.value.code() is code
        assert named in str(caught.value.details())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await get(service, "twin", "Bad_NS")
    assert "namespace" in str(caught.value.details())
