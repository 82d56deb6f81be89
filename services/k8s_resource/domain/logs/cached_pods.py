"""Pods for followers of logs, from the service's cache of pods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.common.errors import PodyardError
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.clusters import ClusterCaches
from services.k8s_resource.domain.cache.consistency import ConsistentReads
from services.k8s_resource.domain.cache.item import Change, ChangeType, Item
from services.k8s_resource.domain.cache.kind_cache import KindCache, MarkType
from services.k8s_resource.domain.logs.pods import (
    ContainerState,
    PodEvent,
    PodEventKind,
    PodState,
    Run,
)
from services.k8s_resource.domain.objects.metadata import parse_time
from services.k8s_resource.domain.objects.pods import ContainerStatus, Pod, Terminated
from services.k8s_resource.domain.ports import Connection
from services.k8s_resource.domain.selection import Selection, parse_selection


class CachedPodSource:
    """`pods.PodSource` on the one watch of pods of each cluster."""

    def __init__(self, caches: ClusterCaches) -> None:
        self._caches = caches
        self._reads = ConsistentReads()

    @asynccontextmanager
    async def follow(
        self, connection: Connection, namespace: str, *, name: str = "", label_selector: str = ""
    ) -> AsyncIterator[AsyncIterator[PodEvent]]:
        selection = parse_selection(
            kinds.POD, namespace, label_selector, f"metadata.name={name}" if name else ""
        )
        watched = await self._caches.ready(connection, kinds.POD, namespace)
        if not selection.of(watched.cache.store):
            # The caller may just have made the pod: what it waits for must not be overlooked.
            await self._reads.catch_up(connection.api, watched, selection)
        follower = _Follower(watched.cache, selection)
        watched.cache.subscribe(follower)
        try:
            yield follower.events()
        finally:
            watched.cache.unsubscribe(follower)


class _Follower:
    """Keeps, until it is fetched, only the newest of what happened to each pod."""

    def __init__(self, cache: KindCache, selection: Selection) -> None:
        self._cache = cache
        self._selection = selection
        self._waiting: dict[str, PodEvent] = {}
        self._told: dict[str, Item] = {}
        self._wake = asyncio.Event()
        self._error: PodyardError | None = None
        self.reloaded()

    async def events(self) -> AsyncIterator[PodEvent]:
        """Present pods, SYNCED, then changes; raises what ends the cache."""
        for event in self._take():
            yield event
        yield PodEvent(PodEventKind.SYNCED)
        while True:
            await self._wake.wait()
            for event in self._take():
                yield event
            if self._error is not None:
                raise self._error

    def _take(self) -> list[PodEvent]:
        events, self._waiting = list(self._waiting.values()), {}
        self._wake.clear()
        return events

    # kind_cache.Subscriber

    def changed(self, change: Change) -> None:
        """An object changed."""
        item = change.item
        if change.type is not ChangeType.DELETED and self._selection.matches(item):
            self._tell(PodEventKind.PRESENT, item)
        elif item.uid in self._told:
            self._tell(PodEventKind.REMOVED, item)

    def marked(self, mark: MarkType, message: str) -> None:
        """Logs say for themselves when they cannot be read."""

    def reloaded(self) -> None:
        """Everything is told anew."""
        present = {item.uid: item for item in self._selection.of(self._cache.store)}
        for uid, item in list(self._told.items()):
            if uid not in present:
                self._tell(PodEventKind.REMOVED, item)
        for item in present.values():
            self._tell(PodEventKind.PRESENT, item)

    def ended(self, error: PodyardError) -> None:
        """The cache is given up."""
        self._error = error
        self._wake.set()

    def _tell(self, kind: PodEventKind, item: Item) -> None:
        if kind is PodEventKind.REMOVED:
            self._told.pop(item.uid, None)
        else:
            self._told[item.uid] = item
        self._waiting[item.uid] = PodEvent(kind, pod_state(item.decoded))
        self._wake.set()


def pod_state(pod: Pod) -> PodState:
    """What followers of logs need of a pod."""
    statuses = {status.name: status for status in pod.status.container_statuses or ()}
    init_statuses = {status.name: status for status in pod.status.init_container_statuses or ()}
    ephemeral = {s.name: s for s in pod.status.ephemeral_container_statuses or ()}
    containers = [
        *(
            _container(c.name, init_statuses.get(c.name), not c.restartable, sidecar=c.restartable)
            for c in pod.spec.init_containers or ()
        ),
        *(_container(c.name, statuses.get(c.name), False) for c in pod.spec.containers),
        *(
            _container(c.name, ephemeral.get(c.name), False, ephemeral=True)
            for c in pod.spec.ephemeral_containers or ()
        ),
    ]
    return PodState(
        pod.metadata.namespace,
        pod.metadata.name,
        pod.metadata.uid,
        pod.status.phase,
        pod.metadata.deletion_timestamp is not None,
        tuple(containers),
    )


def _container(
    name: str,
    status: ContainerStatus | None,
    init: bool,
    *,
    sidecar: bool = False,
    ephemeral: bool = False,
) -> ContainerState:
    if status is None:
        return ContainerState(name, init, sidecar=sidecar, ephemeral=ephemeral)
    state, last = status.state, status.last_state
    previous = _run(last.terminated) if last and last.terminated else None
    running = state.running if state else None
    terminated = state.terminated if state else None
    ended = _run(terminated) if terminated else None
    waiting = state.waiting.reason if state and state.waiting else ""
    if running is None and ended is None and previous is not None:
        # Between two runs: the one that ended last is still the container's latest.
        ended, previous = previous, None
    start = running.started_at if running is not None else None
    return ContainerState(
        name,
        init,
        status.restart_count,
        running is not None,
        waiting,
        _nanoseconds(start or (terminated.started_at if terminated else None)),
        ended,
        previous,
        sidecar,
        ephemeral,
    )


def _run(terminated: Terminated) -> Run:
    exit_code = terminated.exit_code or (128 + terminated.signal if terminated.signal else 0)
    return Run(
        exit_code, terminated.reason, terminated.message, _nanoseconds(terminated.finished_at)
    )


def _nanoseconds(text: str | None) -> int:
    moment = parse_time(text)
    return int(moment.timestamp()) * 1_000_000_000 if moment else 0
