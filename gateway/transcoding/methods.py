"""The gRPC methods of Podyard's services, found in their generated modules."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.api import annotations_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from podyard.common.v1 import options_pb2

STEMS = ("k8s_resource", "cluster_lifecycle", "training_history")
"""The services behind the gateway, by the stem of their proto package."""

_RESUME_FIELD = "resume_token"
_HTTP_BODY = "google.api.HttpBody"


@dataclass(frozen=True, slots=True)
class HttpBinding:
    """One way to call a method over HTTP. `body` is "*", a field's name, or "" for none."""

    verb: str
    template: str
    body: str


@dataclass(frozen=True, slots=True)
class RpcMethod:
    """One method: where it is served, its messages, its bindings."""

    stem: str
    descriptor: MethodDescriptor
    bindings: tuple[HttpBinding, ...]
    request_class: type[Message]
    response_class: type[Message]

    @property
    def path(self) -> str:
        """As gRPC names it: "/package.Service/Method"."""
        service: Any = self.descriptor.containing_service
        return f"/{service.full_name}/{self.descriptor.name}"

    @property
    def streaming(self) -> bool:
        """Whether the server answers with a stream."""
        return bool(self.descriptor.server_streaming)

    @property
    def sends_body(self) -> bool:
        """Whether the answer is an HTTP body itself, in pieces, and no JSON."""
        return self.streaming and self.descriptor.output_type.full_name == _HTTP_BODY

    @property
    def resumable(self) -> bool:
        """Whether responses carry tokens that requests take."""
        messages = (self.descriptor.input_type, self.descriptor.output_type)
        return all(_RESUME_FIELD in message.fields_by_name for message in messages)


def load_methods(stems: tuple[str, ...] = STEMS) -> list[RpcMethod]:
    """Every method of every service in the packages `podyard.<stem>.v1`."""
    return [method for stem in stems for method in _methods_of(stem)]


def _methods_of(stem: str) -> Iterator[RpcMethod]:
    package = importlib.import_module(f"podyard.{stem}.v1")
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.endswith("_pb2"):
            continue
        descriptor: Any = importlib.import_module(f"{package.__name__}.{module.name}").DESCRIPTOR
        for service in descriptor.services_by_name.values():
            for method in service.methods:
                yield _method(stem, method)


def _method(stem: str, method: MethodDescriptor) -> RpcMethod:
    if method.client_streaming:
        raise TypeError(f"{method.full_name}: client streams are not used by Podyard")
    options: Any = method.GetOptions()
    rule = options.Extensions[annotations_pb2.http]
    return RpcMethod(
        stem,
        method,
        tuple(_binding(each) for each in (rule, *rule.additional_bindings) if _has_path(each)),
        message_factory.GetMessageClass(method.input_type),
        message_factory.GetMessageClass(method.output_type),
    )


def _has_path(rule: Any) -> bool:
    return rule.WhichOneof("pattern") is not None


def _binding(rule: Any) -> HttpBinding:
    kind: str = rule.WhichOneof("pattern")
    if rule.response_body:
        raise TypeError(f"response_body is not used by Podyard ({rule.response_body})")
    if kind == "custom":
        return HttpBinding(rule.custom.kind.upper(), rule.custom.path, rule.body)
    return HttpBinding(kind.upper(), getattr(rule, kind), rule.body)


def counts_from_now(field: FieldDescriptor) -> bool:
    """Whether equal values of the field mean different things at different moments."""
    options: Any = field.GetOptions()
    return bool(options.Extensions[options_pb2.from_now])


def is_raw_json(field: FieldDescriptor) -> bool:
    """Whether the string field holds a JSON document, to be embedded as a value."""
    options: Any = field.GetOptions()
    return bool(options.Extensions[options_pb2.raw_json])


def policy_of(method: MethodDescriptor) -> options_pb2.MethodPolicy:
    """The method's policy option."""
    options: Any = method.GetOptions()
    policy: options_pb2.MethodPolicy = options.Extensions[options_pb2.policy]
    return policy


def fields_from_now(request: Descriptor) -> tuple[str, ...]:
    """Names of the request's fields that count back from the moment of the call."""
    return tuple(field.name for field in request.fields if counts_from_now(field))
