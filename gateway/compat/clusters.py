"""Saving the configuration and starting the two steps, as the panel does it.

The panel names no cluster when it starts a step or asks for status: it means
the one whose configuration was saved last, by the same caller where that is
known, else the one that changed last.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as rpc
from podyard.cluster_lifecycle.v1 import cluster_pb2 as pb
from podyard.common.v1 import operation_pb2

from gateway.compat.calls import CallsOfRequest
from gateway.compat.config_form import derived_tag, given_tag, read_config
from services.common.errors import FailedPreconditionError, InvalidArgumentError

SERVICE = "ClusterLifecycleService"
_PAGE = 1000
_REMEMBERED_CALLERS = 1000


class Clusters:
    """Which cluster is meant, and what is asked of it."""

    def __init__(self) -> None:
        self._saved_last: OrderedDict[bytes, str] = OrderedDict()

    async def save(self, calls: CallsOfRequest, form: dict[str, Any]) -> dict[str, Any]:
        """Create the form's cluster, or change its configuration with a backup before."""
        clusters = {cluster.tag: cluster for cluster in await list_clusters(calls)}
        tag = given_tag(form) or derived_tag(form, clusters.values())
        present = clusters.get(tag)
        config = read_config(form, present.config if present is not None else None)
        backup = ""
        if present is None:
            cluster = pb.Cluster(tag=tag, config=config)
            await calls(
                f"{SERVICE}/CreateCluster",
                rpc.CreateClusterRequest(cluster=cluster),
                rpc.CreateClusterResponse,
            )
        else:
            cluster = pb.Cluster(tag=tag, config=config, etag=present.etag)
            updated = await calls(
                f"{SERVICE}/UpdateCluster",
                rpc.UpdateClusterRequest(cluster=cluster),
                rpc.UpdateClusterResponse,
            )
            backup = updated.backup
        self._remember(calls.caller, tag)
        return {
            "message": f'the configuration of cluster "{tag}" is saved',
            "clusterTag": tag,
            "backupCreated": bool(backup),
        }

    async def launch(self, calls: CallsOfRequest, form: dict[str, Any]) -> dict[str, Any]:
        """Start step 1; it goes on by itself."""
        tag = await self._required(calls, form)
        answer = await calls(f"{SERVICE}/Launch", rpc.LaunchRequest(tag=tag), rpc.LaunchResponse)
        return _started("launch", tag, answer.operation)

    async def configure(self, calls: CallsOfRequest, form: dict[str, Any]) -> dict[str, Any]:
        """Start step 2; FAILED_PRECONDITION until step 1 is completed."""
        tag = await self._required(calls, form)
        answer = await calls(
            f"{SERVICE}/Configure", rpc.ConfigureRequest(tag=tag), rpc.ConfigureResponse
        )
        return _started("configure", tag, answer.operation)

    async def current(self, calls: CallsOfRequest, given: str = "") -> str:
        """The tag that is meant; `given` wins. Empty if there is no cluster yet."""
        if given:
            return given
        clusters = await list_clusters(calls)
        saved = self._saved_last.get(calls.caller)
        if saved is not None and any(cluster.tag == saved for cluster in clusters):
            return saved
        newest = max(clusters, key=_changed, default=None)
        return newest.tag if newest is not None else ""

    async def _required(self, calls: CallsOfRequest, form: dict[str, Any]) -> str:
        given = form.get("clusterTag") or ""
        if not isinstance(given, str):
            raise InvalidArgumentError.field("clusterTag", "must be a string")
        tag = await self.current(calls, given)
        if not tag:
            raise FailedPreconditionError("there is no cluster yet; save a configuration first")
        return tag

    def _remember(self, caller: bytes, tag: str) -> None:
        self._saved_last[caller] = tag
        self._saved_last.move_to_end(caller)
        if len(self._saved_last) > _REMEMBERED_CALLERS:
            self._saved_last.popitem(last=False)


async def list_clusters(calls: CallsOfRequest) -> list[pb.Cluster]:
    """All clusters of the registry."""
    clusters: list[pb.Cluster] = []
    token = ""
    while True:
        page = await calls(
            f"{SERVICE}/ListClusters",
            rpc.ListClustersRequest(page_size=_PAGE, page_token=token),
            rpc.ListClustersResponse,
        )
        clusters += page.clusters
        token = page.next_page_token
        if not token:
            return clusters


def _changed(cluster: pb.Cluster) -> tuple[int, int, str]:
    return cluster.update_time.seconds, cluster.update_time.nanos, cluster.tag


def _started(step: str, tag: str, operation: operation_pb2.Operation) -> dict[str, Any]:
    return {
        "message": f'{step} of cluster "{tag}" has started',
        "clusterTag": tag,
        "operationId": operation.id,
        "logId": operation.log_id,
    }
