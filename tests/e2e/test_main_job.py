"""The main job on the running system: through gRPC by reflection, the gateway, and the CLI."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpx

from tests.e2e.reflection import ReflectionClient
from tests.e2e.running_stack import RunningStack

K8S = "podyard.k8s_resource.v1.K8sResourceService"
LIFECYCLE = "podyard.cluster_lifecycle.v1.ClusterLifecycleService"
HISTORY = "podyard.training_history.v1.TrainingHistoryService"

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: e2e-web, namespace: default}
spec:
  replicas: 3
  selector: {matchLabels: {app: e2e-web}}
  template:
    metadata: {labels: {app: e2e-web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: nginx}]
"""


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until the condition holds; the test fails if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def until(items: Iterable[Any], wanted: Callable[[Any], bool]) -> list[Any]:
    """Items up to and with the first wanted one."""
    seen = []
    for item in items:
        seen.append(item)
        if wanted(item):
            return seen
    raise AssertionError(f"the stream ended before what was waited for; it gave {seen[-5:]}")


def names(rows: list[dict[str, Any]]) -> set[str]:
    return {row["name"] for row in rows}


def test_1_the_cluster_as_it_is(stack: RunningStack) -> None:
    kubernetes = {
        node["metadata"]["name"]: int(node["status"]["allocatable"].get("nvidia.com/gpu", "0"))
        for node in json.loads(stack.kubectl("get", "nodes", "-o", "json"))["items"]
    }
    assert sum(kubernetes.values()) > 0, "the demo has GPU nodes"
    with ReflectionClient(stack.endpoints["k8s_resource"]) as client:
        assert K8S in client.services()
        by_grpc = client.call(K8S, "ListNodes")["nodes"]
    by_gateway = stack.get("/v1/k8s/nodes")["nodes"]
    by_cli = json.loads(stack.podyard("nodes", "-o", "json"))["nodes"]
    for nodes in (by_grpc, by_gateway, by_cli):
        assert {
            node["name"]: int(node["gpu"].get("allocatable", 0)) for node in nodes
        } == kubernetes
    for node in by_gateway:
        gpu = {key: int(node["gpu"][key]) for key in ("allocatable", "used", "available")}
        assert gpu["available"] == max(0, gpu["allocatable"] - gpu["used"])
    assert any(int(node["gpu"]["used"]) > 0 for node in by_gateway), "the demo's pods use GPUs"

    for kind, path, key, command in (
        ("pods", "pods", "pods", "pods"),
        ("services", "services", "services", "services"),
        ("deployments", "deployments", "deployments", "deployments"),
        ("persistentvolumes", "persistent-volumes", "persistentVolumes", "pv"),
    ):
        expected = set(
            stack.kubectl("get", kind, "-A", "-o", "jsonpath={.items[*].metadata.name}").split()
        )
        everywhere = ("-A",) if command != "pv" else ()
        assert names(stack.get(f"/v1/k8s/{path}", pageSize="1000")[key]) == expected
        printed = stack.podyard(command, *everywhere, "-o", "json")
        assert (
            names(next(v for v in json.loads(printed).values() if isinstance(v, list))) == expected
        )

    jobs = {job["name"]: job for job in stack.get("/v1/k8s/training-jobs")["trainingJobs"]}
    assert {job["kind"] for job in jobs.values()} >= {"HyperPodPyTorchJob", "Job"}
    assert jobs["llama3-70b-sft"]["state"] == "Running"
    assert "llama3-70b-sft" in stack.podyard("jobs", "-A")
    assert (jobs["phi4-grpo"]["phase"], jobs["phi4-grpo"]["admission"]["queue"]) == (
        "JOB_PHASE_QUEUED", "research",
    )  # fmt: skip

    inventory = stack.get("/v1/k8s/gpu-inventory", pageSize="1000")
    total = next(t for t in inventory["totals"] if t["name"] == "nvidia.com/gpu")
    assert int(total["allocatable"]) == sum(kubernetes.values())
    assert {t["name"] for t in inventory["totals"]} >= {
        "nvidia.com/mig-1g.5gb", "vpc.amazonaws.com/efa",
    }  # fmt: skip
    waiting = {each["holder"]["name"]: each for each in inventory["pending"]}
    wanted = {d["name"]: int(d["missing"]) for d in waiting["qwen3-32b-sft"]["devices"]}
    assert wanted["nvidia.com/gpu"] == 16
    assert "qwen3-32b-sft" in stack.podyard("gpus", "--pending")
    assert "gpu-research" in stack.podyard("queues")


def test_2_a_live_watch_shows_each_event_once(stack: RunningStack) -> None:
    with stack.podyard_stream("watch", "pods", "-l", "app=e2e-web", "-o", "json") as lines:
        events = (event for line in lines for event in _events(json.loads(line)))
        seen = until(events, lambda event: event["type"].endswith("SYNCED"))
        stack.podyard("apply", "-f", "-", stdin=DEPLOYMENT)
        ready: set[str] = set()

        def all_ready(event: dict[str, Any]) -> bool:
            if event.get("pod", {}).get("ready"):
                ready.add(event["ref"]["name"])
            return len(ready) == 3

        seen += until(events, all_ready)
        stack.podyard("delete", "deployment", "e2e-web")
        gone: set[str] = set()

        def all_gone(event: dict[str, Any]) -> bool:
            if event["type"].endswith("DELETED"):
                gone.add(event["ref"]["name"])
            return gone >= ready

        seen += until(events, all_gone)
    identities = [
        (event["type"], event["ref"]["uid"], event["ref"]["resourceVersion"])
        for event in seen
        if "ref" in event
    ]
    assert len(identities) == len(set(identities)), "an event was repeated"
    for pod in ready:
        types = [e["type"].rpartition("_")[2] for e in seen if e.get("ref", {}).get("name") == pod]
        assert types[0] == "ADDED"
        assert types[-1] == "DELETED"
        assert set(types[1:-1]) == {"MODIFIED"}


def _events(message: dict[str, Any]) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = message.get("events", [message])
    return events


def test_3_live_log_tails(stack: RunningStack) -> None:
    pods = stack.get("/v1/k8s/pods", labelSelector="HPJob=llama3-70b-sft")["pods"]
    assert len(pods) > 1
    with stack.podyard_stream("logs", pods[0]["name"], "-f", "--tail", "1") as lines:
        assert len([next(lines) for _ in range(3)]) == 3, "new lines keep coming"
    with ReflectionClient(stack.endpoints["k8s_resource"]) as client:
        wrote: set[str] = set()
        stream = client.stream(
            K8S, "TailLogs", label_selector="HPJob=llama3-70b-sft", follow=True, tail_lines="0"
        )
        with contextlib.closing(stream):
            for message in stream:
                for event in message["events"]:
                    if "lines" in event:
                        wrote.add(event["lines"]["source"]["pod"])
                if len(wrote) == len(pods):
                    break
    assert wrote == names(pods)
    url = f"{stack.endpoints['gateway']}/v1/k8s/logs"
    query = {"labelSelector": "HPJob=llama3-70b-sft", "follow": "true", "tailLines": "0"}
    headers = {"Accept": "text/event-stream"}
    with httpx.stream("GET", url, params=query, headers=headers, timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        frames = until(
            answer.iter_lines(), lambda line: line.startswith("data:") and "text" in line
        )
    assert any(frame.startswith("id:") for frame in frames), "each batch has a token to resume from"


def test_4_a_cluster_is_launched_through_a_kill_of_the_service(stack: RunningStack) -> None:
    refused = stack.try_podyard("clusters", "create", "e2e", "--region", "us-east-1;reboot")
    assert refused.returncode == 2 or refused.returncode == 1
    assert "aws_region" in refused.stderr
    create = ("clusters", "create", "e2e", "--region", "us-east-1", "--instance-count", "2")
    stack.podyard(*create)
    config = stack.state / "data/cluster-lifecycle/managed_clusters_info/e2e/config"
    assert "export CLUSTER_TAG=e2e" in (config / "init_envs").read_text()
    stack.podyard("clusters", "update", "e2e", "--instance-count", "4")
    assert "export GPU_INSTANCE_COUNT=4" in (config / "init_envs").read_text()
    assert len(list(config.glob("init_envs.backup.*"))) == 1

    def launch_state() -> str:
        status = stack.get("/v1/clusters/e2e/status", consistent="true")
        return str(status["launch"]["state"]).removeprefix("STEP_STATE_")

    assert launch_state() == "NOT_STARTED"
    operation = json.loads(stack.podyard("clusters", "launch", "e2e", "-o", "json"))
    again = stack.try_podyard("clusters", "launch", "e2e")
    with stack.podyard_stream("clusters", "log", "e2e", "launch", "-f") as lines:
        followed = [next(lines)]
        _kill_and_await_restart(stack, "cluster-lifecycle")
        followed += lines
    assert again.returncode != 0, "one launch at a time"
    assert operation["id"] in again.stderr
    eventually(lambda: launch_state() == "COMPLETED")
    ended = stack.get(f"/v1/operations/{operation['id']}")["operation"]
    assert ended["state"] == "OPERATION_STATE_SUCCEEDED"
    assert ended["progressPercent"] == 100
    assert ended["recoveries"] == 1, "the service that was started again took it up"
    assert "".join(followed) == stack.podyard("clusters", "log", "e2e", "launch")
    assert len(stack.get("/v1/clusters/e2e/logs")["logs"]) == 1, "the step ran once"
    old = stack.get("/api/cluster/step1-status")
    assert old["data"]["status"] == "completed"
    assert old["data"]["stackStatus"] == "CREATE_COMPLETE"
    assert stack.get("/v1/clusters/e2e/status")["launch"]["outputs"]


def _kill_and_await_restart(stack: RunningStack, name: str) -> None:
    """kill -9 a service; the stack starts it again."""
    before = stack.component(name)["pid"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: stack.component(name)["pid"] != before)
    eventually(lambda: stack.try_podyard("clusters", "list").returncode == 0)


def test_5_training_history_as_a_table(stack: RunningStack) -> None:
    with ReflectionClient(stack.endpoints["training_history"]) as client:
        columns = client.call(HISTORY, "ListColumns")["columns"]
        page = client.call(HISTORY, "ListRuns", page_size=50)
    titles = [column["title"].replace("\n", " ") for column in columns]
    assert titles[:3] == ["Experiment", "Run Name", "Status"]
    assert titles[3:11] == [
        *("Model", "Dataset", "Instance Type", "Replica Count"),
        *("Proc Per Node", "Batch Size", "Cutoff Len", "DeepSpeed Conf"),
    ]
    assert titles[-5:] == ["Samples/s", "Steps/s", "Start Time", "Duration", "Actions"]
    assert len(page["runs"]) == 50
    assert page["total_size"] == 200
    starts = [run["start_time"] for run in page["runs"]]
    assert starts == sorted(starts, reverse=True)

    doomed = page["runs"][0]["run_id"]
    assert doomed in {row["run_id"] for row in stack.get("/api/training-history")["data"]}
    stack.podyard("runs", "delete", doomed, "--yes")
    assert doomed not in {row["run_id"] for row in stack.get("/api/training-history")["data"]}
    assert stack.get("/v1/runs", pageSize="1")["totalSize"] == 199
    mlflow = httpx.get(
        f"{stack.endpoints['mlflow']}/api/2.0/mlflow/runs/get", params={"run_id": doomed}
    )
    assert mlflow.json()["run"]["info"]["lifecycle_stage"] == "deleted"
    header = stack.podyard("runs", "list").splitlines()[0].upper()
    assert header.index("EXPERIMENT") < header.index("STATUS")


def test_6_the_doctor_finds_everything_well(stack: RunningStack) -> None:
    report = json.loads(stack.podyard("doctor", "--json"))
    assert report
    assert stack.try_podyard("doctor").returncode == 0


def test_7_everything_listens_on_loopback_only(stack: RunningStack) -> None:
    listening = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout
    pids = {f"pid={row['pid']}," for row in stack.endpoints["components"]}
    ours = [line for line in listening.splitlines() if any(pid in line for pid in pids)]
    assert ours
    assert all(_is_loopback(line.split()[3]) for line in ours), ours


def _is_loopback(address: str) -> bool:
    return address.rpartition(":")[0] in {"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"}
