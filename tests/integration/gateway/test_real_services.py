"""The gateway in front of the real services on real parts: Kubernetes, MLflow, the AWS emulator."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.gateway.conftest import World, gateway
from tests.unit.gateway.test_compat_form import TODAY
from tools.stack import testing
from tools.stack.control_plane import ControlPlane

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: %s}}
  template:
    metadata: {labels: {app: %s}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: nginx}]
"""


@asynccontextmanager
async def service(stem: str, **variables: str) -> AsyncIterator[str]:
    """A service as a process; its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"services.{stem}",
        env={
            **os.environ,
            f"PODYARD_{stem.upper()}_LISTEN": "127.0.0.1:0",
            f"PODYARD_{stem.upper()}_DRAIN_SECONDS": "2",
            **variables,
        },
        stdout=DEVNULL,
        stderr=PIPE,
    )
    assert process.stderr is not None
    log = process.stderr
    address = ""
    async with asyncio.timeout(60):
        async for line in log:
            event = orjson.loads(line)
            if event["event"] == "listening":
                address = event["address"]
                break
    assert address, f"{stem} did not start"

    async def discard() -> None:
        """A full pipe would stop the service."""
        while await log.read(65536):
            pass

    discarding = asyncio.create_task(discard())
    try:
        yield address
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)
        await discarding


@asynccontextmanager
async def in_front_of(stem: str, **variables: str) -> AsyncIterator[World]:
    """The gateway with one real service; nothing serves where the others should be."""
    stems = ("k8s_resource", "cluster_lifecycle", "training_history")
    async with service(stem, **variables) as address:
        world = World()
        async with gateway(world, {**dict.fromkeys(stems, "127.0.0.1:1"), stem: address}):
            yield world


@pytest.fixture
async def kubernetes(control_plane: ControlPlane) -> AsyncIterator[World]:
    kubeconfig = {"PODYARD_K8S_RESOURCE_KUBECONFIG": str(control_plane.kubeconfig)}
    async with in_front_of("k8s_resource", **kubeconfig) as world:
        yield world


@pytest.fixture
async def history(mlflow_server: testing.MlflowServer, tmp_path: Path) -> AsyncIterator[World]:
    async with in_front_of(
        "training_history",
        PODYARD_TRAINING_HISTORY_TRACKING_URI=mlflow_server.url,
        PODYARD_TRAINING_HISTORY_STATE=str(tmp_path),
        PODYARD_TRAINING_HISTORY_SYNC_SECONDS="0.1",
    ) as world:
        yield world


@pytest.fixture
async def lifecycle(
    aws_emulator: testing.AwsEmulator, fake_sagemaker: testing.FakeSageMaker, tmp_path: Path
) -> AsyncIterator[World]:
    # The emulator knows neither HyperPod clusters in a stack nor NAT gateways.
    parameters = {"CreateHyperPodCluster": "false", "CreateNatGateway": "false"}
    environment = {
        **aws_emulator.environment,
        **fake_sagemaker.environment,
        "PODYARD_CLUSTER_LIFECYCLE_STATE": str(tmp_path / "state"),
        "PODYARD_CLUSTER_LIFECYCLE_STACK_POLL_SECONDS": "0.1",
        "PODYARD_CLUSTER_LIFECYCLE_K8S_RESOURCE_ADDRESS": "127.0.0.1:1",
        "PODYARD_CLUSTER_LIFECYCLE_STACK_PARAMETERS": json.dumps(parameters),
    }
    async with in_front_of("cluster_lifecycle", **environment) as world:
        yield world


async def watched(response: Any) -> AsyncIterator[dict[str, Any]]:
    """Events of a watch over NDJSON."""
    async for line in response.aiter_lines():
        message = json.loads(line)
        assert "result" in message, message
        for event in message["result"]["events"]:
            yield {**event, "token": message["result"]["resumeToken"]}


async def until(events: AsyncIterator[dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    async with asyncio.timeout(60):
        async for event in events:
            if event["type"].endswith(kind) and event.get("ref", {}).get("name", "").startswith(
                name
            ):
                return event
    raise AssertionError(f"the stream ended without {kind} {name}")


async def test_nodes_apply_watch_and_resume(kubernetes: World) -> None:
    client = kubernetes.client
    inventory = await client.get(
        "/v1/k8s/gpu-inventory?parts=INVENTORY_PART_NODES&resourceNames=nvidia.com/*&pageSize=1"
    )
    assert inventory.status_code == 200
    assert inventory.json()["totals"] == inventory.json()["nodes"] == []  # plain nodes have none
    queues = (await client.get("/v1/k8s/queues?type=QUEUE_TYPE_LOCAL_QUEUE")).json()
    assert queues["queues"] == []
    assert "does not have Kueue" in queues["notes"][0]
    missing = await client.get("/v1/k8s/training-jobs/nobody?namespace=default")
    assert (missing.status_code, missing.json()["error"]["status"]) == (404, "NOT_FOUND")
    wrong = await client.get("/v1/k8s/gpu-inventory?pageSize=-1")
    assert (wrong.status_code, "page_size" in wrong.text) == (400, True)
    info = (await client.get("/v1/k8s/info?namespaces=default&namespaces=other")).json()
    assert info["reachable"] is True
    assert {each["resource"] for each in info["permissions"]} >= {"nodes", "pods", "pods/log"}
    assert "CoreDNS" in [each["subject"] for each in info["problems"]]
    assert (await client.get("/v1/k8s/info?namespaces=Bad_One")).status_code == 400
    nodes = (await client.get("/v1/k8s/nodes")).json()
    assert len(nodes["nodes"]) >= 3
    assert nodes["freshness"]["stale"] is False
    watch = "/v1/k8s/watch?kinds=pods&namespace=default&labelSelector=app%3Dgw-web"
    async with client.stream("GET", watch) as response:
        events = watched(response)
        await until(events, "SYNCED")
        manifest = MANIFEST % (("gw-web",) * 3)
        applied = await client.post("/v1/k8s/apply", json={"manifest": manifest})
        assert applied.status_code == 200, applied.text
        assert applied.json()["results"][0]["action"] == "APPLY_ACTION_CREATED"
        token = (await until(events, "ADDED", "gw-web-"))["token"]
    headers = {"accept": "text/event-stream", "last-event-id": token}
    async with client.stream("GET", watch, headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        # What follows the token for certain: the pods may run already in the token's batch.
        objects = {"objects": [{"kind": "deployment", "namespace": "default", "name": "gw-web"}]}
        deleted = (await client.post("/v1/k8s/delete", json=objects)).json()["results"][0]
        assert deleted["outcome"] in ("DELETE_OUTCOME_DELETED", "DELETE_OUTCOME_TERMINATING")
        async with asyncio.timeout(60):
            async for line in response.aiter_lines():
                if line.startswith("data: ") and "WATCH_EVENT_TYPE_DELETED" in line:
                    break


async def test_a_watch_of_changed_fields(
    kubernetes: World, control_plane: testing.ControlPlane
) -> None:
    name = f"gw-{uuid.uuid4().hex[:8]}"
    control_plane.kubectl("create", "configmap", name, "--from-literal=a=1")
    query = (
        "kinds=configmaps&namespace=default&view=OBJECT_VIEW_CHANGES&coalesce=true"
        f"&fieldSelector=metadata.name%3D{name}"
    )
    async with kubernetes.client.stream("GET", f"/v1/k8s/watch?{query}") as response:
        events = watched(response)
        added = await until(events, "ADDED", name)
        assert added["json"]["data"] == {"a": "1"}
        await until(events, "SYNCED")
        patch = ("--type=merge", "-p", '{"data":{"a":"2"}}')
        control_plane.kubectl("patch", "configmap", name, *patch)
        modified = await until(events, "MODIFIED", name)
        assert modified["changes"] == [{"path": "/data/a", "oldJson": "1", "newJson": "2"}]
    control_plane.kubectl("delete", "configmap", name)
    refused = await kubernetes.client.get("/v1/k8s/watch?kinds=pods&timeout=0s")
    assert (refused.status_code, "timeout" in refused.text) == (400, True)


async def test_objects_of_any_kind_and_bad_input(kubernetes: World) -> None:
    client = kubernetes.client
    found = await client.get("/v1/k8s/objects/v1%2FNamespace/default")
    assert found.json()["object"]["json"]["metadata"]["name"] == "default"
    kind = await client.get("/v1/k8s/objects/unicorns")
    assert kind.status_code in (400, 404)
    assert "unicorns" in kind.json()["error"]["message"]
    missing = await client.get("/v1/k8s/objects/pods/nope?namespace=default")
    assert (missing.status_code, missing.json()["error"]["status"]) == (404, "NOT_FOUND")
    cluster = await client.get("/v1/k8s/pods?cluster=nowhere")
    assert cluster.status_code in (400, 404)
    assert "nowhere" in cluster.json()["error"]["message"]
    token = await client.get("/v1/k8s/pods?pageToken=forged")
    assert (token.status_code, "page_token" in token.text) == (400, True)
    resume = await client.get("/v1/k8s/watch?kinds=pods", headers={"last-event-id": "forged"})
    assert (resume.status_code, "resume_token" in resume.text) == (400, True)
    selector = await client.get("/v1/k8s/pods?labelSelector=a%20in%20(")
    assert selector.status_code == 400


async def test_lists_take_filters_masks_and_counts_from_the_query(
    kubernetes: World, control_plane: ControlPlane
) -> None:
    client = kubernetes.client
    query = (
        "readMask=name,kubeletVersion,gpu.available&countBy=ready&count_by=zone&schedulable=true"
    )
    nodes = (await client.get(f"/v1/k8s/nodes?{query}&consistent=true")).json()
    assert nodes["totalSize"] == len(nodes["nodes"])
    assert all(node["kubeletVersion"] for node in nodes["nodes"])
    assert not any(node["labels"] or node["ready"] for node in nodes["nodes"])
    assert [counts["field"] for counts in nodes["counts"]] == ["ready", "zone"]
    assert sum(v["count"] for v in nodes["counts"][1]["values"]) == nodes["totalSize"]
    assert nodes["freshness"]["resourceVersion"]
    same = (await client.get(f"/v1/k8s/nodes?{query.replace('kubeletV', 'kubelet_v')}")).json()
    assert same["nodes"] == nodes["nodes"]

    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "gateway-test", "namespace": "default"},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "default", "name": "gw"},
        "type": "Warning",
        "reason": "Tested",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    control_plane.apply(json.dumps(event))
    about = "/v1/k8s/events?involvedObject.kind=po&involvedObject.name=gw&consistent=true"
    found = (await client.get(f"{about}&types=Warning&types=Normal")).json()
    assert [(e["reason"], e["lastSeenTime"]) for e in found["events"]] == [
        ("Tested", "2026-01-01T00:00:00Z")
    ]
    assert (await client.get(f"{about}&since=3600s")).json()["events"] == []
    spaces = (
        await client.get("/v1/k8s/namespaces?phases=Active&fieldSelector=metadata.name%3Ddefault")
    ).json()
    assert [(n["name"], n["phase"]) for n in spaces["namespaces"]] == [("default", "Active")]

    for bad, field in (
        ("readMask=name,colour", "read_mask"),
        ("phases=Runing", "phases[0]"),
        ("countBy=colour", "count_by[0]"),
        ("labelSelector=a%3D(b", "label_selector"),
        ("namespace=a&namespaces=b", "namespaces"),
    ):
        response = await client.get(f"/v1/k8s/pods?{bad}")
        assert response.status_code == 400
        details = response.json()["error"]["details"]
        violations = [v for d in details for v in d.get("fieldViolations", ())]
        assert [v["field"] for v in violations] == [field]

    described = (await client.get("/openapi.json")).json()["paths"]["/v1/k8s/pods"]["get"]
    parameters = {each["name"]: each for each in described["parameters"]}
    assert parameters["readMask"]["schema"]["type"] == "string"
    assert parameters["phases"]["schema"]["items"]["type"] == "string"
    assert "AIP-157" in parameters["readMask"]["description"]


async def test_the_panels_history(history: World, mlflow_server: testing.MlflowServer) -> None:
    ids = set(mlflow_server.insert_runs(30))
    rows: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while not ids <= {row["run_id"] for row in rows}:
            found = (await history.client.get("/api/training-history")).json()
            assert found["success"] is True, found
            rows = found["data"]
    assert [row["start_time"] for row in rows] == sorted(
        (row["start_time"] for row in rows), reverse=True
    )
    row = next(row for row in rows if row["status"] == "FINISHED" and row["run_id"] in ids)
    assert isinstance(row["metrics"]["train_samples_per_second"], float)
    assert row["tags"]["model"]
    assert row["params"]
    assert " days " in row["duration"]
    answer = await history.client.delete(f"/api/training-history/{row['run_id']}")
    assert answer.json()["success"] is True
    after = (await history.client.get("/api/training-history")).json()["data"]
    assert row["run_id"] not in {each["run_id"] for each in after}
    missing = await history.client.delete("/api/training-history/" + "0" * 32)
    assert (missing.status_code, missing.json()["success"]) == (404, False)


async def test_the_panel_launches_a_cluster(lifecycle: World) -> None:
    client = lifecycle.client
    form = {**TODAY, "clusterTag": "gw-demo", "enableFtp": False}
    saved = (await client.post("/api/cluster/save-config", json=form)).json()
    assert saved == {**saved, "success": True, "clusterTag": "gw-demo", "backupCreated": False}
    early = await client.post("/api/cluster/configure")
    assert (early.status_code, early.json()["success"]) == (400, False)
    launched = (await client.post("/api/cluster/launch")).json()
    assert launched["success"] is True, launched
    text, offset, status = "", 0, ""
    async with asyncio.timeout(120):
        while status not in ("completed", "failed"):
            data = (await client.get("/api/cluster/step1-status")).json()["data"]
            status = data["status"]
            assert status != "not_started"
            log = (await client.get(f"/api/cluster/logs/launch?offset={offset}")).json()["data"]
            text, offset = text + log["content"], log["totalLength"]
            assert offset == len(text)
    assert status == "completed", text
    assert data["stackName"] == "full-stack-gw-demo"
    assert data["stackStatus"] == "CREATE_COMPLETE"
    assert data["details"]["outputs"]
    rest: dict[str, Any] = {}
    async with asyncio.timeout(60):
        while rest.get("status") != "completed":
            rest = (await client.get("/api/cluster/logs/launch")).json()["data"]
    assert rest["content"].startswith(text)
    again = (
        await client.post("/api/cluster/save-config", json={**form, "gpuInstanceCount": 3})
    ).json()
    assert again["backupCreated"] is True
    bad = await client.post(
        "/api/cluster/save-config", json={**form, "gpuInstanceType": "$(reboot)"}
    )
    assert (bad.status_code, bad.json()["error"].partition(":")[0]) == (400, "gpuInstanceType")
    traversal = await client.post("/api/cluster/save-config", json={**form, "clusterTag": "../x"})
    assert (traversal.status_code, traversal.json()["error"].partition(":")[0]) == (
        400,
        "clusterTag",
    )
    checks = (await client.get("/api/cluster/step2-status")).json()["data"]["checks"]
    assert {check["status"] for check in checks} == {"error"}, "k8s-resource is not there"


async def test_logs_are_downloaded_and_searched_over_http(
    kubernetes: World, control_plane: ControlPlane
) -> None:
    client = kubernetes.client
    manifest = MANIFEST.replace("replicas: 2", "replicas: 1") % (("gw-logs",) * 3)
    await client.post("/v1/k8s/apply", json={"manifest": manifest})

    def written() -> str:
        control_plane.kubectl("wait", "--for=condition=Available", "deployment/gw-logs")
        name = control_plane.kubectl("get", "pods", "-l", "app=gw-logs", "-o", "name").strip()
        pod = name.removeprefix("pod/")
        control_plane.write_logs(pod, "one", "two", "three", container="web")
        return pod

    pod = await asyncio.to_thread(written)
    saved = await client.get("/v1/k8s/logs/download?deployment=gw-logs")
    assert saved.content == b"one\ntwo\nthree\n"
    assert saved.headers["content-disposition"] == f'attachment; filename="{pod}_web.log"'
    page = (await client.get("/v1/k8s/logs/lines?deployment=gw-logs&pageSize=2")).json()
    assert page["lines"][0]["text"] == ["two", "three"]
    token = page["olderPageToken"]
    older = await client.get(f"/v1/k8s/logs/lines?deployment=gw-logs&pageSize=2&pageToken={token}")
    assert older.json()["lines"][0]["text"] == ["one"]
    found = await client.get("/v1/k8s/logs/search?deployment=gw-logs&pattern=tw.&after=1")
    events = [
        event for line in found.text.splitlines() for event in json.loads(line)["result"]["events"]
    ]
    groups = [event["group"]["lines"]["text"] for event in events if "group" in event]
    assert groups == [["two", "three"]]
    assert events[-1]["summary"]["matches"] == "1"
    job = pod.rsplit("-", 1)[0]
    shown = await client.get(f"/api/logs/{job}/{pod}")
    assert (shown.text, "content-disposition" in shown.headers) == ("one\ntwo\nthree\n", False)
    info = (await client.get(f"/api/logs/{job}/{pod}/info")).json()
    assert (info["success"], info["size"], info["path"]) == (True, 14, f"default/{pod}")
    absent = await client.get("/v1/k8s/logs/download?pod=absent")
    assert (absent.status_code, absent.json()["error"]["status"]) == (404, "NOT_FOUND")
    objects = {"objects": [{"kind": "deployment", "namespace": "default", "name": "gw-logs"}]}
    await client.post("/v1/k8s/delete", json=objects)
