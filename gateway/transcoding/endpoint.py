"""The ASGI application of all RPCs: finds the method, reads the request, answers."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from gateway import metrics
from gateway.exchange import (
    CutBodyError,
    DisconnectedError,
    call_metadata,
    call_timeout,
    header,
    on_disconnect,
    read_body,
    send_body,
    send_problem,
)
from gateway.problems import problem_of
from gateway.streams.bodies import BodyEndpoint
from gateway.streams.endpoint import StreamEndpoint
from gateway.transcoding.methods import RpcMethod
from gateway.transcoding.remembered import Fragments, ResponseEncoder
from gateway.transcoding.requests import read_request
from gateway.transcoding.routes import Match, RouteTable
from gateway.upstreams import Upstreams


class Transcoder:
    """Unary methods as JSON; server streams are handed to `StreamEndpoint` and `BodyEndpoint`."""

    def __init__(
        self,
        routes: RouteTable,
        upstreams: Upstreams,
        streams: StreamEndpoint,
        bodies: BodyEndpoint,
        *,
        unary_timeout: float,
    ) -> None:
        """`unary_timeout` in seconds holds for callers that set none."""
        self._routes = routes
        self._upstreams = upstreams
        self._streams = streams
        self._bodies = bodies
        self._unary_timeout = unary_timeout
        self._fragments = Fragments()
        self._encoders: dict[str, ResponseEncoder] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        upstream = None
        try:
            match = self._routes.find(scope["method"], scope["raw_path"])
            metrics.set_route(scope, match.route.template.text)
            method = match.route.method
            upstream = self._upstreams.of(method)
            body = await read_body(scope, receive)
            content_type = header(scope, b"content-type").decode("latin-1")
            request = read_request(match, scope["query_string"], body, content_type)
            if method.sends_body:
                await self._bodies.serve(method, request, scope, receive, send)
            elif method.streaming:
                await self._streams.serve(method, request, scope, receive, send)
            else:
                await self._answer(match, request, scope, receive, send)
        except DisconnectedError:
            return
        except CutBodyError:
            raise
        except Exception as error:  # noqa: BLE001 - every error is answered, by the table
            await send_problem(send, problem_of(error, upstream))

    async def _answer(
        self, match: Match, request: object, scope: Scope, receive: Receive, send: Send
    ) -> None:
        method = match.route.method
        call = self._upstreams.unary_bytes(
            method,
            request,
            timeout=call_timeout(scope, self._unary_timeout),
            metadata=call_metadata(scope),
        )
        async with on_disconnect(receive, call.cancel):
            response = await call
        await send_body(send, 200, self._encoder(method).encode(response))

    def _encoder(self, method: RpcMethod) -> ResponseEncoder:
        known = self._encoders.get(method.path)
        if known is None:
            known = self._encoders[method.path] = ResponseEncoder(
                method.response_class, self._fragments
            )
        return known
