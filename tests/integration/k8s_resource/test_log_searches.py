"""SearchLogs: one pattern in many logs at once."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from podyard.k8s_resource.v1 import log_reads_pb2 as pb

from tests.integration.k8s_resource.log_tailing import Cluster, numbered

START = 1_800_000_000


class Found:
    """What a search brought."""

    def __init__(self) -> None:
        self.groups: list[pb.LogSearchGroup] = []
        self.counts: dict[tuple[str, str, int], int] = {}
        self.failures: list[pb.LogReadFailure] = []
        self.progress: list[pb.LogSearchProgress] = []
        self.summary: Any = None

    def matches(self) -> list[str]:
        return [group.lines.text[index] for group in self.groups for index in group.matches]


async def search(cluster: Cluster, pattern: str, **fields: Any) -> Found:
    if not fields.get("all_namespaces"):
        fields.setdefault("namespace", cluster.namespace)
    if not {"pod", "job", "deployment", "training_job"} & fields.keys():
        fields.setdefault("label_selector", "app=talk")
    found = Found()
    request = pb.SearchLogsRequest(pattern=pattern, **fields)
    async for batch in cluster.service.stub.SearchLogs(request):
        assert found.summary is None
        for event in batch.events:
            match event.WhichOneof("event"):
                case "group":
                    found.groups.append(event.group)
                case "count":
                    source = event.count.source
                    key = (source.pod, source.container, event.count.restart_count)
                    found.counts[key] = event.count.matches
                case "failure":
                    found.failures.append(event.failure)
                case "progress":
                    found.progress.append(event.progress)
                case _:
                    found.summary = event.summary
    assert found.summary is not None
    return found


async def test_matches_with_the_lines_around_them(cluster: Cluster) -> None:
    await cluster.running_pod("a", "main", "side")
    await cluster.running_pod("b")
    await cluster.write("a", *numbered(0, 20))
    await cluster.write("a", "nothing", container="side")
    await cluster.write("b", "line 7", "é loss=0.5", "LINE 9")
    found = await search(cluster, r"line (3|5|11)$", before=1, after=2)
    assert len(found.groups) == 2
    first, second = found.groups
    assert list(first.lines.text) == numbered(2, 6)
    assert (first.first_line_number, list(first.matches)) == (3, [1, 3])
    assert list(second.lines.text) == numbered(10, 4)
    assert (second.first_line_number, list(second.matches)) == (11, [1])
    assert first.lines.source.pod == "a"
    assert all(first.lines.time_unix_nano)
    assert [(span.line, span.start, span.end) for span in first.spans] == [(1, 0, 6), (3, 0, 6)]
    assert found.counts == {("a", "main", 0): 3, ("a", "side", 0): 0, ("b", "main", 0): 0}
    summary = found.summary
    assert (summary.logs, summary.logs_matched, summary.matches, summary.lines) == (3, 1, 3, 24)
    assert summary.bytes > 24 * 31
    assert summary.limit == pb.LOG_SEARCH_LIMIT_UNSPECIFIED
    assert found.progress[-1].logs_done == found.progress[-1].logs_total == 3

    assert sorted((await search(cluster, "line [79]", ignore_case=True)).matches()) == [
        "LINE 9",
        "line 7",
        "line 7",
        "line 9",
    ]
    literal = await search(cluster, "s=0.5", literal=True)
    assert [(s.start, s.end) for s in literal.groups[0].spans] == [(5, 10)]
    inverted = await search(cluster, "line", invert=True)
    assert sorted(inverted.matches()) == ["LINE 9", "nothing", "é loss=0.5"]
    counted = await search(cluster, "line", count_only=True)
    assert (counted.groups, counted.counts["a", "main", 0]) == ([], 20)
    only = await search(cluster, "line", containers=["side"])
    assert list(only.counts) == [("a", "side", 0)]
    everywhere = await search(cluster, "é loss", all_namespaces=True)
    assert everywhere.matches() == ["é loss=0.5"]


async def test_in_order_of_time_and_within_limits(cluster: Cluster) -> None:
    for pod in "ab":
        await cluster.running_pod(pod)
    for number in range(10):
        pod = "ab"[number % 2]
        await cluster.write(pod, f"line {number}", timestamp=START + number)
    oldest = await search(cluster, "line", order="LOG_SEARCH_ORDER_OLDEST_FIRST")
    assert oldest.matches() == numbered(0, 10)
    newest = await search(cluster, "line", order="LOG_SEARCH_ORDER_NEWEST_FIRST", max_matches=4)
    assert newest.matches() == numbered(6, 4)[::-1]
    assert newest.summary.limit == pb.LOG_SEARCH_LIMIT_MATCHES
    first = await search(cluster, "line", order="LOG_SEARCH_ORDER_OLDEST_FIRST", max_matches=3)
    assert first.matches() == numbered(0, 3)
    some = await search(cluster, "line", max_matches=3)
    assert (len(some.matches()), some.summary.limit) == (3, pb.LOG_SEARCH_LIMIT_MATCHES)
    each = await search(cluster, "line", max_matches_per_log=2, after=1)
    assert sorted(each.matches()) == numbered(0, 4)
    assert sorted(text for group in each.groups for text in group.lines.text) == numbered(0, 6)
    assert each.summary.logs_limited == 2
    window = await search(
        cluster,
        "line",
        since_time={"seconds": START + 2, "nanos": 1},
        until_time={"seconds": START + 6},
    )
    assert sorted(window.matches()) == numbered(3, 3)
    little = await search(cluster, "line", max_bytes=1)
    assert little.summary.limit == pb.LOG_SEARCH_LIMIT_BYTES


async def test_a_log_that_cannot_be_read_does_not_keep_the_others(cluster: Cluster) -> None:
    await cluster.running_pod("well")
    await cluster.running_pod("mute")  # Its kubelet has no log for it.
    await cluster.write("well", "found")
    found = await search(cluster, "found")
    assert found.matches() == ["found"]
    assert [failure.source.pod for failure in found.failures] == ["mute"]
    assert found.failures[0].error.message
    assert (found.summary.logs, found.summary.logs_failed) == (2, 1)


async def test_long_binary_and_broken_lines(cluster: Cluster) -> None:
    await cluster.running_pod("odd")
    await cluster.write("odd", "before", "needle" + "x" * 10_000_000, "after")
    await cluster.write_raw(
        "odd",
        b"2027-01-15T08:00:00.000000001Z stdout F \xff\x00needle\r\n"
        b"2027-01-15T08:00:00.000000002Z stdout F \n",
    )
    found = await search(cluster, "needle|^$", before=1)
    texts = [text for group in found.groups for text in group.lines.text]
    assert [len(text) for text in texts] == [6, 1024 * 1024, 5, 9, 0]
    assert texts[3] == "\ufffd\x00needle\r"
    assert list(found.groups[0].lines.truncated) == [1]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"pattern": ""}, "pattern"),
        ({"pattern": "a(b"}, "pattern: 'a(b' is not an RE2 regular expression at character 2"),
        ({"pattern": "x" * 5000}, "pattern"),
        ({"pattern": "((a{100}){100}){100}"}, "pattern"),
        ({"pattern": "x", "before": 1001}, "before"),
        ({"pattern": "x", "containers": ["nope"]}, "containers: no container named nope"),
        ({"pattern": "x", "all_namespaces": True}, "all_namespaces: not together with namespace"),
    ],
)
async def test_what_is_wrong_is_told(cluster: Cluster, fields: dict[str, Any], told: str) -> None:
    await cluster.running_pod("here")
    request = {"namespace": cluster.namespace, "label_selector": "app=talk", **fields}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in cluster.service.stub.SearchLogs(pb.SearchLogsRequest(**request)):
            pass
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert told in str(caught.value.details())
