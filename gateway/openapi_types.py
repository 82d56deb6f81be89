"""JSON Schema of scalars, well-known types and protovalidate's constraints."""

from __future__ import annotations

from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor

from gateway.transcoding.encoding import INT64_TYPES

Schema = dict[str, Any]

KNOWN_TYPES: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {
        "type": "string",
        "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$",
        "examples": ["3.5s"],
    },
    "google.protobuf.FieldMask": {
        "type": "string",
        "pattern": r"^[A-Za-z0-9_.*]+( *, *[A-Za-z0-9_.*]+)*$",
        "examples": ["name,createTime"],
    },
    "google.protobuf.Empty": {"type": "object"},
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Value": {},
    "google.protobuf.Any": {
        "type": "object",
        "required": ["@type"],
        "properties": {"@type": {"type": "string"}},
        "additionalProperties": True,
    },
}

_SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "format": "int64", "minimum": 0},
    FieldDescriptor.TYPE_FIXED32: {"type": "integer", "format": "int64", "minimum": 0},
}
_REAL = {FieldDescriptor.TYPE_DOUBLE: "double", FieldDescriptor.TYPE_FLOAT: "float"}


def scalar_schema(field: FieldDescriptor) -> Schema:
    """The schema of one value of a field that is neither message nor enum."""
    if field.type in INT64_TYPES:
        return {"type": "string", "format": "int64"}
    if field.type in _REAL:
        named = {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}
        return {"oneOf": [{"type": "number", "format": _REAL[field.type]}, named]}
    return dict(_SCALARS.get(field.type, {"type": "integer", "format": "int32"}))


def constraints(field: FieldDescriptor) -> Schema:
    """What protovalidate demands of the field, as far as JSON Schema can say it."""
    options: Any = field.GetOptions()
    rules: Any = options.Extensions[validate_pb2.field]
    kind = rules.WhichOneof("type")
    if kind == "string":
        names = {"min_len": "minLength", "max_len": "maxLength", "pattern": "pattern"}
        found = _set_rules(rules.string, names)
        allowed = list(getattr(rules.string, "in"))
        return {**found, "enum": allowed} if allowed else found
    if kind == "repeated":
        return _set_rules(rules.repeated, {"min_items": "minItems", "max_items": "maxItems"})
    if kind in ("int32", "uint32"):
        names = {"gte": "minimum", "lte": "maximum", "gt": "exclusiveMinimum"}
        return _set_rules(getattr(rules, kind), names)
    return {}


def _set_rules(rules: Any, names: dict[str, str]) -> Schema:
    return {
        keyword: getattr(rules, name) for name, keyword in names.items() if rules.HasField(name)
    }
