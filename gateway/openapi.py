"""OpenAPI 3.1 of everything the gateway transcodes, from the descriptors themselves."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from podyard.common.v1 import options_pb2

from gateway.openapi_types import KNOWN_TYPES, constraints, scalar_schema
from gateway.transcoding.decoding import is_map
from gateway.transcoding.encoding import WRAPPERS
from gateway.transcoding.methods import is_raw_json, policy_of
from gateway.transcoding.routes import Route
from gateway.transcoding.template import PathTemplate

Schema = dict[str, Any]

_INTRODUCTION = """\
JSON follows the ProtoJSON mapping: lowerCamelCase names (proto names are taken as input too), \
64-bit integers as strings, enums by name, RFC 3339 times, durations such as "3.5s". Fields \
without presence are always there; unset messages and unset optional fields are absent. Unknown \
fields and query parameters are errors.

Errors have the form of AIP-193: {"error": {"code", "status", "message", "details"}}.

Server streams answer with newline-delimited JSON, {"result": …} or {"error": …} a line, or with \
server-sent events where the Accept header names text/event-stream: then `id` is the resume \
token, Last-Event-ID resumes, and an error comes as `event: error`.

The header grpc-timeout ("10S", "500m") sets a deadline. x-request-id is passed on and returned.\
"""

_ERROR: Schema = {
    "type": "object",
    "description": "An error, as AIP-193 defines it.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "status", "message", "details"],
            "properties": {
                "code": {"type": "integer", "description": "The HTTP status."},
                "status": {"type": "string", "description": "The gRPC code's name."},
                "message": {"type": "string", "description": "What was wrong and what to do."},
                "details": {
                    "type": "array",
                    "description": "google.rpc messages: ErrorInfo, BadRequest, RetryInfo, …",
                    "items": {
                        "type": "object",
                        "required": ["@type"],
                        "properties": {"@type": {"type": "string"}},
                    },
                },
            },
        }
    },
}

_FAILED: Schema = {
    "description": "An error.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}

_DOWNLOAD: Schema = {
    "description": "The bytes of a file, in a chunked body. A body that cannot be sent to its end "
    "is cut without its last chunk, which HTTP clients report as an error.",
    "headers": {
        "Content-Disposition": {
            "description": "The suggested name of the file.",
            "schema": {"type": "string"},
        }
    },
    "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
}


def load_comments() -> dict[str, str]:
    """The protos' comments by full name, as tools.protos generated them."""
    text = importlib.resources.files("podyard").joinpath("comments.json").read_text("utf-8")
    comments: dict[str, str] = json.loads(text)
    return comments


class OpenApi:
    """Builds the document of a set of routes."""

    def __init__(self, routes: Iterable[Route], comments: dict[str, str]) -> None:
        self._routes = list(routes)
        self._comments = comments
        self._schemas: dict[str, Schema] = {"Error": _ERROR}

    def document(self) -> dict[str, Any]:
        """The whole document."""
        paths: dict[str, dict[str, Any]] = {}
        seen: set[str] = set()
        for route in self._routes:
            operation = self._operation(route, seen)
            verb = route.binding.verb.lower()
            paths.setdefault(openapi_path(route.template), {})[verb] = operation
        return {
            "openapi": "3.1.0",
            "info": {"title": "Podyard", "version": "v1", "description": _INTRODUCTION},
            "paths": paths,
            "components": {"schemas": dict(sorted(self._schemas.items()))},
            "tags": self._tags(),
        }

    def _tags(self) -> list[dict[str, str]]:
        services: dict[str, str] = {}
        for route in self._routes:
            service: Any = route.method.descriptor.containing_service
            services[service.name] = self._comments.get(service.full_name, "")
        return [{"name": name, "description": text} for name, text in services.items()]

    def _operation(self, route: Route, seen: set[str]) -> dict[str, Any]:
        method = route.method.descriptor
        service: Any = method.containing_service
        policy = policy_of(method)
        identity = f"{service.name}_{method.name}"
        if identity in seen:
            identity += f"_{route.binding.verb.lower()}"
        seen.add(identity)
        comment = self._comments.get(method.full_name, "")
        operation: dict[str, Any] = {
            "operationId": identity,
            "tags": [service.name],
            "summary": comment.partition(". ")[0].rstrip("."),
            "description": comment,
            "x-podyard-role": options_pb2.Role.Name(policy.role).removeprefix("ROLE_").lower(),
            "x-podyard-mutation": policy.mutation,
            "parameters": self._parameters(route),
            "responses": self._responses(route),
        }
        body = self._body(route)
        if body is not None:
            operation["requestBody"] = body
        return operation

    def _parameters(self, route: Route) -> list[dict[str, Any]]:
        request = route.method.descriptor.input_type
        parameters = []
        taken = set()
        for variable in route.template.variables:
            field = _resolve(request, variable.field_path)
            taken.add(variable.field_path)
            parameters.append(
                {
                    "name": variable.field_path,
                    "in": "path",
                    "required": True,
                    "description": self._comments.get(field.full_name, ""),
                    "schema": self._field(field),
                }
            )
        if route.binding.body == "*":
            return parameters
        for name, field in _query_fields(request, route.binding.body):
            if name not in taken:
                parameters.append(
                    {
                        "name": _camel(name),
                        "in": "query",
                        "required": False,
                        "description": self._comments.get(field.full_name, ""),
                        "schema": self._field(field),
                    }
                )
        return parameters

    def _body(self, route: Route) -> dict[str, Any] | None:
        name = route.binding.body
        if not name:
            return None
        request = route.method.descriptor.input_type
        message: Any = request if name == "*" else request.fields_by_name[name].message_type
        schema = self._message(message)
        return {"required": name != "*", "content": {"application/json": {"schema": schema}}}

    def _responses(self, route: Route) -> dict[str, Any]:
        if route.method.sends_body:
            return {"200": _DOWNLOAD, "default": _FAILED}
        schema = self._message(route.method.descriptor.output_type)
        if route.method.streaming:
            line = {"type": "object", "properties": {"result": schema, **_ERROR["properties"]}}
            content = {
                "application/x-ndjson": {"schema": line},
                "text/event-stream": {"schema": schema},
            }
        else:
            content = {"application/json": {"schema": schema}}
        return {
            "200": {
                "description": self._comments.get(route.method.descriptor.output_type.full_name)
                or "Success.",
                "content": content,
            },
            "default": _FAILED,
        }

    def _message(self, message: Descriptor) -> Schema:
        name = message.full_name
        known = KNOWN_TYPES.get(name)
        if known is not None:
            return dict(known)
        if name in WRAPPERS:
            return self._field(message.fields_by_name["value"])
        if name not in self._schemas:
            schema: Schema = {"type": "object"}
            self._schemas[name] = schema  # first, because types may be recursive
            schema["description"] = self._comments.get(name, "")
            schema["properties"] = {
                field.json_name: self._described(field) for field in message.fields
            }
            schema["additionalProperties"] = False
        return {"$ref": f"#/components/schemas/{name}"}

    def _described(self, field: FieldDescriptor) -> Schema:
        schema = self._field(field)
        comment = self._comments.get(field.full_name)
        return {**schema, "description": comment} if comment else schema

    def _field(self, field: FieldDescriptor) -> Schema:
        if is_map(field):
            entry: Any = field.message_type
            value = self._one(entry.fields_by_name["value"])
            return {"type": "object", "additionalProperties": value}
        if field.is_repeated:
            return {"type": "array", "items": self._one(field), **constraints(field)}
        return {**self._one(field), **constraints(field)}

    def _one(self, field: FieldDescriptor) -> Schema:
        if is_raw_json(field):
            return {"description": "Any JSON value."}
        if field.message_type is not None:
            return self._message(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        return scalar_schema(field)

    def _enum(self, enum: EnumDescriptor) -> Schema:
        if enum.full_name not in self._schemas:
            values = "\n".join(
                f"- {value.name}: {self._comments.get(f'{enum.full_name}.{value.name}', '')}"
                for value in enum.values
            )
            self._schemas[enum.full_name] = {
                "type": "string",
                "enum": [value.name for value in enum.values],
                "description": f"{self._comments.get(enum.full_name, '')}\n\n{values}",
            }
        return {"$ref": f"#/components/schemas/{enum.full_name}"}


def openapi_path(template: PathTemplate) -> str:
    """The template as OpenAPI writes it: variables by name only."""
    parts = list(template.segments)
    for variable in template.variables:
        last = len(parts) if variable.end is None else variable.end
        parts[variable.start : last] = [f"{{{variable.field_path}}}"] + [""] * (
            last - variable.start - 1
        )
    path = "/" + "/".join(part for part in parts if part)
    return f"{path}:{template.verb}" if template.verb else path


def _resolve(message: Any, field_path: str) -> FieldDescriptor:
    *parents, last = field_path.split(".")
    for name in parents:
        message = message.fields_by_name[name].message_type
    field: FieldDescriptor = message.fields_by_name[last]
    return field


def _query_fields(
    message: Descriptor, body: str, prefix: str = "", parents: tuple[str, ...] = ()
) -> Iterable[tuple[str, FieldDescriptor]]:
    """Every field that a query can set, nested ones by dots; no deeper into a recursive type."""
    for field in message.fields:
        name = prefix + field.name
        if name == body or is_map(field):
            continue
        nested = field.message_type
        if nested is None or nested.full_name in KNOWN_TYPES or nested.full_name in WRAPPERS:
            yield name, field
        elif not field.is_repeated and nested.full_name not in parents:
            known = (*parents, message.full_name)
            yield from _query_fields(nested, body, f"{name}.", known)


def _camel(name: str) -> str:
    return ".".join(
        head + "".join(word.capitalize() for word in rest)
        for head, *rest in (part.split("_") for part in name.split("."))
    )
