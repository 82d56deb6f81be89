"""Columns of Kubernetes objects, as kubectl's users know them."""

from __future__ import annotations

import datetime
from typing import Any

from podyard.cli.colors import state_color
from podyard.cli.tables import Column
from podyard.cli.times import MISSING, age

# Messages are typed Any here: this module must not load the generated code.


def node_columns(now: datetime.datetime) -> list[Column[Any]]:
    """Nodes with total, used and available GPUs."""
    return [
        Column("NAME", lambda n: n.name),
        Column("STATUS", _node_status, color=state_color),
        Column("INSTANCE", lambda n: n.instance_type or MISSING, 2),
        Column("ZONE", lambda n: n.zone or MISSING, 5),
        Column("GPUS", lambda n: _gpu(n, "capacity"), right=True, color=_gpu_color),
        Column("USED", lambda n: _gpu(n, "used"), right=True, color=_gpu_color),
        Column("AVAILABLE", lambda n: _gpu(n, "available"), right=True, color=_gpu_color),
        Column("HEALTH", lambda n: n.health_status or MISSING, 3, color=state_color),
        Column("PODS", lambda n: str(n.pod_count), 4, right=True),
        Column("VERSION", lambda n: n.kubelet_version or MISSING, 6),
        Column("AGE", lambda n: age(n, "create_time", now), 1),
    ]


def gpu_summary(nodes: list[Any]) -> str:
    """The GPUs of all nodes together; says how many nodes could not be read."""
    readable = [n.gpu for n in nodes if n.HasField("gpu") and not n.gpu.error]
    unreadable = sum(1 for n in nodes if n.HasField("gpu") and n.gpu.error)
    text = (
        f"{sum(g.capacity for g in readable)} GPUs on {len(nodes)} nodes: "
        f"{sum(g.used for g in readable)} used, {sum(g.available for g in readable)} available"
    )
    return f"{text}; {unreadable} nodes could not be read" if unreadable else text


def pod_columns(now: datetime.datetime) -> list[Column[Any]]:
    """Pods."""
    return [
        Column("NAME", lambda p: p.name),
        Column("READY", _ready_containers),
        Column("STATUS", lambda p: p.display_status or p.phase or MISSING, color=state_color),
        Column("RESTARTS", lambda p: str(p.restart_count), 2, right=True),
        Column("GPUS", lambda p: str(p.gpu_request or MISSING), 3, right=True),
        Column("AGE", lambda p: age(p, "create_time", now), 1),
        Column("IP", lambda p: p.pod_ip or MISSING, 5),
        Column("NODE", lambda p: p.node_name or MISSING, 4),
    ]


def service_columns(now: datetime.datetime) -> list[Column[Any]]:
    """Services."""
    return [
        Column("NAME", lambda s: s.name),
        Column("TYPE", lambda s: s.type or MISSING),
        Column("CLUSTER-IP", lambda s: s.cluster_ip or MISSING, 3),
        Column("EXTERNAL", lambda s: ",".join(s.external_addresses) or MISSING, 2),
        Column("PORTS", lambda s: ",".join(map(_port, s.ports)) or MISSING),
        Column("AGE", lambda s: age(s, "create_time", now), 1),
        Column("SELECTOR", lambda s: _labels(s.selector), 4),
    ]


def deployment_columns(now: datetime.datetime) -> list[Column[Any]]:
    """Deployments."""
    return [
        Column("NAME", lambda d: d.name),
        Column(
            "READY", lambda d: f"{d.ready_replicas}/{d.replicas}", color=lambda _, d: _replicas(d)
        ),
        Column("UP-TO-DATE", lambda d: str(d.updated_replicas), 3, right=True),
        Column("AVAILABLE", lambda d: str(d.available_replicas), 2, right=True),
        Column("AGE", lambda d: age(d, "create_time", now), 1),
        Column("IMAGES", lambda d: ",".join(d.images) or MISSING, 4),
    ]


def persistent_volume_columns(now: datetime.datetime) -> list[Column[Any]]:
    """Persistent volumes."""
    return [
        Column("NAME", lambda v: v.name),
        Column("CAPACITY", lambda v: v.capacity or MISSING),
        Column("ACCESS", lambda v: ",".join(v.access_modes) or MISSING, 4),
        Column("RECLAIM", lambda v: v.reclaim_policy or MISSING, 5),
        Column("STATUS", lambda v: v.phase or MISSING, color=state_color),
        Column("CLAIM", _claim, 2),
        Column("CLASS", lambda v: v.storage_class or MISSING, 6),
        Column("DRIVER", lambda v: v.csi_driver or MISSING, 3),
        Column("BUCKET", lambda v: v.bucket or MISSING, 2),
        Column("AGE", lambda v: age(v, "create_time", now), 1),
    ]


def namespace_columns(now: datetime.datetime) -> list[Column[Any]]:
    """Namespaces."""
    return [
        Column("NAME", lambda n: n.name),
        Column("STATUS", lambda n: n.phase or MISSING, color=state_color),
        Column("AGE", lambda n: age(n, "create_time", now), 1),
        Column("LABELS", lambda n: _labels(n.labels), 4),
    ]


def event_columns(now: datetime.datetime) -> list[Column[Any]]:
    """Events. The message takes the room that the others leave."""
    return [
        Column("SEEN", lambda e: age(e, "last_seen_time", now)),
        Column("TYPE", lambda e: e.type or MISSING, 2, color=_event_color),
        Column("REASON", lambda e: e.reason or MISSING, color=lambda _, e: _event_color(e.type, e)),
        Column("OBJECT", _involved),
        Column("COUNT", lambda e: str(e.count), 3, right=True),
        Column("FIRST", lambda e: age(e, "first_seen_time", now), 6),
        Column("SOURCE", lambda e: e.source or MISSING, 5),
        Column("MESSAGE", lambda e: e.message),
    ]


def object_columns(now: datetime.datetime) -> list[Column[Any]]:
    """Objects of any kind."""
    return [
        Column("NAME", lambda o: o.ref.name),
        Column("KIND", lambda o: o.ref.kind, 3),
        Column("AGE", lambda o: age(o, "create_time", now), 1),
        Column("LABELS", lambda o: _labels(o.labels), 4),
    ]


def namespace_column(of_ref: bool = False) -> Column[Any]:
    """The namespace, shown in front when all are listed."""
    if of_ref:
        return Column("NAMESPACE", lambda o: o.ref.namespace or MISSING)
    return Column("NAMESPACE", lambda o: o.namespace)


def _node_status(node: Any) -> str:
    status = "Ready" if node.ready else "NotReady"
    return status if node.schedulable else f"{status},SchedulingDisabled"


def _gpu(node: Any, field: str) -> str:
    if not node.HasField("gpu"):
        return MISSING
    if node.gpu.error:
        return "error"
    return str(getattr(node.gpu, field))


def _gpu_color(text: str, _: Any) -> str:
    return "red" if text == "error" else "dim" if text in (MISSING, "0") else ""


def _ready_containers(pod: Any) -> str:
    containers = [c for c in pod.containers if not c.init]
    return f"{sum(1 for c in containers if c.ready)}/{len(containers)}"


def _replicas(deployment: Any) -> str:
    return "green" if deployment.ready_replicas >= deployment.replicas else "yellow"


def _port(port: Any) -> str:
    node_port = f":{port.node_port}" if port.node_port else ""
    return f"{port.port}{node_port}/{port.protocol or 'TCP'}"


def _claim(volume: Any) -> str:
    if not volume.HasField("claim"):
        return MISSING
    return f"{volume.claim.namespace}/{volume.claim.name}"


def _involved(event: Any) -> str:
    return f"{event.involved_object.kind.lower()}/{event.involved_object.name}"


def _event_color(text: str, _: Any) -> str:
    return "yellow" if text == "Warning" else ""


def _labels(labels: Any) -> str:
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) or MISSING
