"""Prometheus metrics of the gateway."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import Scope

HTTP_SECONDS = Histogram(
    "podyard_gateway_http_seconds",
    "Time from the start of a request to the end of its answer; of a stream, its whole life.",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
SUBSCRIBERS = Gauge("podyard_gateway_stream_subscribers", "HTTP streams being served.", ["method"])
UPSTREAM_STREAMS = Gauge(
    "podyard_gateway_upstream_streams",
    "gRPC streams being read for them; fewer than subscribers where they are shared.",
    ["method"],
)
SLOW_SUBSCRIBERS = Counter(
    "podyard_gateway_slow_subscribers",
    "HTTP streams that were ended because their reader fell too far behind.",
    ["method"],
)


def set_route(scope: Scope, route: str) -> None:
    """Say which route serves the request, for the `route` label."""
    scope["state"]["route"] = route
