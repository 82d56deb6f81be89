"""Who is served: Host, Origin, headers of answers."""

from __future__ import annotations

import pytest

from tests.integration.gateway.conftest import World

CONSOLE = "https://console.example"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:7400", 200),
        ("127.0.0.1:1", 200),
        ("127.8.8.8", 200),
        ("[::1]:7400", 200),
        ("podyard.example:80", 200),
        ("evil.example", 403),
        ("evil.example:7400", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
        ("10.0.0.1", 403),
        ("", 403),
    ],
)
async def test_only_known_hosts_are_served(world: World, host: str, status: int) -> None:
    for path in ("/v1/k8s/pods", "/healthz", "/docs"):
        answer = await world.client.get(path, headers={"host": host})
        assert answer.status_code == status, path
    if status == 403:
        assert answer.json()["error"]["details"][0]["reason"] == "HOST_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("same", True),
        (CONSOLE, True),
        ("http://evil.example", False),
        ("http://localhost:3000", False),
        ("null", False),
        ("https://console.example.evil", False),
    ],
)
async def test_only_known_pages_change_anything(world: World, origin: str, allowed: bool) -> None:
    headers = {"origin": world.url if origin == "same" else origin}
    apply = {"manifest": "x"}
    answer = await world.client.post("/v1/k8s/apply", json=apply, headers=headers)
    assert answer.status_code == (200 if allowed else 403)
    assert len(world.kubernetes.requests) == (1 if allowed else 0)
    launch = await world.client.post("/api/cluster/launch", headers=headers)
    assert (launch.status_code == 403) is not allowed
    assert launch.json()["success"] is False


async def test_reading_needs_no_origin_but_tells_only_known_ones(world: World) -> None:
    known = await world.client.get("/v1/k8s/pods", headers={"origin": CONSOLE})
    other = await world.client.get("/v1/k8s/pods", headers={"origin": "http://evil.example"})
    assert known.headers["access-control-allow-origin"] == CONSOLE
    assert "access-control-allow-origin" not in other.headers
    assert other.headers["cross-origin-resource-policy"] == "same-origin"
    assert "origin" in other.headers["vary"]


async def test_preflight(world: World) -> None:
    known = await world.client.options("/v1/k8s/apply", headers={"origin": CONSOLE})
    other = await world.client.options("/v1/k8s/apply", headers={"origin": "http://evil.example"})
    assert known.headers["access-control-allow-origin"] == CONSOLE
    assert "content-type" in known.headers["access-control-allow-headers"]
    assert "access-control-allow-methods" not in other.headers


@pytest.mark.parametrize(
    "path", ["/v1/k8s/pods", "/v1/nothing", "/api/nothing", "/docs", "/readyz"]
)
async def test_every_answer_has_the_security_headers(world: World, path: str) -> None:
    headers = (await world.client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "server" not in headers
    assert headers["x-request-id"]


async def test_credentials_go_to_the_service_only_if_grpc_can_carry_them(world: World) -> None:
    headers = [(b"authorization", b"Bearer \xe9")]
    answer = await world.client.get("/v1/k8s/pods", headers=headers)
    assert (answer.status_code, "authorization" in answer.text) == (400, True)
