"""Columns of the inventory of GPUs and other devices."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from podyard.cli.colors import state_color
from podyard.cli.tables import Column
from podyard.cli.times import MISSING, age

# Messages are typed Any here: this module must not load the generated code.

_ALL = "all"


class TotalsRow(NamedTuple):
    """Totals of one resource, of an instance type or of the cluster."""

    scope: str
    totals: Any


class NodeRow(NamedTuple):
    """One resource of a node; None for a node that offers none."""

    node: Any
    devices: Any


def totals_rows(answer: Any) -> list[TotalsRow]:
    """By instance type, then the cluster."""
    rows = [
        TotalsRow(each.instance_type or MISSING, totals)
        for each in answer.instance_types
        for totals in each.devices
    ]
    return rows + [TotalsRow(_ALL, totals) for totals in answer.totals]


def totals_columns() -> list[Column[TotalsRow]]:
    """Sums."""
    return [
        Column("INSTANCE", lambda r: r.scope, color=lambda t, _: "bold" if t == _ALL else ""),
        Column("RESOURCE", lambda r: r.totals.name),
        Column("NODES", lambda r: _nodes(r.totals), 2, right=True),
        Column("CAPACITY", lambda r: str(r.totals.capacity), 3, right=True),
        Column("ALLOCATABLE", lambda r: str(r.totals.allocatable), 5, right=True),
        Column("REQUESTED", lambda r: str(r.totals.requested), right=True),
        Column("FREE", lambda r: str(r.totals.free), right=True, color=_free),
        Column("UNSCHEDULABLE", lambda r: str(r.totals.unschedulable), 1, right=True, color=_bad),
        Column("LARGEST", lambda r: str(r.totals.largest_free), 4, right=True),
    ]


def node_rows(answer: Any) -> list[NodeRow]:
    """A row for each resource of each node."""
    return [NodeRow(node, devices) for node in answer.nodes for devices in node.devices or (None,)]


def node_columns() -> list[Column[NodeRow]]:
    """Nodes with their devices."""
    return [
        Column("NODE", lambda r: r.node.name),
        Column("STATUS", lambda r: _status(r.node), color=state_color),
        Column("INSTANCE", lambda r: r.node.instance_type or MISSING, 3),
        Column("RESOURCE", lambda r: r.devices.name if r.devices else MISSING),
        Column("CAPACITY", lambda r: _amount(r, "capacity"), 4, right=True, color=_bad_amount),
        Column("REQUESTED", lambda r: _amount(r, "requested"), right=True, color=_bad_amount),
        Column("FREE", lambda r: _amount(r, "free"), right=True, color=_free),
        Column("UNSCHEDULABLE", lambda r: _amount(r, "unschedulable"), 1, right=True, color=_bad),
        Column("HEALTH", lambda r: r.node.health_status or MISSING, 5, color=state_color),
        Column(
            "DEEP CHECK", lambda r: r.node.deep_health_check_status or MISSING, 7, color=state_color
        ),
        Column("ACCELERATOR", lambda r: r.node.accelerator or MISSING, 8),
        Column("PROBLEMS", lambda r: "; ".join(p.message for p in r.node.problems) or MISSING, 2),
    ]


def holder_columns() -> list[Column[Any]]:
    """Who holds devices."""
    return [
        Column("NAMESPACE", lambda h: h.holder.namespace, 2),
        Column("HOLDER", lambda h: _holder(h.holder)),
        Column("HOLDS", lambda h: _amounts((d.name, d.amount) for d in h.devices)),
        Column("PODS", lambda h: str(h.pod_count), right=True),
        Column("NODES", lambda h: ",".join(n.name for n in h.nodes), 1),
    ]


def pending_columns(now: datetime.datetime) -> list[Column[Any]]:
    """Who waits for devices."""
    return [
        Column("NAMESPACE", lambda p: p.holder.namespace, 2),
        Column("WAITING", lambda p: _holder(p.holder)),
        Column("PODS", lambda p: str(len(p.pods)), right=True),
        Column("WANTS", lambda p: _amounts((d.name, d.requested) for d in p.devices)),
        Column("MISSING", lambda p: _amounts((d.name, d.missing) for d in p.devices)),
        Column("NODES", lambda p: str(p.eligible_node_count), 3, right=True),
        Column("SINCE", lambda p: age(p, "since", now)),
        Column("SCHEDULER SAYS", lambda p: p.message or MISSING, 1),
    ]


def _holder(ref: Any) -> str:
    return f"{ref.kind}/{ref.name}"


def _amounts(amounts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{amount} {name}" for name, amount in amounts) or MISSING


def _nodes(totals: Any) -> str:
    if totals.unreadable_node_count:
        return f"{totals.node_count} ({totals.unreadable_node_count} unreadable)"
    return str(totals.node_count)


def _status(node: Any) -> str:
    return ",".join(_status_words(node))


def _status_words(node: Any) -> Iterator[str]:
    yield "Ready" if node.ready else "NotReady"
    if not node.schedulable:
        yield "SchedulingDisabled"


def _amount(row: NodeRow, field: str) -> str:
    if row.devices is None:
        return MISSING
    return "error" if row.devices.error else str(getattr(row.devices, field))


def _free(text: str, _: Any) -> str:
    return "dim" if text in ("0", MISSING) else "red" if text == "error" else "green"


def _bad(text: str, _: Any) -> str:
    return "dim" if text in ("0", MISSING) else "red"


def _bad_amount(text: str, _: Any) -> str:
    return "red" if text == "error" else "dim" if text in ("0", MISSING) else ""
