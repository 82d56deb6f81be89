"""The Deployments and DaemonSets of a cluster, as far as telling whether they are ready needs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from services.common.errors import PermissionDeniedError
from services.k8s_resource.domain.ports import KubeApi
from services.k8s_resource.domain.preflight.probes import decoded, get
from services.k8s_resource.domain.resources import DEPLOYMENT, Resource

DAEMON_SET = Resource("apps", "v1", "daemonsets", "DaemonSet")
_CSI_DRIVERS = "/apis/storage.k8s.io/v1/csidrivers"


class Metadata(msgspec.Struct):
    """metadata."""

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}


class _Spec(msgspec.Struct):
    replicas: int = 1


class _Status(msgspec.Struct, rename="camel"):
    ready_replicas: int = 0
    desired_number_scheduled: int = 0
    number_ready: int = 0


class Workload(msgspec.Struct):
    """A Deployment or a DaemonSet."""

    metadata: Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)
    kind: str = ""

    @property
    def described(self) -> str:
        """ "Deployment kube-system/coredns"."""
        return f"{self.kind} {self.metadata.namespace}/{self.metadata.name}"

    @property
    def figures(self) -> tuple[int, int]:
        """How many are ready, and how many there should be."""
        if self.kind == DAEMON_SET.kind:
            return self.status.number_ready, self.status.desired_number_scheduled
        return self.status.ready_replicas, self.spec.replicas


class _List(msgspec.Struct):
    items: list[Workload] = []


class _Drivers(msgspec.Struct):
    class _Driver(msgspec.Struct):
        metadata: Metadata

    items: list[_Driver] = []


async def workloads(api: KubeApi, namespaces: Sequence[str]) -> tuple[list[Workload], str]:
    """Those of the whole cluster; of these namespaces where it may not be listed.

    The second is why some are not known, empty if all are.
    """
    found = await asyncio.gather(
        *(_of_kind(api, resource, namespaces) for resource in (DEPLOYMENT, DAEMON_SET))
    )
    return [each for part, _ in found for each in part], next((why for _, why in found if why), "")


async def csi_drivers(api: KubeApi) -> frozenset[str]:
    """The names of the storage drivers that are registered."""
    found = decoded(await get(api, _CSI_DRIVERS, resourceVersion=0), _Drivers).items
    return frozenset(each.metadata.name for each in found)


async def _of_kind(
    api: KubeApi, resource: Resource, namespaces: Sequence[str]
) -> tuple[list[Workload], str]:
    try:
        return await _list(api, resource, ""), ""
    except PermissionDeniedError as error:
        why = error.message
    parts = await asyncio.gather(
        *(_list(api, resource, name) for name in namespaces), return_exceptions=True
    )
    found: list[Workload] = []
    for part in parts:
        if isinstance(part, list):
            found += part
        elif not isinstance(part, PermissionDeniedError):
            raise part
    return found, why


async def _list(api: KubeApi, resource: Resource, namespace: str) -> list[Workload]:
    # From the API server's own cache: how things are a moment ago is enough.
    items = decoded(await get(api, resource.path(namespace), resourceVersion=0), _List).items
    for item in items:
        item.kind = resource.kind
    return items
