"""What operations offer to services, and what a kind of operation must describe.

A service registers an `OperationHandler` for each kind and calls the
`OperationEngine`. The engine queues operations, runs each one's program in a
detached process, follows its progress, and records how it ended. Handlers say
only what to run; they start and watch nothing themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from services.common.operations.model import Operation, OperationError, OperationState
from services.common.streams import Batch

Payload = Mapping[str, Any]
"""What an operation is given: any JSON object. It is stored as it is, so it holds no secrets."""

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


class Mark(Enum):
    """What a subscription says besides operations."""

    SYNCED = "synced"
    """All present operations have been given; changes follow."""


OperationEvent = Operation | Mark
"""An operation's whole state, or a mark."""


@dataclass(frozen=True, slots=True)
class OperationPage:
    """One page of a list. `next_page_token` is empty on the last."""

    operations: tuple[Operation, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known of an operation when it is accepted.

    `steps` are the names of its phases in order; at least one. `log_id` names
    its log for callers.
    """

    steps: tuple[str, ...]
    log_id: str = ""


@dataclass(frozen=True, slots=True)
class StepRun:
    """The program of an operation.

    It runs in `cwd` with exactly `environment` and three more variables:
    PODYARD_OPERATION_ID, PODYARD_ATTEMPT (1, 2, …) and PODYARD_PROGRESS_FILE
    (see `progress`). Nothing is inherited, not even PATH. What it prints is
    appended to `log`, whose folder must exist, and which lies outside of the
    attempt's folder: that is removed, after 30 days if the operation failed,
    else at once. The program
    reads `standard_input` and then the end of file. Its environment is never
    written to disk. When it has ended, what it left running is ended too.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: Path
    log: Path
    standard_input: str = ""


@dataclass(frozen=True, slots=True)
class StepExit:
    """How a program ended by itself: with `code`, or by `signal`.

    `reported` is the error that the program itself reported last, if any.
    """

    code: int | None
    signal: int | None
    end_time: datetime
    reported: OperationError | None = None


class OperationHandler(Protocol):
    """One kind of operation.

    `prepare` and `conclude` may be called again for the same operation after a
    crash of the service, so doing them twice must equal doing them once.
    A PodyardError that they raise fails the operation with its reason and
    message. They may be called in any of several replicas, and concurrently for
    different targets.
    """

    @property
    def rerun_safe(self) -> bool:
        """Whether the program may be run again when it was cut off half-way.

        This happens when its supervisor died or the machine restarted. False
        fails the operation instead.
        """

    def plan(self, operation: Operation, payload: Payload) -> Plan:
        """The steps and the log of a new operation, which has none yet.

        A PodyardError refuses it, and nothing is recorded.
        """

    async def prepare(self, operation: Operation, payload: Payload, folder: Path) -> StepRun:
        """What to run. `folder` is the attempt's own; it exists, private and empty.

        Copies of scripts and configuration that the program uses belong there.
        """

    async def conclude(
        self, operation: Operation, payload: Payload, step_exit: StepExit
    ) -> OperationError | None:
        """Why the operation failed, or None if it did what it was for.

        Not called for a program that was cancelled or cut off.
        """


class OperationEngine(Protocol):
    """Durable operations: whatever dies, each ends in exactly one way."""

    async def start(self) -> None:
        """Take up operations left unfinished, then new ones.

        FailedPreconditionError when another process uses the same runs folder;
        UnavailableError when the database cannot be reached.
        """

    async def stop(self) -> None:
        """Let go of running operations: their programs go on and are taken up at the next start."""

    async def check(self) -> None:
        """Prove that operations can be recorded and run; an error says what is wrong."""

    async def submit(
        self,
        kind: str,
        target: str,
        *,
        actor: str,
        request_id: str = "",
        payload: Payload | None = None,
        priority: int = 0,
    ) -> Operation:
        """Accept an operation; it is durable when this returns.

        Lower `priority` runs first, like `nice`; equals in order of acceptance.
        The same `request_id` for the same kind and target gives the operation
        that it gave before, AlreadyExistsError if the payload differs.
        FailedPreconditionError (reason OPERATION_RUNNING, metadata
        `operation_id`) while another one of this kind and target is unfinished.
        InvalidArgumentError for a kind without a handler.
        """

    async def get(self, operation_id: str) -> Operation:
        """One operation; NotFoundError."""

    async def list(
        self,
        *,
        target: str = "",
        kind: str = "",
        states: Sequence[OperationState] = (),
        page_size: int = 0,
        page_token: str = "",
    ) -> OperationPage:
        """Operations that match, newest first. Empty fields match all.

        `page_size` 0 means 100, more than 1000 means 1000. InvalidArgumentError
        for a token of another query.
        """

    async def cancel(self, operation_id: str) -> Operation:
        """Ask for the end: SIGTERM to the program, SIGKILL after the grace time.

        A queued operation is cancelled at once, a finished one is left as it is.
        NotFoundError.
        """

    def subscribe(
        self, draining: asyncio.Event, *, target: str = "", operation_id: str = ""
    ) -> AsyncGenerator[Batch[OperationEvent], None]:
        """Present operations, oldest first, then Mark.SYNCED, then changes as they happen.

        Batches carry items or the signals HEARTBEAT, DRAINING (set the event to
        end all subscriptions) and, when the only operation asked for has ended,
        CLOSED. A subscriber slower than the changes is given the present states
        and SYNCED again in place of what it missed: each operation's last state
        always arrives. NotFoundError for an unknown `operation_id`.
        """
