"""The TailLogs use case: from a request to its stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from services.common.errors import FieldViolation, InvalidArgumentError
from services.common.paging import fingerprint
from services.k8s_resource.domain.live_objects import DEFAULT_NAMESPACE
from services.k8s_resource.domain.logs.archive import ArchiveUse, LogArchive
from services.k8s_resource.domain.logs.container_tail import MOST_CONTAINERS, TailOptions
from services.k8s_resource.domain.logs.events import TailBatch
from services.k8s_resource.domain.logs.feed_registry import FeedRegistry
from services.k8s_resource.domain.logs.filter import LineFilter
from services.k8s_resource.domain.logs.levels import Level
from services.k8s_resource.domain.logs.pods import ContainerKind, PodSource
from services.k8s_resource.domain.logs.position import PositionBook, TailPosition, read_token
from services.k8s_resource.domain.logs.tail import ContainerChoice, LogTail
from services.k8s_resource.domain.logs.targets import TargetKind, check_names, find_target
from services.k8s_resource.domain.ports import Connections

_LATEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TailQuery:
    """What to follow. `since` is an age, `since_time` a moment since 1970, in nanoseconds."""

    cluster: str
    namespace: str
    kind: TargetKind
    name: str
    containers: tuple[str, ...] = ()
    include_init_containers: bool = False
    follow: bool = False
    since: int | None = None
    since_time: int | None = None
    tail_lines: int | None = None
    previous: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    resume_token: str = ""
    archive_use: ArchiveUse = ArchiveUse.AUTO
    pod_uid: str = ""
    container_kinds: frozenset[ContainerKind] = frozenset()
    limit_bytes: int | None = None
    detect_levels: bool = False
    min_level: Level = Level.UNKNOWN
    merge_seconds: float = 0.0
    max_containers: int | None = None


class Logs:
    """Opens streams of logs."""

    def __init__(
        self,
        connections: Connections,
        pods: PodSource,
        feeds: FeedRegistry,
        draining: asyncio.Event,
        archive: LogArchive | None = None,
    ) -> None:
        self._connections = connections
        self._pods = pods
        self._draining = draining
        self._feeds = feeds
        self._archive = archive

    async def tail(self, query: TailQuery) -> AsyncGenerator[TailBatch, None]:
        """The stream of a request; what is wrong with it raises before its first event."""
        connection = self._connections.get(query.cluster)
        namespace = query.namespace or DEFAULT_NAMESPACE
        _check(query)
        identity = fingerprint(
            "logs", connection.name, connection.server, namespace, query.kind.value, query.name
        )
        if query.resume_token:
            position = read_token(query.resume_token, identity)
        else:
            position = TailPosition(oldest_wanted(query), [])
        options = TailOptions(
            query.follow,
            query.previous,
            position.since,
            query.tail_lines,
            LineFilter(
                query.include,
                query.exclude,
                position.since,
                query.min_level,
                detect_levels=query.detect_levels,
                limit_bytes=query.limit_bytes,
            ),
            query.merge_seconds,
            min(query.max_containers or MOST_CONTAINERS, MOST_CONTAINERS),
        )
        archive = self._archive if query.archive_use is not ArchiveUse.EXCLUDE else None
        target = await find_target(connection, query.kind, query.name, namespace, archive)
        tail = LogTail(
            connection,
            self._feeds,
            self._pods,
            target,
            ContainerChoice(query.containers, query.include_init_containers, query.container_kinds),
            options,
            PositionBook(identity, position),
            archive,
            query.archive_use,
            query.pod_uid,
            bool(query.resume_token),
        )
        batches = tail.batches(self._draining)
        async with aclosing(batches):
            async for batch in batches:
                yield batch


def _check(query: TailQuery) -> None:
    check_names(query.kind, query.name, query.namespace)
    violations = []
    if query.since is not None and query.since_time is not None:
        violations.append(FieldViolation("since", "give either since or since_time, not both"))
    if query.pod_uid and query.kind is not TargetKind.POD:
        violations.append(FieldViolation("pod_uid", "only together with pod"))
    if query.containers and query.container_kinds:
        violations.append(
            FieldViolation("container_types", "not together with containers, which are named")
        )
    if query.previous and query.follow:
        violations.append(
            FieldViolation("follow", "not together with previous: an ended run does not grow")
        )
    if violations:
        raise InvalidArgumentError.fields(violations)


def oldest_wanted(query: TailQuery) -> int | None:
    """The time of the first line, in nanoseconds since 1970; the nearest that 64 bits hold."""
    if query.since is not None:
        wanted = time.time_ns() - query.since
    elif query.since_time is not None:
        wanted = query.since_time
    else:
        return None
    return min(max(wanted, 0), _LATEST)
