"""TailLogs: levels, limits, merge order, and which containers of which owners."""

from __future__ import annotations

from typing import Any

import grpc
import orjson
import pytest
from google.protobuf.duration_pb2 import Duration
from podyard.k8s_resource.v1 import logs_pb2

from tests.integration.k8s_resource.log_tailing import Cluster, numbered


async def test_levels_are_told_and_chosen(cluster: Cluster) -> None:
    await cluster.running_pod("levels")
    lines = ["INFO one", "WARNING two", "plain", '{"level":"error","msg":"four"}', "  at x"]
    await cluster.write("levels", *lines)
    async with cluster.tailing(pod="levels", detect_levels=True, follow=False) as tail:
        await tail.until_end()
    assert tail.texts() == lines
    assert tail.levels == [3, 4, 0, 5, 5]
    async with cluster.tailing(
        pod="levels", min_level=logs_pb2.LOG_LEVEL_WARNING, follow=False
    ) as tail:
        await tail.until_end()
    assert tail.texts() == [lines[1], lines[3], lines[4]]
    assert tail.levels == [4, 5, 5]
    async with cluster.tailing(pod="levels", follow=False) as tail:
        await tail.until_end()
    assert tail.levels == []


async def test_a_limit_of_bytes_holds_for_each_container_and_over_a_resumption(
    cluster: Cluster,
) -> None:
    await cluster.running_pod("much", "main", "side")
    await cluster.write("much", *numbered(0, 3))
    await cluster.write("much", *numbered(0, 9), container="side")
    limited: Any = {"pod": "much", "limit_bytes": 7 * 5 + 6}
    async with cluster.tailing(**limited) as tail:
        await tail.until_lines(3 + 5)
        await tail.until_mark("LIMITED")
        token = tail.token
        await cluster.write("much", *numbered(3, 9))
        await tail.until_end()
    assert tail.end == "FINISHED"
    assert sorted(tail.texts()) == sorted([*numbered(0, 5), *numbered(0, 5)])
    assert tail.mark_names().count("LIMITED") == 2
    async with cluster.tailing(**limited, resume_token=token) as rest:
        await rest.until_end()
    assert sorted(rest.texts()) == numbered(3, 2)
    async with cluster.tailing(**limited, resume_token=tail.token) as rest:
        await rest.until_end()
    assert rest.texts() == []


async def test_lines_of_a_merge_window_are_in_the_order_of_their_times(cluster: Cluster) -> None:
    moment = 1_800_000_000
    for pod in ("a", "b", "c"):
        await cluster.running_pod(pod)
    for number, pod in enumerate(("c", "a", "b")):
        for step in range(3):
            await cluster.write(pod, f"{pod} {step}", timestamp=moment + step * 10 + number)
    async with cluster.tailing(
        label_selector="app=talk", merge_window=Duration(seconds=2), follow=False
    ) as tail:
        await tail.until_end()
    assert tail.texts() == [f"{pod} {step}" for step in range(3) for pod in ("c", "a", "b")]


async def test_containers_by_type(cluster: Cluster) -> None:
    await cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "many", "labels": {"app": "talk"}},
            "spec": {
                "initContainers": [
                    {"name": "setup", "image": "none"},
                    {"name": "proxy", "image": "none", "restartPolicy": "Always"},
                ],
                "containers": [{"name": "main", "image": "none"}],
            },
        }
    )
    await cluster.kubectl("wait", "--for=condition=Ready", "pod/many", "--timeout=30s")
    debugger = {"name": "debug", "image": "none", "targetContainerName": "main"}
    await cluster.kubectl(
        *("patch", "pod", "many", "--subresource=ephemeralcontainers", "--type=merge"),
        *("-p", orjson.dumps({"spec": {"ephemeralContainers": [debugger]}}).decode()),
    )
    running = {"running": {"startedAt": "2027-01-01T00:00:00Z"}}
    ended = {"terminated": {"exitCode": 0, "startedAt": "2027-01-01T00:00:00Z"}}
    common = {"image": "none", "imageID": "", "ready": True, "restartCount": 0}
    status = {
        "initContainerStatuses": [
            {**common, "name": "setup", "state": ended},
            {**common, "name": "proxy", "state": running},
        ],
        "ephemeralContainerStatuses": [{**common, "name": "debug", "state": running}],
    }
    await cluster.kubectl(
        *("patch", "pod", "many", "--subresource=status", "--type=merge"),
        *("-p", orjson.dumps({"status": status}).decode()),
    )
    names = ("setup", "proxy", "main", "debug")
    for name in names:
        await cluster.write("many", f"of {name}", container=name)

    async def seen(count: int, **fields: Any) -> set[str]:
        async with cluster.tailing(pod="many", **fields) as tail:
            await tail.until_mark("ATTACHED", count)
            await tail.until_lines(count)
            return {text.removeprefix("of ") for text in tail.texts()}

    assert await seen(3) == {"proxy", "main", "debug"}
    assert await seen(4, include_init_containers=True) == set(names)
    for number, name in ((1, "main"), (2, "setup"), (3, "proxy"), (4, "debug")):
        assert await seen(1, container_types=[number]) == {name}
        assert await seen(1, containers=[name]) == {name}
    code, message, _ = await cluster.refusal(
        pod="many", containers=["main"], container_types=[logs_pb2.LOG_CONTAINER_TYPE_INIT]
    )
    assert (code, "container_types" in message) == (grpc.StatusCode.INVALID_ARGUMENT, True)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "ReplicaSet"])
async def test_sets_are_followed_to_their_pods(cluster: Cluster, kind: str) -> None:
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": "set"}},
        "template": {
            "metadata": {"labels": {"app": "set"}},
            "spec": {"containers": [{"name": "main", "image": "none"}]},
        },
    }
    if kind == "StatefulSet":
        spec["serviceName"] = "set"
    await cluster.apply(
        {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "set"}, "spec": spec}
    )
    field = {"StatefulSet": "stateful_set", "DaemonSet": "daemon_set", "ReplicaSet": "replica_set"}
    async with cluster.tailing(**{field[kind]: "set"}) as tail:
        await cluster.kubectl("wait", "--for=create", "pods", "-l", "app=set", "--timeout=30s")
        names = await cluster.kubectl("get", "pods", "-l", "app=set", "-o", "name")
        await cluster.write(names.split()[0].removeprefix("pod/"), "it speaks")
        await tail.until_lines(1)
        await cluster.kubectl("delete", kind.lower(), "set", "--wait=false")
        await tail.until_end()
        assert tail.end == "DELETED"
    code, message, _ = await cluster.refusal(**{field[kind]: "absent"}, follow=True)
    assert (code, "absent" in message) == (grpc.StatusCode.NOT_FOUND, True)


async def test_more_containers_than_wanted_are_refused(cluster: Cluster) -> None:
    await cluster.running_pod("two", "main", "side")
    await cluster.write("two", "x")
    code, message, reason = await cluster.refusal(pod="two", follow=True, max_containers=1)
    assert (code, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CONTAINERS")
    assert "max_containers" in message
