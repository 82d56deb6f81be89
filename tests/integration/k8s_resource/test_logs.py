"""TailLogs on a real API server; KWOK plays the kubelets and serves files as logs."""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import orjson
import pytest
import yaml
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from podyard.common.v1 import stream_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import logs_pb2

from tests.integration.k8s_resource.watching import watching
from tools.stack.pod_logs import cri_line
from tools.stack.testing import ControlPlane

_WAIT_SECONDS = 45.0


class Tail:
    """Reads one stream and lets a test wait for what has come."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._news = asyncio.Condition()
        self.batches: list[logs_pb2.TailLogsResponse] = []
        self.lines: list[tuple[str, str]] = []
        self.times: list[int] = []
        self.truncated: list[int] = []
        self.marks: list[logs_pb2.LogMarker] = []
        self.token = ""
        self.tokens: list[tuple[str, int]] = []
        self.ended = False

    async def read(self) -> None:
        async for batch in self._call:
            async with self._news:
                self._take(batch)
                self._news.notify_all()
        async with self._news:
            self.ended = True
            self._news.notify_all()

    def _take(self, batch: logs_pb2.TailLogsResponse) -> None:
        assert batch.events
        assert batch.resume_token
        self.batches.append(batch)
        self.token = batch.resume_token
        for event in batch.events:
            if event.WhichOneof("event") == "marker":
                self.marks.append(event.marker)
            else:
                assert len(event.lines.text) == len(event.lines.time_unix_nano) > 0
                self.truncated += [len(self.lines) + i for i in event.lines.truncated]
                self.lines += [(event.lines.source.pod, text) for text in event.lines.text]
                self.times += event.lines.time_unix_nano
        self.tokens.append((batch.resume_token, len(self.lines)))

    def texts(self, pod: str = "") -> list[str]:
        return [text for its_pod, text in self.lines if not pod or its_pod == pod]

    def mark_names(self) -> list[str]:
        return [
            logs_pb2.LogMarkerType.Name(mark.type).removeprefix("LOG_MARKER_TYPE_")
            for mark in self.marks
        ]

    async def until(self, condition: Callable[[Tail], bool]) -> None:
        try:
            async with asyncio.timeout(_WAIT_SECONDS), self._news:
                await self._news.wait_for(lambda: condition(self))
        except TimeoutError:
            raise AssertionError(
                f"not within {_WAIT_SECONDS} s; {len(self.lines)} lines, the last "
                f"{self.lines[-3:]}, marks {[(n, m.message) for n, m in zip(self.mark_names(), self.marks, strict=True)]}"
            ) from None

    async def until_lines(self, count: int, pod: str = "") -> None:
        await self.until(lambda tail: len(tail.texts(pod)) >= count)

    async def until_mark(self, name: str, count: int = 1) -> None:
        await self.until(lambda tail: tail.mark_names().count(name) >= count)

    async def until_end(self) -> None:
        await self.until(lambda tail: tail.ended)

    @property
    def end(self) -> str:
        assert self.mark_names()[-1] == "END"
        reason = stream_pb2.StreamEndReason.Name(self.marks[-1].end.reason)
        return reason.removeprefix("STREAM_END_REASON_")


@asynccontextmanager
async def tailing(service: Any, **fields: Any) -> AsyncIterator[Tail]:
    """A stream that is cut when the block ends."""
    fields.setdefault("follow", True)
    call = service.stub.TailLogs(logs_pb2.TailLogsRequest(**fields))
    tail = Tail(call)
    reading = asyncio.create_task(tail.read())
    try:
        yield tail
    finally:
        call.cancel()
        await asyncio.wait({reading})
        if not reading.cancelled() and (error := reading.exception()) is not None:
            raise error


async def _exhaust(call: Any) -> None:
    async for _ in call:
        pass


async def refusal(service: Any, **fields: Any) -> tuple[grpc.StatusCode, str, str]:
    call = service.stub.TailLogs(logs_pb2.TailLogsRequest(**fields))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(_exhaust(call), _WAIT_SECONDS)
    info = error_details_pb2.ErrorInfo()
    failed: Any = caught.value
    status = rpc_status.from_call(failed)
    assert status.details[0].Unpack(info)
    return caught.value.code(), str(caught.value.details()), str(info.reason)


class Cluster:
    """Makes pods in a namespace of its own and writes their logs."""

    def __init__(self, plane: ControlPlane, service: Any, namespace: str) -> None:
        self.plane = plane
        self.service = service
        self.namespace = namespace
        self.restart_policy = "Never"

    async def pod(self, name: str, *containers: str, **annotations: str) -> None:
        marks = {f"stack.podyard.local/{k.replace('_', '-')}": v for k, v in annotations.items()}
        await self.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": name,
                    "labels": {"app": "talk"},
                    "annotations": marks,
                },
                "spec": {
                    "restartPolicy": self.restart_policy,
                    "containers": [
                        {"name": container, "image": "none"}
                        for container in containers or ("main",)
                    ],
                },
            }
        )

    async def apply(self, manifest: dict[str, Any]) -> None:
        response = await self.service.stub.Apply(
            pb.ApplyRequest(manifest=yaml.safe_dump(manifest), namespace=self.namespace)
        )
        assert not response.results[0].HasField("error"), response

    async def running_pod(self, name: str, *containers: str, **annotations: str) -> None:
        await self.pod(name, *containers, **annotations)
        await self.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")

    async def write(self, pod: str, *lines: str, container: str = "main", **rest: Any) -> None:
        await asyncio.to_thread(
            self.plane.write_logs,
            pod,
            *lines,
            namespace=self.namespace,
            container=container,
            **rest,
        )

    async def write_raw(self, pod: str, data: bytes) -> None:
        logs = self.plane.pod_logs(pod, self.namespace)
        await asyncio.to_thread(logs.write_raw, "main", data)

    async def kubectl(self, *arguments: str) -> str:
        return await asyncio.to_thread(
            self.plane.kubectl, *arguments, "--namespace", self.namespace
        )

    async def until_followed_logs(self, count: int) -> None:
        """Wait until the API server itself counts so many logs being followed."""
        wanted = re.compile(
            rb'^apiserver_longrunning_requests\{[^}]*subresource="log"[^}]*\} (\S+)$', re.MULTILINE
        )
        found = -1.0
        for _ in range(100):
            metrics = await asyncio.to_thread(self.plane.api().request, "GET", "/metrics")
            found = sum(float(match[1]) for match in wanted.finditer(metrics))
            if found == count:
                return
        raise AssertionError(f"{found} logs are followed, not {count}")

    def tailing(self, **fields: Any) -> Any:
        return tailing(self.service, namespace=self.namespace, **fields)

    def refusal(self, **fields: Any) -> Coroutine[Any, Any, tuple[grpc.StatusCode, str, str]]:
        return refusal(self.service, namespace=self.namespace, **fields)


@pytest.fixture
async def cluster(control_plane: ControlPlane, service: Any, namespace: str) -> Cluster:
    cluster = Cluster(control_plane, service, namespace)
    await cluster.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=30s")
    return cluster


def numbered(start: int, count: int) -> list[str]:
    return [f"line {number}" for number in range(start, start + count)]


async def test_a_growing_log_is_followed_line_by_line(cluster: Cluster) -> None:
    await cluster.running_pod("one")
    await cluster.write("one", *numbered(0, 5))
    async with cluster.tailing(pod="one") as tail:
        await tail.until_lines(5)
        await cluster.write("one", *numbered(5, 3))
        await tail.until_lines(8)
        assert tail.texts() == numbered(0, 8)
        assert tail.times == sorted(tail.times)
        assert tail.mark_names() == ["ATTACHED"]
        source = tail.batches[-1].events[0].lines.source
        assert (source.pod, source.container, source.namespace) == (
            "one",
            "main",
            cluster.namespace,
        )
        assert source.pod_uid


async def test_pods_of_a_label_and_one_that_joins(cluster: Cluster) -> None:
    await cluster.running_pod("a")
    await cluster.running_pod("b")
    await cluster.write("a", *numbered(0, 3))
    await cluster.write("b", *numbered(0, 3))
    async with cluster.tailing(label_selector="app=talk") as tail:
        await tail.until_lines(6)
        await cluster.running_pod("c")
        await cluster.write("c", *numbered(0, 3))
        await cluster.write("a", *numbered(3, 1))
        await tail.until_lines(10)
        assert tail.texts("a") == numbered(0, 4)
        assert tail.texts("b") == numbered(0, 3)
        assert tail.texts("c") == numbered(0, 3)
        started = [m for m in tail.marks if m.type == logs_pb2.LOG_MARKER_TYPE_STARTED]
        assert [mark.source.pod for mark in started] == ["c"]


async def test_waiting_until_a_first_pod_appears(cluster: Cluster) -> None:
    async with cluster.tailing(label_selector="app=talk") as tail:
        await tail.until_mark("WAITING")
        await cluster.running_pod("late")
        await cluster.write("late", "hello")
        await tail.until_lines(1)


async def test_a_silent_container_is_said_to_be_attached(cluster: Cluster) -> None:
    await cluster.running_pod("silent")
    await cluster.write("silent")
    async with cluster.tailing(pod="silent") as tail:
        await tail.until_mark("ATTACHED")
        await cluster.write("silent", "speaks")
        await tail.until_lines(1)
        assert tail.mark_names() == ["ATTACHED"]


async def test_every_resume_token_goes_on_exactly_there(cluster: Cluster) -> None:
    await cluster.running_pod("a")
    await cluster.running_pod("b")
    async with cluster.tailing(label_selector="app=talk") as first:
        for start in range(0, 30, 3):
            await cluster.write("a", *numbered(start, 3))
            await cluster.write("b", *numbered(start, 3))
            await first.until_lines(2 * (start + 3))
    await cluster.write("a", *numbered(30, 5))
    await cluster.write("b", *numbered(30, 5))
    everything = Counter((pod, f"line {n}") for pod in "ab" for n in range(35))
    tokens = dict(first.tokens)
    assert len(tokens) > 3
    for token, seen in tokens.items():
        async with cluster.tailing(
            label_selector="app=talk", resume_token=token, follow=False
        ) as tail:
            await tail.until_end()
        assert Counter(first.lines[:seen] + tail.lines) == everything
        assert "GAP" not in tail.mark_names()


async def test_equal_and_disordered_times_are_resumed_exactly(cluster: Cluster) -> None:
    await cluster.running_pod("odd")
    moment = 1_800_000_000.0
    times = [0.0, 0.2, 0.2, 0.2, 0.1, 0.95, 1.05, 0.99, 1.05, 1.05, 2.0, 2.0]
    lines = [
        cri_line(f"line {n}", "stdout" if n % 2 else "stderr", moment + offset)
        for n, offset in enumerate(times)
    ]
    tokens = []
    await cluster.write("odd")
    async with cluster.tailing(pod="odd") as tail:
        for number, line in enumerate(lines):
            await cluster.write_raw("odd", line)
            await tail.until_lines(number + 1)
            tokens.append(tail.token)
    for number, token in enumerate(tokens):
        async with cluster.tailing(pod="odd", resume_token=token, follow=False) as rest:
            await rest.until_end()
        assert rest.texts() == numbered(number + 1, len(lines) - number - 1)


async def test_nothing_lost_or_doubled_when_the_api_server_is_killed(cluster: Cluster) -> None:
    for pod in ("a", "b"):
        await cluster.running_pod(pod)
        await cluster.write(pod, "line 0")
    stop = threading.Event()
    written: dict[str, int] = {}

    def write(pod: str) -> None:
        number = 1
        while not stop.wait(0.01):
            cluster.plane.write_logs(pod, f"line {number}", namespace=cluster.namespace)
            number += 1
        written[pod] = number

    async with cluster.tailing(label_selector="app=talk") as tail:
        await tail.until_lines(2)
        writers = [asyncio.create_task(asyncio.to_thread(write, pod)) for pod in ("a", "b")]
        try:
            await tail.until_lines(40)
            await asyncio.to_thread(cluster.plane.kill_apiserver)
            await tail.until_mark("INTERRUPTED", 2)
            cut = len(tail.lines)
            await asyncio.to_thread(cluster.plane.start_apiserver)
            await tail.until_mark("ATTACHED", 4)
            await tail.until_lines(cut + 100)
        finally:
            stop.set()
            await asyncio.gather(*writers)
        await tail.until_lines(sum(written.values()))
    for pod in ("a", "b"):
        assert tail.texts(pod) == numbered(0, written[pod])
    assert "GAP" not in tail.mark_names()


async def test_include_and_exclude(cluster: Cluster) -> None:
    await cluster.running_pod("many")
    await cluster.write(
        "many", "INFO one", "ERROR two", "ERROR ignore", "WARN three", "zürich ERROR"
    )
    async with cluster.tailing(
        pod="many", include="ERROR|W[A-Z]+N", exclude="^.*ignore$", follow=False
    ) as tail:
        await tail.until_end()
    assert tail.texts() == ["ERROR two", "WARN three", "zürich ERROR"]


async def test_a_filter_that_takes_nothing_keeps_the_stream_alive(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.k8s_resource.domain.logs.tail.HEARTBEAT_SECONDS", 0.05)
    await cluster.running_pod("chatty")
    await cluster.write("chatty", "nothing")
    async with cluster.tailing(pod="chatty", include="something") as tail:
        await tail.until_mark("ATTACHED")
        while "HEARTBEAT" not in tail.mark_names():
            await cluster.write("chatty", "nothing")
        token = tail.token
        await cluster.write("chatty", "something")
        await tail.until_lines(1)
    async with cluster.tailing(pod="chatty", include="something", resume_token=token) as again:
        await again.until_lines(1)


async def test_why_a_container_does_not_start_is_told(cluster: Cluster) -> None:
    await cluster.pod("broken", image_error="true")
    async with cluster.tailing(pod="broken") as tail:
        await tail.until_mark("INTERRUPTED")
        assert tail.marks[0].reason == "ImagePullBackOff"


async def test_without_follow_it_ends(cluster: Cluster) -> None:
    await cluster.running_pod("done", "main", "side")
    await cluster.write("done", *numbered(0, 20))
    await cluster.write("done", "from the side", container="side")
    async with cluster.tailing(pod="done", follow=False) as tail:
        await tail.until_end()
    assert sorted(tail.texts()) == sorted([*numbered(0, 20), "from the side"])
    assert tail.end == "FINISHED"
    async with cluster.tailing(pod="done", follow=False, containers=["main"], tail_lines=4) as tail:
        await tail.until_end()
    assert tail.texts() == numbered(16, 4)
    async with cluster.tailing(pod="done", follow=False, containers=["main"], tail_lines=0) as tail:
        await tail.until_end()
    assert tail.texts() == []


async def test_since_is_exact_although_kubernetes_counts_seconds(cluster: Cluster) -> None:
    await cluster.running_pod("timed")
    moment = 1_800_000_000
    for number in range(6):
        await cluster.write("timed", f"line {number}", timestamp=moment + number * 0.4)
    since = Timestamp(seconds=moment, nanos=500_000_000)
    async with cluster.tailing(pod="timed", since_time=since, follow=False) as tail:
        await tail.until_end()
    assert tail.texts() == numbered(2, 4)


async def test_the_end_of_a_container_is_told_after_its_last_line(cluster: Cluster) -> None:
    await cluster.running_pod("dies", fail_after="3s", exit_code="137", reason="OOMKilled")
    await cluster.write("dies", *numbered(0, 4))
    async with cluster.tailing(pod="dies") as tail:
        await tail.until_end()
    assert tail.texts() == numbered(0, 4)
    assert tail.mark_names() == ["ATTACHED", "ENDED", "END"]
    ended = tail.marks[1]
    assert (ended.exit_code, ended.reason) == (137, "OOMKilled")
    assert tail.end == "FINISHED"


async def test_a_deleted_pod_is_told_after_its_last_line(cluster: Cluster) -> None:
    await cluster.running_pod("gone")
    await cluster.write("gone", *numbered(0, 4))
    async with cluster.tailing(pod="gone") as tail:
        await tail.until_lines(4)
        await cluster.kubectl("delete", "pod", "gone", "--wait=false")
        await tail.until_end()
    assert tail.texts() == numbered(0, 4)
    assert tail.mark_names()[-2:] == ["DELETED", "END"]
    assert "GAP" not in tail.mark_names()
    assert tail.end == "DELETED"


async def test_a_crashing_container_is_followed_from_run_to_run(cluster: Cluster) -> None:
    await cluster.running_pod("crash", crash_after="4s")
    await cluster.write("crash", *numbered(0, 3))
    async with cluster.tailing(pod="crash") as tail:
        await tail.until_lines(3)
        await cluster.write("crash", "last words")
        await tail.until_lines(4)
        await tail.until_mark("ENDED")
        ended = next(m for m in tail.marks if m.type == logs_pb2.LOG_MARKER_TYPE_ENDED)
        assert ended.HasField("exit_code")
        assert ended.exit_code != 0
        assert tail.texts()[:4] == [*numbered(0, 3), "last words"]


async def set_container(cluster: Cluster, pod: str, restarts: int, **states: Any) -> None:
    """What a kubelet would write into the pod's status; returns when the service has seen it."""
    status = {"name": "main", "image": "none", "imageID": "", "ready": False, **states}
    patch = {"status": {"containerStatuses": [{**status, "restartCount": restarts}]}}
    await cluster.kubectl(
        *("patch", "pod", pod, "--subresource=status", "--type=merge"),
        *("-p", orjson.dumps(patch).decode()),
    )
    # A stream opened before that begins with the state before.
    await cluster.service.stub.ListPods(
        pb.ListPodsRequest(namespace=cluster.namespace, consistent=True)
    )


def terminated(exit_code: int) -> dict[str, Any]:
    ends = {"startedAt": "2027-01-01T00:00:00Z", "finishedAt": "2027-01-01T00:00:05Z"}
    return {"terminated": {"exitCode": exit_code, "reason": "Error", **ends}}


RUNNING = {"running": {"startedAt": "2027-01-01T00:00:06Z"}}


async def test_a_restart_is_told_between_the_lines_of_the_runs(cluster: Cluster) -> None:
    cluster.restart_policy = "Always"
    await cluster.running_pod("again")
    await cluster.write("again", *numbered(0, 3))
    async with cluster.tailing(pod="again") as tail:
        await tail.until_lines(3)
        await set_container(cluster, "again", 0, state=terminated(3))
        await tail.until_mark("ENDED")
        logs = cluster.plane.pod_logs("again", cluster.namespace)
        await asyncio.to_thread(logs.restart)
        await cluster.write("again", "of the next run")
        await set_container(cluster, "again", 1, state=RUNNING, lastState=terminated(3))
        await tail.until_lines(4)
        assert tail.texts() == [*numbered(0, 3), "of the next run"]
        events = [
            (event.marker.type, event.marker.exit_code, event.marker.restart_count)
            for batch in tail.batches
            for event in batch.events
            if event.WhichOneof("event") == "marker"
            and event.marker.type != logs_pb2.LOG_MARKER_TYPE_ATTACHED
        ]
        assert events == [
            (logs_pb2.LOG_MARKER_TYPE_ENDED, 3, 0),
            (logs_pb2.LOG_MARKER_TYPE_STARTED, 0, 1),
        ]


async def test_what_was_written_before_a_missed_restart_is_read(cluster: Cluster) -> None:
    await cluster.running_pod("missed")
    await cluster.write("missed", *numbered(0, 3))
    async with cluster.tailing(pod="missed") as tail:
        await tail.until_lines(3)
    await cluster.write("missed", "last words")
    logs = cluster.plane.pod_logs("missed", cluster.namespace)
    await asyncio.to_thread(logs.restart)
    await cluster.write("missed", "of the next run")
    await set_container(cluster, "missed", 1, state=RUNNING, lastState=terminated(137))
    async with cluster.tailing(pod="missed", resume_token=tail.token) as rest:
        await rest.until_lines(2)
        assert rest.texts() == ["last words", "of the next run"]
        assert rest.mark_names() == ["ATTACHED", "ENDED", "STARTED"]
        assert rest.marks[1].exit_code == 137
    # Of three runs, Kubernetes keeps the last two.
    await set_container(cluster, "missed", 3, state=RUNNING, lastState=terminated(1))
    async with cluster.tailing(pod="missed", resume_token=tail.token) as late:
        await late.until_mark("STARTED", 2)
        assert late.mark_names().count("GAP") == 2


async def test_the_log_of_the_run_before(cluster: Cluster) -> None:
    await cluster.running_pod("again", crash_after="500ms")
    await cluster.write("again", "of the first run")
    logs = cluster.plane.pod_logs("again", cluster.namespace)
    await asyncio.to_thread(logs.restart)
    await cluster.write("again", "of the second run")
    await cluster.kubectl(
        "wait",
        "--for=jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}",
        "pod/again",
        "--timeout=30s",
    )
    async with cluster.tailing(pod="again", previous=True, follow=False) as tail:
        await tail.until_end()
    assert tail.texts() == ["of the first run"]


async def test_rotation_while_connected_and_while_not(cluster: Cluster) -> None:
    await cluster.running_pod("turns")
    await cluster.write("turns", *numbered(0, 3))
    logs = cluster.plane.pod_logs("turns", cluster.namespace)
    async with cluster.tailing(pod="turns") as tail:
        await tail.until_lines(3)
        await asyncio.to_thread(logs.rotate)
        await cluster.write("turns", *numbered(3, 3))
        await tail.until_lines(6)
        assert tail.texts() == numbered(0, 6)
    # In the new file the cursor's line is found again, though not the beginning of its second.
    async with cluster.tailing(pod="turns", resume_token=tail.token, follow=False) as same:
        await same.until_end()
    assert (same.texts(), "GAP" in same.mark_names()) == ([], False)
    await cluster.write("turns", "unseen")
    await asyncio.to_thread(logs.rotate)
    await cluster.write("turns", "after")
    async with cluster.tailing(pod="turns", resume_token=tail.token, follow=False) as rest:
        await rest.until_end()
    assert rest.texts() == ["after"]
    assert rest.mark_names() == ["ATTACHED", "GAP", "END"]


async def test_long_lines_are_cut_and_bad_bytes_replaced(cluster: Cluster) -> None:
    await cluster.running_pod("odd")
    await cluster.write("odd", "before", "x" * (1024 * 1024 + 5), "between", "y" * 1024 * 1024)
    await cluster.write_raw("odd", b"2027-01-15T08:00:00.000000001Z stdout F \xff\xfe ok\n")
    await cluster.write("odd", "after")
    async with cluster.tailing(pod="odd", follow=False) as tail:
        await tail.until_end()
    assert [len(text) for text in tail.texts()] == [6, 1024 * 1024, 7, 1024 * 1024, 5, 5]
    assert tail.truncated == [1]
    assert tail.texts()[4] == "\ufffd\ufffd ok"
    assert tail.times[4] == 1_800_000_000_000_000_001


async def test_subscribers_share_one_connection(cluster: Cluster) -> None:
    await cluster.running_pod("shared")
    await cluster.write("shared", *numbered(0, 50))
    async with cluster.tailing(pod="shared") as early:
        await early.until_lines(50)
        async with (
            cluster.tailing(pod="shared") as late,
            cluster.tailing(pod="shared", tail_lines=1) as short,
        ):
            await late.until_lines(50)
            await short.until_lines(1)
            await cluster.write("shared", "line 50")
            await asyncio.gather(early.until_lines(51), late.until_lines(51), short.until_lines(2))
            await cluster.write("shared", "line 51")
            await asyncio.gather(early.until_lines(52), late.until_lines(52), short.until_lines(3))
            assert early.texts() == late.texts() == numbered(0, 52)
            assert short.texts() == numbered(49, 3)
            await cluster.until_followed_logs(1)
        await cluster.write("shared", "line 52")
        await early.until_lines(53)
    await cluster.until_followed_logs(0)


async def received(call: Any) -> int:
    """Lines of the next batch."""
    batch = await call.read()
    return sum(len(event.lines.text) for event in batch.events)


async def test_a_subscriber_that_does_not_read_holds_up_nobody(cluster: Cluster) -> None:
    await cluster.running_pod("flood")
    text = "z" * 1000
    count = 20_000
    stuck = cluster.service.stub.TailLogs(
        logs_pb2.TailLogsRequest(pod="flood", namespace=cluster.namespace, follow=True)
    )
    await cluster.write("flood", "first")
    got = await received(stuck)
    async with cluster.tailing(pod="flood") as tail:
        for _ in range(20):
            await cluster.write("flood", *([text] * (count // 20)))
        await tail.until_lines(count + 1)
    while got < count + 1:
        got += await received(stuck)
    assert got == count + 1
    stuck.cancel()


async def test_jobs_and_deployments_are_followed_to_their_pods(cluster: Cluster) -> None:
    template = {
        "metadata": {
            "labels": {"app": "talk"},
            "annotations": {"stack.podyard.local/complete-after": "3s"},
        },
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]},
    }
    await cluster.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "work"},
            "spec": {"template": template},
        }
    )
    async with cluster.tailing(job="work") as tail:
        selected = ("pods", "-l", "batch.kubernetes.io/job-name=work")
        await cluster.kubectl("wait", "--for=create", *selected, "--timeout=30s")
        pod = (await cluster.kubectl("get", *selected, "-o", "name")).strip()
        await cluster.write(pod.removeprefix("pod/"), "worked")
        await tail.until_end()
        assert tail.texts() == ["worked"]
        assert tail.end == "FINISHED"
        assert "ENDED" in tail.mark_names()
    code, message, _ = await cluster.refusal(deployment="absent", follow=True)
    assert code is grpc.StatusCode.NOT_FOUND
    assert "absent" in message
    await cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "serve"},
            "spec": {
                "selector": {
                    "matchExpressions": [{"key": "app", "operator": "In", "values": ["serve"]}]
                },
                "template": {
                    "metadata": {"labels": {"app": "serve"}},
                    "spec": {"containers": [{"name": "main", "image": "none"}]},
                },
            },
        }
    )
    async with cluster.tailing(deployment="serve") as tail:
        await cluster.kubectl("wait", "--for=condition=Available", "deployment/serve")
        pod = (await cluster.kubectl("get", "pods", "-l", "app=serve", "-o", "name")).strip()
        await cluster.write(pod.removeprefix("pod/"), "served")
        await tail.until_lines(1)
        await cluster.kubectl("delete", "deployment", "serve", "--wait=false")
        await tail.until_end()
        assert tail.end == "DELETED"
        assert "DELETED" in tail.mark_names()


@pytest.mark.parametrize(
    ("fields", "code", "told"),
    [
        ({"pod": "absent"}, grpc.StatusCode.NOT_FOUND, 'no pod "absent"'),
        ({"pod": "absent", "follow": True}, grpc.StatusCode.NOT_FOUND, 'no pod "absent"'),
        ({"pod": "a/b"}, grpc.StatusCode.INVALID_ARGUMENT, "pod: must not be"),
        ({"training_job": "absent"}, grpc.StatusCode.NOT_FOUND, 'no training job "absent"'),
        ({"label_selector": "a in ("}, grpc.StatusCode.INVALID_ARGUMENT, "label_selector"),
        ({"pod": "here", "include": "a(b"}, grpc.StatusCode.INVALID_ARGUMENT, "include: is not"),
        ({"pod": "here", "exclude": r"(a)\1"}, grpc.StatusCode.INVALID_ARGUMENT, "exclude: is not"),
        (
            {"pod": "here", "containers": ["nope"]},
            grpc.StatusCode.INVALID_ARGUMENT,
            "no container named nope",
        ),
        ({"pod": "here", "resume_token": "junk"}, grpc.StatusCode.INVALID_ARGUMENT, "resume_token"),
        ({"pod": "here", "previous": True}, grpc.StatusCode.INVALID_ARGUMENT, "previous"),
        (
            {"pod": "here", "previous": True, "follow": True},
            grpc.StatusCode.INVALID_ARGUMENT,
            "follow: not together with previous",
        ),
        ({"pod": "here", "cluster": "nowhere"}, grpc.StatusCode.NOT_FOUND, "nowhere"),
        ({}, grpc.StatusCode.INVALID_ARGUMENT, "source"),
    ],
)
async def test_what_is_wrong_is_told(
    cluster: Cluster, fields: dict[str, Any], code: grpc.StatusCode, told: str
) -> None:
    await cluster.running_pod("here")
    await cluster.write("here")
    its_code, message, _ = await cluster.refusal(**fields)
    assert (its_code, told in message) == (code, True), message


async def test_a_token_of_another_source_is_refused(cluster: Cluster) -> None:
    await cluster.running_pod("one")
    await cluster.write("one", "x")
    async with cluster.tailing(pod="one") as tail:
        await tail.until_lines(1)
    code, _, reason = await cluster.refusal(label_selector="app=talk", resume_token=tail.token)
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TOKEN_OF_ANOTHER_QUERY")


async def test_streams_that_are_cut_leave_no_task_and_no_connection_behind(
    cluster: Cluster,
) -> None:
    for name in ("one", "two"):
        await cluster.running_pod(name)
        await cluster.write(name, "x")

    async def cut(count: int) -> None:
        async with AsyncExitStack() as stack:
            for number in range(count):
                fields: Any = {"pod": "one"} if number % 2 else {"label_selector": "app=talk"}
                # Of their own start, so that not all share one connection.
                tail = await stack.enter_async_context(
                    cluster.tailing(tail_lines=1 + number % 3, **fields)
                )
                watcher = await stack.enter_async_context(
                    watching(cluster.service.stub, kinds=["pods", "nodes"])
                )
                await watcher.synced()
                await tail.until_lines(1)

    async def tasks(limit: int) -> int:
        """How many tasks there are, once what ends has ended or some time has passed."""
        for _ in range(200):
            if len(asyncio.all_tasks()) <= limit:
                break
            await asyncio.sleep(0.02)  # a task tells no one that it has gone
        return len(asyncio.all_tasks())

    await cut(1)
    await cluster.until_followed_logs(0)
    before = await tasks(0)
    await cut(25)
    await cluster.until_followed_logs(0)
    assert await tasks(before) <= before


async def test_a_server_that_stops_says_so(cluster: Cluster) -> None:
    await cluster.running_pod("one")
    await cluster.write("one", "x")
    async with cluster.tailing(pod="one") as tail:
        await tail.until_lines(1)
        stopping = asyncio.create_task(cluster.service.stop())
        await tail.until_end()
        await stopping
        assert tail.end == "DRAINING"
        assert tail.marks[-1].end.retry_after.seconds > 0
