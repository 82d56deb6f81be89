"""The ListQueues use case, and the queues and workloads that other answers need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from services.common.errors import PermissionDeniedError
from services.common.paging import fingerprint
from services.k8s_resource.domain.cache.clusters import ClusterCaches
from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.cache.kind_cache import Freshness
from services.k8s_resource.domain.cache_reads import CacheReads, Read, Wanted
from services.k8s_resource.domain.freshness import oldest
from services.k8s_resource.domain.kinds import (
    CLUSTER_QUEUES,
    DEFINITION,
    LOCAL_QUEUES,
    WORKLOADS,
)
from services.k8s_resource.domain.kueue.served import ServedKueue
from services.k8s_resource.domain.paging import Page, Pager, parse_order
from services.k8s_resource.domain.ports import Connection, Connections
from services.k8s_resource.domain.resources import KUEUE
from services.k8s_resource.domain.selection import Selection, parse_selection

ABSENT = f"the cluster does not have Kueue ({KUEUE})"


class QueueType(Enum):
    """The two kinds of queues."""

    CLUSTER_QUEUE = "ClusterQueue"
    LOCAL_QUEUE = "LocalQueue"


@dataclass(frozen=True, slots=True)
class QueueQuery:
    """What is asked for, as written; no type means both."""

    cluster: str = ""
    namespace: str = ""
    label_selector: str = ""
    type: QueueType | None = None
    order_by: str = ""
    page_size: int = 0
    page_token: str = ""
    consistent: bool = False


@dataclass(frozen=True, slots=True)
class QueuePage:
    """An answer. `cohorts` by name of ClusterQueue, for the LocalQueues."""

    page: Page[tuple[QueueType, Item]]
    freshness: Freshness
    cohorts: dict[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobQueues:
    """What tells how jobs stand in their queues. None for what may not be read."""

    workloads: Read | None
    local_queues: Read | None
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> list[Read]:
        """What this is made of."""
        return [part for part in (self.workloads, self.local_queues) if part is not None]


class Queues:
    """Reads Kueue's objects from the caches, where a cluster has them."""

    def __init__(self, connections: Connections, caches: ClusterCaches) -> None:
        self._connections = connections
        self._caches = caches
        self._reads = CacheReads(caches)
        self._served = ServedKueue(caches)

    async def page(self, query: QueueQuery) -> QueuePage:
        """Queues of both kinds; an empty page with a note where there is no Kueue."""
        connection = self._connections.get(query.cluster)
        any_kind = next(iter(LOCAL_QUEUES.values()))
        local = parse_selection(any_kind, query.namespace, query.label_selector, "")
        whole = parse_selection(any_kind, "", query.label_selector, "")
        pager: Pager[tuple[QueueType, Item]] = Pager(
            fingerprint(
                "queues", connection.name, connection.server, local.identity(),
                query.type.value if query.type else "", " ".join(query.order_by.split()),
            ),
            parse_order(query.order_by, any_kind.orders),
            lambda entry: entry[1].decoded,
            lambda entry: (*entry[1].key, entry[0].value),
        )  # fmt: skip
        version = await self._served.version(connection, consistent=query.consistent)
        if not version:
            freshness = self._caches.watched(connection, DEFINITION).cache.freshness()
            none = pager.page([], query.page_size, query.page_token)
            return QueuePage(none, freshness, {}, (ABSENT,))
        read, notes = await self._read(
            connection,
            (CLUSTER_QUEUES[version], whole),
            (LOCAL_QUEUES[version], local),
            consistent=query.consistent,
        )
        cluster_queues, local_queues = read
        entries: list[tuple[QueueType, Item]] = []
        for type_, queues, selection in (
            (QueueType.CLUSTER_QUEUE, cluster_queues, whole),
            (QueueType.LOCAL_QUEUE, local_queues, local),
        ):
            if queues is not None and query.type in (None, type_):
                entries += [(type_, item) for item in selection.of(queues.cache.store)]
        page = pager.page(pager.sort(entries), query.page_size, query.page_token)
        cohorts = {}
        if cluster_queues is not None:
            for item in cluster_queues.cache.store.items():
                cohorts[item.key[1]] = item.decoded.spec.cohort_name or item.decoded.spec.cohort
        freshness = oldest(*(each.freshness() for each in read if each is not None))
        return QueuePage(page, freshness, cohorts, notes)

    async def of_jobs(
        self, connection: Connection, namespaces: Sequence[str], *, consistent: bool
    ) -> JobQueues | None:
        """Workloads and LocalQueues of some namespaces, all for none; None where there is no
        Kueue."""
        version = await self._served.version(connection, consistent=consistent)
        if not version:
            return None
        selection = Selection(tuple(namespaces))
        try:
            (workloads, local_queues), notes = await self._read(
                connection,
                (WORKLOADS[version], selection),
                (LOCAL_QUEUES[version], selection),
                consistent=consistent,
            )
        except PermissionDeniedError as error:
            return JobQueues(None, None, (f"queues not included: {error.message}",))
        return JobQueues(workloads, local_queues, notes)

    async def _read(
        self, connection: Connection, *wanted: Wanted, consistent: bool
    ) -> tuple[list[Read | None], tuple[str, ...]]:
        """Several kinds, None for those that may not be read; PermissionDeniedError if none may."""
        results = await self._reads.read_some(connection, *wanted, consistent=consistent)
        found: list[Read | None] = []
        notes: list[str] = []
        for (kind, _), result in zip(wanted, results, strict=True):
            if isinstance(result, PermissionDeniedError):
                notes.append(f"{kind.resource.full_name} not included: {result.message}")
                found.append(None)
            else:
                notes += result.notes
                found.append(result)
        if not any(found):
            refusals = [each for each in results if isinstance(each, PermissionDeniedError)]
            raise refusals[0]
        return found, tuple(notes)
