"""The request message of an HTTP call, from path, query and body.

A field comes from one place only: what the path or the body gives, the query
cannot, or a checked value could be overridden unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_plus

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.problems import HttpError
from gateway.transcoding.decoding import (
    FIELD_MASK,
    fields_by_key,
    is_map,
    read_field_mask,
    read_message,
    read_text,
    scalar_reader,
    unknown_field,
)
from gateway.transcoding.encoding import WRAPPERS
from gateway.transcoding.routes import Match
from services.common.errors import FieldViolation, InvalidArgumentError

_TEXT_MESSAGES = frozenset({"google.protobuf.Timestamp", "google.protobuf.Duration"})


def read_request(match: Match, query: bytes, body: bytes, content_type: str) -> Message:
    """The message; InvalidArgumentError naming every bad field, HttpError 415 for a body that is no JSON."""
    route = match.route
    message = route.method.request_class()
    problems: list[FieldViolation] = []
    if body:
        if not route.binding.body:
            raise InvalidArgumentError.field("body", "this method takes none; give fields as query")
        _read_body(message, route.binding.body, _json(body, content_type), problems)
    for field_path, text in match.variables.items():
        _read_path_variable(message, field_path, text, problems)
    if query:
        pairs = _pairs(query)
        _read_query(message, route.binding.body, match.variables, pairs, problems)
    if problems:
        raise InvalidArgumentError.fields(problems)
    return message


def _json(body: bytes, content_type: str) -> Any:
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise HttpError(
            415,
            InvalidArgumentError(
                "the body must be JSON; send it with the header Content-Type: application/json",
                reason="UNSUPPORTED_MEDIA_TYPE",
            ),
        )
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidArgumentError.field(
            "body", f"is not valid JSON: {error}", reason="BAD_JSON"
        ) from None


def _read_body(message: Any, body_field: str, value: Any, problems: list[FieldViolation]) -> None:
    if body_field == "*":
        read_message(message, value, "", problems)
        return
    target = getattr(message, body_field)
    target.SetInParent()
    read_message(target, value, body_field, problems)


def _read_path_variable(
    message: Any, field_path: str, text: str, problems: list[FieldViolation]
) -> None:
    target, field = _resolve(message, field_path.split("."))
    try:
        value = scalar_reader(field, text=True)(text)
    except ValueError as error:
        problems.append(FieldViolation(field_path, str(error)))
        return
    given = getattr(target, field.name)
    if given and given != value:
        text = f'the body says "{given}" and the path "{value}"; leave it out of the body'
        problems.append(FieldViolation(field_path, text))
        return
    setattr(target, field.name, value)


def _resolve(message: Any, names: list[str]) -> tuple[Any, FieldDescriptor]:
    for name in names[:-1]:
        message = getattr(message, name)
    return message, message.DESCRIPTOR.fields_by_name[names[-1]]


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        text = query.decode("ascii")
        return [
            (unquote_plus(key, errors="strict"), unquote_plus(value, errors="strict"))
            for key, _, value in (part.partition("=") for part in text.split("&") if part)
        ]
    except UnicodeDecodeError:
        raise InvalidArgumentError(
            "the query is not percent-encoded UTF-8", reason="BAD_QUERY"
        ) from None


def _read_query(
    message: Any,
    body_field: str,
    variables: Iterable[str],
    pairs: list[tuple[str, str]],
    problems: list[FieldViolation],
) -> None:
    taken = frozenset(variables)
    singular: set[str] = set()
    for key, text in pairs:
        if body_field == "*":
            problems.append(FieldViolation(key, "this method takes its fields in the body"))
            continue
        try:
            owner, field, path = _find(message, key)
            if path in taken:
                raise ValueError("is given by the path")
            if body_field and path.partition(".")[0] == body_field:
                raise ValueError("is given by the body")
            if not field.is_repeated:
                if path in singular:
                    raise ValueError("is given more than once")
                singular.add(path)
                oneof = field.containing_oneof
                if oneof is not None and owner().WhichOneof(oneof.name) is not None:
                    other = owner().WhichOneof(oneof.name)
                    raise ValueError(f'cannot be given together with "{other}"')
            _set_from_text(owner(), field, text)
        except ValueError as error:
            problems.append(FieldViolation(key, str(error)))


def _find(message: Any, key: str) -> tuple[Callable[[], Any], FieldDescriptor, str]:
    """The message that a key's field is in (made only when called), the field, its proto path."""
    descriptor: Descriptor = message.DESCRIPTOR
    *parents, last = key.split(".")
    names: list[str] = []
    for part in parents:
        field = _field(descriptor, part)
        nested = field.message_type
        if nested is None or field.is_repeated or nested.full_name.startswith("google.protobuf."):
            raise ValueError(f'"{part}" has no fields')
        descriptor = nested
        names.append(field.name)
    field = _field(descriptor, last)
    return lambda: _walk(message, names), field, ".".join((*names, field.name))


def _field(descriptor: Descriptor, key: str) -> FieldDescriptor:
    field = fields_by_key(descriptor).get(key)
    if field is None:
        raise ValueError(unknown_field(key, descriptor))
    return field


def _walk(message: Any, names: list[str]) -> Any:
    for name in names:
        message = getattr(message, name)
    return message


def _set_from_text(target: Any, field: FieldDescriptor, text: str) -> None:
    if is_map(field) or (field.message_type is not None and field.is_repeated):
        raise ValueError("cannot be given in a query")
    if field.message_type is None:
        value = scalar_reader(field, text=True)(text)
        if field.is_repeated:
            getattr(target, field.name).append(value)
        else:
            setattr(target, field.name, value)
        return
    name = field.message_type.full_name
    child = getattr(target, field.name)
    if name in _TEXT_MESSAGES:
        read_text(child, text)
    elif name in WRAPPERS:
        child.value = scalar_reader(field.message_type.fields_by_name["value"], text=True)(text)
    elif name == FIELD_MASK:
        read_field_mask(child, text)
    else:
        raise ValueError(f'is a message; give its fields, such as "{field.json_name}.field=…"')
    child.SetInParent()
