"""GetLogs: pages in both directions, without a gap and without a repetition."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as k8s_pb
from podyard.k8s_resource.v1 import log_reads_pb2 as pb

from tests.integration.k8s_resource.log_tailing import Cluster, numbered
from tests.integration.k8s_resource.test_log_runs import RUNNING, set_container, terminated
from tools.stack.pod_logs import cri_line

START = 1_800_000_000


async def page(cluster: Cluster, **fields: Any) -> pb.GetLogsResponse:
    fields.setdefault("namespace", cluster.namespace)
    if "pod" not in fields:
        fields.setdefault("label_selector", "app=talk")
    answer: pb.GetLogsResponse = await cluster.service.stub.GetLogs(pb.GetLogsRequest(**fields))
    return answer


def texts(answer: pb.GetLogsResponse) -> list[str]:
    return [text for lines in answer.lines for text in lines.text]


async def walk(cluster: Cluster, token: str, direction: str, **fields: Any) -> list[list[str]]:
    """The texts of all pages in a direction, from a token on."""
    pages = []
    while token:
        answer = await page(cluster, page_token=token, **fields)
        pages.append(texts(answer))
        if direction == "older":
            token = answer.older_page_token
        else:
            token = "" if answer.at_end else answer.newer_page_token
    return pages


async def test_pages_of_several_logs_in_both_directions(cluster: Cluster) -> None:
    for pod in "abc":
        await cluster.running_pod(pod)
        lines = [
            cri_line(f"{pod}{n}", timestamp=START + n * 0.3 + "abc".index(pod) * 0.1)
            for n in range(40)
        ]
        await cluster.write_raw(pod, b"".join(lines))
    everything = [f"{pod}{n}" for n in range(40) for pod in "abc"]
    for size in (7, 50):
        newest = await page(cluster, page_size=size)
        assert texts(newest) == everything[-size:]
        assert (newest.at_end, newest.cut) == (True, pb.LOG_PAGE_CUT_LINES)
        older = await walk(cluster, newest.older_page_token, "older", page_size=size)
        assert [text for each in older[::-1] for text in each] == everything[:-size]
        assert all(len(each) == size for each in older[:-1])
        oldest = await page(cluster, page_size=size, edge="LOG_PAGE_EDGE_OLDEST")
        assert texts(oldest) == everything[:size]
        assert (oldest.older_page_token, oldest.at_end) == ("", False)
        newer = await walk(cluster, oldest.newer_page_token, "newer", page_size=size)
        assert [text for each in newer for text in each] == everything[size:]
        # To and fro.
        third = await page(cluster, page_size=size, page_token=newest.older_page_token)
        back = await page(cluster, page_size=size, page_token=third.newer_page_token)
        assert texts(back) == everything[-size:]
    small = await page(cluster, max_bytes=10)
    assert (texts(small), small.cut) == (everything[-3:], pb.LOG_PAGE_CUT_BYTES)
    whole = await page(cluster)
    assert (texts(whole), whole.older_page_token, whole.cut) == (
        everything,
        "",
        pb.LOG_PAGE_CUT_END,
    )


async def test_what_comes_later_comes_on_the_next_page_or_by_tail(cluster: Cluster) -> None:
    await cluster.running_pod("a")
    await cluster.write("a", *numbered(0, 5))
    first = await page(cluster, page_size=3)
    assert texts(first) == numbered(2, 3)
    nothing = await page(cluster, page_size=3, page_token=first.newer_page_token)
    assert (texts(nothing), nothing.at_end) == ([], True)
    await cluster.write("a", *numbered(5, 2))
    await cluster.running_pod("b")
    await cluster.write("b", "from b")
    for token in (first.newer_page_token, nothing.newer_page_token):
        answer = await page(cluster, page_token=token)
        assert texts(answer) == [*numbered(5, 2), "from b"]
    async with cluster.tailing(
        label_selector="app=talk", resume_token=first.resume_token, follow=False
    ) as tail:
        await tail.until_end()
    assert sorted(tail.texts()) == ["from b", *numbered(5, 2)]
    assert "GAP" not in tail.mark_names()


async def test_equal_and_disordered_times(cluster: Cluster) -> None:
    await cluster.running_pod("odd")
    times = [0.0, 0.2, 0.2, 0.2, 0.1, 0.95, 1.05, 0.99, 1.05, 1.05, 2.0, 2.0]
    lines = [
        cri_line(f"line {n}", "stdout" if n % 2 else "stderr", START + offset)
        for n, offset in enumerate(times)
    ]
    await cluster.write_raw("odd", b"".join(lines))
    ordered = [f"line {n}" for n in sorted(range(len(times)), key=times.__getitem__)]
    for size in range(1, 6):
        first = await page(cluster, pod="odd", page_size=size)
        older = await walk(cluster, first.older_page_token, "older", pod="odd", page_size=size)
        assert [t for each in older[::-1] for t in each] + texts(first) == ordered
        oldest = await page(cluster, pod="odd", page_size=size, edge="LOG_PAGE_EDGE_OLDEST")
        newer = await walk(cluster, oldest.newer_page_token, "newer", pod="odd", page_size=size)
        assert texts(oldest) + [t for each in newer for t in each] == ordered


async def test_filters_windows_and_long_silence(cluster: Cluster) -> None:
    await cluster.running_pod("a")
    moments = [START + n for n in range(30)] + [START + 40 * 86400 + n for n in range(30)]
    lines = [
        cri_line(f"{'ERROR' if n % 10 == 0 else 'INFO'} {n}", timestamp=moment)
        for n, moment in enumerate(moments)
    ]
    await cluster.write_raw("a", b"".join(lines))
    errors = [f"ERROR {n}" for n in range(0, 60, 10)]
    first = await page(cluster, include=["ERROR"], page_size=2)
    assert texts(first) == errors[-2:]
    older = await walk(cluster, first.older_page_token, "older", include=["ERROR"], page_size=2)
    assert [t for each in older[::-1] for t in each] == errors[:-2]
    without = await page(cluster, exclude=["INFO"], edge="LOG_PAGE_EDGE_OLDEST", page_size=4)
    assert texts(without) == errors[:4]
    window = {
        "since_time": {"seconds": START + 3, "nanos": 1},
        "until_time": {"seconds": START + 10},
    }
    inside = [f"INFO {n}" for n in range(4, 10)]
    for edge in ("LOG_PAGE_EDGE_OLDEST", "LOG_PAGE_EDGE_NEWEST"):
        answer = await page(cluster, edge=edge, **window)
        assert (texts(answer), answer.older_page_token) == (inside, "")
    last = await page(cluster, page_size=2, **window)
    assert texts(last) == inside[-2:]
    rest = await walk(cluster, last.older_page_token, "older", page_size=2, **window)
    assert [t for each in rest[::-1] for t in each] == inside[:-2]
    tail = await page(cluster, tail_lines=3)
    assert texts(tail) == [f"INFO {n}" for n in range(57, 60)]
    before = await page(cluster, page_size=2, page_token=tail.older_page_token, tail_lines=3)
    assert texts(before) == ["INFO 55", "INFO 56"]
    assert texts(await page(cluster, tail_lines=0)) == []


async def test_long_lines_and_many_in_a_moment(cluster: Cluster) -> None:
    await cluster.running_pod("odd")
    big = ["x" * 10_000_000, "y" * 700_000, "z" * 700_000]
    await cluster.write("odd", *big, timestamp=START)
    await cluster.write("odd", *numbered(0, 3000), timestamp=START + 1)
    newest = await page(cluster, page_size=100)
    assert texts(newest) == numbered(2900, 100)
    older = await walk(cluster, newest.older_page_token, "older", page_size=2900)
    assert older[0] == numbered(0, 2900)
    assert [len(text) for each in older[1:] for text in each] == [700_000, 700_000, 1024 * 1024]
    first = await page(cluster, edge="LOG_PAGE_EDGE_OLDEST")
    assert list(first.lines[0].truncated) == [0]


async def test_a_restarted_container_goes_on_in_its_next_run(cluster: Cluster) -> None:
    cluster.restart_policy = "Always"
    await cluster.running_pod("again")
    await cluster.write("again", *numbered(0, 3))
    first = await page(cluster, pod="again", page_size=2)
    assert texts(first) == numbered(1, 2)
    await cluster.write("again", *numbered(3, 2))
    logs = cluster.plane.pod_logs("again", cluster.namespace)
    await asyncio.to_thread(logs.restart)
    await cluster.write("again", *numbered(5, 2))
    await set_container(cluster, "again", 1, state=RUNNING, lastState=terminated(3))
    later = await page(cluster, pod="again", page_token=first.newer_page_token)
    assert texts(later) == numbered(3, 4)
    assert texts(await page(cluster, pod="again", previous=True)) == numbered(0, 5)
    assert texts(await page(cluster, pod="again")) == numbered(5, 2)


@pytest.mark.parametrize(
    ("fields", "code", "told"),
    [
        ({"pod": "absent"}, grpc.StatusCode.NOT_FOUND, 'no pod "absent"'),
        ({"pod": "here", "containers": ["x"]}, grpc.StatusCode.INVALID_ARGUMENT, "containers: no"),
        (
            {"pod": "here", "previous": True},
            grpc.StatusCode.INVALID_ARGUMENT,
            "previous: container",
        ),
        ({"pod": "here", "page_token": "x"}, grpc.StatusCode.INVALID_ARGUMENT, "page_token"),
        (
            {"pod": "here", "include": ["a("]},
            grpc.StatusCode.INVALID_ARGUMENT,
            "include: 'a(' is not an RE2",
        ),
        ({"pod": "here", "page_size": 10_001}, grpc.StatusCode.INVALID_ARGUMENT, "page_size"),
        (
            {"pod": "here", "since": {"seconds": 5}, "since_time": {"seconds": 5}},
            grpc.StatusCode.INVALID_ARGUMENT,
            "since: give either",
        ),
        (
            {"pod": "here", "since_time": {"seconds": 5}, "until_time": {"seconds": 5}},
            grpc.StatusCode.INVALID_ARGUMENT,
            "until_time: must be after",
        ),
        ({"pod": "here", "job": ""}, grpc.StatusCode.INVALID_ARGUMENT, "job"),
        ({"training_job": "absent"}, grpc.StatusCode.NOT_FOUND, 'no training job "absent"'),
        ({"pod": "stuck"}, grpc.StatusCode.FAILED_PRECONDITION, "has not started"),
    ],
)
async def test_what_is_wrong_is_told(
    cluster: Cluster, fields: dict[str, Any], code: grpc.StatusCode, told: str
) -> None:
    await cluster.running_pod("here")
    await cluster.write("here", "x")
    if fields.get("pod") == "stuck":
        await cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "stuck"},
                "spec": {
                    "nodeSelector": {"nowhere": "at-all"},
                    "containers": [{"name": "main", "image": "none"}],
                },
            }
        )
    request = pb.GetLogsRequest(namespace=cluster.namespace, **fields)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await cluster.service.stub.GetLogs(request)
    assert (caught.value.code(), told in str(caught.value.details())) == (code, True), str(
        caught.value
    )


async def test_no_pod_of_a_label_is_an_empty_page_with_a_note(cluster: Cluster) -> None:
    answer = await page(cluster, label_selector="app=nobody")
    assert (texts(answer), answer.at_end) == ([], True)
    assert "there is no pod" in answer.notes[0]


async def test_a_pod_that_is_gone_is_told_on_the_next_page(cluster: Cluster) -> None:
    for pod in "ab":
        await cluster.running_pod(pod)
        await cluster.write(pod, *numbered(0, 5))
    first = await page(cluster, page_size=4)
    await cluster.kubectl("delete", "pod", "a", "--now", "--wait=true")
    await cluster.write("b", "later")
    await cluster.service.stub.ListPods(
        k8s_pb.ListPodsRequest(namespace=cluster.namespace, consistent=True)
    )
    later = await page(cluster, page_token=first.newer_page_token)
    assert texts(later) == ["later"]
    assert list(later.notes) == [
        "a log of the page before cannot be read any more: the pod or its run is gone"
    ]
