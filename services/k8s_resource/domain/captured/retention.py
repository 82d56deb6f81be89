"""Letting go of captured logs that are too old or too many."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from services.common.logs import get_logger
from services.k8s_resource.domain.captured.catalogue import CapturedPod, Segment
from services.k8s_resource.domain.captured.rules import CaptureRule, Retention
from services.k8s_resource.domain.captured.store import CaptureStore


class Retainer:
    """Applies the rules' retention and the limit of the whole store."""

    def __init__(self, store: CaptureStore) -> None:
        self._store = store
        self._log = get_logger("captured_logs")

    async def retain(self, rules: Sequence[CaptureRule], max_bytes: int) -> None:
        """Delete what no rule keeps, then the oldest until the store holds at most `max_bytes`
        (0 for no limit). Open segments and those being read stay."""
        pods = list(self._store.catalogue.pods.values())
        doomed = _unkept(pods, {rule.name: rule.retention for rule in rules}, time.time_ns())
        doomed += self._too_many(pods, doomed, rules, max_bytes)
        if doomed and (size := await self._store.delete(doomed)):
            self._log.info("captured logs deleted by retention", bytes=size)
        for pod in pods:
            if pod.removed and not pod.runs:
                await self._store.delete_pod_if_empty(pod.record.key)

    def _too_many(
        self,
        pods: Iterable[CapturedPod],
        doomed: list[Segment],
        rules: Sequence[CaptureRule],
        max_bytes: int,
    ) -> list[Segment]:
        if not max_bytes:
            return []
        gone = {id(segment) for segment in doomed}
        excess = self._store.catalogue.size - sum(s.summary.size for s in doomed) - max_bytes
        names = {rule.name for rule in rules}
        # First of pods that no rule asks for any more, then the oldest.
        candidates = sorted(
            (
                (bool(names.intersection(pod.record.rules)), segment.summary.highest_time, segment)
                for pod in pods
                for segment in _deletable(pod)
                if id(segment) not in gone
            ),
            key=lambda candidate: candidate[:2],
        )
        more = []
        for _, _, segment in candidates:
            if excess <= 0:
                break
            more.append(segment)
            excess -= segment.summary.size
        return more


def _unkept(
    pods: Sequence[CapturedPod], retentions: dict[str, Retention], now: int
) -> list[Segment]:
    """Segments that every rule of their pod lets go of."""
    let_go: dict[str, set[int]] = {}
    for name, retention in retentions.items():
        its_pods = [pod for pod in pods if name in pod.record.rules]
        let_go[name] = {id(segment) for segment in _beyond(its_pods, retention, now)}
    doomed = []
    for pod in pods:
        rules = [name for name in pod.record.rules if name in retentions]
        if rules:
            doomed += [
                segment
                for segment in _deletable(pod)
                if all(id(segment) in let_go[name] for name in rules)
            ]
    return doomed


def _beyond(pods: Sequence[CapturedPod], retention: Retention, now: int) -> list[Segment]:
    """The segments that one rule lets go of."""
    beyond: list[Segment] = []
    if retention.max_pods:
        removed = [pod for pod in pods if pod.removed]
        removed.sort(key=lambda pod: (pod.last_time, pod.record.first_seen), reverse=True)
        for pod in removed[retention.max_pods :]:
            beyond += _deletable(pod)
    if retention.max_age:
        oldest = now - retention.max_age
        beyond += [
            segment
            for pod in pods
            for segment in _deletable(pod)
            if (segment.summary.highest_time or pod.record.first_seen) < oldest
        ]
    if retention.max_bytes:
        gone = {id(segment) for segment in beyond}
        size = sum(run.size for pod in pods for run in pod.runs.values())
        size -= sum(segment.summary.size for segment in {id(s): s for s in beyond}.values())
        rest = [s for pod in pods for s in _deletable(pod) if id(s) not in gone]
        for segment in sorted(rest, key=lambda segment: segment.summary.highest_time):
            if size <= retention.max_bytes:
                break
            beyond.append(segment)
            size -= segment.summary.size
    return beyond


def _deletable(pod: CapturedPod) -> list[Segment]:
    """Sealed segments that nobody reads. While the pod exists, the last one of a container
    stays: it holds the place to go on from."""
    needed: dict[str, tuple[int, Segment]] = {}
    if not pod.removed:
        for (container, number), run in pod.runs.items():
            if run.segments and number >= needed.get(container, (-1, None))[0]:
                needed[container] = (number, run.segments[-1])
    kept = {id(segment) for _, segment in needed.values()}
    return [
        segment
        for run in pod.runs.values()
        for segment in run.segments
        if segment.summary.sealed and not segment.readers and id(segment) not in kept
    ]
