"""Where the steps of a cluster stand, found out from the real world each time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.cluster_lifecycle.domain.checks import CHECKS, Check, run_checks
from services.cluster_lifecycle.domain.model import (
    CheckResult,
    CheckState,
    Cluster,
    ClusterConfig,
    ConfigureStatus,
    LaunchStatus,
    Stack,
    StepName,
    StepState,
)
from services.cluster_lifecycle.domain.ports import KubernetesReader, StackProvider
from services.cluster_lifecycle.domain.registry import Registry
from services.cluster_lifecycle.domain.stack_states import in_words, step_state
from services.common.errors import PodyardError
from services.common.operations.model import Operation, OperationState
from services.common.operations.ports import OperationEngine
from services.common.shared_results import SharedResults

KEEP_SECONDS = 3.0
"""How long an answer of AWS or Kubernetes serves others who ask."""


_NOT_LAUNCHED = (StepState.NOT_STARTED, StepState.RUNNING, StepState.FAILED)


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """Where both steps stand."""

    launch: LaunchStatus
    configure: ConfigureStatus


@dataclass(frozen=True, slots=True)
class _StackSeen:
    stack: Stack | None
    problem: str
    time: datetime


@dataclass(frozen=True, slots=True)
class _ChecksSeen:
    results: tuple[CheckResult, ...]
    time: datetime


class Status:
    """Status of clusters. `connection_of` names the Kubernetes connection of a configuration."""

    def __init__(
        self,
        registry: Registry,
        engine: OperationEngine,
        stacks: StackProvider,
        kubernetes: KubernetesReader,
        connection_of: Callable[[ClusterConfig], str],
        checks: Sequence[Check] = CHECKS,
    ) -> None:
        self._registry = registry
        self._engine = engine
        self._stacks = stacks
        self._kubernetes = kubernetes
        self._connection_of = connection_of
        self._checks = checks
        self._stacks_seen = SharedResults[_StackSeen](KEEP_SECONDS)
        self._checks_seen = SharedResults[_ChecksSeen](KEEP_SECONDS)

    async def get(self, tag: str, *, consistent: bool) -> ClusterStatus:
        """Where both steps stand; `consistent` asks AWS and Kubernetes now."""
        cluster = await self._registry.get(tag)
        operation = await self._newest(cluster, "configure")
        launch, checks = await asyncio.gather(
            self.launch(cluster, consistent=consistent),
            self._check(cluster, operation, consistent=consistent),
        )
        state, message = configure_state(checks.results, operation, launch.state)
        return ClusterStatus(
            launch, ConfigureStatus(state, message, checks.results, checks.time, operation)
        )

    async def launch(self, cluster: Cluster, *, consistent: bool) -> LaunchStatus:
        """Where the launch step stands; UNKNOWN with the reason if AWS cannot be asked."""
        # The operation first: if it ends in between, the stack read after is its result.
        operation = await self._newest(cluster, "launch")
        config = cluster.config
        if cluster.problems:
            now = datetime.now(UTC)
            why = f"the configuration must be put right first: {'; '.join(cluster.problems)}"
            return LaunchStatus(StepState.UNKNOWN, why, config.stack_name, now, operation=operation)
        key = (config.aws_region, config.stack_name)
        seen = await self._stacks_seen.get(key, lambda: self._see_stack(*key), fresh=consistent)
        if _outdated(seen.time, operation):
            seen = await self._stacks_seen.get(key, lambda: self._see_stack(*key), fresh=True)
        state, message = launch_state(seen.stack, seen.problem, operation, config.stack_name)
        return LaunchStatus(state, message, config.stack_name, seen.time, seen.stack, operation)

    async def _check(
        self, cluster: Cluster, operation: Operation | None, *, consistent: bool
    ) -> _ChecksSeen:
        connection = self._connection_of(cluster.config)
        seen = await self._checks_seen.get(
            connection, lambda: self._see_checks(connection), fresh=consistent
        )
        if _outdated(seen.time, operation):
            seen = await self._checks_seen.get(
                connection, lambda: self._see_checks(connection), fresh=True
            )
        return seen

    async def _see_stack(self, region: str, name: str) -> _StackSeen:
        time = datetime.now(UTC)
        try:
            return _StackSeen(await self._stacks.describe(region, name), "", time)
        except PodyardError as error:
            return _StackSeen(None, error.message, time)

    async def _see_checks(self, connection: str) -> _ChecksSeen:
        time = datetime.now(UTC)
        return _ChecksSeen(await run_checks(self._checks, self._kubernetes, connection), time)

    async def _newest(self, cluster: Cluster, step: StepName) -> Operation | None:
        page = await self._engine.list(target=cluster.tag, kind=step, page_size=1)
        for operation in page.operations:
            # One of a former cluster with this tag says nothing about this one.
            if operation.create_time >= cluster.create_time:
                return operation
        return None


def _outdated(seen: datetime, operation: Operation | None) -> bool:
    """Whether the operation ended after that, so that what was seen lacks its result."""
    return operation is not None and operation.end_time is not None and seen < operation.end_time


def launch_state(
    stack: Stack | None, problem: str, operation: Operation | None, stack_name: str
) -> tuple[StepState, str]:
    """The state of the launch step and the state in words.

    The stack decides; the operation does before there is one.
    """
    if problem:
        return StepState.UNKNOWN, f"the stack's state cannot be found out: {problem}"
    if stack is not None and step_state(stack.status) is not StepState.NOT_STARTED:
        return step_state(stack.status), in_words(stack)
    if operation is not None and not operation.state.terminal:
        return StepState.RUNNING, f"launch is {operation.state.value}; the stack does not exist yet"
    if operation is not None and operation.state is OperationState.FAILED and stack is None:
        why = operation.error.message if operation.error else "no reason was recorded"
        return StepState.FAILED, f"launch failed before the stack was created: {why}"
    if stack is not None:
        return StepState.NOT_STARTED, in_words(stack)
    return StepState.NOT_STARTED, f"stack {stack_name} does not exist"


def configure_state(
    checks: Sequence[CheckResult], operation: Operation | None, launch: StepState
) -> tuple[StepState, str]:
    """The state of the configure step and the state in words.

    The checks decide. `launch` does where they cannot be made: what is not
    launched cannot be configured.
    """
    count = {state: sum(check.state is state for check in checks) for state in CheckState}
    ready = count[CheckState.READY]
    summary = f"{ready} of {len(checks)} checks ready"
    if operation is not None and not operation.state.terminal:
        return StepState.RUNNING, f"configure is {operation.state.value}; {summary}"
    if ready == len(checks):
        return StepState.COMPLETED, summary
    if count[CheckState.ERROR]:
        return StepState.FAILED, f"{summary}; {_first(checks, CheckState.ERROR)}"
    if count[CheckState.UNKNOWN] == len(checks) and launch in _NOT_LAUNCHED:
        return StepState.NOT_STARTED, "the cluster is not launched yet"
    if count[CheckState.UNKNOWN]:
        return StepState.UNKNOWN, f"{summary}; {_first(checks, CheckState.UNKNOWN)}"
    if operation is not None and operation.state is OperationState.FAILED:
        why = operation.error.message if operation.error else "no reason was recorded"
        return StepState.FAILED, f"configure failed: {why}; {summary}"
    if ready or count[CheckState.PENDING]:
        return StepState.PARTIAL, summary
    return StepState.NOT_STARTED, summary


def _first(checks: Sequence[CheckResult], state: CheckState) -> str:
    return next(check.message for check in checks if check.state is state)
