"""Real readiness: an answer from the server itself, not an open port."""

from __future__ import annotations

import urllib.request
from typing import Any

from tools.stack.component import Probe

_TIMEOUT_SECONDS = 2.0

# Everything asked here is on loopback; a proxy from the environment could not reach it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def http_ok(url: str) -> Probe:
    """Ready when a GET answers with 200."""

    def probe() -> bool:
        try:
            with _OPENER.open(url, timeout=_TIMEOUT_SECONDS) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    return probe


def grpc_serving(address: str) -> Probe:
    """Ready when grpc.health.v1 says SERVING for the server as a whole (the empty name)."""

    def probe() -> bool:
        # Imported late: the modules that make `.venv` must load without it.
        import grpc
        from grpc_health.v1 import health_pb2, health_pb2_grpc

        with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
            try:
                stub: Any = health_pb2_grpc.HealthStub(channel)
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_SECONDS)
            except grpc.RpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    return probe
