"""Which runs of containers are read, and what is said where there is nothing to read."""

from __future__ import annotations

import pytest

from services.common.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from services.k8s_resource.domain.logs.choice import RunChoice, chosen_runs
from services.k8s_resource.domain.logs.live_logs import containers_of
from services.k8s_resource.domain.logs.pods import ContainerState, PodState, Run
from services.k8s_resource.domain.logs.targets import Target

ONE = Target("space", pod_name="p")
MANY = Target("space", label_selector="app=x")


def pod(name: str, *containers: ContainerState) -> PodState:
    return PodState("space", name, f"uid-{name}", containers=containers)


RUNNING = ContainerState("main", running=True, start=5)
RESTARTED = ContainerState("main", restarts=2, running=True, previous=Run(1, end=9))
CRASHED = ContainerState("main", restarts=2, ended=Run(1, end=9))
WAITING = ContainerState("main", waiting_reason="ImagePullBackOff")
INIT = ContainerState("setup", init=True, ended=Run(0, end=3))


def names(pods: list[PodState], choice: RunChoice, target: Target = MANY) -> list[str]:
    found = chosen_runs(target, choice, containers_of(pods))
    return [f"{run.source.pod}/{run.source.container}/{run.run}" for run in found.runs]


def test_the_latest_runs_without_init_containers() -> None:
    pods = [pod("b", INIT, RESTARTED), pod("a", INIT, RUNNING), pod("c", WAITING)]
    assert names(pods, RunChoice()) == ["a/main/0", "b/main/2"]
    assert names(pods, RunChoice(init_too=True)) == [
        "a/setup/0",
        "a/main/0",
        "b/setup/0",
        "b/main/2",
    ]
    assert names(pods, RunChoice(names=("setup",))) == ["a/setup/0", "b/setup/0"]
    notes = chosen_runs(MANY, RunChoice(), containers_of(pods)).notes
    assert notes == ("container main of pod c has not started: ImagePullBackOff",)


def test_earlier_runs() -> None:
    pods = [pod("a", RUNNING), pod("b", RESTARTED), pod("c", CRASHED)]
    assert names(pods, RunChoice(previous=True)) == ["b/main/1"]
    assert names(pods, RunChoice(every_run=True)) == [
        "a/main/0",
        "b/main/1",
        "b/main/2",
        "c/main/2",
    ]
    before, latest = containers_of([pods[1]])[0].runs
    assert (before.latest, before.growing, before.end) == (False, False, 9)
    assert (latest.latest, latest.growing) == (True, True)


def test_nothing_to_read_is_an_error_that_says_why() -> None:
    with pytest.raises(NotFoundError, match='there is no pod "p" in namespace "space"'):
        names([], RunChoice(), ONE)
    assert names([], RunChoice()) == []
    assert chosen_runs(MANY, RunChoice(), []).notes == (
        'pods with "app=x" in space: there is no pod',
    )
    with pytest.raises(
        InvalidArgumentError, match=r"containers: no container named x .* it has main"
    ):
        names([pod("p", RUNNING)], RunChoice(names=("x",)), ONE)
    with pytest.raises(InvalidArgumentError, match="previous: container main of pod p has had no"):
        names([pod("p", RUNNING)], RunChoice(previous=True), ONE)
    with pytest.raises(
        FailedPreconditionError, match="has not started: ImagePullBackOff; there is"
    ):
        names([pod("p", WAITING)], RunChoice(), ONE)
    with pytest.raises(FailedPreconditionError, match="and 2 more"):
        names([pod(f"p{n}", WAITING) for n in range(5)], RunChoice())
