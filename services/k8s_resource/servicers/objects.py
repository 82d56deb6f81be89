"""RPCs on objects of any kind: ListObjects, GetObject, Apply, Delete."""

from __future__ import annotations

from typing import Any

from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from services.k8s_resource.convert.objects import (
    apply_order_from_pb,
    apply_outcome_to_pb,
    delete_order_from_pb,
    delete_outcome_to_pb,
    get_response_to_pb,
    list_query_from_pb,
    page_to_pb,
)
from services.k8s_resource.domain.apply import Applier
from services.k8s_resource.domain.delete import Deleter
from services.k8s_resource.domain.live_objects import LiveObjects


class ObjectsServicer:
    """Reads live and changes objects."""

    def __init__(self, objects: LiveObjects, applier: Applier, deleter: Deleter) -> None:
        self._objects = objects
        self._applier = applier
        self._deleter = deleter

    async def ListObjects(
        self, request: pb.ListObjectsRequest, _context: Any
    ) -> pb.ListObjectsResponse:
        return page_to_pb(await self._objects.list(list_query_from_pb(request)))

    async def GetObject(self, request: pb.GetObjectRequest, _context: Any) -> pb.GetObjectResponse:
        found = await self._objects.get(
            request.cluster,
            request.kind,
            request.namespace,
            request.name,
            managed_fields=request.include_managed_fields,
        )
        return get_response_to_pb(found, request.format)

    async def Apply(self, request: pb.ApplyRequest, _context: Any) -> pb.ApplyResponse:
        outcomes = await self._applier.apply(apply_order_from_pb(request))
        return pb.ApplyResponse(results=[apply_outcome_to_pb(outcome) for outcome in outcomes])

    async def Delete(self, request: pb.DeleteRequest, _context: Any) -> pb.DeleteResponse:
        outcomes = await self._deleter.delete(delete_order_from_pb(request))
        return pb.DeleteResponse(results=[delete_outcome_to_pb(outcome) for outcome in outcomes])
