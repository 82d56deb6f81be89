"""Devices: what pods request, what nodes have, what is in use."""

from __future__ import annotations

import msgspec
import pytest

from services.k8s_resource.domain.cache.item import Change, ChangeType, Item
from services.k8s_resource.domain.node_devices import Devices, node_devices
from services.k8s_resource.domain.node_usage import IDLE, NodeUsage
from services.k8s_resource.domain.objects.nodes import Node
from services.k8s_resource.domain.objects.pods import GPU, Pod, device_requests
from services.k8s_resource.domain.quantity import whole_devices


@pytest.mark.parametrize(
    ("text", "amount"),
    [("8", 8), (8, 8), ("0", 0), ("1k", 1000), ("2Ki", 2048), ("1e3", 1000), ("4.0", 4), ("3000m", 3), ("1E", 10**18)],
)  # fmt: skip
def test_quantities(text: object, amount: int) -> None:
    assert whole_devices(text) == amount


@pytest.mark.parametrize(
    "text", ["", "eight", "1.5", "500m", "-1", -1, None, True, [], "1Zi", "0x8", "٣"]
)
def test_what_is_no_whole_number_of_devices_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        whole_devices(text)


def gpus(amount: object, **more: object) -> dict[str, object]:
    return {"name": "c", "resources": {"requests": {GPU: amount, "cpu": "500m"}}, **more}


def pod(
    *containers: object, node: str = "n", phase: str = "Running", name: str = "p", **spec: object
) -> Pod:
    return msgspec.convert(
        {
            "metadata": {"name": name, "namespace": "d", "resourceVersion": "1"},
            "spec": {"containers": list(containers), "nodeName": node, **spec},
            "status": {"phase": phase},
        },
        Pod,
    )


@pytest.mark.parametrize(
    ("containers", "init", "overhead", "requested"),
    [
        ([{"name": "c"}], [], None, {}),
        ([gpus("1"), gpus("2")], [], None, {GPU: 3}),
        # The largest init container counts, not the sum.
        ([gpus("1")], [gpus("4"), gpus("2")], None, {GPU: 4}),
        ([gpus("8")], [gpus("4")], None, {GPU: 8}),
        # A sidecar runs on: beside the containers, and beside the init containers after it.
        ([gpus("2")], [gpus("1", restartPolicy="Always"), gpus("3")], None, {GPU: 4}),
        ([gpus("2")], [gpus("3"), gpus("1", restartPolicy="Always")], None, {GPU: 3}),
        ([gpus("4")], [gpus("1", restartPolicy="Always")], None, {GPU: 5}),
        ([gpus("1")], [], {GPU: "1", "cpu": "1"}, {GPU: 2}),
        # A limit without a request is a request.
        ([{"name": "c", "resources": {"limits": {GPU: "2"}}}], [], None, {GPU: 2}),
        ([gpus("0")], [], None, {}),
        (
            [{"name": "c", "resources": {"requests": {"vpc.amazonaws.com/efa": "4", "nvidia.com/mig-1g.5gb": "1"}}}],
            [], None, {"vpc.amazonaws.com/efa": 4, "nvidia.com/mig-1g.5gb": 1},
        ),
    ],
)  # fmt: skip
def test_requests_are_counted_as_the_scheduler_counts(
    containers: list[object],
    init: list[object],
    overhead: dict[str, str] | None,
    requested: dict[str, int],
) -> None:
    assert device_requests(pod(*containers, initContainers=init, overhead=overhead)) == requested


def item(value: Pod) -> Item:
    return Item(value, None)


def change(type_: ChangeType, value: Pod) -> Change:
    return Change(1, 1, type_, item(value), None, 0.0)


def test_usage_follows_pods_as_they_come_change_and_go() -> None:
    usage = NodeUsage(list)
    added, modified, deleted = ChangeType.ADDED, ChangeType.MODIFIED, ChangeType.DELETED
    usage.changed(change(added, pod(gpus("2"), name="a")))
    usage.changed(change(added, pod(gpus("3"), name="b")))
    usage.changed(change(added, pod(gpus("3"), name="unbound", node="")))
    usage.changed(change(added, pod(gpus("3"), name="done", phase="Succeeded")))
    assert (usage.of("n").used, usage.of("n").pods) == ({GPU: 5}, 2)
    usage.changed(change(modified, pod(gpus("3"), name="b", phase="Failed")))
    assert (usage.of("n").used, usage.of("n").pods) == ({GPU: 2}, 1)
    usage.changed(change(modified, pod(gpus("2"), name="a", node="m")))
    assert (usage.of("n"), usage.of("m").used) == (IDLE, {GPU: 2})
    usage.changed(change(deleted, pod(gpus("2"), name="a", node="m")))
    usage.changed(change(deleted, pod(gpus("2"), name="never-seen")))
    assert usage.of("m") is IDLE


def test_usage_is_counted_anew_when_the_pods_are() -> None:
    usage = NodeUsage(lambda: [item(pod(gpus("1")))])
    usage.changed(change(ChangeType.ADDED, pod(gpus("7"), name="gone")))
    usage.reloaded()
    assert (usage.of("n").used, usage.of("n").pods) == ({GPU: 1}, 1)


def node(**amounts: object) -> Node:
    quantities = {"cpu": "96", **amounts}
    return msgspec.convert({"status": {"capacity": quantities, "allocatable": quantities}}, Node)


def test_an_unreadable_request_is_an_error_on_its_node_and_heals() -> None:
    usage = NodeUsage(list)
    usage.changed(change(ChangeType.ADDED, pod(gpus("2"), name="good")))
    usage.changed(change(ChangeType.ADDED, pod(gpus("half"), name="bad")))
    gpu, _ = node_devices(node(**{GPU: "8"}), usage.of("n"))
    assert "d/bad" in gpu.error
    assert (gpu.capacity, gpu.used, gpu.available) == (0, 0, 0)
    usage.changed(change(ChangeType.DELETED, pod(gpus("half"), name="bad")))
    gpu, _ = node_devices(node(**{GPU: "8"}), usage.of("n"))
    assert gpu == Devices(GPU, 8, 8, 2)


def test_an_unreadable_amount_of_the_node_is_an_error() -> None:
    gpu, others = node_devices(node(**{GPU: "many", "vpc.amazonaws.com/efa": "4"}), IDLE)
    assert "'many'" in gpu.error
    assert others[-1] == Devices("vpc.amazonaws.com/efa", 4, 4, 0)


def test_a_node_without_gpus_has_none() -> None:
    assert node_devices(node(), IDLE) == (Devices(GPU), [])


def test_available_is_never_negative() -> None:
    assert Devices(GPU, 8, 8, 20).available == 0
