"""Captured logs by the command line, the SDK and the gateway, on the real service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from podyard.client import Podyard, log_lines
from podyard.k8s_resource.v1 import captured_logs_pb2 as pb

from tests.integration.cli.command_line import CommandLine
from tests.integration.gateway.conftest import World, gateway
from tests.service_process import ServiceProcess, running_service
from tools.stack.testing import ControlPlane

JOB_POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}, labels: {{HPJob: llama}}}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{{name: main, image: none}}, {{name: side, image: none}}]
"""
WAIT_SECONDS = 60


@pytest.fixture
async def kubernetes(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    environment = {
        "PODYARD_K8S_RESOURCE_KUBECONFIG": str(control_plane.kubeconfig),
        "PODYARD_K8S_RESOURCE_STATE": str(tmp_path / "state"),
    }
    async with running_service("k8s_resource", environment, tmp_path) as service:
        yield service


@pytest.fixture
def podyard(kubernetes: ServiceProcess, tmp_path: Path) -> CommandLine:
    return CommandLine({"PODYARD_K8S_RESOURCE_ADDRESS": kubernetes.address}, tmp_path)


@pytest.fixture
async def namespace(control_plane: ControlPlane) -> AsyncIterator[str]:
    name = "cli-captured"

    def kubectl(*arguments: str) -> None:
        control_plane.kubectl(*arguments)

    await asyncio.to_thread(kubectl, "create", "namespace", name)
    await asyncio.to_thread(kubectl, "wait", "-n", name, "--for=create", "serviceaccount/default")
    yield name
    await asyncio.to_thread(kubectl, "delete", "namespace", name, "--wait=false")


async def until(
    podyard: CommandLine, namespace: str, condition: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """What `capture list` has, once it is as wanted."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            shown = await podyard("capture", "list", "-n", namespace, "-o", "json")
            assert shown.code == 0, shown.stderr
            logs: list[dict[str, Any]] = json.loads(shown.stdout)["logs"]
            if condition(logs):
                return logs


async def test_the_log_of_a_training_pod_is_there_when_the_pod_is_gone(
    podyard: CommandLine, kubernetes: ServiceProcess, control_plane: ControlPlane, namespace: str
) -> None:
    rule = ("training", "--training-jobs", "-n", namespace, "--max-age", "30d")
    dry = await podyard("capture", "rules", "create", *rule, "--dry-run")
    assert dry.stdout == "capture rule training could be created (dry run)\n"
    made = await podyard("capture", "rules", "create", *rule)
    assert made.stdout == "capture rule training created\n"
    bad = await podyard("capture", "rules", "create", "Not A Name")
    assert bad.code == 1
    assert "rule.name" in bad.stderr
    manifest = JOB_POD.format(name="llama-0", namespace=namespace)
    assert (await podyard("apply", "-f", "-", stdin=manifest)).code == 0
    kubectl = control_plane.kubectl
    ready = ("wait", "-n", namespace, "--for=condition=Ready", "pod/llama-0")
    await asyncio.to_thread(kubectl, *ready)
    write = control_plane.write_logs
    await asyncio.to_thread(write, "llama-0", "loss 1.0", "loss 0.5", namespace=namespace)
    await asyncio.to_thread(write, "llama-0", "beside", namespace=namespace, container="side")
    await until(podyard, namespace, lambda logs: sum(int(log["lines"]) for log in logs) == 3)
    rules = await podyard("capture", "rules", "list")
    assert "of training jobs" in rules.stdout
    assert "30d" in rules.stdout
    assert "active: 2 containers" in rules.stderr
    await asyncio.to_thread(kubectl, "delete", "pod", "llama-0", "-n", namespace)
    await until(
        podyard, namespace, lambda logs: all(x["complete"] and not x["podExists"] for x in logs)
    )
    one = await podyard("logs", "llama-0", "-n", namespace, "-c", "main")
    assert (one.code, one.stdout) == (0, "loss 1.0\nloss 0.5\n")
    assert "gone" in one.stderr
    both = await podyard("logs", "llama-0", "-n", namespace)
    assert sorted(both.stdout.splitlines()) == [
        "main | loss 0.5",
        "main | loss 1.0",
        "side | beside",
    ]
    nothing = await podyard("logs", "llama-0", "-n", namespace, "--captured", "exclude")
    assert nothing.code == 3
    listed = await podyard("capture", "list", "-n", namespace, "--training-job", "llama")
    assert listed.stdout.count("llama-0") == 2
    assert "pod gone" in listed.stdout

    with Podyard(k8s_resource=kubernetes.address) as client:
        events = client.k8s.tail_logs(namespace=namespace, pod="llama-0", containers=["main"])
        assert [line.text for event in events for line in log_lines(event)] == [
            "loss 1.0",
            "loss 0.5",
        ]
        kept = client.k8s.get_capture_rule("training")
        assert list(kept.namespaces) == [namespace]
        client.k8s.update_capture_rule(pb.CaptureRule(name="training", disabled=True))

    world = World()
    stems = ("k8s_resource", "cluster_lifecycle", "training_history")
    addresses = {**dict.fromkeys(stems, "127.0.0.1:1"), "k8s_resource": kubernetes.address}
    async with gateway(world, addresses):
        answer = await world.client.get(f"/v1/k8s/captured-logs?query.namespace={namespace}")
        assert answer.json()["totalSize"] == 2
        rules_answer = await world.client.get("/v1/k8s/capture-rules")
        assert rules_answer.json()["rules"][0]["disabled"] is True
        assert rules_answer.json()["status"]["state"] == "CAPTURE_STATE_ACTIVE"
        body = {"name": "http", "retention": {"maxAge": "3600s"}}
        created = await world.client.post("/v1/k8s/capture-rules?requestId=x", json=body)
        assert created.json()["rule"]["retention"]["maxAge"] == "3600s"
        text = await world.client.get(f"/v1/k8s/logs?pod=llama-0&namespace={namespace}")
        assert "loss 0.5" in text.text
        assert "LOG_MARKER_TYPE_CAPTURED" in text.text
        gone = await world.client.delete("/v1/k8s/capture-rules/http")
        assert gone.status_code == 200

    refused = await podyard("capture", "delete", "-n", namespace)
    assert refused.code == 2
    done = await podyard("capture", "delete", "-n", namespace, "--yes")
    assert done.stdout.startswith("2 captured logs")
    assert (await podyard("logs", "llama-0", "-n", namespace)).code == 3
    assert (await podyard("capture", "rules", "delete", "training")).code == 0
    assert (await podyard("capture", "rules", "delete", "training")).code == 3
