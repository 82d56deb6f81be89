"""The gateway's ASGI application, put together."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from gateway.compat.routes import compat_routes
from gateway.documentation import Documentation
from gateway.guard import Guard
from gateway.health import Health
from gateway.settings import GatewaySettings
from gateway.streams.bodies import BodyEndpoint
from gateway.streams.endpoint import StreamEndpoint
from gateway.streams.sharing import StreamHub
from gateway.transcoding.endpoint import Transcoder
from gateway.transcoding.methods import load_methods
from gateway.transcoding.routes import RouteTable
from gateway.upstreams import Upstreams
from services.common.streams import HEARTBEAT_SECONDS


def build_app(
    settings: GatewaySettings,
    upstreams: Upstreams,
    hub: StreamHub,
    *,
    heartbeat: float = HEARTBEAT_SECONDS,
) -> ASGIApp:
    """The application, on channels and a hub that the caller closes.

    `heartbeat` in seconds of silence after which a stream is sent one.
    """
    methods = load_methods()
    routes = RouteTable(methods)
    transcoder = Transcoder(
        routes,
        upstreams,
        StreamEndpoint(hub, upstreams, heartbeat=heartbeat),
        BodyEndpoint(upstreams),
        unary_timeout=settings.unary_timeout_seconds,
    )
    app = Starlette(
        routes=[
            Mount("/v1", transcoder),
            *Health(upstreams, methods).routes(),
            *Documentation(routes.routes).routes(),
            *compat_routes(upstreams, methods, timeout=settings.unary_timeout_seconds),
            Route("/", _to_documentation),
            # What is nowhere gets the API's own "not found".
            Mount("/", transcoder),
        ]
    )
    return Guard(
        app, allowed_hosts=settings.allowed_hosts, allowed_origins=settings.allowed_origins
    )


async def _to_documentation(_request: Request) -> Response:
    return RedirectResponse("/docs")
