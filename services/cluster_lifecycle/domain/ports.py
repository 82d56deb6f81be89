"""What the domain needs from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.cluster_lifecycle.domain.model import Stack, StepName


@dataclass(frozen=True, slots=True)
class Request:
    """A mutation that was made, kept to answer its repetition. `result` is what it answered."""

    id: str
    action: str
    digest: str
    result: str = ""


@dataclass(frozen=True, slots=True)
class StoredCluster:
    """A cluster's files: `text` is its init_envs. Times are UTC."""

    tag: str
    text: str
    create_time: datetime
    update_time: datetime
    requests: tuple[Request, ...] = ()


class ClusterStore(Protocol):
    """The registry's files. Each call is whole or has not happened; all of them block."""

    def check(self) -> None:
        """Prove that the registry can be written; OSError."""

    def tags(self) -> list[str]:
        """The tags of all clusters, in order."""

    def read(self, tag: str) -> StoredCluster:
        """One cluster; NotFoundError."""

    def create(self, tag: str, text: str, request: Request) -> StoredCluster:
        """A new cluster with its folders; AlreadyExistsError."""

    def replace(self, tag: str, text: str, expected: str, request: Request) -> str:
        """New text for init_envs, after a backup of `expected`; the backup's name.

        ConflictError if the text is not `expected` any more; NotFoundError.
        """

    def archive(self, tag: str, request: Request) -> str:
        """Move the cluster out of the registry; its new folder. NotFoundError."""

    def archived_by(self, tag: str, request_id: str) -> str:
        """The folder where that request archived the cluster; empty if it did not."""


class StackProvider(Protocol):
    """CloudFormation, read."""

    async def describe(self, region: str, name: str) -> Stack | None:
        """The stack, None where there is none.

        UnavailableError, PermissionDeniedError, FailedPreconditionError (no
        credentials): promptly, never after a long wait.
        """


@dataclass(frozen=True, slots=True)
class PodSummary:
    """A pod as the checks need it."""

    namespace: str
    name: str
    ready: bool
    display_status: str


class KubernetesReader(Protocol):
    """The cluster's objects as the k8s-resource service gives them.

    Errors: UnavailableError (that service, or the API server, cannot be
    reached, or its answer is stale), NotFoundError (no such connection).
    """

    async def persistent_volume_phase(self, connection: str, name: str) -> str | None:
        """status.phase of a persistent volume, None where there is none."""

    async def pods(
        self, connection: str, *, namespace: str = "", label_selector: str = ""
    ) -> Sequence[PodSummary]:
        """Pods by namespace (empty: all) and label selector (empty: all)."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A log on disk. `operation_id` is empty for one that Podyard did not write."""

    tag: str
    id: str
    step: StepName
    create_time: datetime
    size: int
    operation_id: str


class LogStore(Protocol):
    """The clusters' log files. Finding and reading are quick enough for the event loop."""

    def list(self, tag: str) -> list[LogEntry]:
        """All logs of a cluster, newest first."""

    def find(self, tag: str, log_id: str) -> LogEntry | None:
        """A log by its id, or by "launch" or "configure" for the newest of that step."""

    def size(self, entry: LogEntry) -> int:
        """Size in bytes now; NotFoundError."""

    def read(self, tag: str, log_id: str, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; fewer at the end; NotFoundError."""
