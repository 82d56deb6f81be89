"""Nodes with what their pods hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.list_fields import SortReader, allocatable_gpus
from services.k8s_resource.domain.node_usage import NodeLoad
from services.k8s_resource.domain.objects.pods import GPU


@dataclass(frozen=True, slots=True)
class LoadedNode:
    """A node and what its pods hold."""

    item: Item
    load: NodeLoad

    @property
    def gpus_used(self) -> int:
        """GPUs that its pods hold."""
        return self.load.used.get(GPU, 0)

    @property
    def gpus_available(self) -> int:
        """GPUs that are left."""
        return max(0, allocatable_gpus(self.item.decoded) - self.gpus_used)


LOAD_ORDERS: Mapping[str, SortReader] = {
    "gpu_used": lambda entry: int(entry.gpus_used),
    "gpu_available": lambda entry: int(entry.gpus_available),
    "pod_count": lambda entry: int(entry.load.pods),
}
