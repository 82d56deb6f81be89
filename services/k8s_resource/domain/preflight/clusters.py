"""The state of the connections to clusters: the preflight before anything else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from services.common.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    PodyardError,
    UnavailableError,
)
from services.common.shared_results import SharedResults
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.clusters import ClusterCaches
from services.k8s_resource.domain.live_objects import DEFAULT_NAMESPACE, check_namespace
from services.k8s_resource.domain.objects.nodes import Node
from services.k8s_resource.domain.ports import Connection, Connections
from services.k8s_resource.domain.preflight import probes
from services.k8s_resource.domain.preflight.components import (
    SYSTEM_NAMESPACES,
    Surroundings,
    components,
    nodes_component,
    unknown_components,
)
from services.k8s_resource.domain.preflight.model import (
    ApiGroup,
    CachedKind,
    ClusterInfo,
    Component,
    ComponentState,
)
from services.k8s_resource.domain.preflight.permissions import permissions
from services.k8s_resource.domain.preflight.probes import PROBE_SECONDS, Outcome, probed
from services.k8s_resource.domain.preflight.problems import problems, unreachable
from services.k8s_resource.domain.preflight.workloads import Workload, csi_drivers, workloads

_HEAD_START_SECONDS = 0.25
"""The first answer is timed before the rest is asked: together they would slow each other."""
_DOWN = (UnavailableError, DeadlineExceededError, FailedPreconditionError)


class Clusters:
    """Use cases about connections themselves."""

    def __init__(
        self, connections: Connections, caches: ClusterCaches, namespaces: Sequence[str] = ()
    ) -> None:
        """`namespaces` are looked in for what is not allowed everywhere."""
        self._connections = connections
        self._caches = caches
        self._namespaces = tuple(namespaces)
        self._found = SharedResults[ClusterInfo](0)

    def connections(self) -> list[Connection]:
        """All clusters by name; FailedPreconditionError if none is configured."""
        return list(self._connections.list())

    async def check_default(self) -> None:
        """Raise unless the default cluster's API server answers."""
        outcome = await probed(probes.greeting(self._connections.get("").api))
        if outcome.error is not None:
            raise outcome.error

    async def info(self, cluster: str, namespaces: Sequence[str] = ()) -> ClusterInfo:
        """The state of a cluster, found out now, every part beside the others.

        Never fails for a cluster that is down: that is its answer.
        """
        for index, name in enumerate(namespaces):
            check_namespace(name, f"namespaces[{index}]")
        connection = self._connections.get(cluster)
        own = connection.namespace or DEFAULT_NAMESPACE
        where = tuple(dict.fromkeys([*namespaces, own, *self._namespaces]))
        # It takes some sixty requests: who asks at the same time shares them.
        return await self._found.get((connection, where), lambda: self._info(connection, where))

    async def _info(self, connection: Connection, where: Sequence[str]) -> ClusterInfo:
        api = connection.api
        own = connection.namespace or DEFAULT_NAMESPACE
        async with asyncio.TaskGroup() as tasks:
            greeting_task = tasks.create_task(probed(probes.greeting(api)))
            await asyncio.wait({greeting_task}, timeout=_HEAD_START_SECONDS)
            if greeting_task.done() and isinstance(greeting_task.result().error, _DOWN):
                return self._down(connection, greeting_task.result())
            identity = tasks.create_task(probed(probes.identity(api)))
            rules = tasks.create_task(probed(probes.rules(api, own)))
            groups = tasks.create_task(probed(probes.api_groups(api)))
            livez = tasks.create_task(probed(probes.health(api, "livez")))
            readyz = tasks.create_task(probed(probes.health(api, "readyz")))
            broken = tasks.create_task(probed(probes.broken_apis(api)))
            drivers = tasks.create_task(probed(csi_drivers(api)))
            parts = tasks.create_task(probed(workloads(api, [*SYSTEM_NAMESPACES, *where])))
            nodes = tasks.create_task(probed(self._nodes(connection)))
            granted = tasks.create_task(permissions(api, where, PROBE_SECONDS))
        outcomes: dict[str, Outcome[Any]] = {
            "who Podyard is": identity.result(),
            "access rules": rules.result(),
            "API groups": groups.result(),
            "livez": livez.result(),
            "readyz": readyz.result(),
        }
        greeting = greeting_task.result()
        answered = [greeting, *outcomes.values(), drivers.result(), broken.result()]
        if isinstance(greeting.error, _DOWN) and all(_is_down(each) for each in answered):
            return self._down(connection, greeting)
        failures = {name: each.error for name, each in outcomes.items() if each.error is not None}
        if greeting.error is not None:
            failures["version"] = greeting.error
        found = greeting.value
        user, user_groups = identity.result().value or ("", ())
        known_rules, incomplete = rules.result().value or ((), False)
        info = ClusterInfo(
            connection,
            reachable=True,
            version=found.version if found else "",
            platform=found.platform if found else "",
            latency=found.latency if found else None,
            clock_skew=found.clock_skew if found else None,
            user=user,
            groups=user_groups,
            rules=known_rules,
            rules_incomplete=incomplete,
            permissions=granted.result(),
            api_groups=groups.result().value or (),
            components=_components(
                nodes.result(), parts.result(), drivers.result(), groups.result(), broken.result()
            ),
            health_checks=(*(livez.result().value or ()), *(readyz.result().value or ())),
            cached_kinds=self._cached_kinds(connection),
        )
        return replace(info, problems=tuple(problems(info, self._connections.problem, failures)))

    def _down(self, connection: Connection, greeting: Outcome[probes.Greeting]) -> ClusterInfo:
        error = greeting.error or UnavailableError("the API server did not answer")
        return ClusterInfo(
            connection,
            reachable=False,
            components=(
                Component("nodes", ComponentState.UNKNOWN, message=error.message),
                *unknown_components("the API server cannot be reached"),
            ),
            problems=(unreachable(error),),
            cached_kinds=self._cached_kinds(connection),
        )

    async def _nodes(self, connection: Connection) -> tuple[list[Node], str]:
        """The nodes, and why they may not be as told."""
        watched = await self._caches.ready(connection, kinds.NODE)
        freshness = watched.cache.freshness()
        nodes = [item.decoded for item in watched.cache.store.items()]
        return nodes, f"as last known: {freshness.reason}" if freshness.stale else ""

    def _cached_kinds(self, connection: Connection) -> tuple[CachedKind, ...]:
        found = [
            CachedKind(
                watched.cache.kind.resource.full_name,
                namespace,
                len(watched.cache.store),
                watched.cache.freshness(),
            )
            for namespace, watched in self._caches.present(connection)
            if watched.cache.loaded and not watched.cache.absent
        ]
        return tuple(sorted(found, key=lambda kind: (kind.resource, kind.namespace)))


def _is_down(outcome: Outcome[Any]) -> bool:
    return isinstance(outcome.error, _DOWN)


def _components(
    nodes: Outcome[tuple[list[Node], str]],
    parts: Outcome[tuple[list[Workload], str]],
    drivers: Outcome[frozenset[str]],
    groups: Outcome[tuple[ApiGroup, ...]],
    broken: Outcome[tuple[str, ...]],
) -> tuple[Component, ...]:
    """Nodes first, then what runs on them, then the APIs that it serves."""
    found = []
    around = Surroundings((), (), ())
    if nodes.value is None:
        found.append(Component("nodes", ComponentState.UNKNOWN, message=_why(nodes.error)))
    else:
        found.append(nodes_component(*nodes.value))
        around = replace(around, nodes=nodes.value[0])
    around = replace(
        around,
        groups={group.name for group in groups.value or ()},
        drivers=drivers.value or frozenset(),
    )
    if parts.value is None:
        found += unknown_components(_why(parts.error))
    else:
        found += components(around, *parts.value)
    found.append(_apis(broken))
    return tuple(found)


def _apis(broken: Outcome[tuple[str, ...]]) -> Component:
    name = "aggregated APIs"
    if broken.value is None:
        return Component(name, ComponentState.UNKNOWN, message=_why(broken.error))
    return Component(
        name,
        ComponentState.NOT_READY if broken.value else ComponentState.READY,
        message="; ".join(broken.value),
        lost="what they serve cannot be read, and namespaces cannot be deleted to their end",
        remedy="mend the servers behind them, or remove their APIServices",
    )


def _why(error: PodyardError | None) -> str:
    return error.message if error is not None else ""
