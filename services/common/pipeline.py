"""What happens around every RPC.

Order: identify the call and its caller, check the caller's role, validate the
message, run the handler, map errors, then audit and measure. Handlers are
wrapped once, when a servicer is registered, and not by gRPC interceptors:
those cost every call a coroutine each, see `make bench`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeAlias

import grpc
import protovalidate
from google.protobuf import descriptor_pool
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc_status import rpc_status
from podyard.common.v1 import options_pb2

from services.common import metrics
from services.common.audit import AuditEntry, AuditSink
from services.common.calls import REQUEST_ID_HEADER, Call, enter_call, new_request_id
from services.common.errors import (
    FieldViolation,
    InvalidArgumentError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from services.common.identity import Authenticator, Metadata, Principal, authorize
from services.common.logs import get_logger
from services.common.status import to_status
from services.common.stream_budget import StreamBudget
from services.common.timeouts import within

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_UNKNOWN = Principal("unknown", options_pb2.ROLE_UNSPECIFIED)


class Pipeline:
    """Wraps the handlers of Podyard's own methods."""

    def __init__(
        self,
        authenticator: Authenticator,
        audit: AuditSink,
        streams: StreamBudget,
        *,
        default_timeout: float = 60.0,
    ) -> None:
        """`default_timeout` in seconds holds for unary calls whose caller sets no deadline."""
        self._authenticator = authenticator
        self._audit = audit
        self._streams = streams
        self._default_timeout = default_timeout
        self._log = get_logger("rpc")

    def before(self, server: grpc.aio.Server) -> WrappingServer:
        """What to give to a generated `add_…Servicer_to_server` in place of `server`."""
        return WrappingServer(server, self)

    def wrap(self, method: str, handler: Handler) -> Handler:
        """The handler of "/package.Service/Method" with everything around it.

        TypeError if the method has no policy or takes a stream.
        """
        policy = method_policy(method)
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                self._unary(method, policy, handler.unary_unary),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(method, policy, handler.unary_stream),
                handler.request_deserializer,
                handler.response_serializer,
            )
        raise TypeError(f"{method}: client streams are not used by Podyard")

    def _unary(self, method: str, policy: options_pb2.MethodPolicy, behavior: Any) -> Any:
        succeeded = metrics.RPC_SECONDS.labels(method, "OK")
        audited = policy.mutation

        async def unary(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            started = time.monotonic()
            metadata = context.invocation_metadata() or ()
            call = _begin(method, metadata, context.peer())
            try:
                self._admit(call, policy, request, metadata)
                work = behavior(request, context)
                if context.time_remaining() is None:
                    work = within(self._default_timeout, work)
                response = await work
            except BaseException as error:
                await self._fail(call, policy, context, error, started)
                raise
            succeeded.observe(time.monotonic() - started)
            if audited:
                self._record(call, policy, "OK", started)
            return response

        return unary

    def _stream(self, method: str, policy: options_pb2.MethodPolicy, behavior: Any) -> Any:
        succeeded = metrics.RPC_SECONDS.labels(method, "OK")
        streams_open = metrics.STREAMS_OPEN.labels(method)
        messages = metrics.STREAM_MESSAGES.labels(method)

        async def stream(
            request: Message, context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncIterator[Any]:
            started = time.monotonic()
            metadata = context.invocation_metadata() or ()
            call = _begin(method, metadata, context.peer())
            streams_open.inc()
            responses: Any = None
            try:
                self._admit(call, policy, request, metadata)
                with self._streams.taken(call.principal.name):
                    responses = behavior(request, context)
                    async for response in responses:
                        messages.inc()
                        yield response
            except GeneratorExit:
                raise
            except BaseException as error:
                await self._fail(call, policy, context, error, started)
                raise
            finally:
                streams_open.dec()
                if responses is not None:
                    await responses.aclose()
            succeeded.observe(time.monotonic() - started)

        return stream

    def _admit(
        self, call: Call, policy: options_pb2.MethodPolicy, request: Message, metadata: Metadata
    ) -> None:
        call.principal = self._authenticator.authenticate(metadata, call.peer)
        authorize(call.principal, policy)
        validate(request)

    async def _fail(
        self,
        call: Call,
        policy: options_pb2.MethodPolicy,
        context: grpc.aio.ServicerContext[Any, Any],
        error: BaseException,
        started: float,
    ) -> None:
        """Audit, measure and end the call with the error's status; does not return normally."""
        if isinstance(error, grpc.aio.AbortError):
            return
        status = to_status(error)
        code = _CODE_NAMES[status.code]
        metrics.RPC_SECONDS.labels(call.method, code).observe(time.monotonic() - started)
        if policy.mutation or isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
            self._record(call, policy, code, started)
        if code == "INTERNAL":
            self._log.error("unexpected error", method=call.method, exc_info=error)
        if isinstance(error, asyncio.CancelledError):
            return
        await abort(context, status, call.request_id)

    def _record(
        self, call: Call, policy: options_pb2.MethodPolicy, outcome: str, started: float
    ) -> None:
        self._audit.record(
            AuditEntry(
                method=call.method,
                actor=call.principal.name,
                action=policy.action,
                resource=policy.resource,
                outcome=outcome,
                request_id=call.request_id,
                peer=call.peer,
                duration=time.monotonic() - started,
            )
        )


class WrappingServer:
    """Stands before a server while a servicer is registered, and wraps its handlers."""

    def __init__(self, server: grpc.aio.Server, pipeline: Pipeline) -> None:
        self._server = server
        self._pipeline = pipeline

    def add_generic_rpc_handlers(self, _handlers: object) -> None:
        """Nothing: `add_registered_method_handlers` brings the same methods."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Register the methods of a service."""
        wrapped = {
            name: self._pipeline.wrap(f"/{service}/{name}", handler)
            for name, handler in handlers.items()
        }
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, wrapped),)
        )
        self._server.add_registered_method_handlers(service, wrapped)


_CODE_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


def _begin(method: str, metadata: Metadata, peer: str) -> Call:
    request_id = ""
    for key, value in metadata:
        if key == REQUEST_ID_HEADER and isinstance(value, str):
            request_id = value[:128]
    call = Call(method, request_id or new_request_id(), _UNKNOWN, peer)
    enter_call(call)
    return call


def method_policy(method: str) -> options_pb2.MethodPolicy:
    """The policy option of "/package.Service/Method"; TypeError if it states no role."""
    service_name, _, method_name = method.removeprefix("/").partition("/")
    descriptor = descriptor_pool.Default().FindServiceByName(service_name)
    options: Any = descriptor.FindMethodByName(method_name).GetOptions()
    policy: options_pb2.MethodPolicy = options.Extensions[options_pb2.policy]
    if policy.role == options_pb2.ROLE_UNSPECIFIED:
        raise TypeError(f"{method} has no podyard.common.v1.policy option with a role")
    return policy


def validate(request: Message) -> None:
    """InvalidArgumentError with every violated constraint of the message's fields."""
    found = protovalidate.collect_violations(request)
    if found:
        raise InvalidArgumentError.fields(
            [FieldViolation(_field_path(v), _description(v, request)) for v in found]
        )


def _description(violation: protovalidate.Violation, request: Message) -> str:
    """What to do; protovalidate's own text for a missing oneof does not name its fields."""
    path = violation.proto.field
    if path is not None and len(path.elements) == 1:
        oneof = request.DESCRIPTOR.oneofs_by_name.get(path.elements[0].field_name)
        if oneof is not None:
            return f"give exactly one of {', '.join(field.name for field in oneof.fields)}"
    return str(violation.proto.message)


def _field_path(violation: protovalidate.Violation) -> str:
    path = violation.proto.field
    if path is None:
        return "request"
    return ".".join(
        element.field_name + (f"[{element.subscript.value}]" if element.subscript else "")
        for element in path.elements
    )


async def abort(
    context: grpc.aio.ServicerContext[Any, Any], status: status_pb2.Status, request_id: str
) -> None:
    """End the call with a google.rpc.Status and the request's id as trailer."""
    converted = rpc_status.to_status(status)
    await context.abort(
        converted.code,
        converted.details,
        (*converted.trailing_metadata, (REQUEST_ID_HEADER, request_id)),
    )
