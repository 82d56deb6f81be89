"""Capturing the logs of one cluster: joins pods as they appear, follows their containers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from services.common.errors import PodyardError
from services.common.logs import get_logger
from services.k8s_resource.domain import kinds
from services.k8s_resource.domain.cache.clusters import ClusterCaches, WatchedKind
from services.k8s_resource.domain.cache.item import Change, ChangeType, Item
from services.k8s_resource.domain.cache.kind_cache import MarkType as CacheMark
from services.k8s_resource.domain.captured.container_capture import ContainerCapture
from services.k8s_resource.domain.captured.records import PodKey, PodRecord
from services.k8s_resource.domain.captured.rules import RuleMatcher
from services.k8s_resource.domain.captured.store import CaptureStore
from services.k8s_resource.domain.captured.writer import CaptureWriter
from services.k8s_resource.domain.logs.cached_pods import pod_state
from services.k8s_resource.domain.logs.feed_registry import FeedRegistry
from services.k8s_resource.domain.logs.log_api import LogApi
from services.k8s_resource.domain.logs.pods import ContainerKind, PodState
from services.k8s_resource.domain.objects.pods import Pod
from services.k8s_resource.domain.pod_owner import owner_of, training_job_of
from services.k8s_resource.domain.ports import Connection, Connections

E = TypeVar("E", bound=BaseException)

_RETRY_SECONDS = 2.0
_LONGEST_RETRY_SECONDS = 30.0


@dataclass(slots=True)
class _Followed:
    """A pod that is captured."""

    record: PodRecord
    captures: dict[str, ContainerCapture] = field(default_factory=dict)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    removed: bool = False


class ClusterCapture:
    """One cluster's pods that some rule takes."""

    def __init__(
        self,
        cluster: str,
        connections: Connections,
        caches: ClusterCaches,
        feeds: FeedRegistry,
        store: CaptureStore,
        writer: CaptureWriter,
        matchers: Sequence[RuleMatcher],
    ) -> None:
        self._cluster = cluster
        self._connections = connections
        self._caches = caches
        self._feeds = feeds
        self._store = store
        self._writer = writer
        self._matchers = list(matchers)
        self._rules_changed = False
        self._wake = asyncio.Event()
        self._pods: dict[str, _Followed] = {}
        self._log = get_logger("capture")

    def set_rules(self, matchers: Sequence[RuleMatcher]) -> None:
        """Capture by these rules from now on."""
        self._matchers = list(matchers)
        self._rules_changed = True
        self._wake.set()

    @property
    def active(self) -> int:
        """Containers being captured."""
        return sum(len(pod.tasks) for pod in self._pods.values())

    @property
    def interrupted(self) -> int:
        """Of them, those whose log cannot be read now."""
        return sum(c.interrupted for pod in self._pods.values() for c in pod.captures.values())

    def active_of(self, rule: str) -> int:
        """Containers being captured for a rule."""
        return sum(len(pod.tasks) for pod in self._pods.values() if rule in pod.record.rules)

    async def run(self) -> None:
        """Capture until cancelled. StoreUnwritableError ends it."""
        pause = _RETRY_SECONDS
        while True:
            try:
                connection = self._connections.get(self._cluster)
                watched = await self._caches.ready(connection, kinds.POD)
                pause = _RETRY_SECONDS
                await self._follow(connection, watched)
            except PodyardError as error:
                self._log.warning("capture waits", cluster=self._cluster, why=error.message)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_RETRY_SECONDS)

    async def _follow(self, connection: Connection, watched: WatchedKind) -> None:
        """Until the cache of pods ends, which raises why."""
        news = _News(watched, self._wake)
        api = LogApi(connection)
        watched.cache.subscribe(news)
        ended: PodyardError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                await self._find_removed(watched)
                while True:
                    self._wake.clear()
                    if self._rules_changed:
                        self._rules_changed = False
                        news.reloaded()
                    for item, present in news.taken():
                        await self._take(api, item, present, group)
                    if news.error is not None:
                        raise news.error
                    await self._wake.wait()
        except* PodyardError as errors:
            ended = first_error(errors)
        finally:
            watched.cache.unsubscribe(news)
            self._pods.clear()
        if ended is not None:
            raise ended

    async def _find_removed(self, watched: WatchedKind) -> None:
        """Pods that went while nothing was captured."""
        for pod in list(self._store.catalogue.pods.values()):
            key = pod.record.key
            if key.cluster != self._cluster or pod.removed:
                continue
            item = watched.cache.store.get((key.namespace, key.pod))
            if item is None or item.uid != key.uid:
                for run in list(pod.runs.values()):
                    await ContainerCapture.tell_lost(self._writer, run)
                await self._writer.flush()
                await self._store.mark_removed(key, time.time_ns())

    async def _take(self, api: LogApi, item: Item, present: bool, group: asyncio.TaskGroup) -> None:
        followed = self._pods.get(item.uid)
        if not present:
            if followed is not None:
                await self._remove(followed, item)
            return
        rules = [m.rule for m in self._matchers if m.takes_pod(item.decoded.metadata)]
        state = pod_state(item.decoded)
        if not rules:
            if followed is not None:
                await self._stop(followed)
            return
        record = self._record(item, tuple(rule.name for rule in rules))
        if followed is None:
            followed = self._pods[item.uid] = _Followed(record)
        if self._kept(record.key) != record:
            await self._store.put_pod(record)
        followed.record = record
        wanted = {c.name for c in state.containers if any(r.takes_container(c) for r in rules)}
        for name in followed.captures.keys() - wanted:
            await followed.captures.pop(name).stop(followed.tasks.pop(name, None))
        self._update(api, followed, state, wanted, group)

    def _update(
        self,
        api: LogApi,
        followed: _Followed,
        state: PodState,
        wanted: set[str],
        group: asyncio.TaskGroup,
    ) -> None:
        for container in state.containers:
            if container.name not in wanted:
                continue
            known = followed.captures.get(container.name)
            if known is not None:
                known.update(state, container)
                continue
            capture = ContainerCapture(
                api, self._feeds, self._store, self._writer, followed.record.key, state, container
            )
            followed.captures[container.name] = capture
            followed.tasks[container.name] = group.create_task(
                self._capture(followed, container.name, capture)
            )

    async def _capture(self, followed: _Followed, name: str, capture: ContainerCapture) -> None:
        try:
            await capture.run()
        finally:
            followed.tasks.pop(name, None)
        if followed.removed and not followed.tasks:
            await self._finish(followed)

    async def _remove(self, followed: _Followed, item: Item) -> None:
        followed.removed = True
        state = pod_state(item.decoded)
        states = {container.name: container for container in state.containers}
        for name, capture in followed.captures.items():
            if name in states:
                capture.update(state, states[name])
            capture.remove()
        if not followed.tasks:
            await self._finish(followed)

    async def _finish(self, followed: _Followed) -> None:
        """The pod is gone and read to its end."""
        if self._pods.get(followed.record.uid) is followed:
            del self._pods[followed.record.uid]
        await self._writer.flush()
        await self._store.mark_removed(followed.record.key, time.time_ns())

    async def _stop(self, followed: _Followed) -> None:
        """No rule takes the pod any more."""
        del self._pods[followed.record.uid]
        for name, capture in followed.captures.items():
            await capture.stop(followed.tasks.get(name))

    def _kept(self, key: PodKey) -> PodRecord | None:
        pod = self._store.catalogue.pods.get(key)
        return pod.record if pod is not None else None

    def _record(self, item: Item, rules: tuple[str, ...]) -> PodRecord:
        pod: Pod = item.decoded
        metadata = pod.metadata
        namespace, name = item.key
        key = PodKey(self._cluster, namespace, name, item.uid)
        kept = self._kept(key)
        job, owner = training_job_of(metadata), owner_of(metadata)
        return PodRecord(
            *key,
            labels=dict(item.labels or {}),
            owner=f"{owner.kind}/{owner.name}",
            training_job=f"{job.kind}/{job.name}" if job is not None else "",
            node=pod.spec.node_name,
            rules=tuple(sorted({*rules, *(kept.rules if kept is not None else ())})),
            first_seen=kept.first_seen if kept is not None else time.time_ns(),
            kinds={
                container.name: container.kind
                for container in pod_state(pod).containers
                if container.kind is not ContainerKind.REGULAR
            },
        )


class _News:
    """Keeps, until it is taken, only the newest of what happened to each pod."""

    def __init__(self, watched: WatchedKind, wake: asyncio.Event) -> None:
        self._cache = watched.cache
        self._waiting: dict[str, tuple[Item, bool]] = {}
        self._known: dict[str, Item] = {}
        self._wake = wake
        self.error: PodyardError | None = None
        self.reloaded()

    def taken(self) -> list[tuple[Item, bool]]:
        """Pods, and whether they are there."""
        waiting, self._waiting = self._waiting, {}
        return list(waiting.values())

    def changed(self, change: Change) -> None:
        """An object changed."""
        self._tell(change.item, change.type is not ChangeType.DELETED)

    def marked(self, mark: CacheMark, message: str) -> None:
        """Logs say for themselves when they cannot be read."""

    def reloaded(self) -> None:
        """Everything is told anew."""
        present = {item.uid: item for item in self._cache.store.items()}
        for uid, item in list(self._known.items()):
            if uid not in present:
                self._tell(item, False)
        for item in present.values():
            self._tell(item, True)

    def ended(self, error: PodyardError) -> None:
        """The cache is given up."""
        self.error = error
        self._wake.set()

    def _tell(self, item: Item, present: bool) -> None:
        if present:
            self._known[item.uid] = item
        else:
            self._known.pop(item.uid, None)
        self._waiting[item.uid] = (item, present)
        self._wake.set()


def first_error(errors: BaseExceptionGroup[E]) -> E:
    """The first error of a group, however deep it lies."""
    first = errors.exceptions[0]
    return first_error(first) if isinstance(first, BaseExceptionGroup) else first
