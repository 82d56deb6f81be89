"""Which runs of which containers a request reads, from what there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from services.k8s_resource.domain.logs.library import ContainerLogs, LogLibrary, RunLog
from services.k8s_resource.domain.logs.targets import Target
from services.k8s_resource.domain.ports import Connection


@dataclass(frozen=True, slots=True)
class RunChoice:
    """Containers by name, or all but init containers, or all; the latest run of each, the one
    before it, or all that are kept."""

    names: tuple[str, ...] = ()
    init_too: bool = False
    previous: bool = False
    every_run: bool = False

    def takes(self, container: ContainerLogs) -> bool:
        """Whether the container is chosen."""
        if self.names:
            return container.source.container in self.names
        return self.init_too or not container.init

    def runs_of(self, container: ContainerLogs) -> tuple[RunLog, ...]:
        """The runs of a chosen container."""
        if self.every_run:
            return container.runs
        if self.previous:
            return tuple(run for run in container.runs if not run.latest)[-1:]
        return tuple(run for run in container.runs if run.latest)


@dataclass(frozen=True, slots=True)
class ChosenRuns:
    """Runs to read, and what cannot be read and why, for people; the containers they are of."""

    runs: tuple[RunLog, ...]
    notes: tuple[str, ...] = ()
    containers: tuple[ContainerLogs, ...] = ()


async def find_runs(
    library: LogLibrary, connection: Connection, target: Target, choice: RunChoice
) -> ChosenRuns:
    """The runs that a request means.

    Where there is nothing to read at all, an error says why: NotFoundError without the pod,
    InvalidArgumentError for a container or an earlier run that does not exist,
    FailedPreconditionError for containers that have not started. No pod of a selector or an
    owner is a note, since there may have been none yet.
    """
    return chosen_runs(target, choice, await library.containers(connection, target))


def chosen_runs(
    target: Target, choice: RunChoice, containers: Sequence[ContainerLogs]
) -> ChosenRuns:
    """As `find_runs`, of containers that are known."""
    if not containers:
        if target.pod_name:
            message = f'there is no pod "{target.pod_name}" in namespace "{target.namespace}"'
            raise NotFoundError("pod", target.pod_name, message)
        return ChosenRuns((), (f"{target.described}: there is no pod",))
    chosen = [container for container in containers if choice.takes(container)]
    if not chosen:
        raise InvalidArgumentError.field("containers", _no_container(target, choice, containers))
    runs = tuple(run for container in chosen for run in choice.runs_of(container))
    without = [container for container in chosen if not choice.runs_of(container)]
    notes = tuple(_why_nothing(container, choice) for container in without)
    if not runs:
        text = "; ".join(notes[:3]) + (f" and {len(notes) - 3} more" if len(notes) > 3 else "")
        if choice.previous and any(container.runs for container in chosen):
            raise InvalidArgumentError.field("previous", text, reason="NO_PREVIOUS_RUN")
        raise FailedPreconditionError(
            f"{text}; there is no log yet", reason="CONTAINER_NOT_STARTED"
        )
    return ChosenRuns(runs, (*notes, *_whence(runs)), tuple(chosen))


def _whence(runs: Sequence[RunLog]) -> list[str]:
    """That some of the runs come from the captured logs."""
    pods = sorted({run.source.pod for run in runs if run.archived})
    if not pods:
        return []
    names = ", ".join(pods[:3]) + (f" and {len(pods) - 3} more" if len(pods) > 3 else "")
    return [f"from the captured logs, since Kubernetes has them no more: {names}"]


def _why_nothing(container: ContainerLogs, choice: RunChoice) -> str:
    source = container.source
    name = f"container {source.container} of pod {source.pod}"
    if choice.previous and container.runs:
        return f"{name} has had no earlier run"
    return f"{name} has not started" + (f": {container.waiting}" if container.waiting else "")


def _no_container(target: Target, choice: RunChoice, containers: Sequence[ContainerLogs]) -> str:
    present = sorted({container.source.container for container in containers})
    if not choice.names:
        return f"{target.described} has only init containers: {', '.join(present)}"
    names = " or ".join(choice.names)
    return f"no container named {names} in {target.described}; it has {', '.join(present)}"
