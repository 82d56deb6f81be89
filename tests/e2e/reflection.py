"""A gRPC client that knows no stubs: it learns messages and methods by reflection."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)


class ReflectionClient:
    """Calls a server as grpcurl does. Use as a context manager."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address)
        self._database = ProtoReflectionDescriptorDatabase(self._channel)
        self._pool = DescriptorPool(self._database)

    def __enter__(self) -> ReflectionClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def services(self) -> list[str]:
        """Full names of the services offered."""
        return list(self._database.get_services())

    def call(self, service: str, method: str, **fields: Any) -> dict[str, Any]:
        """The answer of a unary method as proto JSON with the protos' field names."""
        path, request, response_class = self._prepare(service, method, fields)
        stub: Any = self._channel.unary_unary(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response_class.FromString,
        )
        return _plain(stub(request, timeout=30))

    def stream(
        self, service: str, method: str, **fields: Any
    ) -> Generator[dict[str, Any], None, None]:
        """The messages of a streaming method; closing the iterator cancels the call."""
        path, request, response_class = self._prepare(service, method, fields)
        stub: Any = self._channel.unary_stream(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response_class.FromString,
        )
        call = stub(request, timeout=120)
        try:
            for message in call:
                yield _plain(message)
        finally:
            call.cancel()

    def _prepare(self, service: str, method: str, fields: dict[str, Any]) -> tuple[str, Any, Any]:
        descriptor = self._pool.FindServiceByName(service).FindMethodByName(method)
        request = message_factory.GetMessageClass(descriptor.input_type)()
        json_format.ParseDict(fields, request, descriptor_pool=self._pool)
        response_class = message_factory.GetMessageClass(descriptor.output_type)
        return f"/{service}/{method}", request, response_class


def _plain(message: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return plain
