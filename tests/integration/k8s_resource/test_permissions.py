"""Credentials that may not read everything: real service accounts on the real API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import watch_pb2

from services.k8s_resource.domain.cache import list_watch, partial_source
from tests.integration.k8s_resource.conftest import Service, running_service
from tests.integration.k8s_resource.service_accounts import (
    ServiceAccount,
    reading,
    service_account,
)
from tests.integration.k8s_resource.watching import RELISTED, watching
from tools.stack.testing import ControlPlane

DENIED = grpc.StatusCode.PERMISSION_DENIED


@pytest.fixture
def other(control_plane: ControlPlane, passing: Callable[[str, str], None], namespace: str) -> str:
    """A second namespace."""
    name = f"{namespace}-b"
    control_plane.kubectl("create", "namespace", name)
    passing("namespace", name)
    control_plane.kubectl("wait", "-n", name, "--for=create", "serviceaccount/default")
    return name


@pytest.fixture
def account(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> Iterator[ServiceAccount]:
    """An account without any rights of its own."""
    made = service_account(control_plane, namespace, tmp_path)
    yield made
    made.revoke_everywhere()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights are looked at again more often than needed outside of tests."""
    monkeypatch.setattr(list_watch, "_DENIED_SECONDS", 0.5)
    monkeypatch.setattr(list_watch, "_PATIENCE_WITH_DENIALS_SECONDS", 3.0)
    monkeypatch.setattr(partial_source, "_LOOK_SECONDS", 0.5)
    monkeypatch.setattr(partial_source, "_REVIEW_SECONDS", 0.5)


def make_pod(plane: ControlPlane, namespace: str, name: str) -> None:
    spec = {"containers": [{"name": "main", "image": "busybox"}]}
    metadata = {"name": name, "namespace": namespace}
    plane.apply(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))


async def run(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """A call of kubectl, beside the service in this loop."""
    return await asyncio.to_thread(function, *arguments, **options)


@asynccontextmanager
async def refusal(call: Any) -> AsyncIterator[error_details_pb2.ErrorInfo]:
    """The details of a refused call, and its text as `.metadata["message"]`."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    assert error.code() is DENIED, error.details()
    status: status_pb2.Status = rpc_status.from_call(error)  # type: ignore[arg-type]
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    info.metadata["message"] = str(error.details())
    yield info


async def pods_of(service: Service, **query: Any) -> set[tuple[str, str]]:
    response = await service.stub.ListPods(pb.ListPodsRequest(**query))
    return {(pod.namespace, pod.name) for pod in response.pods}


async def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Ask again until the answer is true: rights change without a sign."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return found


async def test_without_any_right_the_answer_says_who_lacks_what_and_how_to_grant_it(
    account: ServiceAccount,
) -> None:
    async with running_service(account.kubeconfig) as service:
        request = pb.ListPodsRequest(namespace=account.namespace)
        async with refusal(service.stub.ListPods(request)) as info:
            assert info.reason == "KUBERNETES_FORBIDDEN"
            told = dict(info.metadata)
        assert (told["user"], told["verb"]) == (account.user, "list")
        assert (told["resource"], told["namespace"]) == ("pods", account.namespace)
        rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
        assert json.loads(told["rule"]) == rule
        assert f"a Role in namespace {account.namespace}" in told["message"]
        assert told["rule"] in told["message"]
        async with refusal(service.stub.ListPods(pb.ListPodsRequest())) as info:
            assert "in the whole cluster" in info.metadata["message"]
            assert "PODYARD_K8S_RESOURCE_NAMESPACES" in info.metadata["message"]
        # What belongs to no namespace has nothing that might be readable instead.
        async with refusal(
            service.stub.ListPersistentVolumes(pb.ListPersistentVolumesRequest())
        ) as info:
            assert info.metadata["resource"] == "persistentvolumes"
        get = pb.GetObjectRequest(kind="secrets", name="x", namespace=account.namespace)
        async with refusal(service.stub.GetObject(get)) as info:
            assert json.loads(info.metadata["rule"])["verbs"] == ["get"]
        # The rule that was named is the one that helps, without a restart.
        await run(account.grant, account.namespace, json.loads(told["rule"]))
        await until(lambda: may(service.stub.ListPods(request)))


async def may(call: Any) -> bool:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        assert error.code() is DENIED, error  # noqa: PT017
        return False
    return True


async def test_a_namespace_is_listed_and_watched_where_only_that_may_be_read(
    control_plane: ControlPlane, account: ServiceAccount, other: str
) -> None:
    mine = account.namespace
    await run(account.grant, mine, reading("pods"))
    await run(make_pod, control_plane, mine, "first")
    await run(make_pod, control_plane, other, "hidden")
    async with running_service(account.kubeconfig) as service:
        assert await pods_of(service, namespace=mine) == {(mine, "first")}
        assert await pods_of(service, namespace=mine, consistent=True) == {(mine, "first")}
        assert not await may(service.stub.ListPods(pb.ListPodsRequest(namespace=other)))
        async with watching(service.stub, kinds=["pods"], namespace=mine) as watcher:
            await watcher.synced()
            await run(make_pod, control_plane, mine, "second")
            await watcher.until(lambda: "second" in watcher.names())
        await run(make_pod, control_plane, mine, "third")
        async with watching(service.stub, watcher, kinds=["pods"], namespace=mine) as watcher:
            await watcher.until(lambda: "third" in watcher.names())
        assert not watcher.has(RELISTED)
    # Another process resumes from the API server's own history of that namespace.
    await run(make_pod, control_plane, mine, "fourth")
    async with (
        running_service(account.kubeconfig) as service,
        watching(service.stub, watcher, kinds=["pods"], namespace=mine) as watcher,
    ):
        await watcher.until(lambda: "fourth" in watcher.names())
    assert not watcher.has(RELISTED)


async def test_all_namespaces_means_those_that_may_be_read_and_names_the_others(
    control_plane: ControlPlane, account: ServiceAccount, other: str
) -> None:
    mine = account.namespace
    await run(account.grant, mine, reading("pods"))
    await run(account.grant_everywhere, reading("namespaces"))
    await run(make_pod, control_plane, mine, "first")
    await run(make_pod, control_plane, other, "second")
    async with running_service(account.kubeconfig) as service:
        listed = await service.stub.ListPods(pb.ListPodsRequest())
        assert {(pod.namespace, pod.name) for pod in listed.pods} == {(mine, "first")}
        assert not listed.freshness.stale
        (note,) = listed.notes
        assert note.startswith("pods: not included is what is in namespaces ")
        assert account.user in note
        assert '"resources": ["pods"]' in note
        async with watching(service.stub, kinds=["pods"]) as watcher:
            await watcher.synced()
            assert watcher.names() == ["first"]
            # A namespace that may be read now comes in by itself.
            await run(account.grant, other, reading("pods"))
            await watcher.until(lambda: watcher.names() == ["first", "second"])
            await run(make_pod, control_plane, other, "third")
            await watcher.until(lambda: "third" in watcher.names())
            # Whole objects are those of all its namespaces too.
            full = watch_pb2.OBJECT_VIEW_FULL
            async with watching(service.stub, kinds=["pods"], view=full) as whole_objects:
                await whole_objects.synced()
                kinds = {json.loads(e.json)["kind"] for e in whole_objects.view.values()}
                assert (whole_objects.names(), kinds) == (["first", "second", "third"], {"Pod"})
            # So does the rest of the cluster, in the same stream.
            await run(make_pod, control_plane, "default", f"everywhere-{mine}")
            await run(account.grant_everywhere, reading("pods", "namespaces"))
            await watcher.until(lambda: f"everywhere-{mine}" in watcher.names())
            assert not watcher.has(RELISTED)
            await run(control_plane.kubectl, "delete", "pod", f"everywhere-{mine}", "--wait=false")
            await watcher.until(lambda: f"everywhere-{mine}" not in watcher.names())

        async def whole() -> bool:
            return not (await service.stub.ListPods(pb.ListPodsRequest())).notes

        await until(whole)


async def test_configured_namespaces_are_looked_in_where_they_cannot_be_listed(
    control_plane: ControlPlane, account: ServiceAccount, other: str
) -> None:
    mine = account.namespace
    for namespace in (mine, other):
        await run(account.grant, namespace, reading("pods"))
        await run(make_pod, control_plane, namespace, "pod")
    async with running_service(account.kubeconfig, namespaces=(mine, other, "absent")) as service:
        listed = await service.stub.ListPods(pb.ListPodsRequest(consistent=True))
        assert {pod.namespace for pod in listed.pods} == {mine, other}
        assert listed.total_size == 2
        denied, only = listed.notes
        assert "absent" in denied
        assert "may not be listed, only these were looked at" in only
        assert (await service.stub.ListPods(pb.ListPodsRequest(namespace=mine))).notes == []
        # Pages and orders are those of any list.
        page = await service.stub.ListPods(pb.ListPodsRequest(page_size=1, order_by="namespace"))
        rest = pb.ListPodsRequest(
            page_size=1, order_by="namespace", page_token=page.next_page_token
        )
        second = await service.stub.ListPods(rest)
        assert [p.namespace for p in (*page.pods, *second.pods)] == sorted([mine, other])
        await run(account.revoke, other)

        async def without_the_other() -> bool:
            return {n for n, _ in await pods_of(service)} == {mine}

        # Of a watch that goes on, a right that was taken away is noticed when it is renewed;
        # here the API server is made to end it.
        await run(control_plane.kill_apiserver)
        await run(control_plane.start_apiserver)
        await until(without_the_other, 120)


async def test_one_kind_that_may_not_be_read_does_not_hide_the_other_training_jobs(
    control_plane: ControlPlane, account: ServiceAccount
) -> None:
    mine = account.namespace
    await run(account.grant, mine, reading("pods"), reading("jobs", group="batch"))
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "job", "namespace": mine},
        "spec": {
            "suspend": True,
            "template": {
                "spec": {"restartPolicy": "Never", "containers": [{"name": "m", "image": "i"}]}
            },
        },
    }
    await run(control_plane.apply, json.dumps(job))
    async with running_service(account.kubeconfig) as service:
        listed = await service.stub.ListTrainingJobs(pb.ListTrainingJobsRequest(namespace=mine))
    assert [job.name for job in listed.training_jobs] == ["job"]
    # A kind that the cluster does not have is told as such, also to those without the right.
    assert "the cluster does not have rayclusters.ray.io" in listed.notes


async def test_a_log_is_followed_where_only_its_namespace_may_be_read(
    control_plane: ControlPlane, account: ServiceAccount
) -> None:
    from podyard.k8s_resource.v1 import logs_pb2

    mine = account.namespace
    await run(account.grant, mine, reading("pods"), reading("pods/log", verbs="get"))
    await run(make_pod, control_plane, mine, "talks")
    await run(control_plane.write_logs, "talks", "hello", namespace=mine)
    async with running_service(account.kubeconfig) as service:
        call = service.stub.TailLogs(
            logs_pb2.TailLogsRequest(namespace=mine, pod="talks", follow=True)
        )
        lines: list[str] = []
        async with asyncio.timeout(60):
            async for response in call:
                lines += [text for event in response.events for text in event.lines.text]
                if lines:
                    break
        call.cancel()
    assert lines == ["hello"]
