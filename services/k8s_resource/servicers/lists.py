"""RPCs that list typed summaries from the caches."""

from __future__ import annotations

from typing import Any

from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from services.k8s_resource.convert.lists import encoded_list, freshness_to_pb, query_from_pb
from services.k8s_resource.convert.summaries import encoded_job, encoded_node, encoded_summary
from services.k8s_resource.convert.wire import embedded
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.lists import Lists


class ListsServicer:
    """Answers are encoded messages, see `convert.wire`."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists

    async def ListNodes(self, request: pb.ListNodesRequest, _context: Any) -> bytes:
        listed = await self._lists.nodes(query_from_pb(request))
        return encoded_list(
            listed, (encoded_node(kinds.NODE, e.item, e.load) for e in listed.page.entries)
        )

    async def GetNode(self, request: pb.GetNodeRequest, _context: Any) -> bytes:
        node, freshness = await self._lists.node(request.cluster, request.name)
        rest = pb.GetNodeResponse(freshness=freshness_to_pb(freshness))
        return (
            embedded(1, encoded_node(kinds.NODE, node.item, node.load)) + rest.SerializeToString()
        )

    async def ListPods(self, request: pb.ListPodsRequest, _context: Any) -> bytes:
        return await self._list(kinds.POD, request)

    async def ListServices(self, request: pb.ListServicesRequest, _context: Any) -> bytes:
        return await self._list(kinds.SERVICE, request)

    async def ListDeployments(self, request: pb.ListDeploymentsRequest, _context: Any) -> bytes:
        return await self._list(kinds.DEPLOYMENT, request)

    async def ListPersistentVolumes(
        self, request: pb.ListPersistentVolumesRequest, _context: Any
    ) -> bytes:
        return await self._list(kinds.PERSISTENT_VOLUME, request)

    async def ListTrainingJobs(self, request: pb.ListTrainingJobsRequest, _context: Any) -> bytes:
        listed = await self._lists.training_jobs(query_from_pb(request))
        return encoded_list(
            listed, (encoded_job(e.kind, e.item, e.figures) for e in listed.page.entries)
        )

    async def _list(self, kind: Kind, request: Any) -> bytes:
        listed = await self._lists.objects(kind, query_from_pb(request))
        return encoded_list(listed, (encoded_summary(kind, item) for item in listed.page.entries))
