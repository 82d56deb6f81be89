"""Operations as values: states, steps, and what may follow what."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class OperationState(Enum):
    """Where an operation or a step stands."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing follows."""
        return self in (OperationState.SUCCEEDED, OperationState.FAILED, OperationState.CANCELLED)


@dataclass(frozen=True, slots=True)
class OperationStep:
    """One named part of an operation. Times are UTC."""

    name: str
    state: OperationState = OperationState.QUEUED
    start_time: datetime | None = None
    end_time: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class OperationError:
    """Why an operation failed, for people (`message`) and programs (`reason`)."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One durable piece of work. `id` is "<target>.<uuid>"; times are UTC."""

    id: str
    kind: str
    target: str
    state: OperationState
    create_time: datetime
    actor: str
    steps: tuple[OperationStep, ...] = field(default=())
    start_time: datetime | None = None
    end_time: datetime | None = None
    error: OperationError | None = None
    exit_code: int | None = None
    exit_signal: int | None = None
    log_id: str = ""
    request_id: str = ""
    recoveries: int = 0

    @property
    def progress_percent(self) -> int:
        """Share of the steps that have succeeded, 0 to 100."""
        if self.state is OperationState.SUCCEEDED:
            return 100
        if not self.steps:
            return 0
        done = sum(1 for step in self.steps if step.state is OperationState.SUCCEEDED)
        return 100 * done // len(self.steps)
