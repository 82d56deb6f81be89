"""The inventory of devices. Rows of nodes and holders are encoded once while they stay as they are."""

from __future__ import annotations

from collections.abc import Mapping

from podyard.k8s_resource.v1 import inventory_pb2 as pb
from podyard.k8s_resource.v1 import objects_pb2

from services.k8s_resource.convert.lists import freshness_to_pb
from services.k8s_resource.convert.summaries import time_to_pb
from services.k8s_resource.convert.wire import embedded
from services.k8s_resource.domain.inventory.inventory import (
    MOST_OWNERS,
    HolderRow,
    Inventory,
    InventoryQuery,
)
from services.k8s_resource.domain.inventory.pending import PendingOwner
from services.k8s_resource.domain.inventory.rows import NodeRow, Problem, taints_of
from services.k8s_resource.domain.inventory.totals import DeviceTotals, InstanceTypeTotals
from services.k8s_resource.domain.objects.nodes import (
    DEEP_HEALTH_LABEL,
    HEALTH_LABEL,
    ZONE_LABEL,
    Node,
)
from services.k8s_resource.domain.pod_owner import Owner

_ACCELERATOR_LABEL = "nvidia.com/gpu.product"
_FIELDS = pb.GetGpuInventoryResponse.DESCRIPTOR.fields_by_name
_NODES, _HOLDERS = _FIELDS["nodes"].number, _FIELDS["holders"].number


def query_from_pb(request: pb.GetGpuInventoryRequest) -> InventoryQuery:
    """A GetGpuInventory request; no parts named means all."""
    parts = set(request.parts) or {
        pb.INVENTORY_PART_NODES,
        pb.INVENTORY_PART_HOLDERS,
        pb.INVENTORY_PART_PENDING,
    }
    return InventoryQuery(
        cluster=request.cluster,
        instance_types=frozenset(request.instance_types),
        resource_names=tuple(sorted(set(request.resource_names))),
        label_selector=request.label_selector,
        only_problem_nodes=request.only_problem_nodes,
        nodes=pb.INVENTORY_PART_NODES in parts,
        holders=pb.INVENTORY_PART_HOLDERS in parts,
        pending=pb.INVENTORY_PART_PENDING in parts,
        page_size=request.page_size,
        page_token=request.page_token,
        consistent=request.consistent,
    )


def encoded_inventory(inventory: Inventory) -> bytes:
    """A GetGpuInventoryResponse."""
    rest = pb.GetGpuInventoryResponse(
        next_page_token=inventory.page.next_token,
        total_size=inventory.page.total,
        freshness=freshness_to_pb(inventory.freshness),
        notes=inventory.notes,
        totals=map(_totals_to_pb, inventory.totals),
        instance_types=map(_instance_type_to_pb, inventory.instance_types),
        holder_count=len(inventory.holders),
        pending=map(_pending_to_pb, inventory.pending[:MOST_OWNERS]),
        pending_count=len(inventory.pending),
    )
    nodes = (embedded(_NODES, _node(row, inventory.query)) for row in inventory.page.entries)
    holders = (embedded(_HOLDERS, _holder(row)) for row in inventory.holders[:MOST_OWNERS])
    return b"".join([*nodes, *holders, rest.SerializeToString()])


def _node(row: NodeRow, query: InventoryQuery) -> bytes:
    if query.resource_names:
        return _node_to_pb(row, query).SerializeToString()
    if row.encoded is None:
        row.encoded = _node_to_pb(row, query).SerializeToString()
    return row.encoded


def _node_to_pb(row: NodeRow, query: InventoryQuery) -> pb.InventoryNode:
    node: Node = row.item.decoded
    labels = node.metadata.labels or {}
    return pb.InventoryNode(
        name=node.metadata.name,
        instance_type=row.instance_type,
        zone=labels.get(ZONE_LABEL, ""),
        accelerator=labels.get(_ACCELERATOR_LABEL, ""),
        devices=[
            pb.NodeDevices(
                name=figures.name,
                capacity=figures.devices.capacity,
                allocatable=figures.devices.allocatable,
                requested=figures.devices.used,
                free=figures.free,
                unschedulable=figures.unschedulable,
                error=figures.devices.error,
            )
            for figures in row.figures
            if query.wants(figures.name)
        ],
        ready=node.ready,
        schedulable=not node.spec.unschedulable,
        health_status=labels.get(HEALTH_LABEL, ""),
        deep_health_check_status=labels.get(DEEP_HEALTH_LABEL, ""),
        problems=map(problem_to_pb, row.problems),
        taints=map(str, taints_of(node)),
        pod_count=row.pods,
    )


def problem_to_pb(problem: Problem) -> pb.NodeProblem:
    """What is wrong with a node."""
    return pb.NodeProblem(
        type=f"NODE_PROBLEM_TYPE_{problem.type.name}",
        message=problem.message,
        blocking=problem.type.blocking,
    )


def _holder(row: HolderRow) -> bytes:
    holding = row.holding
    if holding.encoded is None:
        devices: dict[str, int] = {}
        for amounts in holding.nodes.values():
            for name, amount in amounts.items():
                devices[name] = devices.get(name, 0) + amount
        holding.encoded = pb.DeviceHolder(
            holder=holder_to_pb(row.owner),
            devices=_amounts_to_pb(devices),
            nodes=[
                pb.HoldingNode(name=node, devices=_amounts_to_pb(amounts))
                for node, amounts in sorted(holding.nodes.items())
            ],
            pod_count=holding.pods,
        ).SerializeToString()
    return holding.encoded


def holder_to_pb(owner: Owner) -> objects_pb2.ObjectRef:
    """The owner of pods, without its uid."""
    return objects_pb2.ObjectRef(
        api_version=owner.api_version,
        kind=owner.kind,
        namespace=owner.namespace,
        name=owner.name,
    )


def _amounts_to_pb(amounts: Mapping[str, int]) -> list[pb.DeviceAmount]:
    return [pb.DeviceAmount(name=name, amount=amount) for name, amount in sorted(amounts.items())]


def _totals_to_pb(totals: DeviceTotals) -> pb.DeviceTotals:
    return pb.DeviceTotals(
        name=totals.name,
        capacity=totals.capacity,
        allocatable=totals.allocatable,
        requested=totals.requested,
        free=totals.free,
        unschedulable=totals.unschedulable,
        largest_free=totals.largest_free,
        node_count=totals.nodes,
        unreadable_node_count=totals.unreadable,
    )


def _instance_type_to_pb(totals: InstanceTypeTotals) -> pb.InstanceTypeInventory:
    return pb.InstanceTypeInventory(
        instance_type=totals.instance_type,
        node_count=totals.nodes,
        blocked_node_count=totals.blocked,
        devices=map(_totals_to_pb, totals.devices.values()),
    )


def _pending_to_pb(pending: PendingOwner) -> pb.PendingHolder:
    return pb.PendingHolder(
        holder=holder_to_pb(pending.owner),
        pods=pending.pods,
        devices=[
            pb.PendingDevices(name=name, requested=wanted.requested, missing=wanted.missing)
            for name, wanted in sorted(pending.devices.items())
        ],
        since=time_to_pb(pending.since),
        message=pending.message,
        eligible_node_count=pending.eligible_nodes,
    )
