"""Logs that are kept beyond their pods, as readers and followers see them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from services.k8s_resource.domain.logs.events import Source
from services.k8s_resource.domain.logs.lines import Lines
from services.k8s_resource.domain.logs.pods import ContainerKind, ContainerState, Run
from services.k8s_resource.domain.logs.targets import Target, TargetKind


class ArchiveUse(Enum):
    """Whether captured logs of pods that are gone are delivered; see CapturedLogs of the API."""

    AUTO = "auto"
    INCLUDE = "include"
    EXCLUDE = "exclude"


@dataclass(frozen=True, slots=True)
class ArchivedRun:
    """A run that is kept, at least in part. `first_line` is 0 if its beginning is there;
    `whole` says that it ended and is there to its end. Times in nanoseconds, 0 if not known."""

    run: int
    first_line: int
    lines: int
    start: int
    first_time: int
    last_time: int
    ended: Run | None
    whole: bool


@dataclass(frozen=True, slots=True)
class ArchivedContainer:
    """A container of which something is kept."""

    source: Source
    kind: ContainerKind

    @property
    def init(self) -> bool:
        """Whether it ended before the others started."""
        return self.kind is ContainerKind.INIT

    @property
    def state(self) -> ContainerState:
        """It as a container of which nothing else is known."""
        return ContainerState(
            self.source.container,
            self.init,
            sidecar=self.kind is ContainerKind.SIDECAR,
            ephemeral=self.kind is ContainerKind.EPHEMERAL,
        )


class LogArchive(Protocol):
    """What is kept. Knows at once what there is; reading it takes time."""

    def target(self, cluster: str, kind: TargetKind, name: str, namespace: str) -> Target | None:
        """The pods of an owner that does not exist any more; None if nothing of it is kept."""

    def gone(
        self, cluster: str, target: Target, present: Collection[str], pod_uid: str = ""
    ) -> Sequence[ArchivedContainer]:
        """Containers of pods of a target that are not `present` (uids), the oldest pod first.

        Of one pod by name: the newest of that name, or the one of `pod_uid`.
        """

    def containers(self, cluster: str, pod_uid: str) -> Sequence[ArchivedContainer]:
        """The containers that are kept of one pod."""

    def runs(self, cluster: str, source: Source) -> Sequence[ArchivedRun]:
        """The runs that are kept of a container, the oldest first."""

    def read(
        self,
        cluster: str,
        source: Source,
        run: int,
        *,
        since_second: int | None = None,
        tail: int | None = None,
        until: int | None = None,
    ) -> AsyncGenerator[Lines | str, None]:
        """The lines of a run whose time is at or after a second, or the last so many of them.

        A text between them says why lines may be missing there. What is on its way into the
        store is waited for: to the end of the run, or, with `until` (nanoseconds since 1970),
        for a moment until lines of that time are there.
        """
