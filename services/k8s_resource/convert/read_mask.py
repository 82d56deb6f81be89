"""Partial answers: AIP-157's read_mask, applied to lists that are already encoded.

A list is read as a message that knows only the wanted fields, forgets the rest, and is
written again, all of it by protobuf's C code: 25 µs for 100 pods. In such a message every
field is repeated, and strings and messages are bytes: that keeps each field as it is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask

from services.common.errors import FieldViolation, InvalidArgumentError

_EVERYTHING = "*"
_BYTES = (
    FieldDescriptor.TYPE_STRING,
    FieldDescriptor.TYPE_BYTES,
    FieldDescriptor.TYPE_MESSAGE,
)

Paths = tuple[str, ...]
_Tree = dict[str, "_Tree | None"]
"""Wanted fields by name; None for the whole field."""


def parse_read_mask(mask: FieldMask, item: Any, *, field: str = "read_mask") -> Paths:
    """The paths of a mask over messages like `item`; empty for everything.

    InvalidArgumentError naming every path that is none, and what there is instead.
    """
    paths = tuple(sorted({path.strip() for path in mask.paths}))
    problems = [
        FieldViolation(field, problem)
        for path in paths
        if path != _EVERYTHING and (problem := _problem(path, item.DESCRIPTOR))
    ]
    if problems:
        raise InvalidArgumentError.fields(problems)
    return () if _EVERYTHING in paths else paths


def masked(items: bytes, paths: Paths, item: Any, field: int) -> bytes:
    """The repeated field `field` of encoded messages like `item`, with only these paths."""
    if not paths:
        return items
    message = _list_class(item.DESCRIPTOR, paths, field).FromString(items)
    message.DiscardUnknownFields()
    kept: bytes = message.SerializeToString()
    return kept


def _problem(path: str, descriptor: Descriptor) -> str:
    found: Descriptor | None = descriptor
    parts = path.split(".")
    for index, part in enumerate(parts):
        if found is None:
            return f'"{path}": {".".join(parts[:index])} has no fields; it can only be taken whole'
        known = found.fields_by_name.get(part)
        if known is None:
            names = ", ".join(each.name for each in found.fields)
            return f'"{path}": "{part}" is not a field of {found.name}; its fields: {names}'
        found = None if known.is_repeated else known.message_type
    return ""


def _tree(paths: Paths) -> _Tree:
    root: _Tree = {}
    for path in paths:
        node = root
        *parents, last = path.split(".")
        for part in parents:
            child = node.setdefault(part, {})
            if child is None:
                break
            node = child
        else:
            node[last] = None
    return root


@lru_cache(maxsize=256)
def _list_class(item: Descriptor, paths: Paths, field: int) -> Any:
    """The class of a list that knows only these paths of its items."""
    file = descriptor_pb2.FileDescriptorProto(name="masked.proto", package="masked")
    wanted = file.message_type.add(name="Item")
    _define(wanted, item, _tree(paths), ".masked.Item")
    listed = file.message_type.add(name="List")
    _add(listed, "items", field, FieldDescriptor.TYPE_MESSAGE, ".masked.Item")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("masked.List"))


def _define(
    target: descriptor_pb2.DescriptorProto, source: Descriptor, tree: _Tree, name: str
) -> None:
    for field_name, below in tree.items():
        field = source.fields_by_name[field_name]
        if below is None:
            kind = FieldDescriptor.TYPE_BYTES if field.type in _BYTES else field.type
            if kind == FieldDescriptor.TYPE_ENUM:
                kind = FieldDescriptor.TYPE_INT32
            _add(target, field_name, field.number, kind)
            continue
        nested = target.nested_type.add(name=f"Of_{field_name}")
        below_name = f"{name}.{nested.name}"
        within: Any = field.message_type
        _define(nested, within, below, below_name)
        _add(target, field_name, field.number, FieldDescriptor.TYPE_MESSAGE, below_name)


def _add(
    target: descriptor_pb2.DescriptorProto, name: str, number: int, kind: int, of: str = ""
) -> None:
    field = target.field.add(name=name, number=number)
    field.label = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    field.type = descriptor_pb2.FieldDescriptorProto.Type.ValueType(kind)
    if of:
        field.type_name = of
