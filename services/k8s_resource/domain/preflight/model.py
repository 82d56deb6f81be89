"""What a preflight finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import msgspec

from services.k8s_resource.domain.cache.kind_cache import Freshness
from services.k8s_resource.domain.ports import Connection


class AccessRule(msgspec.Struct, frozen=True):
    """A rule of the API server's SelfSubjectRulesReview."""

    verbs: list[str] = []
    api_groups: list[str] = msgspec.field(default_factory=list, name="apiGroups")
    resources: list[str] = []
    resource_names: list[str] = msgspec.field(default_factory=list, name="resourceNames")


@dataclass(frozen=True, slots=True)
class CachedKind:
    """A kind that is watched into the cache now; `namespace` where only that one is."""

    resource: str
    namespace: str
    objects: int
    freshness: Freshness


class PermissionState(Enum):
    """Where something may be done."""

    ALLOWED = 1
    PARTLY = 2
    DENIED = 3
    UNKNOWN = 4


@dataclass(frozen=True, slots=True)
class Permission:
    """One thing that Podyard needs to do. `rule` grants it, `namespaces` are those where it may
    be done if not everywhere."""

    feature: str
    verb: str
    api_group: str
    resource: str
    state: PermissionState
    namespaces: tuple[str, ...] = ()
    rule: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ApiGroup:
    """`versions` has the preferred one first; `product` is what brings the group."""

    name: str
    versions: tuple[str, ...]
    product: str = ""


class ComponentState(Enum):
    """How a part of a cluster is."""

    READY = 1
    NOT_READY = 2
    MISSING = 3
    UNKNOWN = 4


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a cluster. `lost` is what does not work without it."""

    name: str
    state: ComponentState
    needed: bool = True
    ready: int = 0
    desired: int = 0
    objects: tuple[str, ...] = ()
    message: str = ""
    lost: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One check of the API server about itself; no `name` for the endpoint as a whole."""

    endpoint: str
    name: str
    passed: bool
    message: str = ""


class Severity(Enum):
    """How bad a problem is."""

    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, with what to do about it."""

    severity: Severity
    subject: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """`latency` and `clock_skew` in seconds; None if there was no answer to measure."""

    connection: Connection
    reachable: bool
    version: str = ""
    platform: str = ""
    latency: float | None = None
    clock_skew: int | None = None
    user: str = ""
    groups: tuple[str, ...] = ()
    rules: tuple[AccessRule, ...] = ()
    rules_incomplete: bool = False
    permissions: tuple[Permission, ...] = ()
    api_groups: tuple[ApiGroup, ...] = ()
    components: tuple[Component, ...] = ()
    health_checks: tuple[HealthCheck, ...] = ()
    problems: tuple[Problem, ...] = field(default=())
    cached_kinds: tuple[CachedKind, ...] = ()
