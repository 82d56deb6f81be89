"""What the domain needs from outside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from services.common.errors import FailedPreconditionError, NotFoundError, UnavailableError
from services.training_history.domain.model import Experiment, Run


class RunNotFoundError(NotFoundError):
    """The tracking server has no such run, or it is deleted."""

    reason = "RUN_NOT_FOUND"

    def __init__(self, run_id: str, message: str | None = None) -> None:
        super().__init__("run", run_id, message)


class TrackingServerUnavailableError(UnavailableError):
    """The tracking server cannot be reached, is overloaded, or does not answer in time."""

    reason = "TRACKING_SERVER_UNAVAILABLE"


class TrackingServerFaultError(UnavailableError):
    """The tracking server was reached and failed at this one request (500)."""

    reason = "TRACKING_SERVER_FAULT"


class TrackingServerRefusedError(FailedPreconditionError):
    """The tracking server does not accept Podyard's credentials, host name or request."""

    reason = "TRACKING_SERVER_REFUSED"


class NotATrackingServerError(FailedPreconditionError):
    """What answers at the tracking URI is not MLflow's REST API."""

    reason = "NOT_A_TRACKING_SERVER"


class Lifecycle(Enum):
    """Which runs a search looks at; the values are MLflow's ViewType."""

    ACTIVE = "ACTIVE_ONLY"
    DELETED = "DELETED_ONLY"


@dataclass(frozen=True, slots=True)
class RunSearch:
    """A search in MLflow's filter language over some experiments."""

    experiment_ids: Sequence[str]
    filter: str = ""
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    newest_first: bool = False
    page_size: int = 500


@dataclass(frozen=True, slots=True)
class RunPage:
    """One page; `next_page_token` is empty on the last."""

    runs: list[Run]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run that the tracking server has; `deleted` ones can be restored there."""

    run: Run
    deleted: bool


class TrackingServer(Protocol):
    """An MLflow tracking server.

    Any method may raise TrackingServerUnavailableError, TrackingServerFaultError,
    TrackingServerRefusedError or NotATrackingServerError.
    """

    @property
    def display_uri(self) -> str:
        """Its URL or ARN without credentials."""

    async def probe(self) -> None:
        """Return if it answers; raise what is wrong if not. Asked once, without retries."""

    async def experiments(self) -> list[Experiment]:
        """All experiments that are not deleted."""

    async def experiment(self, experiment_id: str) -> Experiment | None:
        """One experiment; None if it does not exist or is deleted."""

    async def search_runs(self, search: RunSearch, page_token: str = "") -> RunPage:
        """One page of a search."""

    async def get_run(self, run_id: str) -> FoundRun:
        """One run, deleted ones included; RunNotFoundError."""

    async def delete_run(self, run_id: str) -> None:
        """Delete a run so that it can be restored; no error if it is; RunNotFoundError."""


@dataclass(frozen=True, slots=True)
class SyncMarks:
    """How far a cache has followed its tracking server; times in milliseconds since the epoch."""

    confirmed_ms: int | None = None
    full_sync_ms: Mapping[str, int] = field(default_factory=dict)
    """When each experiment was last read in full, by experiment id."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a run store holds."""

    experiments: Sequence[Experiment]
    runs: Sequence[Run]
    marks: SyncMarks


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be written at once: all of it or nothing."""

    experiments: Sequence[Experiment]
    runs: Sequence[Run]
    removed_run_ids: Collection[str]
    marks: SyncMarks


class RunStore(Protocol):
    """Keeps a cache over a restart. OSError when it cannot be written."""

    async def load(self) -> Snapshot:
        """All it holds; an empty snapshot at first, or if what it held cannot be read."""

    async def save(self, changes: Changes) -> None:
        """Write changes: `experiments` and `marks` replace what was, `runs` are added or replaced."""
