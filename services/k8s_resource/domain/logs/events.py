"""What a follower of logs is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from services.k8s_resource.domain.logs.lines import Lines


@dataclass(frozen=True, slots=True)
class Source:
    """The container that a line or mark is of; `container` is empty on marks of a whole pod."""

    namespace: str
    pod: str
    container: str
    pod_uid: str


class MarkType(Enum):
    """What happened to a container's log; see LogMarkerType of the API."""

    ATTACHED = "attached"
    STARTED = "started"
    ENDED = "ended"
    GAP = "gap"
    INTERRUPTED = "interrupted"
    DELETED = "deleted"
    WAITING = "waiting"
    CAPTURED = "captured"
    LIMITED = "limited"
    HEARTBEAT = "heartbeat"
    END = "end"


class EndReason(Enum):
    """Why a stream ends in order."""

    FINISHED = "finished"
    DELETED = "deleted"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened. `time` in nanoseconds since 1970 UTC."""

    type: MarkType
    time: int
    source: Source | None = None
    message: str = ""
    exit_code: int | None = None
    reason: str = ""
    restarts: int = 0
    end: EndReason | None = None


@dataclass(frozen=True, slots=True)
class SourceLines:
    """Consecutive lines of one container."""

    source: Source
    lines: Lines


@dataclass(frozen=True, slots=True)
class TailBatch:
    """Events in order, and the token to go on with after them."""

    events: list[Mark | SourceLines]
    resume_token: str
