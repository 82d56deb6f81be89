"""Nodes."""

from __future__ import annotations

import msgspec

from services.k8s_resource.domain.objects.metadata import Condition, ObjectMeta
from services.k8s_resource.domain.objects.placement import Taint
from services.k8s_resource.domain.objects.pods import Quantities

INSTANCE_TYPE_LABEL = "node.kubernetes.io/instance-type"
ZONE_LABEL = "topology.kubernetes.io/zone"
HEALTH_LABEL = "sagemaker.amazonaws.com/node-health-status"
"""HyperPod's verdict: "Schedulable", or why not: "UnschedulablePendingReplacement"."""
DEEP_HEALTH_LABEL = "sagemaker.amazonaws.com/deep-health-check-status"


class NodeSpec(msgspec.Struct, gc=False):
    """spec."""

    unschedulable: bool = False
    taints: list[Taint] | None = None


class NodeInfo(msgspec.Struct, gc=False):
    """status.nodeInfo."""

    kubelet_version: str = msgspec.field(default="", name="kubeletVersion")


class NodeStatus(msgspec.Struct, gc=False):
    """status."""

    capacity: Quantities | None = None
    allocatable: Quantities | None = None
    conditions: list[Condition] | None = None
    node_info: NodeInfo | None = msgspec.field(default=None, name="nodeInfo")


class Node(msgspec.Struct, gc=False):
    """A node."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: NodeSpec = msgspec.field(default_factory=NodeSpec)
    status: NodeStatus = msgspec.field(default_factory=NodeStatus)

    @property
    def ready(self) -> bool:
        """Whether its Ready condition is True."""
        return any(c.type == "Ready" and c.status == "True" for c in self.status.conditions or ())
