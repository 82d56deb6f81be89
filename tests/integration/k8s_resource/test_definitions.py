"""Kinds that are installed and removed while they are listed and watched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from services.k8s_resource.domain.cache import list_watch
from tests.integration.k8s_resource.manifests import Manifest, crd, custom_job
from tests.integration.k8s_resource.test_lists import _applied, apply, eventually
from tests.integration.k8s_resource.watching import watching
from tools.stack.testing import ControlPlane

NAME = "rayclusters.ray.io"


@pytest.fixture
def only_by_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked at again and again: what is noticed, its definition has told."""
    monkeypatch.setattr(list_watch, "_ABSENT_SECONDS", 3600.0)
    monkeypatch.setattr(list_watch, "_UNDEFINED_SECONDS", 3600.0)


async def installed(plane: ControlPlane, job: Manifest) -> None:
    """Install the kind and make an object of it."""
    apply(plane, crd("ray.io", "RayCluster", "rayclusters"))
    await eventually(lambda: asyncio.to_thread(_applied, plane, job))


@pytest.mark.usefixtures("only_by_definition")
async def test_a_kind_that_comes_and_goes_is_noticed_by_lists_and_watches_that_are_open(
    service: Any, control_plane: ControlPlane, namespace: str, passing: Callable[[str, str], None]
) -> None:
    passing("crd", NAME)
    request = pb.ListTrainingJobsRequest(namespace=namespace)
    before = await service.stub.ListTrainingJobs(request)
    assert any(NAME in note for note in before.notes)
    job = custom_job("ray.io/v1", "RayCluster", "late", namespace)
    async with watching(service.stub, kinds=["rayclusters"], namespace=namespace) as watcher:
        await watcher.synced()
        for _ in range(2):  # it may be installed again
            await installed(control_plane, job)
            await watcher.until(lambda: watcher.names() == ["late"])
            found = await service.stub.ListTrainingJobs(request)
            assert [each.name for each in found.training_jobs] == ["late"]
            assert not any(NAME in note for note in found.notes)
            control_plane.kubectl("delete", "crd", NAME)
            await watcher.until(lambda: not watcher.names())

            async def noted() -> bool:
                answer = await service.stub.ListTrainingJobs(request)
                return not answer.training_jobs and any(NAME in note for note in answer.notes)

            await eventually(noted)


@pytest.mark.usefixtures("only_by_definition")
async def test_a_consistent_list_sees_a_kind_that_was_installed_before_it(
    service: Any, control_plane: ControlPlane, namespace: str, passing: Callable[[str, str], None]
) -> None:
    passing("crd", NAME)
    request = pb.ListTrainingJobsRequest(namespace=namespace, consistent=True)
    assert not (await service.stub.ListTrainingJobs(request)).training_jobs
    for number in range(3):
        await installed(
            control_plane, custom_job("ray.io/v1", "RayCluster", f"r{number}", namespace)
        )
        found = await service.stub.ListTrainingJobs(request)
        assert [each.name for each in found.training_jobs] == [f"r{number}"]
        control_plane.kubectl("delete", "crd", NAME)
