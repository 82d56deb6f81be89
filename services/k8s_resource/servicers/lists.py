"""RPCs that list typed summaries from the caches."""

from __future__ import annotations

from typing import Any

from podyard.k8s_resource.v1 import events_pb2, namespaces_pb2, objects_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from services.k8s_resource.convert.lists import (
    encoded_list,
    event_query_from_pb,
    freshness_to_pb,
    query_from_pb,
)
from services.k8s_resource.convert.read_mask import parse_read_mask
from services.k8s_resource.convert.summaries import encoded_node, encoded_summary
from services.k8s_resource.convert.wire import embedded
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.event_lists import EventLists
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.lists import Lists
from services.k8s_resource.domain.loaded_nodes import LoadedNode


class ListsServicer:
    """Answers are encoded messages, see `convert.wire`."""

    def __init__(self, lists: Lists, events: EventLists) -> None:
        self._lists = lists
        self._events = events

    async def ListNodes(self, request: pb.ListNodesRequest, _context: Any) -> bytes:
        paths = parse_read_mask(request.read_mask, objects_pb2.Node)
        listed = await self._lists.nodes(query_from_pb(request, kinds.NODE))
        return encoded_list(listed, map(_node, listed.page.entries), paths, objects_pb2.Node)

    async def GetNode(self, request: pb.GetNodeRequest, _context: Any) -> bytes:
        node, freshness = await self._lists.node(request.cluster, request.name)
        rest = pb.GetNodeResponse(freshness=freshness_to_pb(freshness))
        return embedded(1, _node(node)) + rest.SerializeToString()

    async def ListPods(self, request: pb.ListPodsRequest, _context: Any) -> bytes:
        return await self._list(kinds.POD, request, objects_pb2.Pod)

    async def ListServices(self, request: pb.ListServicesRequest, _context: Any) -> bytes:
        return await self._list(kinds.SERVICE, request, objects_pb2.Service)

    async def ListDeployments(self, request: pb.ListDeploymentsRequest, _context: Any) -> bytes:
        return await self._list(kinds.DEPLOYMENT, request, objects_pb2.Deployment)

    async def ListPersistentVolumes(
        self, request: pb.ListPersistentVolumesRequest, _context: Any
    ) -> bytes:
        return await self._list(kinds.PERSISTENT_VOLUME, request, objects_pb2.PersistentVolume)

    async def ListNamespaces(
        self, request: namespaces_pb2.ListNamespacesRequest, _context: Any
    ) -> bytes:
        return await self._list(kinds.NAMESPACE, request, namespaces_pb2.Namespace)

    async def ListEvents(self, request: events_pb2.ListEventsRequest, _context: Any) -> bytes:
        paths = parse_read_mask(request.read_mask, events_pb2.Event)
        listed = await self._events.events(event_query_from_pb(request))
        summaries = (encoded_summary(kinds.EVENT, item) for item in listed.page.entries)
        return encoded_list(listed, summaries, paths, events_pb2.Event)

    async def _list(self, kind: Kind, request: Any, item: Any) -> bytes:
        paths = parse_read_mask(request.read_mask, item)
        listed = await self._lists.objects(kind, query_from_pb(request, kind))
        summaries = (encoded_summary(kind, found) for found in listed.page.entries)
        return encoded_list(listed, summaries, paths, item)


def _node(node: LoadedNode) -> bytes:
    return encoded_node(kinds.NODE, node.item, node.load)
