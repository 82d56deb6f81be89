"""Which logs there are and their bytes: the port of everything that reads logs without following.

Behind it stand the API server, and whatever keeps logs of pods that are gone. All of them give
a log in one form, the kubelet's with timestamps: each line begins with its time, RFC 3339 with
nine digits, and a space. The bytes of a line are otherwise those that the container wrote.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from services.k8s_resource.domain.logs.events import Source
from services.k8s_resource.domain.logs.targets import Target
from services.k8s_resource.domain.ports import Connection


@dataclass(frozen=True, slots=True)
class RunLog:
    """The log of one run of a container. `run` counts the restarts before it.

    `start` and `end` in nanoseconds since 1970 UTC, 0 when not known. `growing` says that the
    container runs, so that more may come. `latest` says that no run after it has begun.
    `archived` says that Kubernetes has it no more: it was captured.
    """

    source: Source
    run: int
    init: bool = False
    latest: bool = True
    growing: bool = False
    start: int = 0
    end: int = 0
    archived: bool = False


@dataclass(frozen=True, slots=True)
class ContainerLogs:
    """A container and its runs that can be read, oldest first.

    Without any, `waiting` is why it has not started, as Kubernetes says it.
    """

    source: Source
    init: bool
    runs: tuple[RunLog, ...]
    waiting: str = ""


@dataclass(frozen=True, slots=True)
class ReadStart:
    """Where a reading begins: at the first line whose time is at or after `since_second`
    (seconds since 1970), and with at most `tail` last lines; None means no limit."""

    since_second: int | None = None
    tail: int | None = None


WHOLE = ReadStart()
"""From the first line that is kept."""


class LogBytes(Protocol):
    """An open log."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Its bytes, cut anywhere, up to what was the end when it was opened or later.

        UnavailableError when the source fails before the end.
        """


class LogLibrary(Protocol):
    """Logs of one or more sources."""

    async def containers(self, connection: Connection, target: Target) -> Sequence[ContainerLogs]:
        """The containers of all pods of a target, by namespace, pod and container.

        Also those that have not started. Two pods of one name, one after the other, differ by
        their uid. UnavailableError if it cannot be known now.
        """

    def open(
        self, connection: Connection, log: RunLog, start: ReadStart = WHOLE
    ) -> AbstractAsyncContextManager[LogBytes]:
        """The bytes of a log; leaving ends the reading, upstream too.

        At the same `start` a log always gives the same bytes, to which more may have been added,
        except that its beginning may be gone. Domain errors for what cannot be read.
        """
