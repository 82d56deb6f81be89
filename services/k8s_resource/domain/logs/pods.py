"""Pods as followers of logs see them, and where they learn about them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from services.k8s_resource.domain.ports import Connection


@dataclass(frozen=True, slots=True)
class Run:
    """One ended run of a container; `end` in nanoseconds, 0 when not known."""

    exit_code: int
    reason: str = ""
    message: str = ""
    end: int = 0


class ContainerKind(Enum):
    """What a container is to its pod."""

    REGULAR = "regular"
    INIT = "init"
    SIDECAR = "sidecar"
    EPHEMERAL = "ephemeral"


@dataclass(frozen=True, slots=True)
class ContainerState:
    """A container as it stands now. `restarts` numbers its present or latest run.

    `ended` is the latest run if it has ended, `previous` the one before the present.
    `start` in nanoseconds, 0 when not known. A `sidecar` runs on beside the others although it
    is specified as an init container; `init` is only what ends before they start.
    """

    name: str
    init: bool = False
    restarts: int = 0
    running: bool = False
    waiting_reason: str = ""
    start: int = 0
    ended: Run | None = None
    previous: Run | None = None
    sidecar: bool = False
    ephemeral: bool = False

    @property
    def kind(self) -> ContainerKind:
        """What it is to its pod."""
        if self.ephemeral:
            return ContainerKind.EPHEMERAL
        if self.sidecar:
            return ContainerKind.SIDECAR
        return ContainerKind.INIT if self.init else ContainerKind.REGULAR

    @property
    def has_log(self) -> bool:
        """Whether a run has begun, so that there is a log to read."""
        return self.running or self.ended is not None


@dataclass(frozen=True, slots=True)
class PodState:
    """A pod as it stands now."""

    namespace: str
    name: str
    uid: str
    phase: str = ""
    terminating: bool = False
    containers: tuple[ContainerState, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether none of its containers will run again."""
        return self.phase in ("Succeeded", "Failed")


class PodEventKind(Enum):
    """What a pod source tells."""

    PRESENT = "present"
    """The pod exists, or has changed."""
    REMOVED = "removed"
    """The pod is gone; its last state is given."""
    SYNCED = "synced"
    """All pods that exist now have been told."""


@dataclass(frozen=True, slots=True)
class PodEvent:
    """One thing told; `pod` is None on SYNCED."""

    kind: PodEventKind
    pod: PodState | None = None


class PodSource(Protocol):
    """Tells of pods, now and as they change; backed by the service's one watch of pods."""

    def follow(
        self, connection: Connection, namespace: str, *, name: str = "", label_selector: str = ""
    ) -> AbstractAsyncContextManager[AsyncIterator[PodEvent]]:
        """Events of one pod by name, or of all that match the selector.

        Present pods first, then SYNCED, then changes. A pod of the same name with another
        uid is another pod. A pod that comes to match is PRESENT, one that ceases to is
        REMOVED. Goes on by itself when the API server cannot be reached.
        UnavailableError if it cannot be reached at the start.
        """
