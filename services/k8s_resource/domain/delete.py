"""Deleting objects by name, by manifest, or by label; what becomes of each is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec
import orjson

from services.common.errors import (
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    PodyardError,
)
from services.k8s_resource.domain.discovery import Discovery
from services.k8s_resource.domain.live_objects import (
    DEFAULT_NAMESPACE,
    check_name,
    check_namespace,
)
from services.k8s_resource.domain.manifest_plan import plan_manifest
from services.k8s_resource.domain.manifests import load_manifest
from services.k8s_resource.domain.outcomes import raise_if_nothing_worked
from services.k8s_resource.domain.ports import Connection, Connections
from services.k8s_resource.domain.resources import Resource

MAX_SELECTED = 5000
"""Objects that one selector may delete; more are a sign of a selector that is too wide."""

_PARALLEL = 8
_PAGE = 500
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Propagation(Enum):
    """What happens to dependents; the values are Kubernetes' own."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


class DeleteOutcomeKind(Enum):
    """What became of an object."""

    DELETED = "deleted"
    TERMINATING = "terminating"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NamedObject:
    """An object by any name of its kind; a non-empty `uid` must be its."""

    kind: str
    namespace: str
    name: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class SelectedObjects:
    """All objects of a kind in a namespace that have the labels."""

    kind: str
    namespace: str
    label_selector: str


@dataclass(frozen=True, slots=True)
class DeleteOrder:
    """What to delete, one of the three, and how. `grace_seconds` None is the object's own."""

    cluster: str
    objects: tuple[NamedObject, ...] = ()
    manifest: str = ""
    selector: SelectedObjects | None = None
    namespace: str = ""
    propagation: Propagation = Propagation.BACKGROUND
    grace_seconds: int | None = None
    validate_only: bool = False


@dataclass(frozen=True, slots=True)
class DeleteOutcome:
    """What became of one object."""

    resource: Resource
    namespace: str
    name: str
    kind: DeleteOutcomeKind
    uid: str = ""
    error: PodyardError | None = None


@dataclass(frozen=True, slots=True)
class _Doomed:
    resource: Resource
    namespace: str
    name: str
    uid: str = ""
    phase: int = 0
    # Gone or replaced in the meantime is what a selector's object may be; a caller's may not.
    selected: bool = False
    # Its kind is known from the same manifest only, so it cannot exist.
    never_existed: bool = False


class _Metadata(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    finalizers: list[str] | None = None


class _Spec(msgspec.Struct):
    finalizers: Any = None


class _Answer(msgspec.Struct):
    kind: str = ""
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _Finalized(msgspec.Struct):
    spec: _Spec = msgspec.field(default_factory=_Spec)


class _ListMeta(msgspec.Struct):
    continue_: str = msgspec.field(default="", name="continue")


class _Item(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _List(msgspec.Struct):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[_Item] | None = None


class Deleter:
    """Deletes objects."""

    def __init__(self, connections: Connections, discovery: Discovery) -> None:
        self._connections = connections
        self._discovery = discovery

    async def delete(self, order: DeleteOrder) -> list[DeleteOutcome]:
        """One outcome for each object, in the order of the request.

        InvalidArgumentError, with nothing deleted, if any of what was named is wrong. If the
        API server could do nothing at all, its error is raised.
        """
        connection = self._connections.get(order.cluster)
        doomed = await self._find(connection, order)
        outcomes: dict[int, DeleteOutcome] = {}
        slots = asyncio.Semaphore(_PARALLEL)

        async def delete(number: int, item: _Doomed) -> None:
            async with slots:
                outcomes[number] = await _delete_one(connection, order, item)

        # What was made last goes first: workloads before what they use.
        for phase in sorted({item.phase for item in doomed}, reverse=True):
            async with asyncio.TaskGroup() as tasks:
                for number, item in enumerate(doomed):
                    if item.phase == phase:
                        tasks.create_task(delete(number, item))
        results = [outcomes[number] for number in range(len(doomed))]
        raise_if_nothing_worked([outcome.error for outcome in results])
        return results

    async def _find(self, connection: Connection, order: DeleteOrder) -> list[_Doomed]:
        if order.manifest:
            objects = await load_manifest(order.manifest)
            return [
                _Doomed(
                    planned.resource,
                    planned.namespace,
                    planned.item.name,
                    phase=planned.phase,
                    never_existed=planned.defined_here,
                )
                for planned in await plan_manifest(
                    self._discovery, connection, objects, order.namespace
                )
            ]
        if order.selector is not None:
            return await self._selected(connection, order.selector)
        return [
            await self._named(connection, number, item) for number, item in enumerate(order.objects)
        ]

    async def _named(self, connection: Connection, number: int, item: NamedObject) -> _Doomed:
        check_namespace(item.namespace, f"objects[{number}].namespace")
        resource = await self._discovery.resolve(connection, item.kind)
        check_name(item.name, resource, f"objects[{number}].name")
        namespace = (item.namespace or DEFAULT_NAMESPACE) if resource.namespaced else ""
        return _Doomed(resource, namespace, item.name, item.uid)

    async def _selected(self, connection: Connection, chosen: SelectedObjects) -> list[_Doomed]:
        check_namespace(chosen.namespace, "selector.namespace")
        if not chosen.label_selector.strip():
            raise InvalidArgumentError.field("selector.label_selector", "must not be empty")
        resource = await self._discovery.resolve(connection, chosen.kind)
        namespace = (chosen.namespace or DEFAULT_NAMESPACE) if resource.namespaced else ""
        params: dict[str, str | int | bool] = {
            "labelSelector": chosen.label_selector,
            "limit": _PAGE,
        }
        found: list[_Doomed] = []
        while True:
            response = await connection.api.request(
                "GET", resource.path(namespace), params=params, accept=_METADATA_LIST
            )
            page = msgspec.json.decode(response.body, type=_List)
            found += [
                _Doomed(
                    resource,
                    item.metadata.namespace,
                    item.metadata.name,
                    item.metadata.uid,
                    selected=True,
                )
                for item in page.items or ()
            ]
            if len(found) > MAX_SELECTED:
                raise InvalidArgumentError.field(
                    "selector.label_selector",
                    f"selects more than {MAX_SELECTED} objects; nothing was deleted; narrow it",
                )
            if not page.metadata.continue_:
                return found
            params["continue"] = page.metadata.continue_


async def _delete_one(connection: Connection, order: DeleteOrder, item: _Doomed) -> DeleteOutcome:
    def outcome(
        kind: DeleteOutcomeKind, uid: str = "", error: PodyardError | None = None
    ) -> DeleteOutcome:
        return DeleteOutcome(item.resource, item.namespace, item.name, kind, uid or item.uid, error)

    if item.never_existed:
        return outcome(DeleteOutcomeKind.MISSING)
    options: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": order.propagation.value,
    }
    if order.grace_seconds is not None:
        options["gracePeriodSeconds"] = order.grace_seconds
    if order.validate_only:
        options["dryRun"] = ["All"]
    if item.uid:
        options["preconditions"] = {"uid": item.uid}
    try:
        response = await connection.api.request(
            "DELETE",
            item.resource.path(item.namespace, item.name),
            body=orjson.dumps(options),
            retry=True,
        )
    except NotFoundError:
        return outcome(DeleteOutcomeKind.MISSING)
    except ConflictError as error:
        if item.selected:
            return outcome(DeleteOutcomeKind.MISSING)
        return outcome(DeleteOutcomeKind.FAILED, error=error)
    except PodyardError as error:
        return outcome(DeleteOutcomeKind.FAILED, error=error)
    answer = msgspec.json.decode(response.body, type=_Answer)
    if answer.kind == "Status":
        return outcome(DeleteOutcomeKind.DELETED)
    stays = _stays(answer.metadata, response.body)
    kind = DeleteOutcomeKind.TERMINATING if stays else DeleteOutcomeKind.DELETED
    return outcome(kind, answer.metadata.uid)


def _stays(metadata: _Metadata, body: bytes) -> bool:
    """Whether an object that was answered still exists, until finalizers or a grace period end."""
    if metadata.deletion_timestamp is None:
        return False
    if metadata.finalizers or metadata.deletion_grace_period_seconds:
        return True
    # Namespaces keep theirs in spec.
    return bool(msgspec.json.decode(body, type=_Finalized).spec.finalizers)
