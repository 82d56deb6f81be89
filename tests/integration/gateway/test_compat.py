"""The panel's paths, as the panel uses them."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from google.api import httpbody_pb2
from podyard.common.v1 import download_pb2, operation_pb2
from podyard.k8s_resource.v1 import log_reads_pb2, objects_pb2
from podyard.training_history.v1 import training_history_service_pb2 as history_pb

from services.common.errors import ConflictError, NotFoundError
from tests.integration.gateway.conftest import World
from tests.unit.gateway.test_compat_form import EARLIER, TODAY

EMPTY = {"content-type": "application/json"}


async def save(world: World, form: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = await world.client.post("/api/cluster/save-config", json=form, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found["success"] is True
    assert found["message"]
    return found


async def get(world: World, path: str) -> dict[str, Any]:
    answer = await world.client.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found["success"] is True
    return found


async def refused(world: World, verb: str, path: str, status: int, **options: Any) -> str:
    answer = await world.client.request(verb, path, **options)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"success", "error"}
    assert answer.json()["success"] is False
    return str(answer.json()["error"])


async def test_save_creates_then_updates_with_a_backup(world: World) -> None:
    first = await save(world, TODAY)
    again = await save(world, TODAY)
    changed = await save(world, {**TODAY, "gpuInstanceCount": 5})
    assert [each["backupCreated"] for each in (first, again, changed)] == [False, False, True]
    assert {each["clusterTag"] for each in (first, again, changed)} == {"demo"}
    assert world.clusters.clusters["demo"].config.gpu_instance_count == 5


async def test_save_in_the_earlier_form(world: World) -> None:
    first = await save(world, EARLIER)
    again = await save(world, {**EARLIER, "gpuInstanceCount": 8})
    assert first["clusterTag"] == again["clusterTag"] == "2"
    assert again["backupCreated"] is True
    assert list(world.clusters.clusters) == ["2"]


async def test_save_tells_bad_fields_by_the_forms_names(world: World) -> None:
    form = {**TODAY, "gpuInstanceType": "ml.g5; rm"}
    error = await refused(world, "POST", "/api/cluster/save-config", 400, json=form)
    assert error == "gpuInstanceType: must be a type"
    assert world.clusters.clusters == {}


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"'])
async def test_save_needs_an_object(world: World, body: bytes) -> None:
    error = await refused(world, "POST", "/api/cluster/save-config", 400, content=body)
    assert error.startswith("body: ")


async def test_launch_with_an_empty_body_means_what_was_saved_last(world: World) -> None:
    await save(world, TODAY)
    await save(world, {**TODAY, "clusterTag": "other"})
    # Saved again without a change: nothing in the registry moves, and still it is the last.
    await save(world, TODAY)
    answer = await world.client.post("/api/cluster/launch", headers=EMPTY)
    assert answer.json() == {
        "success": True,
        "message": 'launch of cluster "demo" has started',
        "clusterTag": "demo",
        "operationId": "demo.1",
        "logId": world.clusters.log_id,
    }
    assert world.clusters.launched == ["demo"]


async def test_each_caller_means_what_it_saved_itself(world: World) -> None:
    await save(world, TODAY, authorization="Bearer one")
    await save(world, {**TODAY, "clusterTag": "other"}, authorization="Bearer two")
    for caller in ("one", "two", "three"):
        headers = {**EMPTY, "authorization": f"Bearer {caller}"}
        await world.client.post("/api/cluster/launch", headers=headers)
    assert world.clusters.launched == ["demo", "other", "other"]


async def test_a_cluster_may_be_named(world: World) -> None:
    await save(world, TODAY)
    await save(world, {**TODAY, "clusterTag": "other"})
    await world.client.post("/api/cluster/launch", json={"clusterTag": "demo"})
    assert world.clusters.launched == ["demo"]
    found = await get(world, "/api/cluster/step1-status?clusterTag=demo")
    assert found["data"]["stackName"] == "full-stack-demo"


async def test_before_there_is_any_cluster(world: World) -> None:
    for step in ("launch", "configure"):
        error = await refused(world, "POST", f"/api/cluster/{step}", 400, headers=EMPTY)
        assert "save a configuration first" in error
    one = await get(world, "/api/cluster/step1-status")
    two = await get(world, "/api/cluster/step2-status")
    log = await get(world, "/api/cluster/logs/launch?offset=0")
    assert one["data"]["status"] == two["data"]["status"] == "not_started"
    assert two["data"]["checks"] == []
    assert two["data"]["summary"]["total"] == 0
    assert (log["data"]["exists"], log["data"]["totalLength"]) == (False, 0)
    assert (await get(world, "/api/cluster/logs-history"))["data"] == []


async def test_step_1_right_after_launch_is_running(world: World) -> None:
    await save(world, TODAY)
    assert (await get(world, "/api/cluster/step1-status"))["data"]["status"] == "not_started"
    await world.client.post("/api/cluster/launch", headers=EMPTY)
    assert (await get(world, "/api/cluster/step1-status"))["data"]["status"] == "running"


async def test_step_1_of_a_launch_that_has_just_succeeded_is_looked_at_anew(world: World) -> None:
    await save(world, TODAY)
    await world.client.post("/api/cluster/launch", headers=EMPTY)
    world.clusters.operation_state = operation_pb2.OPERATION_STATE_SUCCEEDED
    assert (await get(world, "/api/cluster/step1-status"))["data"]["status"] == "completed"


async def test_configure_before_launch_is_a_400(world: World) -> None:
    await save(world, TODAY)
    error = await refused(world, "POST", "/api/cluster/configure", 400, headers=EMPTY)
    assert error == "configure needs a launched cluster"


TEXT = "plain\nünïcödé 漢字 🚀 \r\n" * 50


async def test_a_log_is_read_by_characters_to_its_end(world: World) -> None:
    """The client's loop: each answer's totalLength is the next offset."""
    await save(world, TODAY)
    data = TEXT.encode()
    offset, found = 0, ""
    for end in (1, 7, 8, 9, 20, 22, 23, 100, 101, len(data), len(data)):
        world.clusters.log = data[:end]
        answer = (await get(world, f"/api/cluster/logs/launch?offset={offset}"))["data"]
        assert answer["offset"] == answer["totalLength"] == offset + len(answer["content"])
        assert answer["exists"] is True
        assert answer["status"] == "running"
        assert ("fullContent" in answer) == (offset == 0)
        found += answer["content"]
        offset = answer["totalLength"]
    assert found == TEXT


@pytest.mark.parametrize("offset", [0, 1, 8, 9, 500, len(TEXT) - 1, len(TEXT)])
async def test_any_offset_gives_what_follows_it(world: World, offset: int) -> None:
    await save(world, TODAY)
    world.clusters.log = TEXT.encode()
    answer = (await get(world, f"/api/cluster/logs/launch?offset={offset}"))["data"]
    assert answer["content"] == TEXT[offset:]
    assert answer["totalLength"] == len(TEXT)


async def test_a_long_log_comes_in_pages_and_each_is_read_once(world: World) -> None:
    await save(world, TODAY)
    text = "漢字🚀 and more\n" * 300_000
    world.clusters.log = text.encode()
    pieces: list[str] = []
    offset = 0
    while offset < len(text):
        answer = (await get(world, f"/api/cluster/logs/launch?offset={offset}"))["data"]
        assert answer["content"]
        pieces.append(answer["content"])
        offset = answer["totalLength"]
    assert "".join(pieces) == text
    assert len(pieces) > 2
    assert world.clusters.reads <= len(text.encode()) // 2**20 + 1 + len(pieces)


async def test_an_offset_left_from_a_longer_log_heals(world: World) -> None:
    await save(world, TODAY)
    world.clusters.log = TEXT.encode()
    await get(world, f"/api/cluster/logs/launch?offset={len(TEXT)}")
    world.clusters.log = b"new"
    answer = (await get(world, f"/api/cluster/logs/launch?offset={len(TEXT)}"))["data"]
    assert (answer["content"], answer["totalLength"]) == ("", 3)


@pytest.mark.parametrize("offset", ["-1", "x", "1.5", "", "9" * 30])
async def test_a_bad_offset(world: World, offset: str) -> None:
    error = await refused(world, "GET", f"/api/cluster/logs/launch?offset={offset}", 400)
    assert error.startswith("offset: ")


async def test_a_step_that_does_not_exist(world: World) -> None:
    error = await refused(world, "GET", "/api/cluster/logs/..%2f..%2fetc", 404)
    assert "nothing at" in error
    error = await refused(world, "GET", "/api/cluster/logs/teardown", 400)
    assert error.startswith("step: ")


async def test_the_state_beside_a_log_is_that_of_its_operation(world: World) -> None:
    await save(world, TODAY)
    world.clusters.log, world.clusters.complete = b"done", True
    world.clusters.operation_state = operation_pb2.OPERATION_STATE_FAILED
    answer = (await get(world, "/api/cluster/logs/launch"))["data"]
    assert (answer["status"], answer["logId"]) == ("failed", world.clusters.log_id)
    history = (await get(world, "/api/cluster/logs-history"))["data"]
    assert history == [
        {
            "step": "launch",
            "file": f"{world.clusters.log_id}.log",
            "timestamp": None,
            "size": 4,
            "status": "failed",
            "logId": world.clusters.log_id,
            "operationId": "demo.1",
        }
    ]


async def test_the_whole_history_in_one_answer(world: World) -> None:
    for index in range(2500):
        run = history_pb.Run(run_id=f"r{index}", status=history_pb.RUN_STATUS_FINISHED)
        run.start_time.FromMilliseconds(1_755_477_049_000)
        run.duration.FromMicroseconds(2_730_123_456)
        run.metrics["loss"] = 0.0
        world.runs.runs.append(run)
    found = await get(world, "/api/training-history")
    assert found["total"] == 2500
    assert [row["run_id"] for row in found["data"]] == [f"r{index}" for index in range(2500)]
    row = found["data"][0]
    assert row["status"] == "FINISHED"
    assert row["start_time"] == "2025-08-18T00:30:49.000Z"
    assert row["end_time"] is None
    assert row["duration"] == "0 days 00:45:30.123456"
    assert row["metrics"] == {"loss": 0.0}


async def test_delete_a_run(world: World) -> None:
    world.runs.runs.append(history_pb.Run(run_id="r1"))
    answer = await world.client.delete("/api/training-history/r1")
    assert answer.json() == {"success": True, "message": "Training run deleted successfully"}
    error = await refused(world, "DELETE", "/api/training-history/r1", 404)
    assert error == 'run "r1" does not exist'


async def test_errors_of_every_kind_have_the_panels_shape(world: World) -> None:
    await refused(world, "GET", "/api/nothing", 404)
    await refused(world, "GET", "/api/cluster/launch", 404)
    await refused(world, "GET", "/api/training-history", 403, headers={"host": "evil.example"})
    await world.servers["training_history"].stop()
    error = await refused(world, "GET", "/api/training-history", 503)
    assert "training-history" in error
    await world.servers["cluster_lifecycle"].stop()
    for path in ("step1-status", "step2-status", "logs/launch", "logs-history"):
        assert "cluster-lifecycle" in await refused(world, "GET", f"/api/cluster/{path}", 503)


def training_pod(*containers: str) -> objects_pb2.Pod:
    return objects_pb2.Pod(
        name="llama-pods-0",
        containers=[objects_pb2.ContainerSummary(name=name) for name in containers],
    )


def body(content: bytes) -> httpbody_pb2.HttpBody:
    return httpbody_pb2.HttpBody(content_type="text/plain; charset=utf-8", data=content)


async def test_a_training_pods_log_is_plain_text_for_a_page_of_another_origin(
    world: World,
) -> None:
    world.kubernetes.pods = [training_pod("pytorch", "sidecar")]
    path = "/api/logs/llama/llama-pods-0"
    feeding = asyncio.create_task(world.feed(body(b"epoch 1\n"), body(b"epoch 2\n"), None))
    answer = await world.client.get(path, headers={"origin": "https://console.example"})
    watching = await feeding
    assert answer.text == "epoch 1\nepoch 2\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "https://console.example"
    assert "content-disposition" not in answer.headers
    request = watching.request
    assert (request.namespace, request.pod, list(request.containers)) == (
        "default",
        "llama-pods-0",
        ["pytorch"],
    )
    feeding = asyncio.create_task(world.feed(body(b""), None))
    other = await world.client.get(
        f"{path}?namespace=x", headers={"origin": "https://else.example"}
    )
    assert "access-control-allow-origin" not in other.headers
    assert (await feeding).request.namespace == "x"


async def test_a_training_pods_log_as_a_file_and_what_is_known_of_it(world: World) -> None:
    world.kubernetes.pods = [training_pod("a", "b")]
    path = "/api/logs/llama/llama-pods-0"
    head = body(b"")
    head.extensions.add().Pack(download_pb2.Attachment(file_name="llama-pods-0_logs.log"))
    feeding = asyncio.create_task(world.feed(head, body(b"text\n"), None))
    answer = await world.client.get(f"{path}/download")
    assert answer.headers["content-disposition"] == 'attachment; filename="llama-pods-0_logs.log"'
    assert answer.content == b"text\n"
    assert (await feeding).request.format == log_reads_pb2.LOG_DOWNLOAD_FORMAT_MERGED
    feeding = asyncio.create_task(world.feed(head, body(b"text\n"), body(b"more\n"), None))
    info = await get(world, f"{path}/info")
    await feeding
    assert info == {
        "success": True,
        "size": 10,
        "created": "1970-01-01T00:00:01Z",
        "modified": "1970-01-01T00:00:02Z",
        "path": "default/llama-pods-0",
    }


async def test_logs_that_are_not_there_and_that_break(world: World) -> None:
    world.kubernetes.pods = [training_pod("pytorch")]
    for rest in ("", "/download", "/info"):
        path = f"/api/logs/other/llama-pods-0{rest}"
        assert "has no pod" in await refused(world, "GET", path, 404)
        feeding = asyncio.create_task(world.feed(NotFoundError("pod", "llama-pods-0")))
        await refused(world, "GET", f"/api/logs/llama/llama-pods-0{rest}", 404)
        await feeding
    feeding = asyncio.create_task(world.feed(body(b"begun"), ConflictError("rotated")))
    with pytest.raises(httpx.RemoteProtocolError):
        await world.client.get("/api/logs/llama/llama-pods-0")
    await feeding
