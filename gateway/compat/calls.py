"""gRPC calls by name, for handlers of one HTTP request."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import Message
from starlette.requests import Request

from gateway.exchange import call_metadata, call_timeout, header, on_disconnect
from gateway.problems import ProblemError, problem_of
from gateway.transcoding.methods import RpcMethod
from gateway.upstreams import Upstreams

M = TypeVar("M", bound=Message)


class Calls:
    """The methods of all services by "Service/Method"."""

    def __init__(
        self, upstreams: Upstreams, methods: Iterable[RpcMethod], *, timeout: float
    ) -> None:
        """`timeout` in seconds for each call."""
        self._upstreams = upstreams
        self._timeout = timeout
        self._methods = {
            "/".join(method.descriptor.full_name.rsplit(".", 2)[-2:]): method for method in methods
        }

    def method(self, name: str) -> RpcMethod:
        """The method of that name."""
        return self._methods[name]

    async def stream(self, http: Request, name: str, message: Any) -> AsyncGenerator[Any, None]:
        """The messages of a server stream; ProblemError for the service's error."""
        method = self._methods[name]
        call = self._upstreams.stream(
            method, message, timeout=None, metadata=call_metadata(http.scope)
        )
        try:
            async with on_disconnect(http.receive, call.cancel):
                async for each in call:
                    yield each
        except grpc.aio.AioRpcError as error:
            raise ProblemError(problem_of(error, self._upstreams.of(method))) from error
        finally:
            call.cancel()

    def during(self, request: Request) -> CallsOfRequest:
        """The calls of one HTTP request."""
        return CallsOfRequest(self, request)

    async def call(self, http: Request, name: str, message: Any, answer: type[M]) -> M:
        """The response, which is an `answer`; ProblemError for the service's error."""
        method = self._methods[name]
        call = self._upstreams.unary(
            method,
            message,
            timeout=call_timeout(http.scope, self._timeout),
            metadata=call_metadata(http.scope),
        )
        try:
            async with on_disconnect(http.receive, call.cancel):
                return cast(M, await call)
        except grpc.aio.AioRpcError as error:
            raise ProblemError(problem_of(error, self._upstreams.of(method))) from error


class CallsOfRequest:
    """Calls on behalf of the caller of one HTTP request; they raise ProblemError."""

    def __init__(self, calls: Calls, http: Request) -> None:
        self._calls = calls
        self._http = http

    @property
    def caller(self) -> bytes:
        """What tells callers apart; empty while nobody is asked who they are."""
        return header(self._http.scope, b"authorization")

    def stream(self, name: str, message: Message) -> AsyncGenerator[Any, None]:
        """A server stream."""
        return self._calls.stream(self._http, name, message)

    async def __call__(self, name: str, message: Message, answer: type[M]) -> M:
        return await self._calls.call(self._http, name, message, answer)
