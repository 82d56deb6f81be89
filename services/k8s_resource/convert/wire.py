"""Putting encoded messages together.

The summary of an object is encoded once per version and then goes into many answers
and streams. Protobuf's encoding allows that: a message is the concatenation of its
fields, and a message-typed field is its number, its length and the encoded message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

_LENGTH_DELIMITED = 2


def varint(number: int) -> bytes:
    """A non-negative number as protobuf writes it."""
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def embedded(field: int, message: bytes) -> bytes:
    """A message, string or bytes field."""
    return b"%b%b%b" % (varint(field << 3 | _LENGTH_DELIMITED), varint(len(message)), message)


def number(field: int, value: int) -> bytes:
    """An integer or enum field; nothing for 0, the default."""
    return varint(field << 3) + varint(value) if value else b""


class EncodedResponses:
    """A server to register servicers at that may return encoded messages.

    Stands before the real server while a generated `add_…Servicer_to_server` runs.
    """

    def __init__(self, server: Any) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Nothing: `add_registered_method_handlers` brings the same methods."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        """Pass on the methods, with serializers that let bytes through."""
        passed = {name: _passing(handler) for name, handler in handlers.items()}
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, passed),)
        )
        self._server.add_registered_method_handlers(service, passed)


def registering(add: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """A generated add function for a servicer that may return encoded messages."""
    return lambda servicer, server: add(servicer, EncodedResponses(server))


def _passing(handler: Any) -> Any:
    def serialize(response: Any) -> bytes:
        if isinstance(response, bytes):
            return response
        encoded: bytes = handler.response_serializer(response)
        return encoded

    make, behavior = (
        (grpc.unary_unary_rpc_method_handler, handler.unary_unary)
        if handler.unary_unary is not None
        else (grpc.unary_stream_rpc_method_handler, handler.unary_stream)
    )
    return make(behavior, handler.request_deserializer, serialize)
