"""The record of what was changed, by whom, and how it ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Protocol

from services.common.logs import get_logger


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One mutating or denied call. `duration` is in seconds."""

    method: str
    actor: str
    action: str
    resource: str
    outcome: str
    request_id: str
    peer: str
    duration: float


class AuditSink(Protocol):
    """Where audit entries go."""

    def record(self, entry: AuditEntry) -> None:
        """Keep one entry."""


class LogAuditSink:
    """Writes entries to the service's log under the logger `audit`."""

    def __init__(self) -> None:
        self._log = get_logger("audit")

    def record(self, entry: AuditEntry) -> None:
        self._log.info("call", **asdict(entry))
