"""The names of the typed kinds, known without asking the cluster.

So that a watch of them can begin while the API server is down, or before a custom
resource is installed.
"""

from __future__ import annotations

from services.common.errors import NotFoundError
from services.k8s_resource.domain.ports import Connection, ResourceCatalog
from services.k8s_resource.domain.resources import TYPED, Resource

_SHORT = {
    "po": "pods",
    "no": "nodes",
    "svc": "services",
    "deploy": "deployments",
    "pv": "persistentvolumes",
    "ns": "namespaces",
    "ev": "events",
}


def typed_resource(name: str) -> Resource | None:
    """The typed kind that kubectl takes this name for, if any."""
    name = name.strip()
    plural = _SHORT.get(name.lower(), name.lower())
    for resource in TYPED:
        if plural in (resource.plural, resource.full_name, resource.kind.lower()):
            return resource
        prefix, _, last = name.rpartition("/")
        if prefix == resource.api_version and last.lower() in (
            resource.plural,
            resource.kind.lower(),
        ):
            return resource
        if name.lower() == f"{resource.kind.lower()}.{resource.group}":
            return resource
    return None


async def resolve(catalog: ResourceCatalog, connection: Connection, name: str) -> Resource:
    """The kind of that name; NotFoundError if neither Podyard nor the cluster knows it."""
    typed = typed_resource(name)
    if typed is not None:
        return typed
    try:
        return await catalog.resolve(connection, name)
    except NotFoundError as error:
        raise NotFoundError("kind", name, error.message, reason=error.reason) from None
