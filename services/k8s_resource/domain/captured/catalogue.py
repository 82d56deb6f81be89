"""What is in the store: pods, runs of containers, segments. No input or output happens here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from services.k8s_resource.domain.captured.records import (
    NOWHERE,
    FoundRun,
    Place,
    PodKey,
    PodRecord,
    RunKey,
    SegmentKey,
    StoredMark,
    Summary,
)
from services.k8s_resource.domain.logs.pods import Run
from services.k8s_resource.domain.logs.position import ContainerPosition


@dataclass(slots=True)
class Segment:
    """A segment. `synced` bytes of it are durable; `readers` read it now, so that it is not
    deleted; `opened` by the clock of the event loop."""

    key: SegmentKey
    summary: Summary
    synced: int = 0
    readers: int = 0
    opened: float = 0.0


@dataclass(slots=True)
class CapturedRun:
    """One run of a container. `active` says that it is being captured."""

    key: RunKey
    segments: list[Segment] = field(default_factory=list)
    active: bool = False

    @property
    def place(self) -> Place:
        """Where capture stands in it."""
        return self.segments[-1].summary.place if self.segments else NOWHERE

    @property
    def end_line(self) -> int:
        return self.segments[-1].summary.end_line if self.segments else 0

    @property
    def marks(self) -> Iterator[StoredMark]:
        """Everything that was marked, in order."""
        return (mark for segment in self.segments for mark in segment.summary.marks)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(segment.summary.size for segment in self.segments)

    @property
    def lines(self) -> int:
        """Lines in store."""
        return sum(segment.summary.lines for segment in self.segments)

    @property
    def text_bytes(self) -> int:
        """Bytes of the lines' text."""
        return sum(segment.summary.text_bytes for segment in self.segments)

    @property
    def first_time(self) -> int:
        """Time of the first line in store; 0 without lines."""
        return next((s.summary.first_time for s in self.segments if s.summary.lines), 0)

    @property
    def last_time(self) -> int:
        """Time of the last line in store; 0 without lines."""
        return next((s.summary.last_time for s in reversed(self.segments) if s.summary.lines), 0)

    @property
    def start(self) -> int:
        """When the run began, as far as is known; 0 if not."""
        return next((mark.time for mark in self.marks if mark.type == "started"), 0)

    @property
    def ended(self) -> Run | None:
        """How the run ended."""
        for segment in reversed(self.segments):
            for mark in reversed(segment.summary.marks):
                if mark.type == "ended":
                    return Run(mark.exit_code or 0, mark.reason, mark.message, mark.time)
        return None

    @property
    def problems(self) -> list[str]:
        """Damage found so far."""
        return [
            f"segment {segment.key.number}: {problem}"
            for segment in self.segments
            for problem in segment.summary.problems
        ]


@dataclass(slots=True)
class CapturedPod:
    """A pod with its runs by container and number."""

    record: PodRecord
    runs: dict[tuple[str, int], CapturedRun] = field(default_factory=dict)

    @property
    def removed(self) -> bool:
        """Whether the pod is known to be gone."""
        return bool(self.record.removed)

    @property
    def last_time(self) -> int:
        """Time of the last line of all its runs."""
        return max((run.last_time for run in self.runs.values()), default=0)

    def containers(self) -> list[str]:
        """Names of its containers that have runs, in order."""
        return sorted({container for container, _ in self.runs})

    def runs_of(self, container: str) -> list[CapturedRun]:
        """The runs of a container in order."""
        return sorted(
            (run for (name, _), run in self.runs.items() if name == container),
            key=lambda run: run.key.run,
        )

    def position(self, container: str) -> ContainerPosition | None:
        """Where capture stands in a container; None if nothing of it is kept."""
        runs = self.runs_of(container)
        if not runs:
            return None
        last, key = runs[-1], self.record.key
        place = last.place
        return ContainerPosition(
            key.uid,
            key.pod,
            container,
            last.key.run,
            place.cursor,
            place.whole,
            place.told_end,
        )


class Catalogue:
    """All that is kept."""

    def __init__(self) -> None:
        self.pods: dict[PodKey, CapturedPod] = {}
        self._names: dict[tuple[str, str, str], dict[PodKey, None]] = {}

    def fill(self, records: Iterable[PodRecord], runs: Iterable[FoundRun], now: float) -> None:
        """Take over what was found on disk. `now` by the clock of the event loop."""
        for record in records:
            self.put(record)
        for found in runs:
            run = self.run(found.key)
            for number, summary in sorted(found.segments.items()):
                segment = Segment(SegmentKey(found.key, number), summary, summary.size, opened=now)
                run.segments.append(segment)

    def put(self, record: PodRecord) -> CapturedPod:
        """Keep a pod's record, in place of the one before."""
        key = record.key
        pod = self.pods.get(key)
        if pod is None:
            pod = self.pods[key] = CapturedPod(record)
            self._names.setdefault(key[:3], {})[key] = None
        pod.record = record
        return pod

    def run(self, key: RunKey) -> CapturedRun:
        """A run, made if it is new; its pod's record is there."""
        runs = self.pods[key.pod].runs
        return runs.setdefault((key.container, key.run), CapturedRun(key))

    def named(self, cluster: str, namespace: str, pod: str) -> list[CapturedPod]:
        """All pods of a name, the newest first."""
        keys = self._names.get((cluster, namespace, pod), {})
        return sorted(
            (self.pods[key] for key in keys),
            key=lambda found: (found.record.first_seen, found.last_time),
            reverse=True,
        )

    def runs(self) -> Iterator[CapturedRun]:
        """All runs."""
        return (run for pod in self.pods.values() for run in pod.runs.values())

    def forget(self, segment: Segment) -> None:
        """A segment was deleted; its run and pod go with their last one."""
        pod = self.pods.get(segment.key.run.pod)
        if pod is None:
            return
        key = (segment.key.run.container, segment.key.run.run)
        run = pod.runs.get(key)
        if run is None:
            return
        run.segments = [kept for kept in run.segments if kept is not segment]
        if not run.segments and not run.active:
            del pod.runs[key]

    def forget_pod(self, key: PodKey) -> None:
        """A pod without runs was deleted."""
        self.pods.pop(key, None)
        names = self._names.get(key[:3], {})
        names.pop(key, None)
        if not names:
            self._names.pop(key[:3], None)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(run.size for run in self.runs())
