"""The user's own step scripts as operations."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from services.cluster_lifecycle.adapters.cluster_folders import ClusterFolders
from services.cluster_lifecycle.adapters.log_folders import LogFolders
from services.cluster_lifecycle.adapters.own_steps import copy_config, exit_error
from services.cluster_lifecycle.adapters.step_environment import step_environment
from services.cluster_lifecycle.domain.config_file import read_config
from services.cluster_lifecycle.domain.model import StepName, StepState
from services.cluster_lifecycle.domain.ports import StackProvider
from services.cluster_lifecycle.domain.stack_states import in_words, step_state
from services.common.errors import FailedPreconditionError, PodyardError
from services.common.operations.model import Operation, OperationError
from services.common.operations.ports import Payload, Plan, StepExit, StepRun

SCRIPTS: dict[StepName, str] = {
    "launch": "1-cluster-launch.sh",
    "configure": "2-cluster-configs.sh",
}
STACK_ENVS = "stack_envs"
_ANSWER = "y\n"
"""A script may ask once whether to go on."""


class UserScriptHandler:
    """An OperationHandler for a script of the user's folder.

    Each run has its own copy of the folder, so clusters do not disturb each other.
    """

    rerun_safe = False

    def __init__(
        self,
        step: StepName,
        folder: Path,
        clusters: ClusterFolders,
        logs: LogFolders,
        stacks: StackProvider,
    ) -> None:
        self._step = step
        self._folder = folder
        self._clusters = clusters
        self._logs = logs
        self._stacks = stacks

    def plan(self, operation: Operation, payload: Payload) -> Plan:
        """One step named as the script, and a log named after the moment."""
        del payload
        script = SCRIPTS[self._step]
        if not (self._folder / script).is_file():
            raise FailedPreconditionError(
                f"{script} is not in {self._folder}; put it there, or unset "
                "PODYARD_CLUSTER_LIFECYCLE_SCRIPTS to run Podyard's own step",
                reason="SCRIPT_MISSING",
            )
        return Plan(
            (script,), self._logs.new_id(operation.target, self._step, operation.create_time)
        )

    async def prepare(self, operation: Operation, payload: Payload, folder: Path) -> StepRun:
        """A copy of the scripts with the cluster's configuration beside them."""
        del payload
        return await asyncio.to_thread(self._prepare, operation, folder)

    async def conclude(
        self, operation: Operation, payload: Payload, step_exit: StepExit
    ) -> OperationError | None:
        """Why the script failed; its exit code alone says little, so the stack is looked at."""
        del payload
        error = exit_error(step_exit)
        if error is not None or self._step != "launch":
            return error
        try:
            stored = await asyncio.to_thread(self._clusters.read, operation.target)
            config = read_config(stored.text, operation.target).config
            stack = await self._stacks.describe(config.aws_region, config.stack_name)
        except PodyardError:
            # The script's word stands; the status is read from AWS whenever it is asked for.
            return None
        if stack is None:
            return OperationError(
                "STACK_MISSING",
                f"the script ended well, but stack {config.stack_name} does not exist",
            )
        if step_state(stack.status) is StepState.FAILED:
            return OperationError("STACK_FAILED", f"the script ended well, but {in_words(stack)}")
        return None

    def _prepare(self, operation: Operation, folder: Path) -> StepRun:
        tag, cluster = operation.target, self._clusters.folder(operation.target)
        # Links are copied as links: what they point to is the user's affair.
        work = folder / "scripts"
        shutil.rmtree(work, ignore_errors=True)  # half a copy, if a crash cut it off
        shutil.copytree(self._folder, work, symlinks=True)
        copy_config(self._clusters, tag, work)
        # The one file that the scripts hand on: what they write goes to the cluster's own.
        (work / STACK_ENVS).unlink(missing_ok=True)
        (work / STACK_ENVS).symlink_to(cluster / "config" / STACK_ENVS)
        return StepRun(
            argv=("bash", SCRIPTS[self._step]),
            environment=step_environment(os.environ),
            cwd=work,
            log=self._logs.open_run(tag, self._step, operation),
            standard_input=_ANSWER,
        )
