"""Objects of any kind, read from the API server for this very call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from services.common.errors import InvalidArgumentError, UnavailableError
from services.common.paging import decode_token, encode_token, fingerprint
from services.k8s_resource.domain.api_status import ExpiredError
from services.k8s_resource.domain.discovery import Discovery
from services.k8s_resource.domain.manifests import name_problem, namespace_problem
from services.k8s_resource.domain.ports import Connections
from services.k8s_resource.domain.resources import Resource

DEFAULT_NAMESPACE = "default"
_DEFAULT_PAGE = 100
_READ_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class LiveObject:
    """One object: its kind, and the object itself as decoded JSON."""

    resource: Resource
    value: dict[str, Any]

    @property
    def metadata(self) -> dict[str, Any]:
        """metadata; empty if there is none."""
        found = self.value.get("metadata")
        return found if isinstance(found, dict) else {}

    def json(self) -> str:
        """The object as one JSON document."""
        return orjson.dumps(self.value).decode()


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which objects to list; selectors are the API server's to check."""

    cluster: str
    kind: str
    namespace: str
    label_selector: str
    field_selector: str
    page_size: int
    page_token: str
    managed_fields: bool


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """One page of a list; `remaining` where the API server tells it."""

    objects: list[LiveObject]
    next_page_token: str
    remaining: int | None
    resource_version: str


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    remaining_item_count: int | None = None
    continue_: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[dict[str, Any]] | None = None


class LiveObjects:
    """Reads objects of any kind that discovery knows."""

    def __init__(self, connections: Connections, discovery: Discovery) -> None:
        self._connections = connections
        self._discovery = discovery

    async def list(self, query: ListQuery) -> ObjectPage:
        """One page. ExpiredError if the pages before it are of a snapshot that is gone."""
        connection = self._connections.get(query.cluster)
        check_namespace(query.namespace)
        resource = await self._discovery.resolve(connection, query.kind)
        same_query = fingerprint(
            connection.name,
            resource.full_name,
            resource.version,
            query.namespace,
            query.label_selector,
            query.field_selector,
        )
        params: dict[str, str | int | bool] = {"limit": query.page_size or _DEFAULT_PAGE}
        if query.label_selector:
            params["labelSelector"] = query.label_selector
        if query.field_selector:
            params["fieldSelector"] = query.field_selector
        if query.page_token:
            params["continue"] = decode_token(query.page_token, same_query, str)
        try:
            response = await connection.api.request(
                "GET", resource.path(query.namespace), params=params, timeout=_READ_SECONDS
            )
        except ExpiredError:
            if not query.page_token:
                raise
            raise ExpiredError(
                "page_token: the snapshot that it continues is no longer kept by the API server "
                "(about 5 minutes); start again without a token"
            ) from None
        answer = _decode(response.body, _List)
        items = [
            _tidied(item, resource, managed_fields=query.managed_fields)
            for item in answer.items or ()
        ]
        token = answer.metadata.continue_
        return ObjectPage(
            items,
            encode_token(same_query, token) if token else "",
            answer.metadata.remaining_item_count if token else None,
            answer.metadata.resource_version,
        )

    async def get(
        self, cluster: str, kind: str, namespace: str, name: str, *, managed_fields: bool
    ) -> LiveObject:
        """One object; NotFoundError if it does not exist."""
        connection = self._connections.get(cluster)
        check_namespace(namespace)
        resource = await self._discovery.resolve(connection, kind)
        check_name(name, resource)
        response = await connection.api.request("GET", path_of(resource, namespace, name))
        value = _decode(response.body, dict[str, Any])
        return _tidied(value, resource, managed_fields=managed_fields)


def path_of(resource: Resource, namespace: str, name: str) -> str:
    """The path of an object; an empty namespace means "default"."""
    return resource.path(namespace or DEFAULT_NAMESPACE, name)


def check_namespace(namespace: str, field: str = "namespace") -> None:
    """InvalidArgumentError unless it can be a namespace; empty is allowed."""
    if problem := namespace_problem(namespace):
        raise InvalidArgumentError.field(field, problem)


def check_name(name: str, resource: Resource, field: str = "name") -> None:
    """InvalidArgumentError unless an object of the kind can have this name."""
    if problem := name_problem(name, resource.group, resource.kind):
        raise InvalidArgumentError.field(field, problem)


def _tidied(value: dict[str, Any], resource: Resource, *, managed_fields: bool) -> LiveObject:
    if not managed_fields and isinstance(metadata := value.get("metadata"), dict):
        metadata.pop("managedFields", None)
    # Items of a list do not repeat their kind.
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    return LiveObject(resource, head | value)


def _decode(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise UnavailableError(f"the API server's answer cannot be read: {error}") from None
