"""Channels to the three services and calls by method.

Streams have a channel of their own, so that the traffic of many tails never
delays a unary call on the same connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import grpc

from gateway.problems import Upstream
from gateway.transcoding.methods import RpcMethod

_OPTIONS = [
    # Services are reached directly, also where the environment names a proxy for the web.
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 8 * 1024 * 1024),
    # Bandwidth probes grow the buffers of stalled streams without end.
    ("grpc.http2.bdp_probe", 0),
    # Channels of equal options would otherwise share one connection.
    ("grpc.use_local_subchannel_pool", 1),
    # A service that starts again is found soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # A dead peer is noticed within 30 s; the services allow a ping every 10 s.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
]

Metadata = tuple[tuple[str, str], ...]


class Upstreams:
    """The services by stem. Make it in the event loop that uses it, and close it."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        """`addresses` are "host:port" by stem."""
        self.services = {
            stem: Upstream(stem.replace("_", "-"), address) for stem, address in addresses.items()
        }
        self._unary = {stem: _channel(address) for stem, address in addresses.items()}
        self._streams = {stem: _channel(address) for stem, address in addresses.items()}
        self._callables: dict[tuple[str, bool], Any] = {}

    def channel(self, stem: str) -> grpc.aio.Channel:
        """The channel for unary calls."""
        return self._unary[stem]

    def of(self, method: RpcMethod) -> Upstream:
        """The service of a method."""
        return self.services[method.stem]

    def unary(
        self, method: RpcMethod, request: Any, *, timeout: float | None, metadata: Metadata
    ) -> Any:
        """Start a unary call; awaiting it gives the response, cancelling ends it upstream."""
        make = method.response_class.FromString
        return self._callable(method, make)(request, timeout=timeout, metadata=metadata)

    def unary_bytes(
        self, method: RpcMethod, request: Any, *, timeout: float | None, metadata: Metadata
    ) -> Any:
        """As `unary`, the response as its encoded message."""
        return self._callable(method, None)(request, timeout=timeout, metadata=metadata)

    def stream(
        self, method: RpcMethod, request: Any, *, timeout: float | None, metadata: Metadata
    ) -> Any:
        """Start a server stream; iterate over it, cancel it when done with it."""
        make = method.response_class.FromString
        return self._callable(method, make)(request, timeout=timeout, metadata=metadata)

    def _callable(self, method: RpcMethod, deserialize: Callable[[bytes], Any] | None) -> Any:
        key = method.path, deserialize is None
        known = self._callables.get(key)
        if known is None:
            if method.streaming:
                make: Any = self._streams[method.stem].unary_stream
            else:
                make = self._unary[method.stem].unary_unary
            known = self._callables[key] = make(
                method.path,
                request_serializer=method.request_class.SerializeToString,
                response_deserializer=deserialize,
            )
        return known

    async def close(self) -> None:
        """Close all channels; calls that are left are cancelled."""
        await asyncio.gather(
            *(channel.close() for channel in (*self._unary.values(), *self._streams.values()))
        )


def _channel(address: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(address, options=_OPTIONS)
