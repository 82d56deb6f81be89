"""One gRPC connection to one service."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import grpc
from podyard.client.errors import CallError, from_rpc_error
from podyard.client.listing import Listing
from podyard.client.streams import Batch, Interruption, ResumingStream

Response = TypeVar("Response")
Event = TypeVar("Event")

# Every mutation of Podyard is idempotent or carries a request id, so that a call whose
# connection failed may be repeated.
_RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}

DIRECT = ("grpc.enable_http_proxy", 0)
"""Services are reached directly, also where the environment names a proxy for the web."""

_OPTIONS = [
    DIRECT,
    ("grpc.service_config", json.dumps(_RETRIES)),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 8 * 1024 * 1024),
    # Come back soon after a restart; gRPC's own pauses grow to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Notice a dead peer below a silent stream. Servers accept a ping every 10 s.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]


class ServiceChannel:
    """A connection to a service, made when first used."""

    def __init__(self, service: str, address: str, timeout: float) -> None:
        """`service` is its name in errors; `timeout` in seconds holds for calls without one."""
        self.service = service
        self.address = address
        self.timeout = timeout
        self.grpc = grpc.insecure_channel(address, options=_OPTIONS)

    def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        self.grpc.close()

    def translate(self, error: Any) -> CallError:
        """The exception of a failed call on this connection."""
        return from_rpc_error(error, self.service, self.address)

    def unary(self, method: Any, request: Any, timeout: float | None = None) -> Any:
        """The answer of a call, within `timeout` seconds."""
        try:
            return method(request, timeout=self.timeout if timeout is None else timeout)
        except grpc.RpcError as error:
            raise self.translate(error) from None

    def listing(self, method: Any, request: Any, field: str) -> Listing[Any, Any]:
        """The items of a list call; `field` of its answer holds them."""

        def fetch(token: str) -> Any:
            page_request = type(request)()
            page_request.CopyFrom(request)
            if token:
                page_request.page_token = token
            return self.unary(method, page_request)

        return Listing(fetch, field)

    def stream(
        self,
        connect: Callable[[str], Any],
        read: Callable[[Any], Batch[Event]],
        *,
        resume_token: str = "",
        on_interruption: Callable[[Interruption], None] | None = None,
    ) -> ResumingStream[Event]:
        """A stream on this connection; `connect` makes the call for a resume token."""
        return ResumingStream(
            connect,
            read,
            self.translate,
            resume_token=resume_token,
            on_interruption=on_interruption,
        )


def new_request_id() -> str:
    """An idempotency key."""
    return uuid.uuid4().hex
