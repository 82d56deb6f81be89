"""JSON and text into messages, by setters that are compiled once per message type.

Both lowerCamelCase and proto names are taken. Whatever cannot be understood is
told with the path of its field, all of it at once, and nothing is guessed.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import math
import re
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.transcoding.encoding import INT64_TYPES, JSON_FORMAT_TYPES, WRAPPERS
from gateway.transcoding.methods import is_raw_json
from services.common.errors import FieldViolation

Read = Callable[[Any], Any]
"""From a JSON value to the value of a field; ValueError says what it must be."""

_INT32 = {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32}
_UINT32 = {FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32}
_UINT64 = {FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64}
_INTEGER = re.compile(r"-?[0-9]{1,20}")
# Python's float takes more than JSON: "1_000", other digits, "nan".
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_BY_JSON_FORMAT = JSON_FORMAT_TYPES | {"google.protobuf.Any"}
_AS_TEXT = frozenset({"google.protobuf.Timestamp", "google.protobuf.Duration"})
_VALUE = "google.protobuf.Value"
FIELD_MASK = "google.protobuf.FieldMask"


def read_message(message: Any, value: Any, path: str, problems: list[FieldViolation]) -> None:
    """Merge a JSON value into a message; what is wrong goes to `problems`."""
    descriptor: Descriptor = message.DESCRIPTOR
    if descriptor.full_name in WRAPPERS:
        read = scalar_reader(descriptor.fields_by_name["value"])
        _attempt(lambda: setattr(message, "value", read(value)), path, problems)
    elif descriptor.full_name in _AS_TEXT:
        _attempt(lambda: read_text(message, value), path, problems)
    elif descriptor.full_name == FIELD_MASK:
        _attempt(lambda: read_field_mask(message, value), path, problems)
    elif descriptor.full_name in _BY_JSON_FORMAT:
        _attempt(lambda: _read_by_json_format(message, value), path, problems)
    elif not isinstance(value, dict):
        problems.append(FieldViolation(path or "body", "must be a JSON object"))
    else:
        _read_fields(message, value, path, problems)


def _read_fields(
    message: Any, value: dict[str, Any], path: str, problems: list[FieldViolation]
) -> None:
    fields = fields_by_key(message.DESCRIPTOR)
    seen: dict[str, str] = {}
    for key, item in value.items():
        field = fields.get(key)
        where = f"{path}.{key}" if path else key
        if field is None:
            problems.append(FieldViolation(where, unknown_field(key, message.DESCRIPTOR)))
            continue
        if field.name in seen:
            text = f'is the same field as "{seen[field.name]}"; give it once'
            problems.append(FieldViolation(where, text))
            continue
        seen[field.name] = key
        if item is None and not _takes_null(field):
            continue
        oneof = field.containing_oneof
        if oneof is not None and message.WhichOneof(oneof.name) not in (None, field.name):
            other = message.WhichOneof(oneof.name)
            text = f'cannot be given together with "{other}"'
            problems.append(FieldViolation(where, text))
            continue
        _read_field(message, field, item, where, problems)


def _takes_null(field: FieldDescriptor) -> bool:
    if field.is_repeated:
        return False
    message, enum = field.message_type, field.enum_type
    return (message is not None and message.full_name == _VALUE) or (
        enum is not None and enum.full_name == "google.protobuf.NullValue"
    )


def _read_field(
    message: Any, field: FieldDescriptor, value: Any, path: str, problems: list[FieldViolation]
) -> None:
    if is_map(field):
        _read_map(message, field, value, path, problems)
    elif field.is_repeated:
        _read_list(message, field, value, path, problems)
    elif field.message_type is not None:
        target = getattr(message, field.name)
        target.SetInParent()
        read_message(target, value, path, problems)
    else:
        read = scalar_reader(field)
        _attempt(lambda: setattr(message, field.name, read(value)), path, problems)


def _read_list(
    message: Any, field: FieldDescriptor, value: Any, path: str, problems: list[FieldViolation]
) -> None:
    if not isinstance(value, list):
        problems.append(FieldViolation(path, "must be a JSON array"))
        return
    target = getattr(message, field.name)
    del target[:]
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        if field.message_type is not None:
            read_message(target.add(), item, where, problems)
        else:
            read = scalar_reader(field)
            _attempt(lambda item=item, read=read: target.append(read(item)), where, problems)  # type: ignore[misc]


def _read_map(
    message: Any, field: FieldDescriptor, value: Any, path: str, problems: list[FieldViolation]
) -> None:
    if not isinstance(value, dict):
        problems.append(FieldViolation(path, "must be a JSON object"))
        return
    entry: Any = field.message_type
    key_reader = scalar_reader(entry.fields_by_name["key"], text=True)
    value_field = entry.fields_by_name["value"]
    target = getattr(message, field.name)
    target.clear()
    for text, item in value.items():
        where = f'{path}["{text}"]'
        try:
            key = key_reader(text)
        except ValueError as error:
            problems.append(FieldViolation(where, f"the key {error}"))
            continue
        if value_field.message_type is not None:
            read_message(target[key], item, where, problems)
        else:
            read = scalar_reader(value_field)
            _attempt(
                lambda key=key, item=item, read=read: target.__setitem__(key, read(item)),  # type: ignore[misc]
                where,
                problems,
            )


def _attempt(action: Callable[[], Any], path: str, problems: list[FieldViolation]) -> None:
    try:
        action()
    except ValueError as error:
        problems.append(FieldViolation(path or "body", str(error)))


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


@cache
def fields_by_key(descriptor: Descriptor) -> dict[str, FieldDescriptor]:
    """Fields by every name that is accepted for them."""
    by_proto_name = {field.name: field for field in descriptor.fields}
    return {**{field.json_name: field for field in descriptor.fields}, **by_proto_name}


def unknown_field(key: str, descriptor: Descriptor) -> str:
    """What to say about a key that is no field."""
    fields = fields_by_key(descriptor)
    near = difflib.get_close_matches(key, fields, 1)
    if near:
        return f'is not a field of {descriptor.name}; did you mean "{fields[near[0]].json_name}"?'
    known = ", ".join(field.json_name for field in descriptor.fields) or "none"
    return f"is not a field of {descriptor.name}; its fields: {known}"


def scalar_reader(field: FieldDescriptor, *, text: bool = False) -> Read:
    """The reader of one value of a field that is no message; `text`: from a URL, so a string."""
    kind = field.type
    if is_raw_json(field) and not text:
        return lambda value: orjson.dumps(value).decode()
    if field.enum_type is not None:
        return _enum_reader(field.enum_type)
    if kind == FieldDescriptor.TYPE_BOOL:
        return _read_bool_text if text else _read_bool
    if kind == FieldDescriptor.TYPE_STRING:
        return _read_string
    if kind == FieldDescriptor.TYPE_BYTES:
        return _read_bytes
    if kind == FieldDescriptor.TYPE_DOUBLE:
        return _read_double
    if kind == FieldDescriptor.TYPE_FLOAT:
        return _read_float
    return _integer_reader(kind)


def _integer_reader(kind: int) -> Read:
    signed = kind not in _UINT32 and kind not in _UINT64
    bits = 64 if kind in INT64_TYPES else 32
    least = -(2 ** (bits - 1)) if signed else 0
    most = 2 ** (bits - 1) - 1 if signed else 2**bits - 1

    def read(value: Any) -> int:
        if (isinstance(value, str) and _INTEGER.fullmatch(value)) or (
            isinstance(value, float) and value.is_integer()
        ):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("must be a whole number")
        if not least <= value <= most:
            raise ValueError(f"must be from {least} to {most}")
        return value

    return read


def _enum_reader(enum: EnumDescriptor) -> Read:
    if enum.full_name == "google.protobuf.NullValue":
        return lambda value: 0 if value in (None, "NULL_VALUE", 0) else _refuse("must be null")
    numbers = {value.name: value.number for value in enum.values}
    read_number = _integer_reader(FieldDescriptor.TYPE_INT32)

    def read(value: Any) -> int:
        if isinstance(value, str) and value in numbers:
            return numbers[value]
        if isinstance(value, int) or (isinstance(value, str) and _INTEGER.fullmatch(value)):
            number: int = read_number(value)
            return number
        raise ValueError(f"must be one of {', '.join(numbers)}")

    return read


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _read_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _read_bool_text(value: Any) -> bool:
    if value not in ("true", "false", "1", "0"):
        raise ValueError("must be true or false")
    return value in ("true", "1")


def _read_string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


def _read_bytes(value: Any) -> bytes:
    """Standard or URL-safe base64, with or without padding."""
    try:
        text = _read_string(value).translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError("must be base64") from None


def _read_double(value: Any) -> float:
    named = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    if isinstance(value, str) and value in named:
        return named[value]
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("must be a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError("must be a number") from None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("must be a number")
    if not math.isfinite(number):
        raise ValueError("must be a finite number, or NaN, Infinity or -Infinity as text")
    return number


def _read_float(value: Any) -> float:
    number = _read_double(value)
    if math.isfinite(number):
        try:
            struct.pack("<f", number)
        except OverflowError:
            raise ValueError("is too large for a 32-bit float") from None
    return number


def read_text(message: Any, value: Any) -> None:
    """Set a Timestamp or Duration from its text; ValueError says the form."""
    duration = message.DESCRIPTOR.name == "Duration"
    try:
        message.FromJsonString(_read_string(value))
    except (ValueError, AttributeError):
        raise ValueError(
            'must be a duration in seconds such as "3.5s"'
            if duration
            else 'must be an RFC 3339 time such as "2026-01-31T08:30:00Z"'
        ) from None


def read_field_mask(message: Any, value: Any) -> None:
    """Set a FieldMask from paths joined by commas, in either form of names, as everywhere."""
    for path in _read_string(value).split(","):
        name = re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", path.strip())
        if name:
            message.paths.append(name)


def _read_by_json_format(message: Any, value: Any) -> None:
    try:
        json_format.ParseDict(value, message)
    except (json_format.ParseError, TypeError) as error:
        raise ValueError(str(error)) from None
