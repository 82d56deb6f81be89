"""Reading captured logs: `logs.archive.LogArchive` on the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import contextmanager

from services.common.errors import UnavailableError
from services.common.logs import get_logger
from services.k8s_resource.domain.captured import measures
from services.k8s_resource.domain.captured.catalogue import CapturedPod, CapturedRun, Segment
from services.k8s_resource.domain.captured.records import Chunk, CopyFailedError, Damage, StoredMark
from services.k8s_resource.domain.captured.store import CaptureStore
from services.k8s_resource.domain.logs.archive import ArchivedContainer, ArchivedRun
from services.k8s_resource.domain.logs.events import Source
from services.k8s_resource.domain.logs.lines import Lines
from services.k8s_resource.domain.logs.pods import ContainerKind
from services.k8s_resource.domain.logs.targets import Target, TargetKind, archived_target
from services.k8s_resource.domain.selectors.labels import parse_label_selector

_SECOND = 1_000_000_000
_GAP = "gap"
_MOMENT_SECONDS = 2.0


class StoreArchive:
    """See `logs.archive.LogArchive`.

    While the store is being opened nothing is known of it: what exists is served without it,
    and of what is gone UnavailableError says so.
    """

    def __init__(self, store: CaptureStore) -> None:
        self._store = store
        self._log = get_logger("captured_logs")

    def target(self, cluster: str, kind: TargetKind, name: str, namespace: str) -> Target | None:
        self._store.needed()
        owners = {
            pod.record.owner
            for pod in self._pods(cluster, namespace)
            if pod.record.owner.partition("/")[2] == name
        }
        return archived_target(kind, name, namespace, owners)

    def gone(
        self, cluster: str, target: Target, present: Collection[str], pod_uid: str = ""
    ) -> list[ArchivedContainer]:
        if target.pod_name:
            self._store.needed()
            named = self._store.catalogue.named(cluster, target.namespace, target.pod_name)
            pods = [pod for pod in named if pod_uid in ("", pod.record.uid)][:1]
        else:
            pods = [pod for pod in self._pods(cluster, target.namespace) if _is_of(pod, target)]
            pods.sort(key=lambda pod: pod.record.first_seen)
        return [
            container
            for pod in pods
            if pod.record.uid not in present
            for container in _containers(pod)
        ]

    def containers(self, cluster: str, pod_uid: str) -> list[ArchivedContainer]:
        pods = (pod for key, pod in self._store.catalogue.pods.items() if key.uid == pod_uid)
        return [c for pod in pods if pod.record.cluster == cluster for c in _containers(pod)]

    def runs(self, cluster: str, source: Source) -> list[ArchivedRun]:
        pod = self._pod(cluster, source)
        return [_archived(run) for run in pod.runs_of(source.container)] if pod else []

    async def read(
        self,
        cluster: str,
        source: Source,
        run: int,
        *,
        since_second: int | None = None,
        tail: int | None = None,
        until: int | None = None,
    ) -> AsyncGenerator[Lines | str, None]:
        pod = self._pod(cluster, source)
        captured = pod.runs.get((source.container, run)) if pod is not None else None
        if captured is None:
            raise UnavailableError("the captured log was deleted", reason="CAPTURED_LOG_DELETED")
        since = 0 if since_second is None else since_second * _SECOND
        line = 0 if tail is None else max(0, captured.end_line - tail)
        while True:
            news = self._store.news()
            was_active, end = captured.active, captured.end_line
            async for part in self._up_to(captured, line, since, end):
                yield part
            line = end
            if captured.end_line > end:
                continue
            if not was_active or (until is not None and captured.last_time >= until):
                return
            self._store.hurry()
            try:
                async with asyncio.timeout(None if until is None else _MOMENT_SECONDS):
                    await news.wait()
            except TimeoutError:
                return

    async def _up_to(
        self, run: CapturedRun, line: int, since: int, end: int
    ) -> AsyncGenerator[Lines | str, None]:
        segments = [s for s in run.segments if s.summary.end_line >= line]
        with _held(segments):
            for segment in segments:
                summary = segment.summary
                if summary.lines and summary.highest_time < since and not summary.problems:
                    continue
                try:
                    parts = await asyncio.to_thread(
                        self._store.files.chunks,
                        segment.key,
                        from_line=line,
                        since=since,
                        size=summary.size,
                    )
                except FileNotFoundError:
                    yield "lines were deleted from the captured log meanwhile"
                    continue
                while (part := await self._next(parts)) is not None:
                    if isinstance(part, Damage):
                        measures.DAMAGED.inc()
                        self._log.error(
                            "captured log damaged", segment=str(segment.key), why=part.problem
                        )
                        problem = f"{part.problem}; {_lost(part)}"
                        if problem not in summary.problems:
                            summary.problems.append(problem)
                        yield f"the store is damaged: {problem}"
                        continue
                    for piece in _pieces(part, line, since, end):
                        yield piece

    async def _next(self, parts: Iterator[Chunk | Damage]) -> Chunk | Damage | None:
        try:
            return await asyncio.to_thread(next, parts, None)
        except CopyFailedError as error:
            raise UnavailableError(
                f"a part of the captured log is in S3 only, which cannot be read now: {error}",
                retry_after=5.0,
                reason="CAPTURED_LOG_UNREACHABLE",
            ) from error

    def _pods(self, cluster: str, namespace: str) -> Iterator[CapturedPod]:
        for key, pod in self._store.catalogue.pods.items():
            if key.cluster == cluster and namespace in ("", key.namespace):
                yield pod

    def _pod(self, cluster: str, source: Source) -> CapturedPod | None:
        for pod in self._store.catalogue.named(cluster, source.namespace, source.pod):
            if pod.record.uid == source.pod_uid:
                return pod
        return None


@contextmanager
def _held(segments: list[Segment]) -> Iterator[None]:
    """Keep segments from being deleted."""
    for segment in segments:
        segment.readers += 1
    try:
        yield
    finally:
        for segment in segments:
            segment.readers -= 1


def _pieces(chunk: Chunk, line: int, since: int, end: int) -> Iterator[Lines | str]:
    """The lines of a chunk from `line` to `end` and from a time on, between its gaps."""
    start = max(0, line - chunk.first_line)
    stop = min(len(chunk.lines), end - chunk.first_line)
    at = start
    for mark in chunk.marks:
        if mark.type == _GAP and _is_inside(mark, start, stop):
            yield from _since(chunk.lines.part(at, max(at, mark.before)), since)
            yield mark.message
            at = max(at, mark.before)
    if at < stop:
        yield from _since(chunk.lines.part(at, stop), since)


def _is_inside(mark: StoredMark, start: int, stop: int) -> bool:
    # A gap before the first line that is asked for was told with the lines before it.
    return start <= mark.before <= stop and (start == 0 or mark.before > start)


def _since(lines: Lines, since: int) -> Iterator[Lines]:
    """The lines at or after a time, as the kubelet chooses them: each by itself."""
    times = lines.times
    if not times:
        return
    if min(times) >= since:
        yield lines
        return
    kept = [index for index, time in enumerate(times) if time >= since]
    if kept:
        cut = frozenset(lines.truncated)
        yield Lines(
            [lines.texts[index] for index in kept],
            [times[index] for index in kept],
            [new for new, index in enumerate(kept) if index in cut],
        )


def _lost(damage: Damage) -> str:
    count = damage.end_line - damage.first_line
    return f"{count} lines are lost" if count else "lines are lost"


def _archived(run: CapturedRun) -> ArchivedRun:
    first = run.segments[0].summary.first_line if run.segments else 0
    place = run.place
    return ArchivedRun(
        run.key.run,
        first,
        run.end_line - first,
        run.start,
        run.first_time,
        run.last_time,
        run.ended,
        place.whole,
    )


def _containers(pod: CapturedPod) -> list[ArchivedContainer]:
    record = pod.record
    return [
        ArchivedContainer(
            Source(record.namespace, record.pod, container, record.uid),
            record.kinds.get(container, ContainerKind.REGULAR),
        )
        for container in pod.containers()
    ]


def _is_of(pod: CapturedPod, target: Target) -> bool:
    if target.owner is not None:
        return pod.record.owner == f"{target.owner.kind}/{target.owner_name}"
    return parse_label_selector(target.label_selector).matches(pod.record.labels)
