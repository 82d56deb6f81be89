"""TailLogs through the life of containers: restarts, ends, rotation."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import logs_pb2

from tests.integration.k8s_resource.log_tailing import Cluster, numbered


async def test_why_a_container_does_not_start_is_told(cluster: Cluster) -> None:
    await cluster.pod("broken", image_error="true")
    async with cluster.tailing(pod="broken") as tail:
        await tail.until_mark("INTERRUPTED")
        assert tail.marks[0].reason == "ImagePullBackOff"


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
