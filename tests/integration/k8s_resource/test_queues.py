"""Kueue's queues and the jobs in them, in both versions of its API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import pytest
from podyard.k8s_resource.v1 import queues_pb2 as pb

from services.k8s_resource.domain.cache import list_watch
from tests.integration.k8s_resource.manifests import Manifest, crd, custom_job
from tests.integration.k8s_resource.test_lists import _applied, apply, eventually
from tests.integration.k8s_resource.test_training_jobs import condition, get, listed, phase
from tools.stack.testing import ControlPlane

GROUP = "kueue.x-k8s.io"
GPU = "nvidia.com/gpu"
KINDS = (
    ("ClusterQueue", "clusterqueues", "Cluster"),
    ("LocalQueue", "localqueues", "Namespaced"),
    ("Workload", "workloads", "Namespaced"),
)


class Kueue:
    """Objects of Kueue in one version, with its names for fields."""

    def __init__(self, plane: ControlPlane, version: str, namespace: str) -> None:
        self.plane = plane
        self.version = version
        self.namespace = namespace
        self.old = version == "v1beta1"

    def install(self) -> None:
        apply(
            self.plane,
            *(
                crd(GROUP, k, plural, version=self.version, scope=scope)
                for k, plural, scope in KINDS
            ),
        )

    def object(self, kind: str, name: str, spec: Any, status: Any, **metadata: Any) -> Manifest:
        manifest = custom_job(f"{GROUP}/{self.version}", kind, name, self.namespace)
        if kind == "ClusterQueue":
            del manifest["metadata"]["namespace"]
        manifest["metadata"] |= metadata
        return manifest | {"spec": spec, "status": status}

    def queues(self) -> list[Manifest]:
        def quota(name: str, nominal: Any, **limits: Any) -> dict[str, Any]:
            return {"name": name, "nominalQuota": nominal, **limits}

        flavors = [
            {"name": "p5", "resources": [quota(GPU, 8, borrowingLimit="4"), quota("cpu", "1500m")]},
            {"name": "g5", "resources": [quota(GPU, "many"), quota("memory", "36Gi", lendingLimit="1Gi")]},
        ]  # fmt: skip
        use = [
            {"name": "p5", "resources": [{"name": GPU, "total": "10", "borrowed": "2"}]},
            {"name": "gone", "resources": [{"name": GPU, "total": "1"}]},
        ]
        reservation = [{"name": "p5", "resources": [{"name": GPU, "total": "12", "borrowed": "4"}]}]
        cohort = "cohort" if self.old else "cohortName"
        usage = "flavorUsage" if self.old else "flavorsUsage"
        return [
            self.object(
                "ClusterQueue",
                f"team-{self.namespace}",
                {
                    "resourceGroups": [{"coveredResources": [GPU], "flavors": flavors}],
                    cohort: "research",
                    "queueingStrategy": "StrictFIFO",
                    "fairSharing": {"weight": "500m"},
                },
                {
                    "flavorsUsage": use,
                    "flavorsReservation": reservation,
                    "pendingWorkloads": 3,
                    "reservingWorkloads": 2,
                    "admittedWorkloads": 1,
                    "fairSharing": {"weightedShare": 9223372036854775807},
                    "conditions": [condition("Active", reason="Ready")],
                },
            ),
            self.object(
                "ClusterQueue",
                f"stopped-{self.namespace}",
                {"stopPolicy": "Hold"},
                {"conditions": [condition("Active", "False", reason="Stopped", message="held")]},
            ),
            self.object(
                "LocalQueue",
                "train",
                {"clusterQueue": f"team-{self.namespace}"},
                {
                    usage: [{"name": "p5", "resources": [{"name": GPU, "total": "10"}]}],
                    "pendingWorkloads": 3,
                    "conditions": [condition("Active")],
                },
                labels={"team": "nlp"},
            ),
            self.object("LocalQueue", "odd", {"clusterQueue": 5}, {"pendingWorkloads": "x"}),
        ]

    def workload(self, job: dict[str, Any], spec: Any, status: Any, name: str = "") -> Manifest:
        owner = {
            "apiVersion": job["apiVersion"], "kind": job["kind"], "controller": True,
            "name": job["metadata"]["name"], "uid": job["metadata"]["uid"],
        }  # fmt: skip
        named = name or f"job-{job['metadata']['name']}-1"
        spec = {"queueName": "train", **spec}
        return self.object("Workload", named, spec, status, ownerReferences=[owner])

    def job(self, name: str, *, suspend: bool, queue: str = "train") -> dict[str, Any]:
        """A batch Job in a queue, as the API server has it."""
        labels = {"kueue.x-k8s.io/queue-name": queue, "kueue.x-k8s.io/priority-class": "urgent"}
        made = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": name, "namespace": self.namespace, "labels": labels if queue else {},
            },
            "spec": {
                "suspend": suspend,
                "template": {
                    "metadata": {"annotations": {"stack.podyard.local/complete-after": "1h"}},
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "m", "image": "i"}]},
                },
            },
        }  # fmt: skip
        apply(self.plane, made)
        found: dict[str, Any] = json.loads(
            self.plane.kubectl("get", "job", name, "-n", self.namespace, "-o", "json")
        )
        return found


@pytest.fixture(params=["v1beta1", "v1beta2"])
def kueue(
    control_plane: ControlPlane,
    namespace: str,
    passing: Callable[[str, str], None],
    request: pytest.FixtureRequest,
) -> Kueue:
    for _, plural, _ in KINDS:
        passing("crd", f"{plural}.{GROUP}")
    return Kueue(control_plane, request.param, namespace)


async def queues_of(service: Any, namespace: str, **fields: Any) -> pb.ListQueuesResponse:
    answer: pb.ListQueuesResponse = await service.stub.ListQueues(
        pb.ListQueuesRequest(namespace=namespace, consistent=True, **fields)
    )
    return answer


async def test_queues_have_quota_use_and_state(
    service: Any, kueue: Kueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_watch, "_ABSENT_SECONDS", 3600.0)
    monkeypatch.setattr(list_watch, "_UNDEFINED_SECONDS", 3600.0)
    before = await queues_of(service, kueue.namespace)
    assert (list(before.queues), before.total_size) == ([], 0)
    assert "does not have Kueue" in before.notes[0]
    assert before.freshness.stale is False
    kueue.install()
    for each in kueue.queues():
        await eventually(partial(asyncio.to_thread, _applied, kueue.plane, each))
    answer = await queues_of(service, kueue.namespace)
    assert not answer.notes
    stopped, team, odd, train = answer.queues
    assert [q.name for q in answer.queues] == [
        f"stopped-{kueue.namespace}", f"team-{kueue.namespace}", "odd", "train",
    ]  # fmt: skip
    assert (team.type, team.cohort, team.active, team.queueing_strategy) == (
        pb.QUEUE_TYPE_CLUSTER_QUEUE, "research", True, "StrictFIFO",
    )  # fmt: skip
    assert (team.pending_workloads, team.reserving_workloads, team.admitted_workloads) == (3, 2, 1)
    assert (team.fair_sharing_weight, team.weighted_share) == (0.5, 2**63 - 1)
    resources = {(r.flavor, r.resource): r for r in team.resources}
    p5 = resources["p5", GPU]
    assert (p5.nominal_quota, p5.borrowing_limit, p5.HasField("lending_limit")) == (8, 4, False)
    assert (p5.reserved, p5.used, p5.borrowed) == (12, 10, 2)
    assert resources["p5", "cpu"].nominal_quota == 1.5
    memory = resources["g5", "memory"]
    assert (memory.nominal_quota, memory.lending_limit) == (36 * 2**30, 2**30)
    assert "'many'" in resources["g5", GPU].error
    assert resources["gone", GPU].used == 1
    assert (stopped.active, stopped.reason, stopped.message, stopped.stop_policy) == (
        False, "Stopped", "held", "Hold",
    )  # fmt: skip
    assert (train.cluster_queue, train.cohort) == (f"team-{kueue.namespace}", "research")
    assert [(r.flavor, r.used) for r in train.resources] == [("p5", 10)]
    assert odd.problem
    only = await queues_of(
        service, kueue.namespace, type=pb.QUEUE_TYPE_LOCAL_QUEUE, label_selector="team=nlp"
    )
    assert [q.name for q in only.queues] == ["train"]
    first = await queues_of(
        service, kueue.namespace, page_size=3, order_by="pending_workloads desc"
    )
    rest = await queues_of(
        service, kueue.namespace, page_size=3, order_by="pending_workloads desc",
        page_token=first.next_page_token,
    )  # fmt: skip
    assert len({(q.type, q.name) for q in (*first.queues, *rest.queues)}) == 4
    assert first.queues[0].pending_workloads == 3


async def test_jobs_in_a_queue_are_told_from_suspended_ones(service: Any, kueue: Kueue) -> None:
    kueue.install()
    for each in kueue.queues():
        await eventually(partial(asyncio.to_thread, _applied, kueue.plane, each))
    waits = kueue.job("waits", suspend=True)
    runs = kueue.job("runs", suspend=False)
    evicted = kueue.job("evicted", suspend=True)
    stopped = kueue.job("stopped", suspend=True)
    kueue.job("unseen", suspend=True)
    kueue.job("held", suspend=True, queue="")
    old = {"priorityClassName": "high", "priority": 100}
    new = {"priorityClassRef": {"name": "high"}, "priority": 100}
    no_quota = condition("QuotaReserved", "False", reason="Pending", message="8 more needed")
    preempted = condition(
        "Evicted", at="2026-01-03T00:00:00Z", reason="Preempted", message="by urgent"
    )
    admitted = {
        "admission": {
            "clusterQueue": "other",
            "podSetAssignments": [{"name": "main", "flavors": {GPU: "p5", "cpu": "p5"}}],
        },
        "conditions": [condition("QuotaReserved"), condition("Admitted", reason="Admitted")],
    }
    workloads = [
        kueue.workload(waits, old if kueue.old else new, {"conditions": [no_quota]}),
        kueue.workload(runs, {}, admitted),
        # The workload of an earlier try has ended and does not count.
        kueue.workload(runs, {}, {"conditions": [condition("Finished")]}, name="a-runs-0"),
        kueue.workload(
            evicted,
            {},
            {
                "conditions": [no_quota, preempted],
                "requeueState": {"count": 2, "requeueAt": "2026-01-04T00:00:00Z"},
            },
        ),
        kueue.workload(stopped, {"active": False}, {"conditions": [preempted]}),
    ]
    for each in workloads:
        await eventually(partial(asyncio.to_thread, _applied, kueue.plane, each))
    found = await listed(service, kueue.namespace)
    states = {
        name: (
            phase(job),
            pb.AdmissionState.Name(job.admission.state).removeprefix("ADMISSION_STATE_")
            if job.HasField("admission")
            else "",
            job.admission.reason,
        )
        for name, job in found.items()
    }
    assert states == {
        "waits": ("QUEUED", "PENDING", "Pending"),
        "runs": (states["runs"][0], "ADMITTED", "Admitted"),
        "evicted": ("QUEUED", "PENDING", "Preempted"),
        "stopped": ("SUSPENDED", "INACTIVE", "Preempted"),
        "unseen": ("QUEUED", "PENDING", "NoWorkload"),
        "held": ("SUSPENDED", "", ""),
    }
    assert states["runs"][0] in ("PENDING", "RUNNING")
    admission = found["waits"].admission
    assert (admission.queue, admission.cluster_queue) == ("train", f"team-{kueue.namespace}")
    assert (admission.priority_class, admission.priority) == ("high", 100)
    assert (admission.message, admission.workload) == ("8 more needed", "job-waits-1")
    granted = found["runs"].admission
    assert granted.cluster_queue == "other"
    assert [(f.pod_set, f.resource, f.flavor) for f in granted.flavors] == [
        ("main", "cpu", "p5"), ("main", GPU, "p5"),
    ]  # fmt: skip
    again = found["evicted"].admission
    assert (again.requeue_count, again.requeue_time.ToJsonString()) == (2, "2026-01-04T00:00:00Z")
    detail = (await get(service, "waits", kueue.namespace)).training_job
    assert detail.admission == admission
    assert not detail.admission.HasField("position")  # no visibility API here


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"order_by": "colour"}, "pending_workloads"),
        ({"label_selector": "a=(b"}, "label_selector"),
        ({"type": 9}, "type"),
        ({"page_token": "forged"}, "page_token"),
        ({"page_size": 1001}, "page_size"),
    ],
)
async def test_bad_queries_name_the_field(service: Any, fields: Any, named: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub.ListQueues(pb.ListQueuesRequest(**fields))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert named in str(caught.value.details())
