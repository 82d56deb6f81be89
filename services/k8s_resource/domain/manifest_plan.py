"""A checked manifest in the order in which its objects are applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.common.errors import FieldViolation, InvalidArgumentError
from services.k8s_resource.domain.discovery import Discovery, KindIndex
from services.k8s_resource.domain.live_objects import DEFAULT_NAMESPACE, check_namespace
from services.k8s_resource.domain.manifests import ManifestObject
from services.k8s_resource.domain.ports import Connection
from services.k8s_resource.domain.resources import Resource

CRD_GROUP = "apiextensions.k8s.io"
CRD_KIND = "CustomResourceDefinition"

# What others need comes first; within a phase the order does not matter. The kinds and their
# order are those of Helm's InstallOrder (helm.sh/helm, pkg/release/util), in fewer steps.
_PHASES = (
    ("Namespace",),
    (CRD_KIND,),
    (
        *("PriorityClass", "RuntimeClass", "StorageClass", "CSIDriver", "NetworkPolicy"),
        *("ResourceQuota", "LimitRange", "PodDisruptionBudget", "ServiceAccount", "Secret"),
        *("ConfigMap", "PersistentVolume", "ClusterRole", "Role"),
    ),
    ("ClusterRoleBinding", "RoleBinding", "PersistentVolumeClaim", "Service"),
)
_LAST_KINDS = (
    *("APIService", "HorizontalPodAutoscaler", "Ingress", "ValidatingWebhookConfiguration"),
    *("MutatingWebhookConfiguration", "ValidatingAdmissionPolicyBinding"),
)
_PHASE_OF = {kind: phase for phase, kinds in enumerate(_PHASES) for kind in kinds}
_WORKLOADS = len(_PHASES)


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """An object with the kind that serves it. `defined_here`: its kind comes with the manifest."""

    item: ManifestObject
    resource: Resource
    namespace: str
    defined_here: bool = False

    @property
    def path(self) -> str:
        """Its path on the API server."""
        return self.resource.path(self.namespace, self.item.name)

    @property
    def phase(self) -> int:
        """When it is applied, from 0."""
        if self.item.kind in _LAST_KINDS:
            return _WORKLOADS + 1
        return _PHASE_OF.get(self.item.kind, _WORKLOADS)

    @property
    def is_definition(self) -> bool:
        """Whether it is a CustomResourceDefinition."""
        return self.item.kind == CRD_KIND and self.item.group == CRD_GROUP


async def plan_manifest(
    discovery: Discovery, connection: Connection, objects: list[ManifestObject], namespace: str
) -> list[PlannedObject]:
    """Each object with its kind, in the manifest's order.

    InvalidArgumentError that tells every object whose kind the cluster does not serve, or that
    comes twice.
    """
    check_namespace(namespace)
    index = await discovery.index(connection)
    own = {(r.api_version, r.kind): r for item in objects for r in defined_kinds(item)}
    if any(
        index.find_kind(item.api_version, item.kind) is None
        and (item.api_version, item.kind) not in own
        for item in objects
    ):
        index = await discovery.refresh(connection)
    planned: list[PlannedObject] = []
    problems: list[str] = []
    seen: dict[tuple[str, str], ManifestObject] = {}
    for item in objects:
        known = index.find_kind(item.api_version, item.kind)
        resource = known.resource if known else own.get((item.api_version, item.kind))
        if resource is None:
            problems.append(f"{item.where}: {_unknown(index, connection.name, item)}")
            continue
        place = (item.namespace or namespace or DEFAULT_NAMESPACE) if resource.namespaced else ""
        made = PlannedObject(item, resource, place, known is None)
        first = seen.setdefault((f"{resource.full_name}/{place}", item.name), item)
        if first is not item:
            problems.append(f"{item.where}: {item.kind} {item.name} is already in {first.where}")
        planned.append(made)
    if problems:
        raise InvalidArgumentError(
            "manifest: " + "; ".join(problems[:20]),
            violations=[FieldViolation("manifest", problem) for problem in problems[:20]],
            reason="BAD_MANIFEST",
        )
    return planned


def defined_kinds(item: ManifestObject) -> list[Resource]:
    """The kinds that a CustomResourceDefinition defines, none for other objects."""
    if item.kind != CRD_KIND or item.group != CRD_GROUP:
        return []
    spec = _mapping(item.value.get("spec"))
    names = _mapping(spec.get("names"))
    versions = spec.get("versions")
    group, plural, kind = spec.get("group"), names.get("plural"), names.get("kind")
    if not (isinstance(group, str) and isinstance(plural, str) and isinstance(kind, str)):
        return []
    return [
        Resource(group, version["name"], plural, kind, spec.get("scope") != "Cluster")
        for version in (versions if isinstance(versions, list) else ())
        if isinstance(version, dict) and isinstance(version.get("name"), str)
    ]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _unknown(index: KindIndex, cluster: str, item: ManifestObject) -> str:
    text = f'cluster "{cluster}" serves no kind "{item.kind}" in "{item.api_version}"'
    others = index.versions(item.group, item.kind)
    if others:
        return f"{text}; it serves {' and '.join(others)}"
    similar = index.similar(item.kind)
    return f"{text}; did you mean {' or '.join(similar)}?" if similar else text
