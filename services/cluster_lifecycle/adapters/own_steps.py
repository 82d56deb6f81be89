"""The steps' own programs as operations."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.cluster_lifecycle.adapters.cluster_folders import ClusterFolders
from services.cluster_lifecycle.adapters.log_folders import LogFolders
from services.cluster_lifecycle.adapters.step_environment import step_environment
from services.cluster_lifecycle.domain.config_file import FILE_NAME, read_config
from services.cluster_lifecycle.domain.model import ClusterConfig, StepName
from services.cluster_lifecycle.steps.request import FILE_NAME as REQUEST_FILE
from services.cluster_lifecycle.steps.request import StepRequest, secret_environment, write_request
from services.common.errors import FailedPreconditionError
from services.common.operations.model import Operation, OperationError
from services.common.operations.ports import Payload, Plan, StepExit, StepRun

_IMPORT_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class StepOptions:
    """What the steps are told besides the cluster's configuration."""

    template: Path
    stack_parameters: dict[str, str]
    mlflow_role_arn: str
    stack_poll_seconds: float
    k8s_resource_address: str
    connection_of: Callable[[ClusterConfig], str]


class OwnStepHandler:
    """An OperationHandler for a program of `services.cluster_lifecycle.steps`."""

    rerun_safe = True

    def __init__(
        self,
        step: StepName,
        phases: tuple[str, ...],
        clusters: ClusterFolders,
        logs: LogFolders,
        options: StepOptions,
    ) -> None:
        self._step = step
        self._phases = phases
        self._clusters = clusters
        self._logs = logs
        self._options = options

    def plan(self, operation: Operation, payload: Payload) -> Plan:
        """The program's phases, and a log named after the moment."""
        del payload
        return Plan(
            self._phases, self._logs.new_id(operation.target, self._step, operation.create_time)
        )

    async def prepare(self, operation: Operation, payload: Payload, folder: Path) -> StepRun:
        """Copies of configuration and template in the run's folder, and the command."""
        del payload
        return await asyncio.to_thread(self._prepare, operation, folder)

    async def conclude(
        self, operation: Operation, payload: Payload, step_exit: StepExit
    ) -> OperationError | None:
        """Why the program failed, None if it ended well."""
        del operation, payload
        return exit_error(step_exit)

    def _prepare(self, operation: Operation, folder: Path) -> StepRun:
        tag, options = operation.target, self._options
        cluster = self._clusters.folder(tag)
        config = copy_config(self._clusters, tag, folder)
        template = folder / "template.yaml"
        shutil.copyfile(options.template, template)
        request = StepRequest(
            tag=tag,
            config=config,
            config_folder=str(cluster / "config"),
            metadata_folder=str(cluster / "metadata"),
            template=str(template),
            mlflow_role_arn=options.mlflow_role_arn,
            stack_poll_seconds=options.stack_poll_seconds,
            k8s_resource_address=options.k8s_resource_address,
            k8s_connection=options.connection_of(config),
            stack_parameters=options.stack_parameters,
        )
        write_request(folder, request)
        module = f"services.cluster_lifecycle.steps.{self._step}"
        return StepRun(
            # -P: the run's folder is no place to import from.
            argv=(sys.executable, "-P", "-m", module, str(folder / REQUEST_FILE)),
            environment=step_environment(os.environ)
            | secret_environment(request)
            | {"PYTHONPATH": _python_path()},
            cwd=folder,
            log=self._logs.open_run(tag, self._step, operation),
        )


def copy_config(clusters: ClusterFolders, tag: str, folder: Path) -> ClusterConfig:
    """Copy init_envs into a run's folder; FailedPreconditionError if it has problems."""
    stored = clusters.read(tag)
    read = read_config(stored.text, tag)
    if read.problems:
        raise FailedPreconditionError(
            f'the configuration of cluster "{tag}" must be put right first: '
            + "; ".join(f"{problem.field} {problem.description}" for problem in read.problems),
            reason="CONFIG_INVALID",
        )
    copy = folder / FILE_NAME
    # Among copied scripts it may be a link to a file of the user's, which must stay as it is.
    copy.unlink(missing_ok=True)
    copy.write_bytes(stored.text.encode("utf-8", "surrogateescape"))
    return read.config


def exit_error(step_exit: StepExit) -> OperationError | None:
    """What the program reported, else what its exit says; None if it ended well."""
    if step_exit.code == 0:
        return None
    if step_exit.reported is not None:
        return step_exit.reported
    how = (
        f"was ended by signal {step_exit.signal}"
        if step_exit.code is None
        else f"ended with exit code {step_exit.code}"
    )
    return OperationError("STEP_FAILED", f"the program {how}; its log says more")


def _python_path() -> str:
    """Where this service was imported from, first."""
    inherited = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join(filter(None, (str(_IMPORT_ROOT), inherited)))
