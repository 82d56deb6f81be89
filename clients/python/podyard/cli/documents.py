"""Answers as JSON and YAML: proto JSON, with fields that hold JSON embedded as values."""

from __future__ import annotations

from typing import Any

import orjson


def to_document(message: Any) -> Any:
    """A message as plain values in proto JSON's form.

    String fields with the option `raw_json` become the document that they hold.
    """
    from google.protobuf.json_format import MessageToDict

    document = MessageToDict(message, always_print_fields_with_no_presence=True)
    if _holds_raw_json(message.DESCRIPTOR):
        _embed(document, message.DESCRIPTOR)
    return document


def to_json(document: Any) -> str:
    """Indented JSON."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def to_json_line(document: Any) -> str:
    """JSON on one line."""
    return orjson.dumps(document).decode()


def to_yaml(document: Any) -> str:
    """YAML in block style, without a final line end."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(
        document, Dumper=dumper, sort_keys=False, allow_unicode=True, default_flow_style=False
    )
    return text.rstrip("\n")


def _embed(document: dict[str, Any], descriptor: Any) -> None:
    for field in descriptor.fields:
        value = document.get(field.json_name)
        if not value:
            continue
        if _is_raw_json(field):
            document[field.json_name] = _parsed(value)
        elif field.message_type is not None and _holds_raw_json(field.message_type):
            for item in value if isinstance(value, list) else [value]:
                _embed(item, field.message_type)


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _is_raw_json(field: Any) -> bool:
    from podyard.common.v1 import options_pb2

    return bool(field.GetOptions().Extensions[options_pb2.raw_json])


def _holds_raw_json(descriptor: Any) -> bool:
    return _search_raw_json(descriptor.full_name, descriptor)


_found: dict[str, bool] = {}


def _search_raw_json(name: str, descriptor: Any) -> bool:
    """Whether a message type or one inside it has such a field; well-known types have none."""
    if name not in _found:
        _found[name] = False  # ends the search in types that contain themselves
        _found[name] = any(
            _is_raw_json(field)
            or (
                field.message_type is not None
                and field.message_type.full_name.startswith("podyard.")
                and not field.message_type.GetOptions().map_entry
                and _search_raw_json(field.message_type.full_name, field.message_type)
            )
            for field in descriptor.fields
        )
    return _found[name]
