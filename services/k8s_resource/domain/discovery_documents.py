"""Reading the API server's discovery documents.

Aggregated discovery (apidiscovery.k8s.io/v2, Kubernetes 1.26 and later) tells all kinds in
two requests; an older server is asked group by group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from services.common.errors import NotFoundError, PodyardError, UnavailableError
from services.k8s_resource.domain.ports import JSON, KubeApi
from services.k8s_resource.domain.resources import Resource

_AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList," + JSON
)
_PARALLEL = 8


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A kind with its other names and what can be done with it."""

    resource: Resource
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: frozenset[str] = frozenset()

    def names(self) -> Iterator[str]:
        """Every name it goes by, without its group, in lower case."""
        yield self.resource.plural
        yield self.singular or self.resource.kind.lower()
        yield self.resource.kind.lower()
        yield from (name.lower() for name in self.short_names)


async def read_kinds(api: KubeApi) -> list[ResourceType]:
    """All kinds in the API server's order of preference: core first, newest versions first."""
    core, groups = await asyncio.gather(
        api.request("GET", "/api", accept=_AGGREGATED),
        api.request("GET", "/apis", accept=_AGGREGATED),
    )
    found: list[ResourceType] = []
    for response in (core, groups):
        answer = _decode(response.body, _Aggregated)
        if answer.kind != "APIGroupDiscoveryList":
            return await _read_by_group(api, groups.body)
        found.extend(_of_aggregated(answer))
    return found


async def is_served(api: KubeApi, resource: Resource) -> bool:
    """Whether the cluster has a kind, also for credentials that may not read it.

    Every authenticated user may read the discovery documents (ClusterRole system:discovery);
    where not, the answer is yes.
    """
    if not resource.group:
        return True
    try:
        response = await api.request("GET", f"/apis/{resource.api_version}")
        return any(
            item.name == resource.plural for item in _decode(response.body, _Resources).resources
        )
    except NotFoundError:
        return False
    except PodyardError:
        return True


def _of_aggregated(answer: _Aggregated) -> Iterator[ResourceType]:
    for group in answer.items:
        for version in group.versions:
            for item in version.resources:
                if item.response_kind is None or not item.response_kind.kind:
                    continue
                yield ResourceType(
                    Resource(
                        group.metadata.name,
                        version.version,
                        item.resource,
                        item.response_kind.kind,
                        item.scope == "Namespaced",
                    ),
                    item.singular_resource,
                    tuple(item.short_names),
                    tuple(item.categories),
                    frozenset(item.verbs),
                )


async def _read_by_group(api: KubeApi, groups: bytes) -> list[ResourceType]:
    names = ["v1"]
    for group in _decode(groups, _Groups).groups:
        versions = [version.group_version for version in group.versions]
        if group.preferred_version and group.preferred_version.group_version in versions:
            versions.remove(group.preferred_version.group_version)
            versions.insert(0, group.preferred_version.group_version)
        names += versions
    slots = asyncio.Semaphore(_PARALLEL)

    async def read(name: str) -> list[ResourceType]:
        async with slots:
            try:
                path = f"/apis/{name}" if "/" in name else f"/api/{name}"
                response = await api.request("GET", path)
            except PodyardError:
                # An aggregated API that is down must not hide the kinds of the others.
                if name == "v1":
                    raise
                return []
        return list(_of_resources(name, _decode(response.body, _Resources)))

    return [item for part in await asyncio.gather(*map(read, names)) for item in part]


def _of_resources(api_version: str, answer: _Resources) -> Iterator[ResourceType]:
    group, _, version = api_version.rpartition("/")
    for item in answer.resources:
        if "/" in item.name:
            continue
        yield ResourceType(
            Resource(group, version, item.name, item.kind, item.namespaced),
            item.singular_name,
            tuple(item.short_names),
            tuple(item.categories),
            frozenset(item.verbs),
        )


_T = TypeVar("_T")


def _decode(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise UnavailableError(f"the API server's list of kinds cannot be read: {error}") from None


class _Name(msgspec.Struct):
    name: str = ""


class _Kind(msgspec.Struct):
    kind: str = ""


class _AggregatedResource(msgspec.Struct, rename="camel"):
    resource: str
    response_kind: _Kind | None = None
    scope: str = ""
    singular_resource: str = ""
    verbs: list[str] = []
    short_names: list[str] = []
    categories: list[str] = []


class _AggregatedVersion(msgspec.Struct):
    version: str
    resources: list[_AggregatedResource] = []


class _AggregatedGroup(msgspec.Struct):
    metadata: _Name = msgspec.field(default_factory=_Name)
    versions: list[_AggregatedVersion] = []


class _Aggregated(msgspec.Struct):
    kind: str = ""
    items: list[_AggregatedGroup] = []


class _GroupVersion(msgspec.Struct, rename="camel"):
    group_version: str


class _Group(msgspec.Struct, rename="camel"):
    name: str
    versions: list[_GroupVersion] = []
    preferred_version: _GroupVersion | None = None


class _Groups(msgspec.Struct):
    groups: list[_Group] = []


class _Resource(msgspec.Struct, rename="camel"):
    name: str
    kind: str
    namespaced: bool = False
    singular_name: str = ""
    verbs: list[str] = []
    short_names: list[str] = []
    categories: list[str] = []


class _Resources(msgspec.Struct):
    resources: list[_Resource] = []
