"""Server-side apply of a whole manifest.

Every document is checked before anything is sent; then objects go in the order in which they
need each other, and what becomes of each is told. Server-side apply is idempotent, so an
apply that was cut off is simply repeated.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from typing import Any

import msgspec
import orjson

from services.common.errors import (
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    PodyardError,
    UnavailableError,
)
from services.k8s_resource.domain.definitions import await_established
from services.k8s_resource.domain.discovery import Discovery
from services.k8s_resource.domain.field_ownership import owned
from services.k8s_resource.domain.manifest_plan import PlannedObject, defined_kinds, plan_manifest
from services.k8s_resource.domain.manifests import load_manifest
from services.k8s_resource.domain.outcomes import raise_if_nothing_worked
from services.k8s_resource.domain.ports import APPLY_PATCH, Connection, Connections
from services.k8s_resource.domain.redaction import redacted

FIELD_MANAGER = "podyard"
_PARALLEL = 8
_MISFIT = "failed to create typed patch object"
_MANAGER = re.compile(r'conflicts? with "([^"]*)"')
_WARNING = re.compile(r'^\d{3} \S+ "((?:[^"\\]|\\.)*)"')


class ApplyAction(Enum):
    """What became of an object."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ApplyOrder:
    """What to apply and how."""

    cluster: str
    manifest: str
    namespace: str = ""
    field_manager: str = ""
    force: bool = False
    validate_only: bool = False


@dataclass(frozen=True, slots=True)
class ApplyOutcome:
    """What became of one object."""

    planned: PlannedObject
    action: ApplyAction
    uid: str = ""
    resource_version: str = ""
    error: PodyardError | None = None
    warnings: tuple[str, ...] = ()


class _Metadata(msgspec.Struct, rename="camel"):
    uid: str = ""
    resource_version: str = ""


class _Object(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


@dataclass
class _Work:
    """One call in progress."""

    connection: Connection
    order: ApplyOrder
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_PARALLEL))
    new_namespaces: set[str] = field(default_factory=set)
    failed_kinds: dict[tuple[str, str], str] = field(default_factory=dict)


class Applier:
    """Applies manifests."""

    def __init__(self, connections: Connections, discovery: Discovery) -> None:
        self._connections = connections
        self._discovery = discovery

    async def apply(self, order: ApplyOrder) -> list[ApplyOutcome]:
        """One outcome for each object, in the manifest's order.

        InvalidArgumentError, with nothing changed, if any document is wrong. If the API server
        could do nothing at all, its error is raised.
        """
        connection = self._connections.get(order.cluster)
        objects = await load_manifest(order.manifest)
        planned = await plan_manifest(self._discovery, connection, objects, order.namespace)
        work = _Work(connection, order)
        outcomes: dict[int, ApplyOutcome] = {}
        numbered = sorted(enumerate(planned), key=lambda pair: pair[1].phase)
        for _, group in groupby(numbered, key=lambda pair: pair[1].phase):
            phase = list(group)
            async with asyncio.TaskGroup() as tasks:
                running = {
                    number: tasks.create_task(self._apply_one(work, item)) for number, item in phase
                }
            outcomes |= {number: task.result() for number, task in running.items()}
            await self._after_phase(work, [outcomes[number] for number in running])
        results = [outcomes[number] for number in range(len(planned))]
        raise_if_nothing_worked([outcome.error for outcome in results])
        return results

    async def _apply_one(self, work: _Work, planned: PlannedObject) -> ApplyOutcome:
        item = planned.item
        if reason := work.failed_kinds.get((item.api_version, item.kind)):
            error = NotFoundError("kind", item.kind, reason)
            return ApplyOutcome(planned, ApplyAction.FAILED, error=error)
        if unchecked := _not_checkable(work, planned):
            return ApplyOutcome(planned, ApplyAction.CREATED, warnings=(unchecked,))
        async with work.slots:
            try:
                return await _send(work, planned)
            except PodyardError as error:
                shown = redacted(_explained(error), item)
                return ApplyOutcome(planned, ApplyAction.FAILED, error=shown)

    async def _after_phase(self, work: _Work, outcomes: Sequence[ApplyOutcome]) -> None:
        for outcome in outcomes:
            item = outcome.planned.item
            if item.kind == "Namespace" and outcome.action is ApplyAction.CREATED:
                work.new_namespaces.add(item.name)
        definitions = [o for o in outcomes if o.planned.is_definition]
        if definitions and not work.order.validate_only:
            async with asyncio.TaskGroup() as tasks:
                for outcome in definitions:
                    tasks.create_task(self._make_served(work, outcome))

    async def _make_served(self, work: _Work, outcome: ApplyOutcome) -> None:
        """Wait until the kinds of a definition can be used; note why if they cannot."""
        item = outcome.planned.item
        kinds = defined_kinds(item)
        try:
            if outcome.error is not None:
                raise outcome.error
            await await_established(self._discovery, work.connection, item.name, kinds)
        except PodyardError as error:
            for kind in kinds:
                reason = f"its definition {item.name} is not in use: {error.message}"
                index = await self._discovery.index(work.connection)
                if index.find_kind(kind.api_version, kind.kind) is None:
                    work.failed_kinds[kind.api_version, kind.kind] = reason


def _not_checkable(work: _Work, planned: PlannedObject) -> str:
    """Why the API server cannot check an object without the ones before it; empty if it can."""
    if not work.order.validate_only:
        return ""
    if planned.defined_here:
        return "not checked by the API server: its kind is defined by this manifest"
    if planned.namespace in work.new_namespaces:
        return "not checked by the API server: its namespace is created by this manifest"
    return ""


async def _send(work: _Work, planned: PlannedObject) -> ApplyOutcome:
    order, api = work.order, work.connection.api
    before = await _present(work, planned)
    params: dict[str, str | int | bool] = {
        "fieldManager": order.field_manager or FIELD_MANAGER,
        "force": order.force,
        # Fields that the schema does not have are errors, as with kubectl.
        "fieldValidation": "Strict",
    }
    if order.validate_only:
        params["dryRun"] = "All"
    body = orjson.dumps(_body(planned))
    try:
        response = await api.request(
            "PATCH", planned.path, params=params, body=body, content_type=APPLY_PATCH
        )
    except UnavailableError as error:
        # What does not fit the kind's schema is answered with 500 Internal Server Error.
        if _MISFIT in error.message:
            raise InvalidArgumentError(error.message, reason="KUBERNETES_INVALID") from None
        response = await api.request(
            "PATCH", planned.path, params=params, body=body, content_type=APPLY_PATCH, retry=True
        )
    after = msgspec.json.decode(response.body, type=_Object).metadata
    manager = order.field_manager or FIELD_MANAGER
    if response.status == 201 or before is None:
        action = ApplyAction.CREATED
    elif _same(before, response.body, manager):
        action = ApplyAction.UNCHANGED
    else:
        action = ApplyAction.CONFIGURED
    warnings = [*_warnings(response.headers.get("warning", ""))]
    if not planned.resource.namespaced and planned.item.namespace:
        warnings.append(f"{planned.item.kind} has no namespace; metadata.namespace is left out")
    return ApplyOutcome(
        planned, action, after.uid, after.resource_version, warnings=tuple(warnings)
    )


async def _present(work: _Work, planned: PlannedObject) -> bytes | None:
    try:
        response = await work.connection.api.request("GET", planned.path)
    except NotFoundError:
        return None
    return response.body


def _same(before: bytes, after: bytes, manager: str) -> bool:
    """Whether an apply changed nothing.

    The resourceVersion alone cannot tell: controllers change objects all the time, and a dry
    run leaves it as it is.
    """
    earlier, later = orjson.loads(before), orjson.loads(after)
    if earlier["metadata"]["uid"] != later["metadata"]["uid"]:
        return False
    return owned(earlier, manager) == owned(later, manager)


def _body(planned: PlannedObject) -> dict[str, Any]:
    metadata = dict(planned.item.value["metadata"])
    if planned.resource.namespaced:
        metadata["namespace"] = planned.namespace
    else:
        metadata.pop("namespace", None)
    return {**planned.item.value, "metadata": metadata}


def _warnings(header: str) -> list[str]:
    """Texts of Warning headers (RFC 7234), `299 - "text"`, one a line."""
    found = (_WARNING.match(line) for line in header.split("\n"))
    return [re.sub(r"\\(.)", r"\1", match[1]) for match in found if match]


def _explained(error: PodyardError) -> PodyardError:
    """A conflict of field managers with who they are and what can be done."""
    managers = _MANAGER.findall(error.message) if isinstance(error, ConflictError) else []
    if not managers:
        return error
    owners = ", ".join(dict.fromkeys(managers))
    return ConflictError(
        f"{error.message}; {owners} owns these fields: leave them out, or set force to take "
        "them over",
        reason="FIELD_MANAGER_CONFLICT",
        metadata={"managers": owners},
    )
