"""Unary calls over HTTP."""

from __future__ import annotations

import asyncio

import httpx

from gateway.exchange import MAX_BODY_BYTES
from tests.integration.gateway.conftest import World


async def test_a_list(world: World) -> None:
    answer = await world.client.get("/v1/k8s/pods?labelSelector=a%3Db&page_size=3")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert [pod["name"] for pod in body["pods"]] == ["pod-0", "pod-1", "pod-2"]
    assert body["pods"][2]["gpuRequest"] == "2"
    assert body["nextPageToken"] == ""
    assert world.kubernetes.requests[0].label_selector == "a=b"


async def test_a_whole_object_is_embedded(world: World) -> None:
    answer = await world.client.get("/v1/k8s/objects/apps%2Fv1%2FDeployment/web")
    found = answer.json()["object"]
    assert found["ref"]["kind"] == "apps/v1/Deployment"
    assert found["json"] == {"kind": "X", "spec": {"n": 1}}


async def test_head_gives_the_headers_only(world: World) -> None:
    answer = await world.client.head("/v1/k8s/pods")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 100


async def test_an_error_keeps_its_details(world: World) -> None:
    answer = await world.client.get("/v1/runs/missing")
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["code"], error["status"]) == (404, "NOT_FOUND")
    assert error["message"] == 'run "missing" does not exist'
    info, resource = error["details"]
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert (info["reason"], info["domain"]) == ("NOT_FOUND", "podyard")
    assert (resource["resourceType"], resource["resourceName"]) == ("run", "missing")


async def test_retry_after(world: World) -> None:
    answer = await world.client.get("/v1/runs/down")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "3"
    assert answer.json()["error"]["details"][1]["retryDelay"] == "2.500s"


async def test_an_unexpected_error_keeps_its_text(world: World) -> None:
    answer = await world.client.get("/v1/runs/bug", headers={"x-request-id": "abc"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] == "abc"


async def test_the_request_id_goes_through_and_comes_back(world: World) -> None:
    given = await world.client.get("/v1/runs/a", headers={"x-request-id": "my-id"})
    made = await world.client.get("/v1/runs/a")
    unfit = await world.client.get("/v1/runs/a", headers={"x-request-id": "a b"})
    ids = [answer.headers["x-request-id"] for answer in (given, made, unfit)]
    assert world.runs.request_ids == ids
    assert ids[0] == "my-id"
    assert len({*ids, "a b"}) == 4


async def test_constraints_are_the_services(world: World) -> None:
    answer = await world.client.get("/v1/k8s/pods?pageSize=5000")
    assert answer.status_code == 400
    bad = answer.json()["error"]["details"][1]
    assert [violation["field"] for violation in bad["fieldViolations"]] == ["page_size"]


async def test_what_the_service_cannot_do(world: World) -> None:
    answer = await world.client.get("/v1/run-sync")
    assert (answer.status_code, answer.json()["error"]["status"]) == (501, "UNIMPLEMENTED")


async def test_nothing_there_and_wrong_verb(world: World) -> None:
    nothing = await world.client.get("/v1/nothing")
    outside = await world.client.get("/elsewhere")
    verb = await world.client.put("/v1/k8s/pods")
    assert (nothing.status_code, outside.status_code, verb.status_code) == (404, 404, 405)
    assert verb.headers["allow"] == "GET"


async def test_a_body_that_is_too_large(world: World) -> None:
    body = b'{"manifest": "' + b"x" * MAX_BODY_BYTES + b'"}'
    headers = {"content-type": "application/json"}

    async def in_chunks() -> object:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    declared = await world.client.post("/v1/k8s/apply", content=body, headers=headers)
    assert (declared.status_code, "parts" in declared.text) == (413, True)
    chunked = await world.client.post("/v1/k8s/apply", content=in_chunks(), headers=headers)  # type: ignore[arg-type]
    assert chunked.status_code == 413
    assert world.kubernetes.requests == []


async def test_a_body_far_too_large_is_not_even_read(world: World) -> None:
    """Also with Expect: 100-continue, where the caller waits for leave to send."""
    host, port = world.url.removeprefix("http://").split(":")
    for length, expect in ((10**12, ""), (MAX_BODY_BYTES + 1, "Expect: 100-continue\r\n")):
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /v1/k8s/apply HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n"
        writer.write(f"{head}{expect}\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in answer.lower()
        writer.close()


async def test_a_large_body_that_fits(world: World) -> None:
    manifest = "x" * (3 * 1024 * 1024)
    answer = await world.client.post("/v1/k8s/apply", json={"manifest": manifest})
    assert answer.status_code == 200
    assert world.kubernetes.requests[0].manifest == manifest


async def test_the_callers_deadline_is_the_calls(world: World) -> None:
    answer = await world.client.get("/v1/runs/slow", headers={"grpc-timeout": "50m"})
    assert (answer.status_code, answer.json()["error"]["status"]) == (504, "DEADLINE_EXCEEDED")
    await world.client.get("/v1/runs/a", headers={"grpc-timeout": "5M"})
    assert world.runs.time_left is not None
    assert 100 < world.runs.time_left < 301
    await world.client.get("/v1/runs/a")
    assert world.runs.time_left < 60
    bad = await world.client.get("/v1/runs/a", headers={"grpc-timeout": "soon"})
    assert (bad.status_code, "grpc-timeout" in bad.text) == (400, True)


async def test_who_goes_away_cancels_the_call(world: World) -> None:
    call = asyncio.create_task(world.client.get("/v1/runs/slow"))
    await asyncio.wait_for(world.runs.entered.wait(), 20)
    call.cancel()
    await asyncio.wait_for(world.runs.cancelled.wait(), 20)


async def test_a_service_that_is_down_is_named_and_the_others_work(world: World) -> None:
    await world.servers["training_history"].stop()
    down = await world.client.get("/v1/runs")
    assert (down.status_code, down.headers["retry-after"]) == (503, "1")
    error = down.json()["error"]
    assert "training-history" in error["message"]
    assert error["details"][0]["metadata"] == {"service": "training-history"}
    assert (await world.client.get("/v1/k8s/pods")).status_code == 200
    ready = await world.client.get("/readyz")
    assert ready.status_code == 503
    states = {name: found["status"] for name, found in ready.json()["services"].items()}
    assert states == {
        "k8s-resource": "serving",
        "cluster-lifecycle": "serving",
        "training-history": "unreachable",
    }
    assert (await world.client.get("/healthz")).json() == {"status": "ok"}


async def test_ready_when_all_services_are(world: World) -> None:
    ready = await world.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")


async def test_metrics_tell_routes_not_paths(world: World) -> None:
    await world.client.get("/v1/runs/one-of-many")
    await world.client.get("/v1/nothing/like/this")
    text = (await world.client.get("/metrics")).text
    assert 'podyard_gateway_http_seconds_count{method="GET",route="/v1/runs/{run_id}"' in text
    assert 'route="other",status="404"' in text
    assert "one-of-many" not in text


async def test_openapi_describes_every_route(world: World) -> None:
    document = (await world.client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    pods = document["paths"]["/v1/k8s/pods"]["get"]
    assert "lists pods" in pods["description"]
    parameters = {each["name"]: each for each in pods["parameters"]}
    assert parameters["pageSize"]["schema"] == {
        "type": "integer",
        "format": "int32",
        "minimum": 0,
        "maximum": 1000,
    }
    update = document["paths"]["/v1/clusters/{cluster.tag}"]["patch"]
    assert [each["name"] for each in update["parameters"] if each["in"] == "path"] == [
        "cluster.tag"
    ]
    names = set(document["components"]["schemas"])
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in names
    ids = [call["operationId"] for verbs in document["paths"].values() for call in verbs.values()]
    assert len(ids) == len(set(ids))


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [each for item in value.values() for each in _references(item)]
    if isinstance(value, list):
        return [each for item in value for each in _references(item)]
    return []


async def test_the_documentation_needs_nothing_from_elsewhere(world: World) -> None:
    root = await world.client.get("/")
    page = await world.client.get(root.headers["location"])
    assert page.status_code == 200
    assert "/v1/k8s/pods" in page.text
    assert "<script" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "style-src 'sha256-" in page.headers["content-security-policy"]


async def test_many_calls_at_once(world: World) -> None:
    async def one(index: int) -> str:
        answer = await world.client.get(f"/v1/runs/run-{index}")
        return str(answer.json()["run"]["runId"])

    found = await asyncio.gather(*(one(index) for index in range(200)))
    assert found == [f"run-{index}" for index in range(200)]


async def test_http_keep_alive(world: World) -> None:
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(base_url=world.url, limits=limits) as client:
        for _ in range(5):
            assert (await client.get("/v1/k8s/pods")).status_code == 200
