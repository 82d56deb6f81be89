"""Asking for a step to be run."""

from __future__ import annotations

import asyncio
from typing import Protocol

from services.cluster_lifecycle.domain.model import Cluster, StepName, StepState
from services.cluster_lifecycle.domain.registry import UNFINISHED, Registry
from services.cluster_lifecycle.domain.status import Status
from services.cluster_lifecycle.domain.tag_locks import TagLocks
from services.common.errors import FailedPreconditionError, UnavailableError
from services.common.operations.model import Operation
from services.common.operations.ports import OperationEngine


class LogOpener(Protocol):
    """Makes an accepted operation's log."""

    def open_run(self, tag: str, step: StepName, operation: Operation) -> object:
        """Make the log, empty, and the current one of its step; nothing if it is there."""


class StepRequests:
    """Starts steps as operations, if the cluster is in a state for them."""

    def __init__(
        self,
        registry: Registry,
        engine: OperationEngine,
        status: Status,
        logs: LogOpener,
        locks: TagLocks,
    ) -> None:
        self._registry = registry
        self._engine = engine
        self._status = status
        self._logs = logs
        self._locks = locks

    async def launch(
        self, tag: str, *, actor: str, validate_only: bool, request_id: str
    ) -> Operation | None:
        """The launch operation, None on `validate_only`.

        FailedPreconditionError while one is unfinished or the configuration
        has problems.
        """
        return await self._request(tag, "launch", actor, request_id, validate_only=validate_only)

    async def configure(
        self, tag: str, *, actor: str, validate_only: bool, request_id: str
    ) -> Operation | None:
        """The configure operation; besides, FailedPreconditionError until launch is completed."""
        return await self._request(tag, "configure", actor, request_id, validate_only=validate_only)

    async def _request(
        self, tag: str, step: StepName, actor: str, request_id: str, *, validate_only: bool
    ) -> Operation | None:
        async with self._locks.hold(tag):
            cluster = await self._registry.get(tag)
            repeated = await self._repeated(tag, step, request_id)
            if repeated is None:
                _check_problems(cluster)
                if step == "configure":
                    await self._check_launched(cluster)
            if validate_only:
                await self._check_idle(tag, step)
                return None
            operation = await self._engine.submit(
                step, tag, actor=actor, request_id=request_id, payload={}
            )
            await asyncio.to_thread(self._logs.open_run, tag, step, operation)
            return operation

    async def _repeated(self, tag: str, step: StepName, request_id: str) -> Operation | None:
        """The operation that this request asked for before; its repetition is never refused."""
        token = ""
        while request_id:
            page = await self._engine.list(target=tag, kind=step, page_size=1000, page_token=token)
            for operation in page.operations:
                if operation.request_id == request_id:
                    return operation
            token = page.next_page_token
            if not token:
                break
        return None

    async def _check_idle(self, tag: str, step: StepName) -> None:
        page = await self._engine.list(target=tag, kind=step, states=UNFINISHED, page_size=1)
        if page.operations:
            raise FailedPreconditionError(
                f"{step} of {tag} is under way as operation {page.operations[0].id}",
                reason="OPERATION_RUNNING",
                metadata={"operation_id": page.operations[0].id},
            )

    async def _check_launched(self, cluster: Cluster) -> None:
        status = await self._status.launch(cluster, consistent=True)
        if status.state is StepState.UNKNOWN:
            raise UnavailableError(
                f"configure needs a launched cluster, and {status.message}", retry_after=5
            )
        if status.state is not StepState.COMPLETED:
            raise FailedPreconditionError(
                f"configure needs a launched cluster: {status.message}; "
                "launch it and wait until that is completed",
                reason="NOT_LAUNCHED",
                metadata={"launch_state": status.state.value},
            )


def _check_problems(cluster: Cluster) -> None:
    if cluster.problems:
        raise FailedPreconditionError(
            f'the configuration of cluster "{cluster.tag}" must be put right first: '
            + "; ".join(cluster.problems),
            reason="CONFIG_INVALID",
        )
