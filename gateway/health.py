"""/healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import orjson
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import metrics
from gateway.transcoding.methods import RpcMethod
from gateway.upstreams import Upstreams

_PROBE_SECONDS = 2.0
_SERVING = health_pb2.HealthCheckResponse.SERVING


class Health:
    """Health of the gateway and, for readiness, of the services behind it."""

    def __init__(self, upstreams: Upstreams, methods: list[RpcMethod]) -> None:
        self._upstreams = upstreams
        self._names: dict[str, set[str]] = {}
        for method in methods:
            service: Any = method.descriptor.containing_service
            self._names.setdefault(method.stem, set()).add(service.full_name)

    def routes(self) -> list[Route]:
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
        ]

    async def healthz(self, request: Request) -> Response:
        """The process answers."""
        metrics.set_route(request.scope, "/healthz")
        return _json(200, {"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Every service serves; else 503, naming those that do not and why."""
        metrics.set_route(request.scope, "/readyz")
        stems = list(self._names)
        found = await asyncio.gather(*(self._probe(stem) for stem in stems))
        services = {
            self._upstreams.services[stem].name: {
                "status": status,
                "address": self._upstreams.services[stem].address,
                **({"message": why} if why else {}),
            }
            for stem, (status, why) in zip(stems, found, strict=True)
        }
        ready = all(status == "serving" for status, _ in found)
        return _json(
            200 if ready else 503,
            {"status": "ok" if ready else "unavailable", "services": services},
        )

    async def _probe(self, stem: str) -> tuple[str, str]:
        """The service's state in one word, and why it is not "serving"."""
        stub: Any = health_pb2_grpc.HealthStub(self._upstreams.channel(stem))
        for name in sorted(self._names[stem]):
            try:
                answer = await stub.Check(
                    health_pb2.HealthCheckRequest(service=name), timeout=_PROBE_SECONDS
                )
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.NOT_FOUND:
                    return "not_serving", f"{name} is not served there"
                return "unreachable", error.details() or error.code().name
            if answer.status != _SERVING:
                return "not_serving", f"{name} reports that it does not serve"
        return "serving", ""

    async def metrics(self, request: Request) -> Response:
        """Prometheus' text format."""
        metrics.set_route(request.scope, "/metrics")
        return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})


def _json(status: int, content: object) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
