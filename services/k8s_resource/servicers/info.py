"""RPCs about the clusters' connections."""

from __future__ import annotations

from typing import Any

from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from services.k8s_resource.convert.info import cluster_info_to_pb, connection_to_pb
from services.k8s_resource.domain.preflight.clusters import Clusters


class InfoServicer:
    """Which clusters there are and how they are."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    async def ListClusterConnections(
        self, _request: pb.ListClusterConnectionsRequest, _context: Any
    ) -> pb.ListClusterConnectionsResponse:
        found = self._clusters.connections()
        return pb.ListClusterConnectionsResponse(connections=map(connection_to_pb, found))

    async def GetClusterInfo(
        self, request: pb.GetClusterInfoRequest, _context: Any
    ) -> pb.GetClusterInfoResponse:
        return cluster_info_to_pb(await self._clusters.info(request.cluster, request.namespaces))
