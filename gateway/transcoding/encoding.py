"""Messages as JSON, by encoders that are compiled once per message type.

The output is the ProtoJSON mapping (https://protobuf.dev/programming-guides/json/):
lowerCamelCase names, 64-bit integers as strings, enums by name, RFC 3339 times,
"3.5s" durations, base64 bytes. Fields without presence are always there, zero
or empty as they may be; unset messages and unset optional fields are absent.
A field with the option raw_json is embedded as the JSON value it holds, and is
absent when empty: that is the one difference.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from time import gmtime
from typing import Any

import orjson
from google.protobuf import any_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from gateway.transcoding.methods import is_raw_json

Json = Any
Convert = Callable[[Any], Json]

_FLOAT_TYPES = (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE)
INT64_TYPES = frozenset(
    {
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_SINT64,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
    }
)
WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in (
        "Bool",
        "Bytes",
        "Double",
        "Float",
        "Int32",
        "Int64",
        "String",
        "UInt32",
        "UInt64",
    )
)
JSON_FORMAT_TYPES = frozenset(
    f"google.protobuf.{name}" for name in ("FieldMask", "ListValue", "Struct", "Value")
)
"""Rare types with a mapping of their own that protobuf's json_format does for us."""


def encode(message: Message) -> bytes:
    """The message as one line of JSON."""
    return encode_with(message, {})


def encode_with(message: Message, values: dict[str, Json]) -> bytes:
    """As `encode`, with some values, by JSON name, in place of the message's own."""
    descriptor: Any = message.DESCRIPTOR
    found = encoder(descriptor)(message)
    if values:
        found.update(values)
    text = orjson.dumps(found)
    # A raw_json document may be spread over lines; between values, a line end is mere space.
    return (
        text.replace(b"\n", b" ").replace(b"\r", b" ") if b"\n" in text or b"\r" in text else text
    )


def encoder(descriptor: Descriptor) -> Convert:
    """The encoder of a message type: from message to what orjson writes."""
    known = _ENCODERS.get(descriptor.full_name)
    if known is not None:
        return known
    if descriptor.full_name in WRAPPERS:
        convert = _scalar(descriptor.fields_by_name["value"])
        encode_wrapper: Convert = attrgetter("value")
        if convert is not None:
            encode_wrapper = _composed(convert)
        _ENCODERS[descriptor.full_name] = encode_wrapper
        return encode_wrapper
    compiled = _MessageEncoder()
    _ENCODERS[descriptor.full_name] = compiled  # first, because types may be recursive
    compiled.compile(descriptor)
    return compiled


def _composed(convert: Convert) -> Convert:
    return lambda message: convert(message.value)


class _MessageEncoder:
    """Reads all fields without presence in one C call, then converts those that need it."""

    def compile(self, descriptor: Descriptor) -> None:
        plain: list[FieldDescriptor] = []
        self._converted: list[tuple[str, Convert]] = []
        self._optional: list[tuple[str, str, Convert | None]] = []
        self._raw: list[str] = []
        for field in descriptor.fields:
            key = field.json_name
            convert = _field(field)
            if field.has_presence:
                self._optional.append((key, field.name, convert))
                continue
            plain.append(field)
            if convert is not None:
                self._converted.append((key, convert))
            if is_raw_json(field) and not field.is_repeated:
                self._raw.append(key)
        self._keys = [field.json_name for field in plain]
        names = [field.name for field in plain]
        self._single = attrgetter(names[0]) if len(names) == 1 else None
        self._values = attrgetter(*names) if len(names) > 1 else None
        # Copied for each message, so that keys come in the order of the proto.
        self._order: dict[str, Json] = dict.fromkeys(field.json_name for field in descriptor.fields)

    def __call__(self, message: Any) -> Json:
        found = self._order.copy()
        if self._values is not None:
            found.update(zip(self._keys, self._values(message), strict=True))
        elif self._single is not None:
            found[self._keys[0]] = self._single(message)
        for key in self._raw:
            if not found[key]:
                del found[key]
        for key, convert in self._converted:
            if key in found:
                found[key] = convert(found[key])
        for key, name, optional in self._optional:
            if message.HasField(name):
                value = getattr(message, name)
                found[key] = optional(value) if optional is not None else value
            else:
                del found[key]
        return found


def _field(field: FieldDescriptor) -> Convert | None:
    """How to convert a field's value; None where orjson takes it as it is."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _map(field.message_type)
    convert = _scalar(field)
    if not field.is_repeated:
        return convert
    if convert is None:
        return list
    return lambda values: [convert(value) for value in values]


def _map(entry: Descriptor) -> Convert:
    key_type = entry.fields_by_name["key"].type
    key = {FieldDescriptor.TYPE_STRING: None, FieldDescriptor.TYPE_BOOL: _bool_key}.get(
        key_type, str
    )
    convert = _scalar(entry.fields_by_name["value"])
    if key is None and convert is None:
        return dict
    to_key: Convert = key or _same
    to_value: Convert = convert or _same
    return lambda entries: {to_key(k): to_value(v) for k, v in entries.items()}


def _bool_key(key: bool) -> str:
    return "true" if key else "false"


def _same(value: Json) -> Json:
    return value


def _scalar(field: FieldDescriptor) -> Convert | None:
    """How to convert one value of the field."""
    if is_raw_json(field):
        return _fragment
    if field.message_type is not None:
        return encoder(field.message_type)
    if field.enum_type is not None:
        if field.enum_type.full_name == "google.protobuf.NullValue":
            return lambda _: None
        names = {number: value.name for number, value in field.enum_type.values_by_number.items()}
        return lambda number: names.get(number, number)
    if field.type in INT64_TYPES:
        return str
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return _double
    if field.type == FieldDescriptor.TYPE_FLOAT:
        return _float
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes
    return None


def _fragment(text: str) -> orjson.Fragment:
    return orjson.Fragment(text)


def _bytes(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _double(value: float) -> Json:
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _float(value: float) -> Json:
    """The shortest decimal that is the same 32-bit float."""
    if not math.isfinite(value):
        return _double(value)
    for digits in range(6, 9):
        short = float(f"{value:.{digits}g}")
        try:
            if struct.unpack("<f", struct.pack("<f", short))[0] == value:
                return short
        except OverflowError:  # rounded up beyond the largest float
            continue
    return float(f"{value:.9g}")


def _timestamp(message: Any) -> str:
    nanos = message.nanos
    if not nanos:
        return f"{_second(message.seconds)}Z"
    return f"{_second(message.seconds)}.{_fraction(nanos)}Z"


@lru_cache(maxsize=8192)
def _second(seconds: int) -> str:
    time = gmtime(seconds)
    return (
        f"{time.tm_year:04}-{time.tm_mon:02}-{time.tm_mday:02}"
        f"T{time.tm_hour:02}:{time.tm_min:02}:{time.tm_sec:02}"
    )


def _duration(message: Any) -> str:
    seconds, nanos = message.seconds, message.nanos
    sign = "-" if seconds < 0 or nanos < 0 else ""
    fraction = f".{_fraction(abs(nanos))}" if nanos else ""
    return f"{sign}{abs(seconds)}{fraction}s"


def _fraction(nanos: int) -> str:
    """3, 6 or 9 digits."""
    if nanos % 1_000_000 == 0:
        return f"{nanos // 1_000_000:03}"
    if nanos % 1_000 == 0:
        return f"{nanos // 1_000:06}"
    return f"{nanos:09}"


def _by_json_format(message: Message) -> Json:
    return json_format.MessageToDict(message)


def any_to_json(packed: any_pb2.Any) -> dict[str, Json]:
    """An Any with `@type`; one of an unknown type with its bytes, as nothing better is known."""
    result: dict[str, Json] = {"@type": packed.type_url}
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(packed.TypeName())
        message = message_factory.GetMessageClass(descriptor)()
        message.ParseFromString(packed.value)
    except (KeyError, DecodeError):
        return {**result, "value": _bytes(packed.value)}
    value = encoder(descriptor)(message)
    own_mapping = descriptor.full_name in _ENCODERS_OF_KNOWN_TYPES or (
        descriptor.full_name in WRAPPERS
    )
    return {**result, "value": value} if own_mapping else {**result, **value}


_ENCODERS_OF_KNOWN_TYPES: dict[str, Convert] = {
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.Duration": _duration,
    "google.protobuf.Any": any_to_json,
    **dict.fromkeys(JSON_FORMAT_TYPES, _by_json_format),
}
_ENCODERS: dict[str, Convert] = dict(_ENCODERS_OF_KNOWN_TYPES)
