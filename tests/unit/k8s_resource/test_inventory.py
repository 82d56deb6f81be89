"""What cannot be made on a real cluster: unreadable amounts and objects, and many who wait."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.k8s_resource.convert.inventory import encoded_inventory
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.decoding import KindDecoder
from services.k8s_resource.domain.cache.item import Change, ChangeType, Item
from services.k8s_resource.domain.cache.kind_cache import Freshness
from services.k8s_resource.domain.inventory.inventory import Inventory, InventoryQuery
from services.k8s_resource.domain.inventory.pending import pending_owners
from services.k8s_resource.domain.inventory.rows import NodeRow, ProblemType
from services.k8s_resource.domain.inventory.totals import totals_of
from services.k8s_resource.domain.node_usage import IDLE, NodeUsage
from services.k8s_resource.domain.objects.metadata import ObjectMeta
from services.k8s_resource.domain.objects.placement import Placement, Taint
from services.k8s_resource.domain.objects.pods import GPU
from services.k8s_resource.domain.paging import Page
from services.k8s_resource.domain.pod_owner import Owner, owner_of

EFA = "vpc.amazonaws.com/efa"


def node(name: str, amounts: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    quantities = {"cpu": "96", "pods": "100", **(amounts if amounts is not None else {GPU: "8"})}
    return {
        "metadata": {"name": name, "resourceVersion": "1", "labels": more.pop("labels", {})},
        "spec": more.pop("spec", {}),
        "status": {
            "capacity": quantities,
            "allocatable": quantities,
            "conditions": [{"type": "Ready", "status": "True"}],
            **more,
        },
    }


def pod(name: str, gpus: object, *, on: str = "", **more: Any) -> dict[str, Any]:
    conditions = []
    if not on:
        conditions = [
            {
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": f"0/1 nodes are available: 1 Insufficient {GPU}.",
                "lastTransitionTime": more.pop("since", "2026-01-01T00:00:00Z"),
            }
        ]  # fmt: skip
    limits = {GPU: gpus, **more.pop("devices", {})}
    return {
        "metadata": {
            "name": name, "namespace": "d", "resourceVersion": "1",
            "labels": {"HPJob": more.pop("job", name)},
        },
        "spec": {
            "nodeName": on, "containers": [{"name": "c", "resources": {"limits": limits}}], **more,
        },
        "status": {"phase": "Running" if on else "Pending", "conditions": conditions},
    }  # fmt: skip


def items(kind: kinds.Kind, *objects: dict[str, Any]) -> list[Item]:
    """Read as from the API server, page and all."""
    page = {"metadata": {"resourceVersion": "1"}, "items": objects}
    return KindDecoder(kind, keep_raw=False).page(msgspec.json.encode(page)).items


def usage_of(*pods: dict[str, Any]) -> NodeUsage:
    usage = NodeUsage(lambda: items(kinds.POD, *pods))
    usage.reloaded()
    return usage


def rows(usage: NodeUsage, *nodes: dict[str, Any]) -> list[NodeRow]:
    return [NodeRow(item, usage.of(item.key[1])) for item in items(kinds.NODE, *nodes)]


@pytest.mark.parametrize("odd", ["abc", "1.5", "-3", None, [], {"a": 1}, True])
def test_an_unreadable_amount_is_an_error_of_that_resource_and_hides_no_other(odd: object) -> None:
    found = rows(usage_of(), node("bad", {GPU: odd, EFA: "4"}), node("good"))
    bad, good = found
    assert [(f.name, bool(f.devices.error), f.free) for f in bad.figures] == [
        (GPU, True, 0),
        (EFA, False, 4),
    ]
    assert [p.type for p in bad.problems] == [ProblemType.UNREADABLE]
    assert not bad.blocked
    assert good.figures[0].free == 8
    (gpus, efa), types = totals_of(found, lambda _: True)
    assert (gpus.capacity, gpus.free, gpus.nodes, gpus.unreadable) == (8, 8, 2, 1)
    assert (efa.capacity, efa.unreadable) == (4, 0)
    assert types[0].nodes == 2


@pytest.mark.parametrize(
    "odd", [{"allocatable": []}, {"allocatable": 5, "capacity": "x"}, {"capacity": []}]
)  # fmt: skip
def test_a_node_whose_amounts_have_another_form_is_an_error_not_zero(odd: dict[str, Any]) -> None:
    bad, good = rows(usage_of(), node("bad", **odd), node("good"))
    assert "the node cannot be read" in bad.figures[0].devices.error
    assert bad.relevant
    assert good.figures[0].free == 8


def test_an_odd_field_elsewhere_costs_no_amount() -> None:
    (row,) = rows(usage_of(), node("odd", nodeInfo="what", spec={"taints": "none"}))
    assert row.item.problem
    assert (row.figures[0].free, row.figures[0].devices.error) == (8, "")


def test_a_pod_that_cannot_be_read_is_an_error_of_its_node_or_a_note() -> None:
    bad_request = pod("bad", "two", on="n1")
    bad_form = {**pod("form", "2", on="n2")}
    bad_form["spec"] = {"nodeName": "n2", "containers": "none"}
    nowhere = {**pod("nowhere", "2"), "spec": 7}
    usage = usage_of(bad_request, bad_form, nowhere, pod("fine", "2", on="n3"))
    found = rows(usage, node("n1"), node("n2"), node("n3"))
    errors = [row.figures[0].devices.error for row in found]
    assert "d/bad" in errors[0]
    assert "d/form" in errors[1]
    assert errors[2] == ""
    assert found[2].figures[0].free == 6
    assert list(usage.unplaced()) == [("d", "nowhere")]


def test_holders_go_with_their_pods() -> None:
    usage = usage_of(pod("a", "2", on="n", job="j"), pod("b", "3", on="m", job="j"))
    owner = Owner("sagemaker.amazonaws.com/v1", "HyperPodPyTorchJob", "d", "j")
    assert usage.holders[owner].nodes == {"n": {GPU: 2}, "m": {GPU: 3}}
    revision = usage.revision
    (gone,) = items(kinds.POD, pod("a", "2", on="n", job="j"))
    usage.changed(Change(1, 1, ChangeType.DELETED, gone, gone, 0.0))
    assert usage.holders[owner].nodes == {"m": {GPU: 3}}
    assert usage.revision > revision
    (moved,) = items(kinds.POD, pod("b", "3", on="n", job="k"))
    usage.changed(Change(2, 2, ChangeType.MODIFIED, moved, moved, 0.0))
    assert [(o.name, h.nodes) for o, h in usage.holders.items()] == [("k", {"n": {GPU: 3}})]


def missing(usage: NodeUsage, found: list[NodeRow]) -> dict[str, tuple[int, int]]:
    pending = pending_owners(usage.waiting, found)
    return {p.owner.name: (len(p.pods), p.devices[GPU].missing) for p in pending}


def test_what_is_free_goes_to_who_waits_longest_on_nodes_that_may_be_used() -> None:
    a100, h100 = {"gpu": "a100"}, {"gpu": "h100"}
    usage = usage_of(
        pod("held", "6", on="n1"),
        pod("late-0", "8", job="late", since="2026-01-03T00:00:00Z", nodeSelector=h100),
        pod("early-0", "4", job="early", since="2026-01-02T00:00:00Z", nodeSelector=h100),
        pod("early-1", "4", job="early", since="2026-01-02T00:00:00Z", nodeSelector=h100),
        pod("other", "8", nodeSelector=a100),
        pod("nowhere", "1", nodeSelector={"gpu": "none"}),
    )
    found = rows(
        usage,
        node("n1", labels=h100),
        node("n2", labels=a100, spec={"unschedulable": True}),
        node("n3", labels=a100, spec={"taints": [{"key": "team", "effect": "NoSchedule"}]}),
    )
    assert missing(usage, found) == {
        "other": (1, 8),
        "early": (2, (4 - 2) + 4),
        "late": (1, 8),
        "nowhere": (1, 1),
    }


def test_who_waits_for_something_else_is_not_told() -> None:
    waiting = pod("cpu", "2")
    waiting["status"]["conditions"][0]["message"] = "0/1 nodes are available: 1 Insufficient cpu."
    usage = usage_of(waiting)
    assert missing(usage, rows(usage, node("n"))) == {}
    # Were there CPU enough, a GPU would be missing; on a node that is too small, both.
    usage = usage_of(waiting, pod("held", "7", on="n"))
    assert missing(usage, rows(usage, node("n"))) == {"cpu": (1, 1)}
    assert missing(usage, rows(usage, node("n", {GPU: "1"}))) == {"cpu": (1, 2)}


def test_thousands_that_wait_are_counted_by_what_is_left() -> None:
    usage = usage_of(*(pod(f"p{i:04d}", "8", job="big") for i in range(2000)))
    found = rows(usage, *(node(f"n{i}") for i in range(300)))
    assert missing(usage, found) == {"big": (2000, (2000 - 300) * 8)}


TAINT = Taint("k", "v", "NoSchedule")


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ({}, False),
        ({"tolerations": [{"operator": "Exists"}]}, True),
        ({"tolerations": [{"key": "k", "operator": "Exists"}]}, True),
        ({"tolerations": [{"key": "k", "value": "v"}]}, True),
        ({"tolerations": [{"key": "k", "operator": "Equal", "value": "w"}]}, False),
        ({"tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute"}]}, False),
    ],
)
def test_tolerations(asked: dict[str, Any], allowed: bool) -> None:
    placement = msgspec.convert(asked, Placement)
    assert placement.allows("n", {}, [TAINT, Taint("soft", "", "PreferNoSchedule")]) is allowed


@pytest.mark.parametrize(
    ("terms", "allowed"),
    [
        ([], False),
        ([{}], False),
        ([{"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}], True),
        ([{"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}], False),
        ([{"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}], True),
        ([{"matchExpressions": [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "DoesNotExist"}]}], True),
        ([{"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["0"]}]}], True),
        ([{"matchExpressions": [{"key": "a", "operator": "Lt", "values": ["x"]}]}], False),
        ([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}], True),
        ([{"matchExpressions": [{"key": "b", "operator": "Exists"}]}, {"matchExpressions": [{"key": "a", "operator": "Exists"}]}], True),
    ],
)  # fmt: skip
def test_required_node_affinity(terms: list[Any], allowed: bool) -> None:
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}  # fmt: skip
    placement = msgspec.convert({"affinity": affinity}, Placement)
    assert placement.allows("n", {"a": "1"}, []) is allowed


def controlled(kind: str, name: str, api_version: str, **labels: str) -> ObjectMeta:
    owner = {"apiVersion": api_version, "kind": kind, "name": name, "controller": True}
    return msgspec.convert(
        {"name": "p", "namespace": "d", "labels": labels, "ownerReferences": [owner]}, ObjectMeta
    )


@pytest.mark.parametrize(
    ("metadata", "kind", "name"),
    [
        (ObjectMeta("p", "d"), "Pod", "p"),
        (controlled("Job", "j", "batch/v1", HPJob="other"), "Job", "j"),
        (controlled("ReplicaSet", "web-5f", "apps/v1", **{"pod-template-hash": "5f"}), "Deployment", "web"),
        (controlled("ReplicaSet", "bare", "apps/v1"), "ReplicaSet", "bare"),
        (controlled("StatefulSet", "db", "apps/v1"), "StatefulSet", "db"),
        (controlled("RayCluster", "r-2", "ray.io/v1", **{"ray.io/cluster": "r-2"}), "RayCluster", "r-2"),
        (controlled("MPIJob", "m", "kubeflow.org/v2beta1", **{"training.kubeflow.org/job-name": "m"}), "MPIJob", "m"),
        (ObjectMeta("p", "d", labels={"HPJob": "h"}), "HyperPodPyTorchJob", "h"),
    ],
)  # fmt: skip
def test_the_owner_is_the_job_or_what_controls_the_pod(
    metadata: ObjectMeta, kind: str, name: str
) -> None:
    owner = owner_of(metadata)
    assert (owner.kind, owner.name, owner.namespace) == (kind, name, "d")


def test_an_empty_cluster_has_an_empty_inventory() -> None:
    empty = Inventory(InventoryQuery(), Page([], "", 0), Freshness(0.0, 0))
    assert encoded_inventory(empty) == b"\x22\x00"  # a freshness without a time
    assert NodeRow(items(kinds.NODE, node("n", {}))[0], IDLE).relevant is False
