"""What operations need to be told. Services embed these fields in their own settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class OperationSettings:
    """Where operations are kept and how they are run. Times are in seconds."""

    database_url: str
    """SQLAlchemy URL: sqlite:////absolute/file.db, or postgresql://… with several replicas."""
    runs_folder: Path
    """Folder of the runs' records: local to this replica, kept over restarts, 0700."""
    cancel_grace_seconds: float = 30.0
    """From SIGTERM to SIGKILL; Kubernetes allows pods the same by default."""
    poll_seconds: float = 0.25
    """How often a running program's exit and progress are looked for."""
    max_running: int = 8
    """Programs at once on this replica; more wait in the queue."""
