"""Sums over nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from services.k8s_resource.domain.inventory.rows import NodeRow


@dataclass(slots=True)
class DeviceTotals:
    """Amounts of one resource; nodes whose amounts cannot be read are only counted."""

    name: str
    capacity: int = 0
    allocatable: int = 0
    requested: int = 0
    free: int = 0
    unschedulable: int = 0
    largest_free: int = 0
    nodes: int = 0
    unreadable: int = 0


@dataclass(slots=True)
class InstanceTypeTotals:
    """The nodes of one instance type."""

    instance_type: str
    nodes: int = 0
    blocked: int = 0
    devices: dict[str, DeviceTotals] = field(default_factory=dict)


def totals_of(
    rows: Iterable[NodeRow], wanted: Callable[[str], bool]
) -> tuple[list[DeviceTotals], list[InstanceTypeTotals]]:
    """Sums of all rows, and by instance type, of the resources that are wanted; by name."""
    cluster: dict[str, DeviceTotals] = {}
    types: dict[str, InstanceTypeTotals] = {}
    for row in rows:
        of_type = types.get(row.instance_type)
        if of_type is None:
            of_type = types[row.instance_type] = InstanceTypeTotals(row.instance_type)
        of_type.nodes += 1
        of_type.blocked += row.blocked
        for sums in (cluster, of_type.devices):
            _add(sums, row, wanted)
    ordered = [types[name] for name in sorted(types)]
    for each in ordered:
        each.devices = dict(sorted(each.devices.items()))
    return [cluster[name] for name in sorted(cluster)], ordered


def _add(sums: dict[str, DeviceTotals], row: NodeRow, wanted: Callable[[str], bool]) -> None:
    for figures in row.figures:
        devices = figures.devices
        name = devices.name
        if not wanted(name):
            continue
        total = sums.get(name)
        if total is None:
            total = sums[name] = DeviceTotals(name)
        total.nodes += 1
        if devices.error:
            total.unreadable += 1
            continue
        total.capacity += devices.capacity
        total.allocatable += devices.allocatable
        total.requested += devices.used
        total.free += figures.free
        total.unschedulable += figures.unschedulable
        if figures.free > total.largest_free:
            total.largest_free = figures.free
