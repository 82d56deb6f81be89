"""The inventory of devices on a real cluster, and against its real scheduler."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from podyard.k8s_resource.v1 import inventory_pb2 as pb

from tests.integration.k8s_resource.manifests import Manifest, pod
from tests.integration.k8s_resource.test_lists import apply, eventually
from tools.stack.testing import ControlPlane

GPU = "nvidia.com/gpu"
EFA = "vpc.amazonaws.com/efa"
MIG = "nvidia.com/mig-1g.10gb"
OWN_TAINT = "podyard.test/own"
SEED = 20260301


@pytest.fixture
def pool(namespace: str) -> str:
    """A label value and taint of the test's own, so that only its pods come to its nodes."""
    return namespace


def gpu_node(pool: str, name: str, amounts: dict[str, int], **more: Any) -> Manifest:
    """A node that the simulated kubelet makes ready and that only pods of the pool can use."""
    quantities = {"cpu": "96", "memory": "1Ti", "pods": "110"}
    quantities |= {key: str(amount) for key, amount in amounts.items()}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"{name}-{pool}",
            "labels": {
                "pool": pool,
                "member": name,
                "node.kubernetes.io/instance-type": f"ml.{name}.{pool}",
                **more.pop("labels", {}),
            },
        },
        "spec": {
            "taints": [{"key": OWN_TAINT, "value": pool, "effect": "NoSchedule"}],
            **more,
        },
        "status": {"capacity": quantities, "allocatable": quantities},
    }


def on(pool: str, manifest: Manifest, member: str = "") -> Manifest:
    """The pod, bound for the pool, or one node of it."""
    spec = manifest["spec"]
    spec["tolerations"] = [{"key": OWN_TAINT, "operator": "Equal", "value": pool}]
    spec["nodeSelector"] = {"pool": pool, **({"member": member} if member else {})}
    spec["terminationGracePeriodSeconds"] = 0
    return manifest


def wants(amounts: dict[str, int], **more: Any) -> Manifest:
    """A container that requests devices."""
    limits = {name: str(amount) for name, amount in amounts.items() if amount}
    return {"name": "c", "image": "i", "resources": {"limits": limits}, **more}


class Pool:
    """Makes nodes and pods of one test and reads what the service says about them."""

    def __init__(
        self, service: Any, plane: ControlPlane, name: str, passing: Callable[[str, str], None]
    ) -> None:
        self.name = name
        self._service = service
        self._plane = plane
        self._passing = passing

    async def nodes(self, *nodes: Manifest) -> None:
        """Make nodes and wait until they are ready, and the taints gone that say otherwise."""
        for each in nodes:
            self._passing("node", each["metadata"]["name"])
        apply(self._plane, *nodes)

        async def ready() -> bool:
            found = (await self.inventory()).nodes
            return len(found) > 0 and not any(
                "node.kubernetes.io/" in taint and "unschedulable" not in taint
                for node in found
                for taint in (*node.taints, *([] if node.ready else ["node.kubernetes.io/"]))
            )

        await eventually(ready)

    async def inventory(self, **fields: Any) -> pb.GetGpuInventoryResponse:
        """What the service says, having caught up."""
        request = pb.GetGpuInventoryRequest(
            label_selector=f"pool={self.name}", consistent=True, **fields
        )
        answer: pb.GetGpuInventoryResponse = await self._service.stub.GetGpuInventory(request)
        return answer

    async def free(self, member: str, resource: str = GPU) -> int:
        """Free devices of one node."""
        answer = await self.inventory()
        node = next(n for n in answer.nodes if n.name == f"{member}-{self.name}")
        devices = next(d for d in node.devices if d.name == resource)
        assert devices.error == ""
        return devices.free

    def settled(self, *pods: Manifest) -> dict[str, str]:
        """Make pods; once the scheduler has said something of each: their nodes, "" for none."""
        apply(self._plane, *pods)
        names = [each["metadata"]["name"] for each in pods]
        self._plane.kubectl(
            "wait", "pod", "-n", self.name, *names, "--timeout=30s",
            "--for=jsonpath={.status.conditions[?(@.type=='PodScheduled')].status}",
        )  # fmt: skip
        found = json.loads(
            self._plane.kubectl("get", "pods", "-n", self.name, *names, "-o", "json")
        )
        items = found["items"] if found["kind"] == "List" else [found]
        return {item["metadata"]["name"]: item["spec"].get("nodeName", "") for item in items}


@pytest.fixture
def own(
    service: Any, control_plane: ControlPlane, pool: str, passing: Callable[[str, str], None]
) -> Pool:
    return Pool(service, control_plane, pool, passing)


def random_pod(rng: random.Random, name: str, namespace: str) -> Manifest:
    """Containers, init containers and sidecars in any order and amount."""
    made = pod(name, namespace)

    def container(kind: str, number: int, **more: Any) -> Manifest:
        amounts = {GPU: rng.choice((0, 0, 1, 1, 2, 3)), EFA: rng.choice((0, 0, 1, 2))}
        return wants(amounts, **more) | {"name": f"{kind}-{number}"}

    made["spec"]["containers"] = [container("main", i) for i in range(rng.randint(1, 3))]
    made["spec"]["initContainers"] = [
        container("init", i, **({"restartPolicy": "Always"} if rng.random() < 0.5 else {}))
        for i in range(rng.randint(0, 4))
    ]
    return made


async def test_what_is_free_is_exactly_what_the_scheduler_still_places(
    own: Pool, namespace: str
) -> None:
    """Random pods fill two nodes; then one device more than is called free finds no place, and
    exactly as many do."""
    rng = random.Random(SEED)  # noqa: S311
    amounts = {GPU: 24, EFA: 16}
    await own.nodes(gpu_node(own.name, "a", amounts), gpu_node(own.name, "b", amounts))
    fill = [on(own.name, random_pod(rng, f"fill-{i}", namespace)) for i in range(16)]
    own.settled(*fill)
    for member in ("a", "b"):
        for resource in (GPU, EFA):
            free = await own.free(member, resource)
            label = f"{member}-{resource.rpartition('/')[2]}"
            more = on(own.name, pod(f"more-{label}", namespace), member)
            more["spec"]["containers"] = [wants({resource: free + 1})]
            assert own.settled(more) == {f"more-{label}": ""}
            if free:
                exact = on(own.name, pod(f"exact-{label}", namespace), member)
                exact["spec"]["containers"] = [wants({resource: free})]
                assert own.settled(exact)[f"exact-{label}"] == f"{member}-{own.name}"
            assert await own.free(member, resource) == 0


async def test_overhead_counts_and_amounts_of_whole_pods_do_not_for_devices(
    own: Pool, control_plane: ControlPlane, namespace: str, passing: Callable[[str, str], None]
) -> None:
    """A runtime class may cost a device; requests of the pod as a whole are for CPU and memory."""
    await own.nodes(gpu_node(own.name, "a", {GPU: 8}))
    passing("runtimeclass", f"costly-{namespace}")
    apply(
        control_plane,
        {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": f"costly-{namespace}"},
            "handler": "costly",
            "overhead": {"podFixed": {GPU: "1", "cpu": "1"}},
        },
    )
    costly = on(own.name, pod("costly", namespace, gpus=2))
    costly["spec"]["runtimeClassName"] = f"costly-{namespace}"
    costly["spec"]["resources"] = {"requests": {"cpu": "4", "memory": "1Gi"}}
    assert own.settled(costly) == {"costly": f"a-{own.name}"}
    assert await own.free("a") == 5
    assert own.settled(on(own.name, pod("six", namespace, gpus=6)))["six"] == ""
    assert own.settled(on(own.name, pod("five", namespace, gpus=5)))["five"] != ""
    assert await own.free("a") == 0


async def test_free_devices_of_nodes_that_take_no_pods_are_told_apart(
    own: Pool, control_plane: ControlPlane
) -> None:
    health = "sagemaker.amazonaws.com/node-health-status"
    deep = "sagemaker.amazonaws.com/deep-health-check-status"
    full = gpu_node(own.name, "full", {GPU: 8})
    full["status"]["allocatable"] = {**full["status"]["allocatable"], "pods": "0"}
    broken = gpu_node(own.name, "broken", {GPU: 8}, labels={deep: "InProgress"})
    broken["status"]["allocatable"] = {**broken["status"]["allocatable"], GPU: "6"}
    await own.nodes(
        gpu_node(own.name, "good", {GPU: 8, MIG: 7}, labels={health: "Schedulable", deep: "Passed"}),
        gpu_node(own.name, "cordoned", {GPU: 8}, unschedulable=True),
        gpu_node(own.name, "sick", {GPU: 8}, labels={health: "UnschedulablePendingReplacement"}),
        gpu_node(own.name, "mute", {}, labels={"nvidia.com/gpu.count": "8"}),
        gpu_node(own.name, "plain", {}),
        full,
        broken,
    )  # fmt: skip
    control_plane.kubectl(
        "taint", "node", f"broken-{own.name}", "sagemaker.amazonaws.com/fault=gpu:NoSchedule"
    )
    answer = await own.inventory()
    problems = {
        n.name.partition("-")[0]: [
            (pb.NodeProblemType.Name(p.type).removeprefix("NODE_PROBLEM_TYPE_"), p.blocking)
            for p in n.problems
        ]
        for n in answer.nodes
    }
    assert problems == {
        "good": [],
        "cordoned": [("CORDONED", True)],
        "sick": [("UNHEALTHY", True)],
        "mute": [("DEVICES_MISSING", False)],
        "full": [("NO_POD_SLOTS", True)],
        "broken": [
            ("TAINTED", True), ("DEVICES_UNHEALTHY", False), ("DEEP_HEALTH_CHECK", False),
        ],
    }  # fmt: skip
    gpus = next(t for t in answer.totals if t.name == GPU)
    assert (gpus.capacity, gpus.allocatable, gpus.requested) == (40, 38, 0)
    assert (gpus.free, gpus.unschedulable, gpus.largest_free) == (8, 30, 8)
    assert (gpus.node_count, gpus.unreadable_node_count) == (5, 0)
    mig = next(t for t in answer.totals if t.name == MIG)
    assert (mig.capacity, mig.free, mig.node_count) == (7, 7, 1)
    of_broken = next(t for t in answer.instance_types if t.instance_type.startswith("ml.broken"))
    assert (of_broken.node_count, of_broken.blocked_node_count) == (1, 1)
    assert [(d.name, d.free, d.unschedulable) for d in of_broken.devices] == [(GPU, 0, 6)]
    good = next(n for n in answer.nodes if n.name.startswith("good"))
    assert (good.health_status, good.deep_health_check_status) == ("Schedulable", "Passed")
    assert list(good.taints) == [f"{OWN_TAINT}={own.name}:NoSchedule"]
    in_trouble = await own.inventory(only_problem_nodes=True)
    assert {n.name.partition("-")[0] for n in in_trouble.nodes} == set(problems) - {"good"}
    assert in_trouble.totals == answer.totals


async def test_holders_are_jobs_deployments_and_pods(
    own: Pool, control_plane: ControlPlane, namespace: str
) -> None:
    await own.nodes(gpu_node(own.name, "a", {GPU: 8, EFA: 4}), gpu_node(own.name, "b", {GPU: 8}))
    ranks = [
        on(own.name, pod(f"train-{i}", namespace, labels={"HPJob": "train"}, gpus=3), member)
        for i, member in enumerate("ab")
    ]
    serve: Manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "serve", "namespace": namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "serve"}},
            "template": {
                "metadata": {"labels": {"app": "serve"}},
                "spec": on(own.name, pod("x", namespace, gpus=1), "a")["spec"],
            },
        },
    }
    lone = on(own.name, pod("lone", namespace), "a")
    lone["spec"]["containers"] = [wants({EFA: 2})]
    apply(control_plane, serve)
    own.settled(*ranks, lone)
    control_plane.kubectl("rollout", "status", "-n", namespace, "deployment/serve")
    answer = await own.inventory(parts=[pb.INVENTORY_PART_HOLDERS])
    found = {
        (h.holder.kind, h.holder.name): (
            h.pod_count,
            {d.name: d.amount for d in h.devices},
            {n.name.partition("-")[0]: {d.name: d.amount for d in n.devices} for n in h.nodes},
        )
        for h in answer.holders
        if h.holder.namespace == namespace
    }
    assert found == {
        ("HyperPodPyTorchJob", "train"): (2, {GPU: 6}, {"a": {GPU: 3}, "b": {GPU: 3}}),
        ("Deployment", "serve"): (2, {GPU: 2}, {"a": {GPU: 2}}),
        ("Pod", "lone"): (1, {EFA: 2}, {"a": {EFA: 2}}),
    }
    assert not answer.nodes
    only_b = await own.inventory(
        instance_types=[f"ml.b.{own.name}"], resource_names=["nvidia.com/*"]
    )
    assert [n.name.partition("-")[0] for n in only_b.nodes] == ["b"]
    assert [(h.holder.name, h.devices[0].amount) for h in only_b.holders] == [("train", 3)]
    assert [t.name for t in only_b.totals] == [GPU]


async def test_who_waits_for_devices_how_many_are_missing_and_why(
    own: Pool, control_plane: ControlPlane, namespace: str
) -> None:
    await own.nodes(
        gpu_node(own.name, "a", {GPU: 8}),
        gpu_node(own.name, "b", {GPU: 8}),
        gpu_node(own.name, "c", {GPU: 8}, unschedulable=True),
    )
    own.settled(on(own.name, pod("held", namespace, gpus=5), "a"))
    ranks = [
        on(own.name, pod(f"rank-{i}", namespace, labels={"HPJob": "big"}, gpus=8), "a")
        for i in range(2)
    ]
    assert set(own.settled(*ranks).values()) == {""}
    # Waits for CPU: there are GPUs enough, and the scheduler speaks of others.
    thirsty = on(own.name, pod("thirsty", namespace, gpus=1), "b")
    thirsty["spec"]["containers"][0]["resources"]["requests"] = {"cpu": "500"}
    giant = on(own.name, pod("giant", namespace, gpus=16))
    own.settled(thirsty, giant)

    answer = await own.inventory()
    found = {p.holder.name: p for p in answer.pending if p.holder.namespace == namespace}
    assert set(found) == {"big", "giant"}
    big = found["big"]
    assert (big.holder.kind, list(big.pods)) == ("HyperPodPyTorchJob", ["rank-0", "rank-1"])
    # 3 are free on the node that they may use: 5 are missing for one, then 8 for the other.
    assert [(d.name, d.requested, d.missing) for d in big.devices] == [(GPU, 16, 13)]
    assert big.eligible_node_count == 1
    assert f"Insufficient {GPU}" in big.message
    seen = json.loads(control_plane.kubectl("get", "pod", "rank-0", "-n", namespace, "-o", "json"))
    scheduled = next(c for c in seen["status"]["conditions"] if c["type"] == "PodScheduled")
    assert big.since.ToJsonString() == scheduled["lastTransitionTime"]
    # No node could ever hold it.
    assert [(d.requested, d.missing) for d in found["giant"].devices] == [(16, 16)]
    assert found["giant"].eligible_node_count == 0
    # It ends when there is room.
    control_plane.kubectl("delete", "pod", "-n", namespace, "held", "rank-1", "giant")

    async def nobody_waits() -> bool:
        pending = (await own.inventory()).pending
        return not any(p.holder.namespace == namespace for p in pending)

    await eventually(nobody_waits)


async def test_pages_of_nodes_carry_all_else_once(own: Pool) -> None:
    await own.nodes(*(gpu_node(own.name, f"n{i}", {GPU: 4}) for i in range(5)))
    seen: list[str] = []
    token = ""
    for turn in range(3):
        page = await own.inventory(page_size=2, page_token=token)
        assert bool(page.totals) is (turn == 0)
        assert page.total_size == 5
        seen += [n.name.partition("-")[0] for n in page.nodes]
        token = page.next_page_token
    assert (seen, token) == ([f"n{i}" for i in range(5)], "")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"label_selector": "a=(b"}, "label_selector"),
        ({"resource_names": ["nvidia.com/*gpu"]}, "resource_names"),
        ({"parts": [0]}, "parts"),
        ({"parts": [99]}, "parts"),
        ({"instance_types": [""]}, "instance_types"),
        ({"page_token": "nonsense"}, "page_token"),
        ({"page_size": 1001}, "page_size"),
    ],
)
async def test_bad_queries_name_the_field(service: Any, fields: Any, named: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub.GetGpuInventory(pb.GetGpuInventoryRequest(**fields))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert named in str(caught.value.details())
