"""Filters, orders, counts, partial answers and several namespaces of typed lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import namespaces_pb2, objects_pb2

from tests.integration.k8s_resource.manifests import node, pod
from tools.stack.testing import ControlPlane

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def apply(plane: ControlPlane, *objects: dict[str, Any]) -> None:
    plane.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def set_status(plane: ControlPlane, namespace: str, name: str, status: dict[str, Any]) -> None:
    plane.kubectl(
        "patch", "pod", "-n", namespace, name, "--subresource=status", "--type=merge",
        "-p", json.dumps({"status": status}),
    )  # fmt: skip


def container(
    state: dict[str, Any], *, last: dict[str, Any] | None = None, restarts: int = 0
) -> Any:
    return {
        "name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": restarts,
        "state": state, "lastState": last or {},
    }  # fmt: skip


@pytest.fixture
def pods(control_plane: ControlPlane, namespace: str) -> str:
    """Pods in every trouble; gives their namespace."""
    apply(
        control_plane,
        pod("crashing", namespace, node="n1", gpus=8),
        pod("killed", namespace, node="n2", gpus=4),
        pod("evicted", namespace, node="n2"),
        pod("fine", namespace, node="n1"),
        pod("waiting", namespace, gpus=64),
    )
    out_of_memory = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    crashing = container(
        {"waiting": {"reason": "CrashLoopBackOff"}}, last=out_of_memory, restarts=7
    )
    set_status(
        control_plane, namespace, "crashing", {"phase": "Running", "containerStatuses": [crashing]}
    )
    killed = container(out_of_memory, restarts=1)
    set_status(
        control_plane, namespace, "killed", {"phase": "Failed", "containerStatuses": [killed]}
    )
    set_status(control_plane, namespace, "evicted", {"phase": "Failed", "reason": "Evicted"})
    set_status(control_plane, namespace, "fine", {"phase": "Running"})
    control_plane.kubectl(
        "wait", "pod", "-n", namespace, "waiting", "--for=condition=PodScheduled=false",
        "--timeout=30s",
    )  # fmt: skip
    return namespace


async def names(service: Any, **fields: Any) -> list[str]:
    response = await service.stub.ListPods(pb.ListPodsRequest(consistent=True, **fields))
    assert response.total_size == len(response.pods)
    return [each.name for each in response.pods]


async def test_pods_are_chosen_and_ordered_by_what_users_ask_for(service: Any, pods: str) -> None:
    async def chosen(**fields: Any) -> list[str]:
        return await names(service, namespace=pods, **fields)

    assert await chosen(phases=["Failed", "pending"]) == ["evicted", "killed", "waiting"]
    assert await chosen(node_names=["n1"]) == ["crashing", "fine"]
    assert await chosen(node_names=[""]) == ["waiting"]
    assert await chosen(reasons=["CrashLoopBackOff"]) == ["crashing"]
    assert await chosen(reasons=["oomkilled"]) == ["crashing", "killed"]
    assert await chosen(reasons=["Evicted", "Unschedulable"]) == ["evicted", "waiting"]
    assert await chosen(gpu_only=True) == ["crashing", "killed", "waiting"]
    assert await chosen(gpu_only=True, phases=["Failed"], node_names=["n2", "n1"]) == ["killed"]
    assert await chosen(phases=["Unknown"]) == []
    assert await chosen(order_by="restart_count desc, name desc") == [
        "crashing", "killed", "waiting", "fine", "evicted",
    ]  # fmt: skip
    assert await chosen(order_by="gpu_request desc,node_name") == [
        "waiting", "crashing", "killed", "fine", "evicted",
    ]  # fmt: skip
    assert (await chosen(order_by="phase, gpu_request desc"))[0:2] == ["killed", "evicted"]
    assert await chosen(order_by="age,name") == await chosen(order_by="create_time desc,name")


async def test_counts_are_of_all_that_match_not_only_of_the_page(service: Any, pods: str) -> None:
    response = await service.stub.ListPods(
        pb.ListPodsRequest(
            namespace=pods, page_size=1, count_by=["phase", "node_name"], consistent=True
        )
    )
    counts = [(each.field, [(v.value, v.count) for v in each.values]) for each in response.counts]
    assert counts == [
        ("phase", [("Failed", 2), ("Running", 2), ("Pending", 1)]),
        ("node_name", [("n1", 2), ("n2", 2), ("", 1)]),
    ]
    assert (len(response.pods), response.total_size) == (1, 5)
    narrowed = await service.stub.ListPods(
        pb.ListPodsRequest(namespace=pods, reasons=["OOMKilled"], count_by=["display_status"])
    )
    assert [(v.value, v.count) for v in narrowed.counts[0].values] == [
        ("CrashLoopBackOff", 1),
        ("OOMKilled", 1),
    ]


async def test_a_read_mask_leaves_out_everything_else(service: Any, pods: str) -> None:
    async def first(*paths: str) -> Any:
        response = await service.stub.ListPods(
            pb.ListPodsRequest(
                namespace=pods, page_size=2, read_mask=FieldMask(paths=paths), consistent=True
            )
        )
        assert response.next_page_token
        assert response.total_size == 5
        return response.pods[0]

    whole = await first()
    partial = await first("name", "containers", "restart_count", "create_time", "labels")
    assert partial.containers == whole.containers
    assert partial.create_time == whole.create_time
    present = {field.name for field, _ in partial.ListFields()}
    assert present == {"name", "containers", "restart_count", "create_time"}
    assert await first("*") == whole
    assert await first("name", "name", "name") == objects_pb2.Pod(name="crashing")
    nodes = await service.stub.ListNodes(
        pb.ListNodesRequest(read_mask=FieldMask(paths=["gpu.available", "name", "gpu.name"]))
    )
    assert {field.name for each in nodes.nodes for field, _ in each.ListFields()} == {"name", "gpu"}
    assert {each.gpu.name for each in nodes.nodes} == {"nvidia.com/gpu"}


async def test_several_namespaces_are_one_list(
    service: Any, control_plane: ControlPlane, pods: str, passing: Callable[[str, str], None]
) -> None:
    other = f"{pods}-b"
    control_plane.kubectl("create", "namespace", other)
    passing("namespace", other)
    control_plane.kubectl("wait", "-n", other, "--for=create", "serviceaccount/default")
    apply(control_plane, pod("aside", other, node="n1"))
    both = [other, pods]
    assert await names(service, namespaces=both, node_names=["n1"]) == ["crashing", "fine", "aside"]
    assert await names(service, namespaces=[other, other]) == ["aside"]
    assert await names(service, namespaces=both, field_selector="metadata.name=aside") == ["aside"]
    response = await service.stub.ListPods(
        pb.ListPodsRequest(namespaces=both, count_by=["namespace"], page_size=2)
    )
    assert [(v.value, v.count) for v in response.counts[0].values] == [(pods, 5), (other, 1)]
    rest = await service.stub.ListPods(
        pb.ListPodsRequest(
            namespaces=list(reversed(both)), count_by=["namespace"],
            page_token=response.next_page_token,
        )
    )  # fmt: skip
    assert len(response.pods) + len(rest.pods) == 6


async def test_nodes_by_readiness_instance_type_health_and_free_gpus(
    service: Any, control_plane: ControlPlane, namespace: str, passing: Callable[[str, str], None]
) -> None:
    kind = f"ml.test.{namespace}"
    specs = {"a": (8, "Schedulable", True), "b": (4, "", True), "c": (8, "PendingReboot", False)}
    for name, (gpus, health, schedulable) in specs.items():
        made = node(f"{name}-{namespace}", gpus=gpus)
        labels = {"node.kubernetes.io/instance-type": kind}
        if health:
            labels["sagemaker.amazonaws.com/node-health-status"] = health
        made["metadata"]["labels"] = labels
        made["spec"]["unschedulable"] = not schedulable
        passing("node", made["metadata"]["name"])
        apply(control_plane, made)
    control_plane.kubectl(
        "wait", "nodes", "-l", f"node.kubernetes.io/instance-type={kind}", "--for=condition=Ready"
    )
    apply(
        control_plane,
        pod("one", namespace, node=f"a-{namespace}", gpus=7),
        pod("two", namespace, node=f"b-{namespace}", gpus=1),
        pod("three", namespace, node=f"b-{namespace}"),
    )

    async def chosen(**fields: Any) -> str:
        response = await service.stub.ListNodes(
            pb.ListNodesRequest(consistent=True, instance_types=[kind], **fields)
        )
        return "".join(each.name[0] for each in response.nodes)

    assert await chosen() == "abc"
    assert await chosen(ready=True) == "abc"
    assert await chosen(ready=False) == ""
    assert await chosen(schedulable=False) == "c"
    assert await chosen(health_statuses=["schedulable", "PendingReboot"]) == "ac"
    assert await chosen(health_statuses=[""]) == "b"
    assert await chosen(order_by="gpu_available desc") == "cba"
    assert await chosen(order_by="pod_count desc, name") == "bac"
    assert await chosen(order_by="gpu desc, gpu_used desc") == "acb"
    pages = ""
    token = ""
    while token or not pages:
        page = await service.stub.ListNodes(
            pb.ListNodesRequest(
                instance_types=[kind], order_by="gpu_available desc", page_size=1, page_token=token,
                count_by=["health_status", "schedulable"],
            )
        )  # fmt: skip
        assert [v.count for v in page.counts[0].values] == [1, 1, 1]
        assert [(v.value, v.count) for v in page.counts[1].values] == [("true", 2), ("false", 1)]
        pages += page.nodes[0].name[0]
        token = page.next_page_token
    assert pages == "cba"


async def test_volumes_and_namespaces_by_phase(
    service: Any, control_plane: ControlPlane, namespace: str, passing: Callable[[str, str], None]
) -> None:
    name = f"pv-{namespace}"
    passing("pv", name)
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteMany"],
        "storageClassName": namespace,
        "csi": {"driver": "s3.csi.aws.com", "volumeHandle": "v"},
    }
    apply(
        control_plane,
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec},
    )
    control_plane.kubectl("wait", f"pv/{name}", "--for=jsonpath={.status.phase}=Available")
    volumes = await service.stub.ListPersistentVolumes(
        pb.ListPersistentVolumesRequest(
            phases=["available"], count_by=["storage_class", "csi_driver"], consistent=True
        )
    )
    assert name in [each.name for each in volumes.persistent_volumes]
    assert (namespace, 1) in [(v.value, v.count) for v in volumes.counts[0].values]
    bound = await service.stub.ListPersistentVolumes(
        pb.ListPersistentVolumesRequest(phases=["Bound"])
    )
    assert name not in [each.name for each in bound.persistent_volumes]

    held = f"{namespace}-held"
    passing("namespace", held)
    control_plane.kubectl("create", "namespace", held)
    control_plane.kubectl("wait", "-n", held, "--for=create", "serviceaccount/default")
    keeper = pod("keeper", held, node="not-there")
    keeper["metadata"]["finalizers"] = ["podyard.test/hold"]
    apply(control_plane, keeper)
    control_plane.kubectl("delete", "namespace", held, "--wait=false")
    ending = await service.stub.ListNamespaces(
        namespaces_pb2.ListNamespacesRequest(
            phases=["Terminating"], count_by=["phase"], order_by="age", consistent=True
        )
    )
    found = {each.name: each for each in ending.namespaces}
    patch = '{"metadata":{"finalizers":null}}'
    control_plane.kubectl("patch", "pod", "-n", held, "keeper", "--type=merge", "-p", patch)
    assert found[held].HasField("delete_time")
    assert [(v.value, v.count) for v in ending.counts[0].values] == [
        ("Terminating", ending.total_size)
    ]
    active = await service.stub.ListNamespaces(
        namespaces_pb2.ListNamespacesRequest(field_selector="status.phase=Active", consistent=True)
    )
    assert namespace in [each.name for each in active.namespaces]
    assert held not in [each.name for each in active.namespaces]


@pytest.mark.parametrize(
    ("fields", "field", "remedy"),
    [
        ({"phases": ["Running", "Runing"]}, "phases[1]", "Pending, Running"),
        ({"reasons": [""]}, "reasons[0]", "1 character"),
        ({"count_by": ["phase", "colour"]}, "count_by[1]", "display_status"),
        ({"read_mask": FieldMask(paths=["nodename"])}, "read_mask", "node_name"),
        ({"read_mask": FieldMask(paths=["containers.name"])}, "read_mask", "taken whole"),
        ({"read_mask": FieldMask(paths=["name.x"])}, "read_mask", "taken whole"),
        ({"read_mask": FieldMask(paths=[""])}, "read_mask", "its fields"),
        ({"namespace": "a", "namespaces": ["b"]}, "namespaces", "only one"),
        ({"namespaces": ["a", "B_"]}, "namespaces[1]", "lower-case"),
        ({"order_by": "restarts"}, "order_by", "restart_count"),
        ({"label_selector": "app in (web"}, "label_selector", "at character 12"),
        ({"field_selector": "status.phase=Running,color=red"}, "field_selector", "at character 22"),
    ],
)
async def test_bad_fields_are_named_with_the_remedy(
    service: Any, fields: dict[str, Any], field: str, remedy: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub.ListPods(pb.ListPodsRequest(**fields))
    assert caught.value.code() is INVALID
    bad = error_details_pb2.BadRequest()
    details = rpc_status.from_call(cast(Any, caught.value)).details
    assert any(detail.Unpack(bad) for detail in details)
    assert [violation.field for violation in bad.field_violations] == [field]
    assert remedy in bad.field_violations[0].description


async def test_a_token_of_another_query_is_refused(service: Any, pods: str) -> None:
    first = await service.stub.ListPods(
        pb.ListPodsRequest(namespace=pods, page_size=2, consistent=True)
    )
    others: tuple[dict[str, Any], ...] = (
        {"phases": ["Running"]}, {"reasons": ["x"]}, {"gpu_only": True}, {"order_by": "age"},
        {"label_selector": "a"}, {"node_names": [""]}, {"namespace": "", "namespaces": ["default"]},
    )  # fmt: skip
    for other in others:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.stub.ListPods(
                pb.ListPodsRequest(page_token=first.next_page_token, **{"namespace": pods, **other})
            )
        assert caught.value.code() is INVALID
        assert "other fields" in str(caught.value.details())


async def test_what_does_not_change_the_order_goes_with_a_token(service: Any, pods: str) -> None:
    first = await service.stub.ListPods(
        pb.ListPodsRequest(namespace=pods, page_size=2, consistent=True)
    )
    rest = await service.stub.ListPods(
        pb.ListPodsRequest(
            namespace=pods, page_size=10, page_token=first.next_page_token,
            count_by=["phase"], read_mask=FieldMask(paths=["name"]),
        )
    )  # fmt: skip
    assert [each.name for each in (*first.pods, *rest.pods)] == [
        "crashing", "evicted", "fine", "killed", "waiting",
    ]  # fmt: skip
