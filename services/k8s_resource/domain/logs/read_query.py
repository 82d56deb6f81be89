"""What requests that read logs have in common: whose logs, and which window of time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from services.common.errors import FieldViolation, InvalidArgumentError
from services.k8s_resource.domain.live_objects import DEFAULT_NAMESPACE
from services.k8s_resource.domain.logs.choice import ChosenRuns, RunChoice, find_runs
from services.k8s_resource.domain.logs.library import LogLibrary, ReadStart, RunLog
from services.k8s_resource.domain.logs.reading import LogAddress
from services.k8s_resource.domain.logs.targets import (
    ArchivedTargets,
    Target,
    TargetKind,
    check_names,
    find_target,
)
from services.k8s_resource.domain.ports import Connection, Connections

_SECOND = 1_000_000_000
_LATEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ReadQuery:
    """Whose logs, and from when to when: `since` is an age, the others are moments since 1970,
    all in nanoseconds. `until_time` is the first moment that is not wanted."""

    cluster: str
    namespace: str
    kind: TargetKind
    name: str
    choice: RunChoice = field(default_factory=RunChoice)
    since: int | None = None
    since_time: int | None = None
    until_time: int | None = None
    all_namespaces: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Moments in nanoseconds since 1970; None means no limit. `until` is exclusive."""

    since: int | None
    until: int | None

    def start(self, tail: int | None = None) -> ReadStart:
        """Where to open a log for this window."""
        return ReadStart(None if self.since is None else self.since // _SECOND, tail)


@dataclass(frozen=True, slots=True)
class FoundLogs:
    """The logs of a query."""

    library: LogLibrary
    connection: Connection
    target: Target
    chosen: ChosenRuns
    window: Window

    def address(self, log: RunLog) -> LogAddress:
        """Where one of the logs is."""
        return LogAddress(self.library, self.connection, log)


class LogFinder:
    """Finds the logs of queries."""

    def __init__(
        self,
        connections: Connections,
        library: LogLibrary,
        archive: ArchivedTargets | None = None,
    ) -> None:
        self._connections = connections
        self._library = library
        self._archive = archive

    async def find(self, query: ReadQuery) -> FoundLogs:
        """The logs; domain errors for what is wrong with the query, see `choice.find_runs`."""
        connection = self._connections.get(query.cluster)
        window = window_of(query)
        check_names(query.kind, query.name, query.namespace)
        namespace = "" if query.all_namespaces else query.namespace or DEFAULT_NAMESPACE
        target = await find_target(connection, query.kind, query.name, namespace, self._archive)
        chosen = await find_runs(self._library, connection, target, query.choice)
        return FoundLogs(self._library, connection, target, chosen, window)


def window_of(query: ReadQuery) -> Window:
    """The window of a query, counted from now; InvalidArgumentError for one that is none."""
    violations = []
    if query.since is not None and query.since_time is not None:
        violations.append(FieldViolation("since", "give either since or since_time, not both"))
    if query.all_namespaces and query.kind is not TargetKind.SELECTOR:
        violations.append(FieldViolation("all_namespaces", "only together with label_selector"))
    if query.all_namespaces and query.namespace:
        violations.append(
            FieldViolation("all_namespaces", f'not together with namespace "{query.namespace}"')
        )
    if query.choice.previous and query.choice.every_run:
        violations.append(FieldViolation("previous", "not together with include_previous"))
    since = query.since_time
    if query.since is not None:
        since = time.time_ns() - query.since
    since = None if since is None else min(max(since, 0), _LATEST)
    until = None if query.until_time is None else min(max(query.until_time, 0), _LATEST)
    if since is not None and until is not None and until <= since:
        violations.append(FieldViolation("until_time", "must be after the time to start from"))
    if violations:
        raise InvalidArgumentError.fields(violations)
    return Window(since, until)
