"""Watch streams of a real cluster: ordered, unique, reliable, resumable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import grpc
import pytest
from podyard.common.v1 import stream_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as service_pb
from podyard.k8s_resource.v1 import watch_pb2 as pb

from services.k8s_resource.adapters.kubeconfig import KubeconfigConnections
from services.k8s_resource.convert.watch import WatchEventEncoder, encoded_batch, targets_from_pb
from services.k8s_resource.domain.cache.clusters import CacheLimits, ClusterCaches
from services.k8s_resource.domain.discovery import Discovery
from services.k8s_resource.domain.watching.events import WatchOptions
from services.k8s_resource.domain.watching.watches import Watches
from tests.integration.k8s_resource.config_maps import Maps, api_server_down, own
from tests.integration.k8s_resource.conftest import Service, running_service
from tests.integration.k8s_resource.manifests import crd, deployment, pod
from tests.integration.k8s_resource.watching import (
    ADDED,
    DELETED,
    DISCONNECTED,
    END,
    MODIFIED,
    RECONNECTED,
    RELISTED,
    Watcher,
    watching,
)
from tools.stack.testing import ControlPlane

FULL = 3


async def test_the_life_of_a_deployment_is_told_each_thing_once(
    service: Service, control_plane: ControlPlane, namespace: str
) -> None:
    request: dict[str, Any] = {"kinds": ["deployments", "po"], "namespace": namespace}
    async with watching(service.stub, **request) as watcher:
        await watcher.synced()
        assert watcher.types() == ["SYNCED"]
        control_plane.apply(json.dumps(deployment("web", namespace, replicas=2)))
        await watcher.until(
            lambda: (
                len(watcher.names(1)) == 2
                and all(e.pod.ready for k, e in watcher.view.items() if k[0] == 1)
            )
        )
        assert watcher.names(0) == ["web"]
        control_plane.kubectl("delete", "deployment", "-n", namespace, "web")
        await watcher.until(lambda: not watcher.state)
    added = [e for e in watcher.events if e.type == ADDED]
    deleted = [e for e in watcher.events if e.type == DELETED]
    assert len(added) == len(deleted) == 3
    assert {e.WhichOneof("summary") for e in added} == {"pod", "deployment"}


async def test_a_selector_turns_changes_into_additions_and_deletions(
    service: Service, maps: Maps, namespace: str
) -> None:
    await maps.create("a", {"team": "red"})
    request = own(namespace, label_selector="team=red")
    async with watching(service.stub, **request) as watcher:
        await watcher.synced()
        await maps.change("a", {"team": "blue"})
        await maps.create("b", {"team": "blue"})
        await maps.change("b", {"team": "red"})
        await maps.change("b", {"team": "red"}, text="new")
        await maps.delete("b")
        await maps.change("a", {"team": "red"})
        await watcher.until(lambda: len(watcher.events) >= 7)
    assert watcher.types() == [
        "ADDED a", "SYNCED", "DELETED a", "ADDED b", "MODIFIED b", "DELETED b", "ADDED a",
    ]  # fmt: skip


async def test_resuming_gives_exactly_what_was_missed(
    service: Service, maps: Maps, namespace: str
) -> None:
    await maps.create("a")
    await maps.create("b")
    watcher = Watcher()
    async with watching(service.stub, watcher, **own(namespace)):
        await watcher.synced()
    before = len(watcher.events)
    await maps.change("a", text="1")
    await maps.delete("b")
    await maps.create("c")
    async with watching(service.stub, watcher, **own(namespace)):
        await watcher.until(lambda: watcher.names() == ["a", "c"])
        await maps.delete("c")
        await watcher.until(lambda: watcher.names() == ["a"])
    assert [t for t in watcher.types()[before:] if t != "BOOKMARK"] == [
        "MODIFIED a", "DELETED b", "ADDED c", "DELETED c",
    ]  # fmt: skip


async def test_resuming_at_another_server_gives_exactly_what_was_missed(
    control_plane: ControlPlane, maps: Maps, namespace: str
) -> None:
    watcher = Watcher()
    await maps.create("a", {"team": "red"})
    await maps.create("b", {"team": "red"})
    request = own(namespace, label_selector="team=red", view=FULL)
    async with (
        running_service(control_plane.kubeconfig) as first,
        watching(first.stub, watcher, **request),
    ):
        await watcher.synced()
    before = len(watcher.events)
    await maps.change("a", {"team": "red"}, text="1")
    await maps.change("b", {"team": "blue"})
    await maps.create("gone", {"team": "red"})
    await maps.delete("gone")
    async with (
        running_service(control_plane.kubeconfig) as second,
        watching(second.stub, watcher, **request),
    ):
        await watcher.until(lambda: watcher.types()[-1] == "BOOKMARK")
        await maps.create("later", {"team": "red"})
        await watcher.until(lambda: "later" in watcher.names())
    assert [t for t in watcher.types()[before:] if t != "BOOKMARK"] == [
        "MODIFIED a", "DELETED b", "ADDED gone", "DELETED gone", "ADDED later",
    ]  # fmt: skip


async def test_whole_objects_are_complete_after_a_time_without_watchers(
    control_plane: ControlPlane, maps: Maps, namespace: str
) -> None:
    connections = KubeconfigConnections([control_plane.kubeconfig])
    caches = ClusterCaches(connections, CacheLimits())
    watches = Watches(connections, caches, Discovery(), asyncio.Event())
    watcher = Watcher()

    async def watch_until(last: str) -> None:
        request = pb.WatchRequest(**own(namespace, view=FULL, resume_token=watcher.token))
        encoder = WatchEventEncoder(request.view)
        targets = targets_from_pb(request)
        stream = watches.watch("", targets, encoder, request.resume_token, WatchOptions())
        async with aclosing(stream) as batches:
            async for batch in batches:
                watcher.take(pb.WatchResponse.FromString(encoded_batch(batch)))
                if watcher.types()[-1] == last:
                    return

    await maps.create("a")
    async with caches.running():
        await watch_until("SYNCED")
        ((_, kept),) = caches.present(connections.get(""))
        kept.source.drop_raw()
        await maps.change("a", text="1")
        await maps.change("a", text="2")
        await kept.source.catch_up()
        await watch_until("BOOKMARK")
    await connections.close()
    changed = [json.loads(e.json)["data"]["text"] for e in watcher.events if e.type == MODIFIED]
    assert changed == ["1", "2"]


async def test_lost_history_is_told_and_followed_by_the_whole_state(
    control_plane: ControlPlane, maps: Maps, namespace: str
) -> None:
    await maps.create("a")
    await maps.create("b")
    watcher = Watcher()
    async with (
        running_service(control_plane.kubeconfig) as first,
        watching(first.stub, watcher, **own(namespace)),
    ):
        await watcher.synced()
    await maps.delete("b")
    await maps.create("c")
    # A new API server knows nothing of the time before it.
    with api_server_down(control_plane):
        pass
    before = len(watcher.events)
    async with (
        running_service(control_plane.kubeconfig) as second,
        watching(second.stub, watcher, **own(namespace)),
    ):
        await watcher.until(lambda: watcher.types()[-1] == "BOOKMARK")
    assert watcher.types()[before:] == ["RELISTED", "ADDED a", "ADDED c", "SYNCED", "BOOKMARK"]
    assert watcher.events[before].message


async def test_nothing_is_lost_or_doubled_when_the_api_server_is_killed(
    service: Service, control_plane: ControlPlane, maps: Maps, namespace: str
) -> None:
    await maps.create("doomed")
    async with watching(service.stub, **own(namespace)) as watcher:
        await watcher.synced()

        async def write(start: int, count: int) -> None:
            for number in range(start, start + count):
                await maps.create(f"m{number:03d}")
                await maps.change(f"m{number:03d}", text="changed")

        await write(0, 20)
        # The last writes may be told before the kill, or only by comparison after it.
        with api_server_down(control_plane):
            await watcher.until(lambda: watcher.has(DISCONNECTED))
        await maps.delete("doomed")
        await write(20, 20)
        expected = [f"m{number:03d}" for number in range(40)]
        await watcher.until(lambda: watcher.names() == expected and watcher.has(RECONNECTED))
        await watcher.until(
            lambda: sum(e.type == MODIFIED and e.ref.name >= "m020" for e in watcher.events) == 20
        )
    assert not watcher.has(RELISTED)
    assert sum(e.type == DELETED for e in watcher.events) == 1
    assert sum(e.type == ADDED for e in watcher.events) == 41


async def test_answers_are_marked_stale_while_the_api_server_is_down(
    service: Service, control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.apply(json.dumps(pod("kept", namespace)))
    request = service_pb.ListPodsRequest(namespace=namespace)
    consistent = service_pb.ListPodsRequest(namespace=namespace, consistent=True)
    fresh = await service.stub.ListPods(consistent)
    assert not fresh.freshness.stale
    async with watching(service.stub, kinds=["pods"], namespace=namespace) as watcher:
        await watcher.synced()
        with api_server_down(control_plane):
            await watcher.until(lambda: watcher.has(DISCONNECTED))
            stale = await service.stub.ListPods(request)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await service.stub.ListPods(consistent)
            # Nothing is cached of services: this must be told, and soon.
            with pytest.raises(grpc.aio.AioRpcError) as cold:
                await service.stub.ListServices(service_pb.ListServicesRequest(), timeout=20)
            info = await service.stub.GetClusterInfo(service_pb.GetClusterInfoRequest())
            async with watching(service.stub, kinds=["pods"], namespace=namespace) as late:
                await late.until(lambda: late.has(DISCONNECTED))
        await watcher.until(lambda: watcher.has(RECONNECTED))
    assert [each.name for each in stale.pods] == ["kept"]
    assert stale.freshness.stale
    assert (
        "cannot connect" in stale.freshness.stale_reason or "broke" in stale.freshness.stale_reason
    )
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert cold.value.code() is grpc.StatusCode.UNAVAILABLE
    assert (info.reachable, info.version) == (False, "")
    assert "cannot connect" in info.problem
    assert late.types() == ["ADDED kept", "SYNCED", "DISCONNECTED"]


async def test_whole_objects_come_without_managed_fields_and_disturb_nobody(
    service: Service, control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.apply(json.dumps(pod("p", namespace, node="not-there")))
    request: dict[str, Any] = {"kinds": ["Pod"], "namespace": namespace}
    async with watching(service.stub, **request) as plain:
        await plain.synced()
        async with watching(service.stub, view=FULL, **request) as whole:
            await whole.synced()
            found = json.loads(whole.events[0].json)
            control_plane.kubectl("label", "pod", "-n", namespace, "p", "color=red")
            await whole.until(lambda: whole.has(MODIFIED))
            await plain.until(lambda: plain.has(MODIFIED))
    assert (found["apiVersion"], found["kind"]) == ("v1", "Pod")
    assert found["spec"]["containers"][0]["image"] == "example/image:1"
    assert "managedFields" not in found["metadata"]
    assert json.loads(whole.events[-1].json)["metadata"]["labels"] == {"color": "red"}
    assert plain.types() == ["ADDED p", "SYNCED", "MODIFIED p"]
    assert not plain.events[0].json


async def test_a_slow_subscriber_ends_with_the_same_state(
    service: Service, maps: Maps, namespace: str
) -> None:
    call = service.stub.Watch(pb.WatchRequest(**own(namespace, view=FULL)))
    watcher = Watcher()
    watcher.take(await call.read())
    text = "x" * 200_000
    for number in range(8):
        await maps.create(f"m{number}", text=text)
    for turn in range(6):
        for number in range(8):
            await maps.change(f"m{number}", text=text, turn=str(turn))
    await maps.delete("m0")
    async with asyncio.timeout(60):
        while len(watcher.names()) != 7 or any(
            json.loads(e.json)["data"].get("turn") != "5"
            for key, e in watcher.view.items()
            if key in watcher.state
        ):
            watcher.take(await call.read())
    call.cancel()


async def test_one_upstream_watch_serves_all_subscribers(
    service: Service,
    control_plane: ControlPlane,
    namespace: str,
    passing: Callable[[str, str], None],
) -> None:
    passing("crd", "widgets.podyard.test")
    control_plane.apply(json.dumps(crd("podyard.test", "Widget", "widgets")))
    control_plane.kubectl("wait", "--for=condition=Established", "crd/widgets.podyard.test")

    def upstream() -> float:
        lines = control_plane.kubectl("get", "--raw", "/metrics").splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in lines
            if line.startswith("apiserver_longrunning_requests{") and 'resource="widgets"' in line
        )

    def created() -> None:
        widget = {"apiVersion": "podyard.test/v1", "kind": "Widget"}
        control_plane.apply(
            json.dumps({**widget, "metadata": {"name": "w", "namespace": namespace}})
        )

    created()
    async with asyncio.TaskGroup() as group:
        done = asyncio.Event()

        async def watch(synced: asyncio.Future[None]) -> None:
            async with watching(service.stub, kinds=["widgets.podyard.test"]) as watcher:
                await watcher.synced()
                synced.set_result(None)
                await done.wait()

        async def open_watches(count: int) -> None:
            loop = asyncio.get_running_loop()
            synced = [loop.create_future() for _ in range(count)]
            for each in synced:
                group.create_task(watch(each))
            await asyncio.gather(*synced)

        await open_watches(1)
        one = upstream()
        await open_watches(9)
        ten = upstream()
        done.set()
    assert one == ten >= 1


async def test_draining_ends_the_stream_with_a_reason_and_a_token(
    control_plane: ControlPlane, maps: Maps, namespace: str
) -> None:
    watcher = Watcher()
    await maps.create("a")
    async with (
        running_service(control_plane.kubeconfig) as first,
        watching(first.stub, watcher, **own(namespace)),
    ):
        await watcher.synced()
        await first.stop()
        await watcher.until(lambda: watcher.has(END))
    end = watcher.events[-1].end
    assert end.reason == stream_pb2.STREAM_END_REASON_DRAINING
    assert end.retry_after.seconds == 1
    async with (
        running_service(control_plane.kubeconfig) as second,
        watching(second.stub, watcher, **own(namespace)),
    ):
        await maps.create("b")
        await watcher.until(lambda: watcher.names() == ["a", "b"])
    assert not watcher.has(RELISTED)


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        ({"kinds": ["gadgets"]}, grpc.StatusCode.NOT_FOUND, "gadgets"),
        ({"kinds": ["pods"], "label_selector": "a in b"}, grpc.StatusCode.INVALID_ARGUMENT, "label_selector"),
        ({"kinds": ["pods"], "namespace": "Bad_NS"}, grpc.StatusCode.INVALID_ARGUMENT, "namespace"),
        ({"kinds": ["pods"], "field_selector": "spec.x=1"}, grpc.StatusCode.INVALID_ARGUMENT, "spec.nodeName"),
        ({"kinds": ["pods"], "resume_token": "junk"}, grpc.StatusCode.INVALID_ARGUMENT, "resume_token"),
        ({"kinds": ["pods"], "cluster": "nowhere"}, grpc.StatusCode.NOT_FOUND, "known are"),
        ({}, grpc.StatusCode.INVALID_ARGUMENT, "kinds or targets"),
        (
            {"targets": [pb.WatchTarget(kind="pods", label_selector="=")]},
            grpc.StatusCode.INVALID_ARGUMENT,
            "targets[0].label_selector",
        ),
    ],
)  # fmt: skip
async def test_bad_requests_are_refused_before_anything_is_sent(
    service: Service, request_: dict[str, Any], code: grpc.StatusCode, text: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub.Watch(pb.WatchRequest(**request_)).read()
    assert caught.value.code() is code
    assert text in str(caught.value.details())


async def test_a_resume_token_belongs_to_its_targets(
    service: Service, maps: Maps, namespace: str
) -> None:
    watcher = Watcher()
    async with watching(service.stub, watcher, **own(namespace)):
        await watcher.synced()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub.Watch(
            pb.WatchRequest(kinds=["configmaps"], resume_token=watcher.token)
        ).read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "other fields" in str(caught.value.details())


async def test_targets_have_selectors_of_their_own(
    service: Service, maps: Maps, namespace: str
) -> None:
    await maps.create("a", {"team": "red"})
    await maps.create("b", {"team": "blue"})
    targets = [
        pb.WatchTarget(kind="cm", namespace=namespace, label_selector=f"team={team}")
        for team in ("blue", "red")
    ]
    async with watching(service.stub, targets=targets, view=1) as watcher:
        await watcher.synced()
    assert (watcher.names(0), watcher.names(1)) == (["b"], ["a"])
    assert watcher.events[0].WhichOneof("summary") is None
