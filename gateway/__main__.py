"""The gateway: `python -m gateway`."""

from __future__ import annotations

import asyncio
import socket
import sys

import uvloop

from gateway.app import build_app
from gateway.server import HttpServer, bind
from gateway.settings import GatewaySettings
from gateway.streams.sharing import StreamHub
from gateway.upstreams import Upstreams
from services.common.logs import configure_logs, get_logger
from services.common.metrics import serve_metrics
from services.common.settings import load_settings


def main() -> None:
    """Serve until SIGTERM or SIGINT; exit code 1 with one line if the port is in use."""
    settings = load_settings(GatewaySettings)
    configure_logs("gateway", settings.log_level)
    try:
        sock = bind(settings.listen)
        if settings.metrics_listen:
            serve_metrics(settings.metrics_listen, "PODYARD_GATEWAY_METRICS_LISTEN")
    except OSError as error:
        sys.exit(str(error))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, sock))


async def _serve(settings: GatewaySettings, sock: socket.socket) -> None:
    log = get_logger("server")
    upstreams = Upstreams(
        {
            "k8s_resource": settings.k8s_resource_address,
            "cluster_lifecycle": settings.cluster_lifecycle_address,
            "training_history": settings.training_history_address,
        }
    )
    hub = StreamHub()

    def stopping() -> None:
        log.info("draining", seconds=settings.drain_seconds)
        hub.drain()

    server = HttpServer(
        build_app(settings, upstreams, hub),
        drain_seconds=settings.drain_seconds,
        on_stopping=stopping,
    )
    host, port = sock.getsockname()[:2]
    log.info("listening", address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    try:
        await server.serve(sockets=[sock])
    finally:
        await hub.close()
        await upstreams.close()
    log.info("stopped")


if __name__ == "__main__":
    main()
