"""The state of the connection to a cluster: the preflight before anything else."""

from __future__ import annotations

import asyncio
import datetime as dt
import email.utils
import time
from dataclasses import dataclass

import msgspec

from services.common.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    PodyardError,
    UnavailableError,
)
from services.k8s_resource.domain.cache.clusters import ClusterCaches
from services.k8s_resource.domain.cache.kind_cache import Freshness
from services.k8s_resource.domain.ports import Connection, Connections, KubeResponse

_SECONDS = 5.0
_RULES_PATH = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"


class AccessRule(msgspec.Struct, frozen=True):
    """A rule of the API server's SelfSubjectRulesReview."""

    verbs: list[str] = []
    api_groups: list[str] = msgspec.field(default_factory=list, name="apiGroups")
    resources: list[str] = []
    resource_names: list[str] = msgspec.field(default_factory=list, name="resourceNames")


@dataclass(frozen=True, slots=True)
class CachedKind:
    """A kind that is watched into the cache now."""

    resource: str
    objects: int
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """`latency` and `clock_skew` in seconds; None if there was no answer to measure."""

    connection: Connection
    reachable: bool
    version: str
    latency: float | None
    clock_skew: int | None
    problem: str
    cached_kinds: list[CachedKind]
    access_rules: list[AccessRule]


class _Version(msgspec.Struct):
    git_version: str = msgspec.field(default="", name="gitVersion")


class _ReviewStatus(msgspec.Struct):
    resource_rules: list[AccessRule] = msgspec.field(default_factory=list, name="resourceRules")


class _Review(msgspec.Struct):
    status: _ReviewStatus


class Clusters:
    """Use cases about connections themselves."""

    def __init__(self, connections: Connections, caches: ClusterCaches) -> None:
        self._connections = connections
        self._caches = caches

    def connections(self) -> list[Connection]:
        """All clusters by name; FailedPreconditionError if none is configured."""
        return list(self._connections.list())

    async def info(self, cluster: str) -> ClusterInfo:
        """The state of a cluster's connection, measured now. Never fails for a cluster that
        is down: that is its answer."""
        connection = self._connections.get(cluster)
        started = time.monotonic()
        response = None
        problem = ""
        reachable = True
        try:
            response = await _get_version(connection)
        except (UnavailableError, DeadlineExceededError, FailedPreconditionError) as error:
            reachable = False
            problem = error.message
        except PodyardError as error:
            problem = f"the API server refuses to tell its version: {error.message}"
        latency = time.monotonic() - started if reachable else None
        rules: list[AccessRule] = []
        if response is not None:
            try:
                rules = await _rules(connection)
            except PodyardError as error:
                problem = f"what may be done cannot be found out: {error.message}"
        return ClusterInfo(
            connection=connection,
            reachable=reachable,
            version=_version(response) if response is not None else "",
            latency=latency,
            clock_skew=_clock_skew(response) if response is not None else None,
            problem=problem,
            cached_kinds=self._cached_kinds(connection),
            access_rules=rules,
        )

    async def check_default(self) -> None:
        """Raise unless the default cluster's API server answers."""
        await _get_version(self._connections.get(""))

    def _cached_kinds(self, connection: Connection) -> list[CachedKind]:
        found = [
            CachedKind(
                watched.cache.kind.resource.full_name,
                len(watched.cache.store),
                watched.cache.freshness(),
            )
            for watched in self._caches.present(connection)
            if watched.cache.loaded and not watched.cache.absent
        ]
        return sorted(found, key=lambda kind: kind.resource)


async def _get_version(connection: Connection) -> KubeResponse:
    try:
        async with asyncio.timeout(_SECONDS):
            return await connection.api.request("GET", "/version", retry=False, timeout=_SECONDS)
    except TimeoutError:
        raise UnavailableError(
            f"{connection.server} did not answer within {_SECONDS:g} s; check the network "
            "between this service and the cluster"
        ) from None


async def _rules(connection: Connection) -> list[AccessRule]:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": connection.namespace or "default"},
    }
    response = await connection.api.request(
        "POST", _RULES_PATH, body=msgspec.json.encode(body), retry=True, timeout=_SECONDS
    )
    return msgspec.json.decode(response.body, type=_Review).status.resource_rules


def _version(response: KubeResponse) -> str:
    try:
        return msgspec.json.decode(response.body, type=_Version).git_version
    except msgspec.DecodeError:
        return ""


def _clock_skew(response: KubeResponse) -> int | None:
    """Both clocks cut to whole seconds, as the Date header is."""
    try:
        theirs = email.utils.parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None
    ours = dt.datetime.now(dt.UTC).replace(microsecond=0)
    return int((theirs - ours).total_seconds())
