"""Whose logs: from a pod, a selector, or the name of what owns the pods, to the pods."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import msgspec

from services.common.errors import FieldViolation, InvalidArgumentError, NotFoundError
from services.k8s_resource.domain.manifests import name_problem, namespace_problem
from services.k8s_resource.domain.ports import Connection
from services.k8s_resource.domain.resources import (
    DAEMON_SET,
    DEPLOYMENT,
    HYPERPOD_PYTORCH_JOB,
    JOB,
    PYTORCH_JOB,
    RAY_CLUSTER,
    REPLICA_SET,
    STATEFUL_SET,
    Resource,
)


class TargetKind(Enum):
    """What a request names; the value is the request's field."""

    POD = "pod"
    SELECTOR = "label_selector"
    DEPLOYMENT = "deployment"
    JOB = "job"
    TRAINING_JOB = "training_job"
    STATEFUL_SET = "stateful_set"
    DAEMON_SET = "daemon_set"
    REPLICA_SET = "replica_set"


@dataclass(frozen=True, slots=True)
class Target:
    """Pods to follow: one by `pod_name`, or those of `label_selector`, of which `owner`, where
    there is one, is the object named `owner_name`."""

    namespace: str
    pod_name: str = ""
    label_selector: str = ""
    owner: Resource | None = None
    owner_name: str = ""

    @property
    def described(self) -> str:
        """For messages."""
        if self.pod_name:
            return f"pod {self.namespace}/{self.pod_name}"
        if self.owner is not None:
            return f"{self.owner.kind} {self.namespace}/{self.owner_name}"
        return f'pods with "{self.label_selector}" in {self.namespace}'


class OwnerState(Enum):
    """Whether more pods may come from an owner."""

    ACTIVE = "active"
    FINISHED = "finished"
    GONE = "gone"


# The label that carries the job's name on its pods, by kind. HyperPod's operator, Kubeflow's
# training operator and KubeRay set them.
_POD_LABELS = {
    HYPERPOD_PYTORCH_JOB: "HPJob",
    PYTORCH_JOB: "training.kubeflow.org/job-name",
    RAY_CLUSTER: "ray.io/cluster",
}
_OF_NOBODY = "podyard.io/no-pod"
# What has a selector of its pods.
_SELECTING: dict[TargetKind, Resource] = {
    TargetKind.DEPLOYMENT: DEPLOYMENT,
    TargetKind.JOB: JOB,
    TargetKind.STATEFUL_SET: STATEFUL_SET,
    TargetKind.DAEMON_SET: DAEMON_SET,
    TargetKind.REPLICA_SET: REPLICA_SET,
}
_NEVER_FINISHED = frozenset({DEPLOYMENT, STATEFUL_SET, DAEMON_SET, REPLICA_SET})
_ENDED_CONDITIONS = frozenset({"Complete", "Completed", "Succeeded", "Failed"})


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""


class _Status(msgspec.Struct):
    conditions: list[_Condition] | None = None


class _Metadata(msgspec.Struct, rename="camel"):
    deletion_timestamp: str | None = None


class _Expression(msgspec.Struct):
    key: str
    operator: str
    values: list[str] | None = None


class _Selector(msgspec.Struct, rename="camel"):
    match_labels: dict[str, str] | None = None
    match_expressions: list[_Expression] | None = None


class _Spec(msgspec.Struct):
    selector: Any = None


class _Owner(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


def check_names(kind: TargetKind, name: str, namespace: str) -> None:
    """InvalidArgumentError naming each field that cannot be right."""
    violations = []
    if problem := namespace_problem(namespace):
        violations.append(FieldViolation("namespace", problem))
    if kind is not TargetKind.SELECTOR and (problem := name_problem(name)):
        violations.append(FieldViolation(kind.value, problem))
    if violations:
        raise InvalidArgumentError.fields(violations)


class ArchivedTargets(Protocol):
    """Knows owners that do not exist any more: `archive.LogArchive`."""

    def target(self, cluster: str, kind: TargetKind, name: str, namespace: str) -> Target | None:
        """The pods that an owner had; None if nothing of it is kept."""


async def find_target(
    connection: Connection,
    kind: TargetKind,
    name: str,
    namespace: str,
    archive: ArchivedTargets | None = None,
) -> Target:
    """The pods that a request names; NotFoundError if it names an owner that does not exist and
    of which nothing is kept."""
    try:
        return await _present_target(connection, kind, name, namespace)
    except NotFoundError:
        kept = archive.target(connection.name, kind, name, namespace) if archive else None
        if kept is None:
            raise
        return kept


async def _present_target(
    connection: Connection, kind: TargetKind, name: str, namespace: str
) -> Target:
    match kind:
        case TargetKind.POD:
            return Target(namespace, pod_name=name)
        case TargetKind.SELECTOR:
            return Target(namespace, label_selector=name)
        case TargetKind.TRAINING_JOB:
            return await _of_training_job(connection, name, namespace)
        case _:
            return await _by_selector(connection, _SELECTING[kind], name, namespace)


def archived_target(
    kind: TargetKind, name: str, namespace: str, owners: Collection[str]
) -> Target | None:
    """The pods of an owner that does not exist any more, if one of the `owners` ("Kind/name")
    that pods had is what a request names."""
    kinds: dict[TargetKind, tuple[Resource, ...]] = {
        TargetKind.TRAINING_JOB: (*_POD_LABELS, JOB),
        **{of: (resource,) for of, resource in _SELECTING.items()},
    }
    for resource in kinds.get(kind, ()):
        if f"{resource.kind}/{name}" in owners:
            # Without the owner its selector is not known; pods that exist have none any more.
            selector = f"{_POD_LABELS.get(resource, _OF_NOBODY)}={name}"
            return Target(namespace, "", selector, resource, name)
    return None


async def owner_state(connection: Connection, target: Target) -> OwnerState:
    """Whether the target's owner may still make pods."""
    if target.owner is None:
        return OwnerState.ACTIVE
    try:
        owner = await _read(connection, target.owner, target.owner_name, target.namespace)
    except NotFoundError:
        return OwnerState.GONE
    if owner.metadata.deletion_timestamp:
        return OwnerState.GONE
    if target.owner not in _NEVER_FINISHED and any(
        condition.type in _ENDED_CONDITIONS and condition.status == "True"
        for condition in owner.status.conditions or ()
    ):
        return OwnerState.FINISHED
    return OwnerState.ACTIVE


async def _by_selector(
    connection: Connection, resource: Resource, name: str, namespace: str
) -> Target:
    owner = await _read(connection, resource, name, namespace)
    selector = msgspec.convert(owner.spec.selector or {}, _Selector)
    terms = [f"{key}={value}" for key, value in (selector.match_labels or {}).items()]
    terms += [_term(expression) for expression in selector.match_expressions or ()]
    if not terms:
        raise NotFoundError(resource.kind, name, f"{resource.kind} {name} selects no pods")
    return Target(namespace, "", ",".join(terms), resource, name)


def _term(expression: _Expression) -> str:
    values = ",".join(expression.values or ())
    match expression.operator:
        case "Exists":
            return expression.key
        case "DoesNotExist":
            return f"!{expression.key}"
        case "NotIn":
            return f"{expression.key} notin ({values})"
        case _:
            return f"{expression.key} in ({values})"


async def _of_training_job(connection: Connection, name: str, namespace: str) -> Target:
    """The first training job of that name, of the kinds that the cluster knows."""
    missing: NotFoundError | None = None
    for resource in (HYPERPOD_PYTORCH_JOB, JOB, PYTORCH_JOB, RAY_CLUSTER):
        try:
            if resource is JOB:
                return await _by_selector(connection, JOB, name, namespace)
            await _read(connection, resource, name, namespace)
        except NotFoundError as error:
            missing = missing or error
            continue
        return Target(namespace, "", f"{_POD_LABELS[resource]}={name}", resource, name)
    raise NotFoundError(
        "training job", name, f'there is no training job "{name}" in namespace "{namespace}"'
    ) from missing


async def _read(connection: Connection, resource: Resource, name: str, namespace: str) -> _Owner:
    response = await connection.api.request("GET", resource.path(namespace, name))
    return msgspec.json.decode(response.body, type=_Owner)
