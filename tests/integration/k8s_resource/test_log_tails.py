"""TailLogs: which lines of which containers come, in which order, and what is refused."""

from __future__ import annotations

from collections import Counter
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from podyard.k8s_resource.v1 import logs_pb2

from tests.integration.k8s_resource.log_tailing import Cluster, numbered
from tools.stack.pod_logs import cri_line


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


async def test_include_and_exclude(cluster: Cluster) -> None:
    await cluster.running_pod("many")
    await cluster.write(
        "many", "INFO one", "ERROR two", "ERROR ignore", "WARN three", "zürich ERROR"
    )
    async with cluster.tailing(
        pod="many", include=["ERROR", "W[A-Z]+N"], exclude=["^x", "^.*ignore$"], follow=False
    ) as tail:
        await tail.until_end()
    assert tail.texts() == ["ERROR two", "WARN three", "zürich ERROR"]


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
        (
            {"pod": "here", "include": ["a", "a(b"]},
            grpc.StatusCode.INVALID_ARGUMENT,
            "include: 'a(b' is not",
        ),
        ({"pod": "here", "exclude": [r"(a)\1"]}, grpc.StatusCode.INVALID_ARGUMENT, "exclude: '(a)"),
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
