"""Prometheus metrics that every service has."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, start_http_server

RPC_SECONDS = Histogram(
    "podyard_rpc_seconds",
    "Time from the start of a call to its end; of a stream, its whole life.",
    ["method", "code"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
STREAMS_OPEN = Gauge("podyard_streams_open", "Streams being served.", ["method"])
STREAM_MESSAGES = Counter("podyard_stream_messages", "Messages sent on streams.", ["method"])


def serve_metrics(listen: str, variable: str) -> None:
    """Serve /metrics on "host:port", which `variable` sets, from a thread of its own.

    OSError with a clear text if the port is in use.
    """
    host, _, port = listen.rpartition(":")
    try:
        start_http_server(int(port), host.strip("[]"))
    except OSError as error:
        raise OSError(
            f"cannot serve metrics on {listen}: {error.strerror}; if the port is in use, stop the "
            f"other process or choose another address with {variable}"
        ) from error
