"""Pods with devices for which the scheduler has found no node."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from sys import intern

import msgspec

from services.k8s_resource.domain.objects.placement import Placement
from services.k8s_resource.domain.objects.pods import Pod, device_requests
from services.k8s_resource.domain.pod_owner import Owner, owner_of


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pod that waits. `since` is RFC 3339; equal `placement`s are the same object."""

    owner: Owner
    requested: dict[str, int]
    placement: Placement
    since: str
    message: str


def waiting_of(pod: Pod) -> Waiting | None:
    """None for a pod that has a node, is not wanted any more, or requests no devices.

    The scheduler sets PodScheduled to False with reason Unschedulable; pods held back by
    scheduling gates have another reason: nobody has looked for a node for them.
    """
    if pod.spec.node_name or pod.finished or pod.metadata.deletion_timestamp:
        return None
    condition = pod.condition("PodScheduled")
    if condition is None or condition.status != "False" or condition.reason != "Unschedulable":
        return None
    try:
        requested = device_requests(pod)
    except ValueError:
        return None
    if not requested:
        return None
    return Waiting(
        owner_of(pod.metadata),
        requested,
        _placement(pod),
        condition.last_transition_time or pod.metadata.creation_timestamp or "",
        intern(condition.message or ""),
    )


def _placement(pod: Pod) -> Placement:
    """Pods of one job ask the same of their nodes; they share what was made of it."""
    spec = pod.spec
    asked = Placement(spec.node_selector, spec.tolerations, spec.affinity)
    return _shared(msgspec.json.encode(asked, order="sorted"))


@lru_cache(maxsize=4096)
def _shared(asked: bytes) -> Placement:
    return msgspec.json.decode(asked, type=Placement)
