"""Cluster connections and their state."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from services.k8s_resource.convert.lists import freshness_to_pb
from services.k8s_resource.domain.cluster_info import ClusterInfo
from services.k8s_resource.domain.ports import Connection


def connection_to_pb(connection: Connection) -> pb.ClusterConnection:
    """A cluster that can be named."""
    return pb.ClusterConnection(
        name=connection.name,
        default=connection.default,
        server=connection.server,
        namespace=connection.namespace,
    )


def cluster_info_to_pb(info: ClusterInfo) -> pb.GetClusterInfoResponse:
    """The state of a connection."""
    return pb.GetClusterInfoResponse(
        cluster=info.connection.name,
        server=info.connection.server,
        reachable=info.reachable,
        version=info.version,
        latency=_duration(info.latency),
        clock_skew=_duration(info.clock_skew),
        problem=info.problem,
        cached_kinds=[
            pb.CachedKind(
                resource=kind.resource,
                objects=kind.objects,
                freshness=freshness_to_pb(kind.freshness),
            )
            for kind in info.cached_kinds
        ],
        access_rules=[
            pb.AccessRule(
                verbs=rule.verbs,
                api_groups=rule.api_groups,
                resources=rule.resources,
                resource_names=rule.resource_names,
            )
            for rule in info.access_rules
        ],
    )


def _duration(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
