"""A message type with every kind of field, for tests of JSON."""

from __future__ import annotations

from typing import Any

from google.protobuf import (  # the imports make the types known to the pool
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)

PACKAGE = "podyard.test.everything"
SCALARS = (
    *("double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string"),
    *("bytes", "uint32", "sfixed32", "sfixed64", "sint32", "sint64"),
)
MESSAGES: dict[str, Any] = {
    "timestamp": timestamp_pb2.Timestamp,
    "duration": duration_pb2.Duration,
    "any": any_pb2.Any,
    "mask": field_mask_pb2.FieldMask,
    "struct": struct_pb2.Struct,
    "value": struct_pb2.Value,
    "list_value": struct_pb2.ListValue,
    "empty": empty_pb2.Empty,
    "wrapped_bool": wrappers_pb2.BoolValue,
    "wrapped_bytes": wrappers_pb2.BytesValue,
    "wrapped_double": wrappers_pb2.DoubleValue,
    "wrapped_float": wrappers_pb2.FloatValue,
    "wrapped_int32": wrappers_pb2.Int32Value,
    "wrapped_int64": wrappers_pb2.Int64Value,
    "wrapped_string": wrappers_pb2.StringValue,
    "wrapped_uint32": wrappers_pb2.UInt32Value,
    "wrapped_uint64": wrappers_pb2.UInt64Value,
}
KEYS = ("bool", "int32", "int64", "uint64", "string")

_Field = descriptor_pb2.FieldDescriptorProto


def _type(name: str) -> Any:
    return _Field.Type.Value(f"TYPE_{name.upper()}")


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="podyard/test/everything.proto", package=PACKAGE, syntax="proto3"
    )
    modules = [any_pb2, duration_pb2, empty_pb2, field_mask_pb2]
    modules += [struct_pb2, timestamp_pb2, wrappers_pb2]
    file.dependency.extend(module.DESCRIPTOR.name for module in modules)
    colour = file.enum_type.add(name="Colour")
    for number, name in ((0, "COLOUR_UNSPECIFIED"), (1, "COLOUR_RED"), (-7, "COLOUR_ODD")):
        colour.value.add(name=name, number=number)
    message = file.message_type.add(name="Everything")
    numbers = iter(range(1, 1000))

    def add(name: str, **options: Any) -> descriptor_pb2.FieldDescriptorProto:
        options.setdefault("label", _Field.LABEL_OPTIONAL)
        field: descriptor_pb2.FieldDescriptorProto = message.field.add(
            name=name, number=next(numbers), **options
        )
        return field

    for kind in SCALARS:
        add(f"one_{kind}", type=_type(kind))
        add(f"many_{kind}", type=_type(kind), label=_Field.LABEL_REPEATED)
        message.oneof_decl.add(name=f"_maybe_{kind}")
        index = len(message.oneof_decl) - 1
        add(f"maybe_{kind}", type=_type(kind), proto3_optional=True, oneof_index=index)
    typed = {
        "colour": (_Field.TYPE_ENUM, f".{PACKAGE}.Colour"),
        "null": (_Field.TYPE_ENUM, ".google.protobuf.NullValue"),
        "child": (_Field.TYPE_MESSAGE, f".{PACKAGE}.Everything"),
        **{
            name: (_Field.TYPE_MESSAGE, f".{cls.DESCRIPTOR.full_name}")
            for name, cls in MESSAGES.items()
        },
    }
    for name, (kind_number, type_name) in typed.items():
        add(f"one_{name}", type=kind_number, type_name=type_name)
        if name != "null":
            repeated = _Field.LABEL_REPEATED
            add(f"many_{name}", type=kind_number, type_name=type_name, label=repeated)
    for key in KEYS:
        _add_map(message, add, key, "string", _Field.TYPE_STRING, "")
    _add_map(message, add, "string", "double", _Field.TYPE_DOUBLE, "")
    _add_map(message, add, "string", "sint64", _Field.TYPE_SINT64, "")
    _add_map(message, add, "string", "colour", *typed["colour"])
    _add_map(message, add, "int32", "child", *typed["child"])
    choice = _last_oneof(message)
    add("choice_text", type=_Field.TYPE_STRING, oneof_index=choice)
    add("choice_child", type=typed["child"][0], type_name=typed["child"][1], oneof_index=choice)
    return file


def _last_oneof(message: descriptor_pb2.DescriptorProto) -> int:
    # Real oneofs must come before the synthetic ones of optional fields.
    message.oneof_decl.insert(0, descriptor_pb2.OneofDescriptorProto(name="choice"))
    for field in message.field:
        if field.HasField("oneof_index"):
            field.oneof_index += 1
    return 0


def _add_map(
    message: descriptor_pb2.DescriptorProto,
    add: Any,
    key: str,
    value: str,
    value_type: Any,
    type_name: str,
) -> None:
    name = f"map_{key}_{value}"
    entry = message.nested_type.add(name=f"Map{key.title()}{value.title()}Entry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_type(key), label=_Field.LABEL_OPTIONAL)
    content = entry.field.add(name="value", number=2, type=value_type, label=_Field.LABEL_OPTIONAL)
    if type_name:
        content.type_name = type_name
    add(
        name,
        type=_Field.TYPE_MESSAGE,
        type_name=f".{PACKAGE}.Everything.{entry.name}",
        label=_Field.LABEL_REPEATED,
    )


_pool = descriptor_pool.Default()
_pool.AddSerializedFile(_file().SerializeToString())
Everything: Any = message_factory.GetMessageClass(
    _pool.FindMessageTypeByName(f"{PACKAGE}.Everything")
)
