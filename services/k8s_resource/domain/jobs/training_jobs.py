"""The use cases of training jobs: the list with queues, and one job in whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from services.common.errors import InvalidArgumentError, NotFoundError, PermissionDeniedError
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.clusters import ClusterCaches
from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.cache.kind_cache import Freshness
from services.k8s_resource.domain.cache_reads import CacheReads, Read
from services.k8s_resource.domain.freshness import oldest
from services.k8s_resource.domain.inventory.rows import NodeRow, Problem
from services.k8s_resource.domain.job_pods import JobFigures, figures_of, pods_of
from services.k8s_resource.domain.jobs.phase import JobPhase, phase_of
from services.k8s_resource.domain.jobs.ranks import Group, Part, groups_of, part_of
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.kueue.admission import Admission, admission_of, workload_of
from services.k8s_resource.domain.kueue.position import position_of
from services.k8s_resource.domain.kueue.queues import JobQueues, Queues
from services.k8s_resource.domain.lists import Job, Listed, ListQuery, Lists
from services.k8s_resource.domain.live_objects import DEFAULT_NAMESPACE, check_namespace
from services.k8s_resource.domain.objects.nodes import Node
from services.k8s_resource.domain.objects.training_jobs import TrainingJob
from services.k8s_resource.domain.paging import Page
from services.k8s_resource.domain.ports import Connection, Connections
from services.k8s_resource.domain.selection import EVERYTHING, Selection

_NODE_PREFIX = "hyperpod-"
"""HyperPod names nodes by their instance."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """A training job with what its pods and its queue tell."""

    kind: Kind
    item: Item
    figures: JobFigures
    phase: JobPhase
    admission: Admission | None


@dataclass(frozen=True, slots=True)
class JobPod:
    """A pod of a job, the part it plays, and what is wrong with its node."""

    item: Item
    part: Part
    faulty: bool
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class FaultyInstance:
    """What the operator found faulty: the name it gives, and the node that is meant."""

    name: str
    node: Node | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class JobDetail:
    """One job in whole."""

    row: JobRow
    pods: list[JobPod]
    groups: list[tuple[Group, JobFigures]]
    faulty: list[FaultyInstance]
    freshness: Freshness
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which job, as written; an empty kind is any."""

    cluster: str
    namespace: str
    name: str
    kind: str
    consistent: bool


class TrainingJobs:
    """Joins jobs with pods, nodes and Kueue's workloads, all from the caches."""

    def __init__(
        self, connections: Connections, caches: ClusterCaches, lists: Lists, queues: Queues
    ) -> None:
        self._connections = connections
        self._reads = CacheReads(caches)
        self._lists = lists
        self._queues = queues

    async def page(self, query: ListQuery) -> Listed[JobRow]:
        """A page of jobs of all kinds that the cluster has."""
        listed: Listed[Any] = await self._lists.training_jobs(query)
        connection = self._connections.get(query.cluster)
        namespaces = query.namespaces or ([query.namespace] if query.namespace else [])
        queues = await self._queues.of_jobs(connection, namespaces, consistent=query.consistent)
        rows = [_row(job, queues) for job in listed.page.entries]
        return replace(
            listed,
            page=Page(rows, listed.page.next_token, listed.page.total),
            freshness=_with_queues(listed.freshness, queues),
            notes=(*listed.notes, *(queues.notes if queues else ())),
        )

    async def get(self, query: JobQuery) -> JobDetail:
        """One job; NotFoundError, or InvalidArgumentError if several kinds have the name."""
        check_namespace(query.namespace, "namespace")
        connection = self._connections.get(query.cluster)
        namespace = query.namespace or DEFAULT_NAMESPACE
        kind, item, jobs = await self._find(connection, namespace, query)
        selection = Selection((namespace,))
        pods, found = await self._reads.read_some(
            connection,
            (kinds.POD, selection),
            (kinds.NODE, EVERYTHING),
            consistent=query.consistent,
        )
        if isinstance(pods, PermissionDeniedError):
            raise pods
        notes = list(pods.notes)
        nodes = None
        if isinstance(found, PermissionDeniedError):
            notes.append(f"nodes not included: {found.message}")
        else:
            nodes = found
        queues = await self._queues.of_jobs(connection, [namespace], consistent=query.consistent)
        notes += queues.notes if queues else ()
        own = pods_of(kind.resource, item, pods.cache.store)
        row = _row(Job(kind, item, figures_of(own)), queues)
        row = replace(row, admission=await _with_position(connection, namespace, row.admission))
        job: TrainingJob = item.decoded
        groups = groups_of(kind.resource, job)
        health = _NodeHealth(nodes, pods)
        faulty = [_faulty(name, own, health) for name in job.faulty()]
        freshness = _with_queues(
            oldest(*(part.freshness() for part in (jobs, pods, nodes) if part)), queues
        )
        return JobDetail(
            row,
            _parts(row, own, groups, {f.name for f in faulty}, health),
            _by_group(row, own, groups),
            faulty,
            freshness,
            tuple(notes),
        )

    async def _find(
        self, connection: Connection, namespace: str, query: JobQuery
    ) -> tuple[Kind, Item, Read]:
        chosen = _kinds_named(query.kind)
        selection = Selection((namespace,))
        reads = await self._reads.read_some(
            connection, *((kind, selection) for kind in chosen), consistent=query.consistent
        )
        found: list[tuple[Kind, Item, Read]] = []
        denied: PermissionDeniedError | None = None
        for kind, read in zip(chosen, reads, strict=True):
            if isinstance(read, PermissionDeniedError):
                denied = read
                continue
            item = read.cache.store.get((namespace, query.name))
            if item is not None:
                found.append((kind, item, read))
        if not found and denied is not None:
            raise denied
        if not found:
            raise NotFoundError(
                "training job",
                query.name,
                f'training job "{query.name}" does not exist in namespace "{namespace}" of '
                f'cluster "{connection.name}"',
            )
        if len(found) > 1:
            names = ", ".join(kind.resource.kind for kind, _, _ in found)
            raise InvalidArgumentError.field(
                "kind", f'there are jobs of several kinds named "{query.name}": {names}; name one'
            )
        return found[0]


class _NodeHealth:
    """What is wrong with the nodes of one answer."""

    def __init__(self, nodes: Read | None, pods: Read) -> None:
        self._nodes = nodes
        self._usage = pods.watched.usage
        self._rows: dict[str, NodeRow | None] = {}

    def of(self, name: str) -> NodeRow | None:
        """The node; None for one that is not there, or may not be read."""
        if name not in self._rows:
            item = self._nodes.cache.store.get(("", name)) if self._nodes and name else None
            row = None
            if item is not None:
                row = NodeRow(item, self._usage.of(name) if self._usage else None)
            self._rows[name] = row
        return self._rows[name]

    def problems(self, name: str) -> tuple[Problem, ...]:
        """What is wrong with a node."""
        row = self.of(name)
        return row.problems if row is not None else ()


def _row(job: Job, queues: JobQueues | None) -> JobRow:
    decoded: TrainingJob = job.item.decoded
    admission = None
    if queues is not None:
        workload = None
        if queues.workloads is not None:
            workload = workload_of(decoded, queues.workloads.cache.store)
        local = queues.local_queues.cache.store if queues.local_queues else None
        admission = admission_of(decoded, workload, local)
    phase = phase_of(job.kind.resource, decoded, job.figures, admission)
    return JobRow(job.kind, job.item, job.figures, phase, admission)


def _with_queues(freshness: Freshness, queues: JobQueues | None) -> Freshness:
    parts = queues.parts if queues else []
    return oldest(freshness, *(part.freshness() for part in parts))


async def _with_position(
    connection: Connection, namespace: str, admission: Admission | None
) -> Admission | None:
    if admission is None or not admission.waits or not admission.workload or not admission.queue:
        return admission
    position = await position_of(connection.api, namespace, admission.queue, admission.workload)
    return replace(admission, position=position)


def _parts(
    row: JobRow, pods: list[Item], groups: list[Group], faulty: set[str], health: _NodeHealth
) -> list[JobPod]:
    """By rank, those without one last in the order of groups; of one rank the pod that was made
    last is last."""
    order = {group.name: index for index, group in enumerate(groups)}
    found = []
    for item in pods:
        node = item.decoded.spec.node_name
        part = part_of(row.kind.resource, row.item.decoded, groups, item.decoded)
        named = {item.key[1], node, node.removeprefix(_NODE_PREFIX)} - {""}
        found.append(JobPod(item, part, bool(named & faulty), health.problems(node)))
    return sorted(
        found,
        key=lambda pod: (
            pod.part.rank is None,
            pod.part.rank or 0,
            order.get(pod.part.group, len(order)),
            pod.item.decoded.metadata.creation_timestamp or "",
            pod.item.key,
        ),
    )


def _by_group(row: JobRow, pods: list[Item], groups: list[Group]) -> list[tuple[Group, JobFigures]]:
    members: dict[str, list[Item]] = {group.name: [] for group in groups}
    for item in pods:
        part = part_of(row.kind.resource, row.item.decoded, groups, item.decoded)
        if part.group in members:
            members[part.group].append(item)
    return [(group, figures_of(members[group.name])) for group in groups]


def _faulty(name: str, pods: list[Item], health: _NodeHealth) -> FaultyInstance:
    """An entry names a pod, a node, or the instance that a node is named by."""
    of_pod = next((item.decoded.spec.node_name for item in pods if item.key[1] == name), "")
    for candidate in (of_pod, name, f"{_NODE_PREFIX}{name}"):
        row = health.of(candidate)
        if row is not None:
            return FaultyInstance(name, row.item.decoded, row.problems)
    return FaultyInstance(name, None, ())


def _kinds_named(name: str) -> tuple[Kind, ...]:
    if not name:
        return kinds.TRAINING_JOBS
    for kind in kinds.TRAINING_JOBS:
        if kind.resource.kind.casefold() == name.casefold():
            return (kind,)
    choices = ", ".join(kind.resource.kind for kind in kinds.TRAINING_JOBS)
    raise InvalidArgumentError.field("kind", f'"{name}" is not one of {choices}')
