"""Capture: logs that nobody follows are kept, and outlive their pods."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from podyard.k8s_resource.v1 import captured_logs_pb2 as pb
from podyard.k8s_resource.v1 import logs_pb2

from services.k8s_resource.adapters.captured.segment_files import LocalSegmentFiles
from services.k8s_resource.domain.captured.records import Append
from tests.integration.k8s_resource.capturing import Captured
from tests.integration.k8s_resource.conftest import Service, running_service
from tests.integration.k8s_resource.log_tailing import Cluster, Tail, numbered
from tests.integration.k8s_resource.test_log_runs import RUNNING, set_container, terminated
from tools.stack.testing import ControlPlane


@pytest.fixture
async def service(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Service]:
    async with running_service(control_plane.kubeconfig, state=tmp_path / "state") as running:
        yield running


@pytest.fixture
def captured(service: Service, cluster: Cluster) -> Captured:
    return Captured(service, cluster)


def gaps(tail: Tail) -> list[str]:
    return [mark.message for mark in tail.marks if mark.type == logs_pb2.LOG_MARKER_TYPE_GAP]


async def test_the_log_of_a_deleted_pod_is_there_as_kubernetes_had_it(
    cluster: Cluster, captured: Captured
) -> None:
    await captured.rule()
    await cluster.running_pod("gone")
    await cluster.write("gone", *numbered(0, 500), "zürich \U0001f600\ttab\r", "")
    await captured.until_lines(502, "gone")
    await cluster.write("gone", "last words")
    path = f"/api/v1/namespaces/{cluster.namespace}/pods/gone/log"
    shown = await asyncio.to_thread(cluster.plane.api().request, "GET", path)
    await cluster.kubectl("delete", "pod", "gone", "--wait=false")
    [log] = await captured.until_gone("gone")
    assert (log.lines, log.container, log.run, list(log.rules)) == (503, "main", 0, ["all"])
    assert not log.gaps
    async with cluster.tailing(pod="gone", follow=False) as tail:
        await tail.until_end()
    assert "".join(f"{text}\n" for text in tail.texts()).encode() == shown
    assert tail.mark_names() == ["CAPTURED", "DELETED", "END"]
    assert tail.marks[0].reason == "POD_GONE"
    async with cluster.tailing(pod="gone", tail_lines=2) as following:
        await following.until_end()
    assert following.texts() == ["", "last words"]
    assert following.end == "DELETED"


async def test_every_token_of_a_captured_log_goes_on_exactly_there(
    cluster: Cluster, captured: Captured
) -> None:
    await captured.rule()
    await cluster.running_pod("gone")
    texts = [f"line {number} {'x' * 1000}" for number in range(3000)]
    for start in range(0, 3000, 500):
        await cluster.write("gone", *texts[start : start + 500])
    await captured.until_lines(3000, "gone")
    await cluster.kubectl("delete", "pod", "gone", "--wait=false")
    await captured.until_gone("gone")
    async with cluster.tailing(pod="gone") as first:
        await first.until_end()
    assert first.texts() == texts
    assert len(first.tokens) > 3
    for token, seen in first.tokens[:-1]:
        async with cluster.tailing(pod="gone", resume_token=token) as rest:
            await rest.until_end()
        assert rest.texts() == texts[seen:]
        assert gaps(rest) == []


async def test_the_runs_of_a_restarted_container_are_kept(
    cluster: Cluster, captured: Captured
) -> None:
    cluster.restart_policy = "Always"
    await captured.rule()
    await cluster.running_pod("again")
    logs = cluster.plane.pod_logs("again", cluster.namespace)
    for run in range(4):
        await cluster.write("again", f"of run {run}")
        await captured.until_runs(run + 1)
        await set_container(cluster, "again", run, state=terminated(run))
        await captured.until_ended(run)
        await asyncio.to_thread(logs.restart)
        await set_container(cluster, "again", run + 1, state=RUNNING, lastState=terminated(run))
    await cluster.kubectl("delete", "pod", "again", "--wait=false")
    found = await captured.until_gone("again")
    assert [(log.run, log.exit_code) for log in found][:4] == [(n, n) for n in range(4)]
    async with cluster.tailing(pod="again", follow=False) as tail:
        await tail.until_end()
    assert tail.texts() == [f"of run {run}" for run in range(4)]
    ended = [m.exit_code for m in tail.marks if m.type == logs_pb2.LOG_MARKER_TYPE_ENDED]
    assert ended[:4] == [0, 1, 2, 3]
    async with cluster.tailing(pod="again", follow=False, tail_lines=2) as last:
        await last.until_end()
    assert last.texts() == ["of run 2", "of run 3"]
    two = len("of run 0\n") * 2
    async with cluster.tailing(pod="again", follow=False, limit_bytes=two) as limited:
        await limited.until_end()
    assert limited.texts() == ["of run 0", "of run 1"]
    assert limited.mark_names().count("LIMITED") == 1


async def test_a_rotated_log_is_joined_with_what_was_captured_before(
    cluster: Cluster, captured: Captured
) -> None:
    await captured.rule()
    logs = cluster.plane.pod_logs("turns", cluster.namespace)
    # Before the pod runs, so that capture finds the log at once and stays connected.
    await asyncio.to_thread(logs.announce, "main")
    await cluster.running_pod("turns")
    for turn in range(3):
        await cluster.write("turns", *numbered(turn * 100, 100))
        await captured.until_lines((turn + 1) * 100, "turns")
        await asyncio.to_thread(logs.rotate)
    await cluster.write("turns", "line 300")
    for follow in (False, True):
        async with cluster.tailing(pod="turns", follow=follow) as tail:
            await tail.until_lines(301)
            if follow:
                await cluster.write("turns", "line 301")
                await tail.until_lines(302)
            else:
                await tail.until_end()
        assert tail.texts() == numbered(0, 302 if follow else 301)
        assert gaps(tail) == []
        assert tail.marks[0].reason == "EARLIER_LINES"
    async with cluster.tailing(
        pod="turns", follow=False, captured=logs_pb2.CAPTURED_LOGS_EXCLUDE
    ) as live:
        await live.until_end()
    assert live.texts() == numbered(300, 2)


async def test_a_name_means_the_pod_that_exists_or_the_newest(
    cluster: Cluster, captured: Captured
) -> None:
    await captured.rule()
    uids: list[str] = []
    for life in ("first", "second"):
        await cluster.running_pod("twin")
        await cluster.write("twin", life)
        found = await captured.until_runs(len(uids) + 1)
        uids.append(found[-1].pod_uid)
        await cluster.kubectl("delete", "pod", "twin")
        await captured.until_gone("twin")
        # The simulated kubelet's file outlives the pod.
        await asyncio.to_thread(cluster.plane.pod_logs("twin", cluster.namespace).rotate)
    assert len(set(uids)) == 2
    for fields, texts in (({}, ["second"]), ({"pod_uid": uids[0]}, ["first"])):
        async with cluster.tailing(pod="twin", follow=False, **fields) as tail:
            await tail.until_end()
        assert tail.texts() == texts
    await cluster.running_pod("twin")
    await cluster.write("twin", "third")
    async with cluster.tailing(pod="twin", follow=False) as tail:
        await tail.until_end()
    assert tail.texts() == ["third"]
    code, message, _ = await cluster.refusal(pod="twin", pod_uid="unknown")
    assert code is grpc.StatusCode.NOT_FOUND
    assert "twin" in message


async def test_pods_of_a_label_that_are_gone_come_with_those_that_exist(
    cluster: Cluster, captured: Captured
) -> None:
    await captured.rule()
    for name in ("a", "b", "c"):
        await cluster.running_pod(name)
        await cluster.write(name, f"of {name}")
        await captured.until_lines(1, name)
    await cluster.kubectl("delete", "pod", "a", "b")
    for name in ("a", "b"):
        await captured.until_gone(name)
    include, exclude = logs_pb2.CAPTURED_LOGS_INCLUDE, logs_pb2.CAPTURED_LOGS_EXCLUDE
    for fields, lines in (
        ({"follow": False}, 3),
        ({"follow": False, "captured": exclude}, 1),
        ({"follow": True}, 1),
        ({"follow": True, "captured": include}, 3),
    ):
        async with cluster.tailing(label_selector="app=talk", **fields) as tail:
            await tail.until_lines(lines)
            if fields["follow"]:
                await cluster.write("c", "more")
                await tail.until(lambda t: "more" in t.texts())
            else:
                await tail.until_end()
        assert {pod for pod, _ in tail.lines} == set("abc" if lines == 3 else "c")


async def test_rules_choose_and_what_no_rule_wants_is_left(
    cluster: Cluster, captured: Captured
) -> None:
    rule = await captured.rule("some", label_selector="app=talk", containers=["main"])
    assert rule.cluster
    assert rule.etag
    await cluster.running_pod("yes", "main", "side")
    await cluster.write("yes", "kept")
    await cluster.write("yes", "not kept", container="side")
    await captured.until_lines(1, "yes")
    # A new label takes the pod out of the rule, an old one back in.
    await cluster.kubectl("label", "pod", "yes", "app=quiet", "--overwrite")
    await captured.until(lambda logs: not logs[0].active)
    await cluster.write("yes", "meanwhile")
    await cluster.kubectl("label", "pod", "yes", "app=talk", "--overwrite")
    log = await captured.until_lines(2, "yes")
    assert (log.container, log.lines) == ("main", 2)
    assert [log.container for log in await captured.logs()] == ["main"]
    stub = captured.service.stub
    await stub.DeleteCaptureRule(pb.DeleteCaptureRuleRequest(name="some"))
    [log] = await captured.until(lambda logs: not logs[0].active)
    assert log.lines == 2


async def test_capture_and_viewers_share_one_connection(
    cluster: Cluster, captured: Captured
) -> None:
    await captured.rule()
    logs = cluster.plane.pod_logs("shared", cluster.namespace)
    await asyncio.to_thread(logs.announce, "main")
    await cluster.running_pod("shared")
    await cluster.write("shared", *numbered(0, 50))
    await captured.until_lines(50, "shared")
    async with cluster.tailing(pod="shared") as one, cluster.tailing(pod="shared") as two:
        for number in range(50, 60):
            await cluster.write("shared", f"line {number}")
            await asyncio.gather(one.until_lines(number + 1), two.until_lines(number + 1))
        await cluster.until_followed_logs(1)
        assert one.texts() == two.texts() == numbered(0, 60)
    log = await captured.until_lines(60, "shared")
    assert not log.gaps


async def test_a_store_that_hangs_holds_up_no_viewer(
    cluster: Cluster, captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    await captured.rule()
    logs = cluster.plane.pod_logs("flood", cluster.namespace)
    await asyncio.to_thread(logs.announce, "main")
    await cluster.running_pod("flood")
    await cluster.write("flood", "first")
    await captured.until_lines(1, "flood")
    go_on = threading.Event()
    append = LocalSegmentFiles.append

    def hang(files: LocalSegmentFiles, item: Append) -> int:
        go_on.wait()
        return append(files, item)

    monkeypatch.setattr(LocalSegmentFiles, "append", hang)
    texts = ["first", *(f"{number} {'z' * 1000}" for number in range(4000))]
    try:
        async with cluster.tailing(pod="flood") as tail:
            for start in range(1, 4001, 400):
                await cluster.write("flood", *texts[start : start + 400])
            await tail.until_lines(len(texts))
        assert tail.texts() == texts
        [log] = await captured.logs()
        assert log.lines == 1
    finally:
        go_on.set()
    log = await captured.until_lines(len(texts), "flood")
    assert (log.lines, list(log.gaps)) == (len(texts), [])


async def test_a_job_that_is_gone_is_followed_by_its_name(
    cluster: Cluster, captured: Captured
) -> None:
    await captured.rule(training_jobs=True)
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "x"}]}}
    await cluster.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "train"},
            "spec": {"parallelism": 2, "completions": 2, "template": template},
        }
    )
    await cluster.running_pod("beside")
    await cluster.write("beside", "of no job")
    ready = ("wait", "--for=condition=Ready", "pod", "-l", "job-name=train", "--timeout=30s")
    await cluster.kubectl("wait", "--for=create", "pod", "-l", "job-name=train", "--timeout=30s")
    await cluster.kubectl(*ready)
    names = await cluster.kubectl("get", "pods", "-l", "job-name=train", "-o", "name")
    pods = sorted(name.removeprefix("pod/") for name in names.split())
    for pod in pods:
        await cluster.write(pod, f"of {pod}")
        await captured.until_lines(1, pod)
    logs = await captured.logs()
    assert {(log.pod, log.training_job) for log in logs} == {(pod, "train") for pod in pods}
    await cluster.kubectl("delete", "job", "train")
    for pod in pods:
        await captured.until_gone(pod)
    for source in ("job", "training_job"):
        for follow in (False, True):
            async with cluster.tailing(**{source: "train"}, follow=follow) as tail:
                await tail.until_end()
            assert sorted(tail.texts()) == [f"of {pod}" for pod in pods]
            assert tail.end == ("DELETED" if follow else "FINISHED")
    code, _, _ = await cluster.refusal(job="never")
    assert code is grpc.StatusCode.NOT_FOUND


async def test_sidecars_are_captured_and_init_containers_if_the_rule_says_so(
    cluster: Cluster, captured: Captured
) -> None:
    await captured.rule(include_init_containers=True)
    containers = {name: {"name": name, "image": "x"} for name in ("main", "first", "beside")}
    spec = {
        "restartPolicy": "Never",
        "containers": [containers["main"]],
        "initContainers": [
            containers["first"],
            {**containers["beside"], "restartPolicy": "Always"},
        ],
    }
    logs = cluster.plane.pod_logs("many", cluster.namespace)
    for name in containers:  # An init container has ended before anything could be written later.
        await asyncio.to_thread(logs.announce, name)
        await asyncio.to_thread(logs.write, name, f"of {name}")
    await cluster.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "many"}, "spec": spec}
    )
    await cluster.kubectl("wait", "--for=condition=Ready", "pod/many", "--timeout=30s")
    await captured.until_lines(3, "many")
    await cluster.kubectl("delete", "pod", "many", "--wait=false")
    await captured.until_gone("many")
    for fields, texts in (
        ({}, ["of beside", "of main"]),
        ({"include_init_containers": True}, ["of beside", "of first", "of main"]),
        ({"containers": ["first"]}, ["of first"]),
    ):
        async with cluster.tailing(pod="many", follow=False, **fields) as tail:
            await tail.until_end()
        assert sorted(tail.texts()) == texts
