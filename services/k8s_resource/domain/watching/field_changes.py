"""What changed from one version of an object to the next, by path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

_Raw = dict[str, msgspec.Raw]
_MOST = 256
"""More changes than this are no help to a reader."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """`path` is a JSON pointer (RFC 6901); `old` and `new` are JSON, empty where there is none."""

    path: str
    old: str
    new: str


def field_changes(old: bytes, new: bytes) -> list[FieldChange] | None:
    """The changes from one object to the next, in order of path.

    metadata.managedFields and metadata.resourceVersion are left out. None if the changes
    together are not smaller than the object, or more than `_MOST`.
    """
    before, after = _sections(old), _sections(new)
    found: list[FieldChange] = []
    size = 0
    for name in sorted(before.keys() | after.keys()):
        left, right = before.get(name), after.get(name)
        if left is not None and right is not None:
            if bytes(left) == bytes(right):
                continue
            pairs = _differences("/" + _escaped(name), _value(left), _value(right))
        else:
            pairs = iter([("/" + _escaped(name), _value(left), _value(right))])
        for path, was, is_ in pairs:
            change = FieldChange(path, _json(was), _json(is_))
            found.append(change)
            size += len(path) + len(change.old) + len(change.new)
            if size >= len(new) or len(found) > _MOST:
                return None
    return found


_NONE = object()


def _sections(text: bytes) -> _Raw:
    """The top level of an object, with metadata's fields beside the others to skip two of them."""
    document = msgspec.json.decode(text, type=_Raw)
    metadata = msgspec.json.decode(document.get("metadata", b"{}"), type=_Raw)
    metadata.pop("resourceVersion", None)
    metadata.pop("managedFields", None)
    document["metadata"] = msgspec.Raw(msgspec.json.encode(metadata))
    return document


def _value(raw: msgspec.Raw | None) -> Any:
    return _NONE if raw is None else msgspec.json.decode(raw)


def _json(value: Any) -> str:
    return "" if value is _NONE else msgspec.json.encode(value).decode()


def _differences(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from _differences(
                f"{path}/{_escaped(name)}", old.get(name, _NONE), new.get(name, _NONE)
            )
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{path}/{index}", left, right)
    elif type(old) is not type(new) or old != new:
        yield path, old, new


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
