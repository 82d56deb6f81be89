"""Events of a real cluster, in the forms of both APIs."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from podyard.k8s_resource.v1 import events_pb2 as pb
from podyard.k8s_resource.v1 import watch_pb2

from tests.integration.k8s_resource.manifests import crd, pod
from tests.integration.k8s_resource.watching import watching
from tools.stack.testing import ControlPlane


def ago(seconds: float) -> str:
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def ago_micro(seconds: float) -> str:
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def core_event(name: str, namespace: str, about: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {"namespace": namespace, **about},
        **fields,
    }


def new_event(name: str, namespace: str, about: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "regarding": {"namespace": namespace, **about},
        "action": "Binding",
        "reportingController": "test-scheduler",
        "reportingInstance": "test-scheduler-0",
        **fields,
    }


POD = {"apiVersion": "v1", "kind": "Pod", "name": "p1", "uid": "uid-1"}
EARLIER_POD = {**POD, "uid": "uid-0"}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "name": "train"}
CUSTOM_JOB = {"apiVersion": "example.test/v1", "kind": "Job", "name": "train"}
BARE_JOB = {"kind": "Job", "name": "train"}


@pytest.fixture
def events(control_plane: ControlPlane, namespace: str) -> str:
    """Events whose order by name is not that by time; gives their namespace."""
    made = [
        core_event(
            "c-backoff", namespace, {**POD, "fieldPath": "spec.containers{main}"}, type="Warning",
            reason="BackOff", message="restarting", count=9, firstTimestamp=ago(3000),
            lastTimestamp=ago(20), source={"component": "kubelet", "host": "node-1"},
        ),
        core_event(
            "d-pulled", namespace, EARLIER_POD, type="Normal", reason="Pulled", message="image",
            firstTimestamp=ago(2000), lastTimestamp=ago(2000), source={"component": "kubelet"},
        ),
        new_event(
            "b-scheduled", namespace, POD, type="Normal", reason="Scheduled", note="bound",
            eventTime=ago_micro(1000),
        ),
        new_event(
            "a-failed", namespace, POD, type="Warning", reason="FailedScheduling", note="no GPUs",
            eventTime=ago_micro(4000), series={"count": 40, "lastObservedTime": ago_micro(10)},
            related={"apiVersion": "v1", "kind": "Node", "name": "node-1"},
        ),
        core_event("e-job", namespace, JOB, type="Normal", reason="Created", lastTimestamp=ago(500)),
        core_event("f-custom", namespace, CUSTOM_JOB, type="Normal", lastTimestamp=ago(600)),
        core_event("g-bare", namespace, BARE_JOB, type="Normal", lastTimestamp=ago(700)),
    ]  # fmt: skip
    control_plane.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    return namespace


async def listed(service: Any, namespace: str, **fields: Any) -> Any:
    return await service.stub.ListEvents(
        pb.ListEventsRequest(namespace=namespace, consistent=True, **fields)
    )


async def letters(service: Any, namespace: str, **fields: Any) -> str:
    response = await listed(service, namespace, **fields)
    assert response.total_size == len(response.events)
    return "".join(each.name[0] for each in response.events)


async def test_the_last_seen_comes_first_whichever_api_wrote_it(service: Any, events: str) -> None:
    assert await letters(service, events) == "acefgbd"
    assert await letters(service, events, order_by="count desc, name") == "acbdefg"
    assert (await letters(service, events, order_by="first_seen_time"))[:4] == "acdb"
    pages = ""
    token = ""
    while token or not pages:
        page = await listed(service, events, page_size=2, page_token=token)
        pages += "".join(each.name[0] for each in page.events)
        token = page.next_page_token
    assert pages == "acefgbd"


async def test_counts_times_and_series_are_what_kubectl_shows(
    service: Any, control_plane: ControlPlane, events: str
) -> None:
    found = {each.name: each for each in (await listed(service, events)).events}
    series = found["a-failed"]
    assert (series.count, series.type, series.message) == (40, "Warning", "no GPUs")
    assert (series.source, series.source_instance) == ("test-scheduler", "test-scheduler-0")
    assert (series.action, series.related.name) == ("Binding", "node-1")
    assert 3980 < series.last_seen_time.seconds - series.first_seen_time.seconds < 4000
    counted = found["c-backoff"]
    assert (counted.count, counted.source, counted.source_instance) == (9, "kubelet", "node-1")
    assert counted.field_path == "spec.containers{main}"
    assert counted.involved_object.uid == "uid-1"
    single = found["b-scheduled"]
    assert single.count == 1
    assert single.first_seen_time == single.last_seen_time
    assert single.first_seen_time.nanos % 1000 == 0
    shown = control_plane.kubectl("get", "events", "-n", events, "-o", "wide", "--no-headers")
    for line in shown.splitlines():
        words = line.split()
        # The last two columns are COUNT and NAME.
        assert found[words[-1]].count == int(words[-2])


async def test_events_of_one_object(
    service: Any, control_plane: ControlPlane, events: str, passing: Callable[[str, str], None]
) -> None:
    passing("crd", "jobs.example.test")
    control_plane.apply(json.dumps(crd("example.test", "Job", "jobs")))

    async def about(**fields: str) -> str:
        return await letters(service, events, involved_object=pb.InvolvedObject(**fields))

    assert await about(kind="pod") == await about(kind="po") == await about(kind="v1/Pod") == "acbd"
    assert await about(kind="Pod", name="p1", uid="uid-0") == "d"
    assert await about(uid="uid-1") == "acb"
    assert await about(name="train") == "efg"
    # Two kinds of this name; a reporter that leaves out the group may mean either.
    assert await about(kind="jobs.batch") == "eg"
    assert await about(kind="jobs.example.test", name="train", namespace=events) == "fg"
    assert await about(kind="Pod", namespace="default") == ""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await about(kind="podz")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert "did you mean pods" in str(caught.value.details())


async def test_events_since_a_while_ago_or_a_time(service: Any, events: str) -> None:
    assert await letters(service, events, since=Duration(seconds=300)) == "ac"
    assert await letters(service, events, since=Duration(seconds=15)) == "a"
    assert await letters(service, events, since=Duration(seconds=900), types=["normal"]) == "efg"
    half_an_hour_ago = Timestamp()
    half_an_hour_ago.FromDatetime(dt.datetime.now(dt.UTC) - dt.timedelta(minutes=30))
    response = await listed(
        service, events, since_time=half_an_hour_ago, page_size=1, count_by=["type", "reason"],
        read_mask=FieldMask(paths=["reason", "involved_object.name"]),
    )  # fmt: skip
    assert response.total_size == 6
    assert [(v.value, v.count) for v in response.counts[0].values] == [
        ("Normal", 4),
        ("Warning", 2),
    ]
    assert ("BackOff", 1) in [(v.value, v.count) for v in response.counts[1].values]
    expected = pb.Event(reason="FailedScheduling")
    expected.involved_object.name = "p1"
    assert list(response.events) == [expected]
    # Another span of time is another query.
    for fields in ({"since": Duration(seconds=900)}, {}):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await listed(service, events, page_token=response.next_page_token, **fields)
        assert "other fields" in str(caught.value.details())


async def test_events_by_type_and_reason(service: Any, events: str) -> None:
    assert await letters(service, events, types=["Warning"]) == "ac"
    assert await letters(service, events, reasons=["Pulled", "created"]) == "ed"
    assert await letters(service, events, field_selector="type!=Warning,reason=Pulled") == "d"
    assert await letters(service, "", namespaces=[events], types=["Warning"]) == "ac"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"since": Duration(seconds=60), "since_time": Timestamp(seconds=1)}, "since_time"),
        ({"since": Duration(seconds=0)}, "since"),
        ({"since": Duration(seconds=-5)}, "since"),
        ({"since": Duration(seconds=315_576_000_000)}, "since"),
        ({"since_time": Timestamp(seconds=253402300799, nanos=999_999_999)}, "since_time"),
        ({"since_time": Timestamp(seconds=-62135596801)}, "since_time"),
        ({"involved_object": pb.InvolvedObject(namespace="Bad_")}, "involved_object.namespace"),
        ({"count_by": ["message"]}, "count_by[0]"),
        ({"read_mask": FieldMask(paths=["involved_object.colour"])}, "colour"),
    ],
)
async def test_bad_fields_are_named(service: Any, fields: dict[str, Any], named: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub.ListEvents(pb.ListEventsRequest(**fields))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert named in str(caught.value.details())


async def test_the_scheduler_reports_what_it_could_not_place(
    service: Any, control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.apply(json.dumps(pod("greedy", namespace, gpus=64)))
    control_plane.kubectl(
        "wait", "-n", namespace, "--for=create", "events",
        "--field-selector", "reason=FailedScheduling", "--timeout=30s",
    )  # fmt: skip
    about = pb.InvolvedObject(kind="pods", name="greedy")
    response = await listed(service, namespace, involved_object=about, types=["Warning"])
    event = response.events[0]
    assert (event.reason, event.source) == ("FailedScheduling", "default-scheduler")
    assert "nvidia.com/gpu" in event.message
    assert event.HasField("last_seen_time")
    assert not response.freshness.stale
    assert int(response.freshness.resource_version) >= int(event.resource_version)


async def test_events_and_namespaces_are_watched_with_their_summaries(
    service: Any, control_plane: ControlPlane, events: str
) -> None:
    async with watching(
        service.stub,
        targets=[
            watch_pb2.WatchTarget(kind="ev", namespace=events, field_selector="type=Warning"),
            watch_pb2.WatchTarget(kind="namespaces", field_selector=f"metadata.name={events}"),
        ],
    ) as watcher:
        await watcher.synced()
        assert watcher.names(0) == ["a-failed", "c-backoff"]
        assert watcher.names(1) == [events]
        shown = {name: event for (_, _, name), event in watcher.view.items()}
        assert shown["a-failed"].event.count == 40
        assert shown["a-failed"].event.reason == "FailedScheduling"
        assert shown[events].namespace.phase == "Active"
        about = {"apiVersion": "v1", "kind": "Pod", "name": "late"}
        late = core_event("late", events, about, type="Warning", reason="Late", count=2)
        control_plane.apply(json.dumps(late))
        await watcher.until(lambda: "late" in watcher.names(0))
        assert watcher.view[(0, events, "late")].event.involved_object.name == "late"
