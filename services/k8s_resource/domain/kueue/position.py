"""The place of a waiting job in its queue, where Kueue's visibility API is served."""

from __future__ import annotations

import msgspec

from services.common.errors import PodyardError
from services.k8s_resource.domain.objects.metadata import ObjectMeta
from services.k8s_resource.domain.ports import KubeApi
from services.k8s_resource.domain.resources import Resource

_VERSIONS = ("v1beta2", "v1beta1")
_SECONDS = 2.0
_MOST = 4000
"""Waiting workloads that are asked for, the first ones."""


class _Pending(msgspec.Struct):
    metadata: ObjectMeta
    position: int | None = msgspec.field(default=None, name="positionInClusterQueue")


class _Summary(msgspec.Struct):
    items: list[_Pending] | None = None


async def position_of(api: KubeApi, namespace: str, queue: str, workload: str) -> int | None:
    """How many workloads are before this one in the ClusterQueue; None where that is not told."""
    for version in _VERSIONS:
        local = Resource("visibility.kueue.x-k8s.io", version, "localqueues", "LocalQueue")
        try:
            response = await api.request(
                "GET",
                local.path(namespace, queue, "pendingworkloads"),
                params={"limit": _MOST},
                timeout=_SECONDS,
                retry=False,
            )
            summary = msgspec.json.decode(response.body, type=_Summary)
        except (PodyardError, msgspec.DecodeError, ValueError):
            continue
        for pending in summary.items or ():
            if pending.metadata.name == workload:
                return pending.position
        return None
    return None
