"""Logs of pods that exist, from the API server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractAsyncContextManager

from services.k8s_resource.domain.logs.events import Source
from services.k8s_resource.domain.logs.feed import Start
from services.k8s_resource.domain.logs.library import (
    WHOLE,
    ContainerLogs,
    LogBytes,
    ReadStart,
    RunLog,
)
from services.k8s_resource.domain.logs.log_api import LogApi
from services.k8s_resource.domain.logs.pods import (
    ContainerState,
    PodEventKind,
    PodSource,
    PodState,
)
from services.k8s_resource.domain.logs.targets import Target
from services.k8s_resource.domain.ports import Connection


class LiveLogs:
    """`library.LogLibrary` on the API servers and the service's one watch of pods."""

    def __init__(self, pods: PodSource) -> None:
        self._pods = pods

    async def containers(self, connection: Connection, target: Target) -> list[ContainerLogs]:
        return containers_of(await self._present(connection, target))

    def open(
        self, connection: Connection, log: RunLog, start: ReadStart = WHOLE
    ) -> AbstractAsyncContextManager[LogBytes]:
        reading = Start(None, start.since_second, start.tail, not log.latest, follow=False)
        return LogApi(connection).open(log.source, reading)

    async def _present(self, connection: Connection, target: Target) -> list[PodState]:
        found: list[PodState] = []
        async with self._pods.follow(
            connection,
            target.namespace,
            name=target.pod_name,
            label_selector=target.label_selector,
        ) as events:
            async for event in events:
                if event.kind is PodEventKind.SYNCED:
                    break
                if event.kind is PodEventKind.PRESENT and event.pod is not None:
                    found.append(event.pod)
            if isinstance(events, AsyncGenerator):
                await events.aclose()
        return found


def containers_of(pods: Iterable[PodState]) -> list[ContainerLogs]:
    """The containers of pods, with those of their runs that Kubernetes can give."""
    ordered = sorted(pods, key=lambda pod: (pod.namespace, pod.name, pod.uid))
    return [_container(pod, container) for pod in ordered for container in pod.containers]


def _container(pod: PodState, state: ContainerState) -> ContainerLogs:
    source = Source(pod.namespace, pod.name, state.name, pod.uid)
    runs: list[RunLog] = []
    if state.previous is not None:
        before = max(0, state.restarts - 1)
        runs.append(RunLog(source, before, state.init, latest=False, end=state.previous.end))
    if state.has_log:
        end = state.ended.end if state.ended is not None else 0
        runs.append(
            RunLog(
                source,
                state.restarts,
                state.init,
                growing=state.running,
                start=state.start,
                end=end,
            )
        )
    return ContainerLogs(source, state.init, tuple(runs), state.waiting_reason)
