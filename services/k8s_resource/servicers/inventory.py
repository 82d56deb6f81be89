"""RPCs about devices and who uses them."""

from __future__ import annotations

from typing import Any

from podyard.k8s_resource.v1 import inventory_pb2 as pb

from services.k8s_resource.convert.inventory import encoded_inventory, query_from_pb
from services.k8s_resource.domain.inventory.inventory import GpuInventory


class InventoryServicer:
    """Answers are encoded messages, see `convert.wire`."""

    def __init__(self, inventory: GpuInventory) -> None:
        self._inventory = inventory

    async def GetGpuInventory(self, request: pb.GetGpuInventoryRequest, _context: Any) -> bytes:
        return encoded_inventory(await self._inventory.get(query_from_pb(request)))
