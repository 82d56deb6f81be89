"""Cluster connections and their state."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from podyard.k8s_resource.v1 import cluster_info_pb2 as info_pb
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from services.k8s_resource.convert.lists import freshness_to_pb
from services.k8s_resource.domain.ports import Connection
from services.k8s_resource.domain.preflight.model import ClusterInfo


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
        problem=info.problems[0].message if info.problems and not info.reachable else "",
        cached_kinds=[
            pb.CachedKind(
                resource=kind.resource,
                objects=kind.objects,
                namespace=kind.namespace,
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
            for rule in info.rules
        ],
        access_rules_incomplete=info.rules_incomplete,
        platform=info.platform,
        user=info.user,
        groups=info.groups,
        permissions=[
            info_pb.Permission(
                feature=each.feature,
                verb=each.verb,
                api_group=each.api_group,
                resource=each.resource,
                state=f"PERMISSION_STATE_{each.state.name}",
                namespaces=each.namespaces,
                rule=each.rule,
                message=each.message,
            )
            for each in info.permissions
        ],
        api_groups=[
            info_pb.ApiGroup(name=each.name, versions=each.versions, product=each.product)
            for each in info.api_groups
        ],
        components=[
            info_pb.Component(
                name=each.name,
                state=f"COMPONENT_STATE_{each.state.name}",
                needed=each.needed,
                ready=each.ready,
                desired=each.desired,
                objects=each.objects,
                message=each.message,
            )
            for each in info.components
        ],
        health_checks=[
            info_pb.HealthCheck(
                endpoint=each.endpoint, name=each.name, passed=each.passed, message=each.message
            )
            for each in info.health_checks
        ],
        problems=[
            info_pb.Problem(
                severity=f"PROBLEM_SEVERITY_{each.severity.name}",
                subject=each.subject,
                message=each.message,
                remedy=each.remedy,
            )
            for each in info.problems
        ],
    )


def _duration(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
