"""What a watch may be asked for: changed fields, newest states, no state, an end."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from podyard.common.v1 import stream_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc
from podyard.k8s_resource.v1 import watch_pb2 as pb

from tests.faults.tcp_proxy import TcpFaultProxy, kubeconfig_through
from tests.integration.k8s_resource.config_maps import Maps, api_server_down, own
from tests.integration.k8s_resource.conftest import Service, running_service
from tests.integration.k8s_resource.watching import (
    ADDED,
    DELETED,
    DISCONNECTED,
    MODIFIED,
    Watcher,
    watching,
)
from tests.json_pointers import with_changes
from tools.stack.testing import ControlPlane

CHANGES, FULL, NAME = pb.OBJECT_VIEW_CHANGES, pb.OBJECT_VIEW_FULL, pb.OBJECT_VIEW_NAME


async def test_changed_fields_tell_paths_with_old_and_new_values(
    service: Service, maps: Maps, namespace: str
) -> None:
    padding = "x" * 500
    await maps.create("a", padding=padding, text="one")
    async with (
        watching(service.stub, **own(namespace, view=CHANGES)) as watcher,
        watching(service.stub, **own(namespace, view=FULL)) as whole,
    ):
        await watcher.synced()
        await whole.synced()
        await maps.change("a", {"team": "red"}, padding=padding, text="two")
        await maps.change("a", {"team": "red"}, padding=padding)
        await maps.delete("a")
        for each in (watcher, whole):
            await each.until(lambda each=each: each.has(DELETED))  # type: ignore[misc]
    added, *modified, deleted = [e for e in watcher.events if e.ref.name]
    assert json.loads(added.json)["data"]["text"] == "one"
    shown = [
        [(c.path, c.old_json, c.new_json) for c in event.changes if not _is_time(c.path)]
        for event in modified
    ]
    assert shown == [
        [("/data/text", '"one"', '"two"'), ("/metadata/labels", "", '{"team":"red"}')],
        [("/data/text", '"two"', "")],
    ]
    assert (deleted.json, list(deleted.changes)) == ("", [])
    document = json.loads(added.json)
    for event, full in zip(modified, [e for e in whole.events if e.type == MODIFIED], strict=True):
        assert not event.json
        document = with_changes(document, [(c.path, c.new_json) for c in event.changes])
        expected = json.loads(full.json)
        for each in (document, expected):
            each["metadata"].pop("resourceVersion", None)
        assert document == expected


def _is_time(path: str) -> bool:
    return path.startswith("/metadata/managedFields")


async def test_changes_that_are_no_smaller_come_as_the_whole_object(
    service: Service, maps: Maps, namespace: str
) -> None:
    await maps.create("a", text="x" * 2000)
    async with watching(service.stub, **own(namespace, view=CHANGES)) as watcher:
        await watcher.synced()
        await maps.change("a", text="y" * 2000)
        await watcher.until(lambda: watcher.has(MODIFIED))
    assert json.loads(watcher.events[-1].json)["data"]["text"] == "y" * 2000
    assert not watcher.events[-1].changes


async def test_changed_fields_after_going_on_at_another_server(
    control_plane: ControlPlane, maps: Maps, namespace: str
) -> None:
    watcher = Watcher()
    await maps.create("a", text="one")
    async with (
        running_service(control_plane.kubeconfig) as first,
        watching(first.stub, watcher, **own(namespace, view=CHANGES)),
    ):
        await watcher.synced()
    await maps.change("a", text="two")
    async with (
        running_service(control_plane.kubeconfig) as second,
        watching(second.stub, watcher, **own(namespace, view=CHANGES)),
    ):
        await watcher.until(lambda: watcher.types()[-1] == "BOOKMARK")
        await maps.change("a", text="three")
        await watcher.until(lambda: len([e for e in watcher.events if e.type == MODIFIED]) == 2)
    # What was before is not known there; from then on it is.
    unknown, known = [e for e in watcher.events if e.type == MODIFIED]
    assert json.loads(unknown.json)["data"]["text"] == "two"
    assert [(c.path, c.new_json) for c in known.changes] == [("/data/text", '"three"')]


async def test_a_slow_reader_of_newest_states_is_told_each_object_once(
    service: Service, maps: Maps, namespace: str
) -> None:
    await maps.create("kept")
    await maps.create("gone")
    request = own(namespace, view=FULL, coalesce=True)
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{service.port}")
    async with channel, watching(service.stub, **own(namespace, view=NAME)) as other:
        stub: Any = pb_grpc.K8sResourceServiceStub(channel)
        call = stub.Watch(pb.WatchRequest(**request))
        watcher = Watcher()
        while "SYNCED" not in watcher.types():
            watcher.take(await call.read())
        await other.synced()
        # More than the transport holds for a client that does not read.
        filler = "x" * 300_000
        for number in range(6):
            await maps.create(f"filler{number}", text=filler)
        for turn in range(40):
            await maps.change("kept", text=str(turn), filler=filler)
        await maps.create("passing")
        await maps.delete("passing")
        await maps.delete("gone")
        await other.until(lambda: sum(e.type == DELETED for e in other.events) == 2)
        before = len(watcher.events)
        async with asyncio.timeout(60):
            while "gone" in watcher.names() or _text(watcher, "kept") != "39":
                watcher.take(await call.read())
        call.cancel()
    told = watcher.events[before:]
    kept = [e for e in told if e.ref.name == "kept"]
    assert len(kept) < 20
    assert sum(e.coalesced_changes + 1 for e in kept) == 40
    assert not [e for e in told if e.ref.name == "passing"]
    assert not any(e.type == pb.WATCH_EVENT_TYPE_RELISTED for e in told)


def _text(watcher: Watcher, name: str) -> str:
    (event,) = [e for (_, _, n), e in watcher.view.items() if n == name]
    return str(json.loads(event.json).get("data", {}).get("text", ""))


async def test_without_its_state_a_watch_begins_with_the_next_change(
    service: Service, maps: Maps, namespace: str
) -> None:
    await maps.create("a")
    call = service.stub.Watch(pb.WatchRequest(**own(namespace, skip_initial_state=True)))
    first = await call.read()
    assert [e.type for e in first.events] == [pb.WATCH_EVENT_TYPE_SYNCED]
    await maps.change("a", text="1")
    second = await call.read()
    assert [(e.type, e.ref.name) for e in second.events] == [(MODIFIED, "a")]
    call.cancel()
    await maps.delete("a")
    again = service.stub.Watch(
        pb.WatchRequest(**own(namespace, skip_initial_state=True), resume_token=second.resume_token)
    )
    resumed = await again.read()
    assert [(e.type, e.ref.name) for e in resumed.events] == [(DELETED, "a")]
    again.cancel()


async def test_a_watch_ends_in_order_when_its_time_is_over(
    service: Service, maps: Maps, namespace: str
) -> None:
    await maps.create("a")
    watcher = Watcher()
    timeout = Duration(nanos=300_000_000)
    async for response in service.stub.Watch(pb.WatchRequest(**own(namespace), timeout=timeout)):
        watcher.take(response)
    assert watcher.types() == ["ADDED a", "SYNCED", "END"]
    assert watcher.events[-1].end.reason == stream_pb2.STREAM_END_REASON_FINISHED
    async with watching(service.stub, watcher, **own(namespace)):
        await maps.create("b")
        await watcher.until(lambda: watcher.names() == ["a", "b"])


async def test_a_time_limit_must_be_a_time(service: Service) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub.Watch(pb.WatchRequest(kinds=["pods"], timeout=Duration())).read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "timeout" in str(caught.value.details())


async def test_a_selector_is_as_the_api_servers_own(
    service: Service, control_plane: ControlPlane, maps: Maps, namespace: str
) -> None:
    selector = "team in (red, green),!hidden"
    path = (
        f"/api/v1/namespaces/{namespace}/configmaps?watch=true&resourceVersion=0"
        "&labelSelector=team+in+%28red%2Cgreen%29%2C%21hidden"
    )
    theirs: list[tuple[str, str, str]] = []

    def read(count: int) -> None:
        for line in control_plane.api().stream(path, 30):
            event = json.loads(line)
            metadata = event["object"]["metadata"]
            theirs.append((event["type"], metadata["name"], metadata["resourceVersion"]))
            if len(theirs) == count:
                return

    reading = asyncio.create_task(asyncio.to_thread(read, 9))
    async with watching(service.stub, **own(namespace, label_selector=selector)) as watcher:
        await watcher.synced()
        await maps.create("a", {"team": "red"})
        await maps.change("a", {"team": "green"})
        await maps.change("a", {"team": "green", "hidden": "yes"})
        await maps.change("a", {"team": "blue"})
        await maps.change("a", {"team": "red"}, text="1")
        await maps.create("b", {"hidden": "yes", "team": "red"})
        await maps.change("b", {"team": "red"})
        await maps.delete("b")
        await maps.create("c", {"team": "blue"})
        await maps.delete("c")
        await maps.change("a", {"team": "red"}, text="2")
        await maps.delete("a")
        await maps.create("end", {"team": "red"})
        await reading
        await watcher.until(lambda: "end" in watcher.names())
    ours = [
        (pb.WatchEventType.Name(e.type).removeprefix("WATCH_EVENT_TYPE_"), e.ref.name, e.ref.resource_version)
        for e in watcher.events
        if e.ref.name
    ]  # fmt: skip
    assert ours[:9] == theirs
    assert [type_ for type_, *_ in ours[:9]] == [
        "ADDED", "MODIFIED", "DELETED", "ADDED", "ADDED", "DELETED", "MODIFIED", "DELETED", "ADDED",
    ]  # fmt: skip


async def test_whole_objects_and_consistent_reads_hide_nothing_from_others(
    service: Service, maps: Maps, namespace: str
) -> None:
    """Both read lists beside the watch; neither may take the place of single changes."""
    await maps.create("busy")
    async with watching(service.stub, **own(namespace, view=NAME)) as watcher:
        await watcher.synced()

        async def write() -> None:
            for number in range(60):
                await maps.change("busy", text=str(number))

        writing = asyncio.create_task(write())
        while not writing.done():
            async with watching(service.stub, **own(namespace, view=FULL)) as whole:
                await whole.synced()
        await writing
        await watcher.until(lambda: sum(e.type == MODIFIED for e in watcher.events) >= 60)
    assert sum(e.type == MODIFIED for e in watcher.events) == 60


async def test_what_an_api_server_forgot_is_told_as_a_gap(
    control_plane: ControlPlane, maps: Maps, namespace: str, tmp_path: Path
) -> None:
    await maps.create("a")
    await maps.create("gone")
    port = int(control_plane.server_url.rpartition(":")[2])
    async with TcpFaultProxy(port) as proxy:
        kubeconfig = kubeconfig_through(
            control_plane.kubeconfig, control_plane.server_url, proxy.port, tmp_path / "kubeconfig"
        )
        async with (
            running_service(kubeconfig) as service,
            watching(service.stub, **own(namespace, view=NAME)) as watcher,
        ):
            await watcher.synced()
            proxy.stall()
            await maps.change("a", text="1")
            await maps.delete("gone")
            await maps.create("passing")
            await maps.delete("passing")
            # A new API server knows nothing of the time before it.
            with api_server_down(control_plane):
                proxy.cut()
                proxy.flow()
                await watcher.until(lambda: watcher.has(DISCONNECTED))
            await maps.change("a", text="2")
            await maps.change("a", text="3")
            await watcher.until(lambda: sum(e.type == MODIFIED for e in watcher.events) == 3)
    told = [each for each in watcher.types() if "CONNECTED" not in each and each != "BOOKMARK"]
    first = told.index("GAP")
    assert told[first:] == ["GAP", "DELETED gone", *["MODIFIED a"] * 3]
    gap = next(e for e in watcher.events if e.type == pb.WATCH_EVENT_TYPE_GAP)
    after, until = int(gap.gap.after_resource_version), int(gap.gap.until_resource_version)
    versions = [int(e.ref.resource_version) for e in watcher.events if e.type == MODIFIED]
    # What was written after the start is told one by one.
    assert 0 < after < versions[0] <= until < versions[1]
    assert "too old" in gap.message


async def test_five_hundred_subscribers_share_one_upstream_watch(
    service: Service, control_plane: ControlPlane, maps: Maps, namespace: str
) -> None:
    def upstream() -> float:
        lines = control_plane.kubectl("get", "--raw", "/metrics").splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in lines
            if line.startswith("apiserver_longrunning_requests{")
            and 'resource="configmaps"' in line
            and 'verb="WATCH"' in line
        )

    others = await asyncio.to_thread(upstream)
    views = (NAME, pb.OBJECT_VIEW_SUMMARY)
    calls = [
        service.stub.Watch(pb.WatchRequest(**own(namespace, view=views[number % 2])))
        for number in range(500)
    ]
    for call in calls:
        assert (await call.read()).events[-1].type == pb.WATCH_EVENT_TYPE_SYNCED
    assert await asyncio.to_thread(upstream) == others + 1
    await maps.create("a")
    for call in calls:
        assert [(e.type, e.ref.name) for e in (await call.read()).events] == [(ADDED, "a")]
        call.cancel()
