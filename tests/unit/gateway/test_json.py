"""JSON out and in, against protobuf's own json_format."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from google.protobuf import any_pb2, json_format
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as k8s_pb
from podyard.k8s_resource.v1 import objects_pb2, watch_pb2

from gateway.transcoding.decoding import read_message
from gateway.transcoding.encoding import any_to_json, encode
from gateway.transcoding.remembered import Fragments, ResponseEncoder
from services.common.errors import FieldViolation
from tests.unit.gateway.everything import KEYS, MESSAGES, SCALARS, Everything

MIN_SECONDS, MAX_SECONDS = -62_135_596_800, 253_402_300_799
MAX_DURATION = 315_576_000_000

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = {
    "double": st.floats(),
    # json_format writes the largest floats with nine digits, and then refuses them as too large.
    "float": st.floats(width=32).filter(lambda x: not 3.4e38 < abs(x) < math.inf),
    **{f"{p}int32": st.integers(-(2**31), 2**31 - 1) for p in ("", "s")},
    **{f"{p}int64": st.integers(-(2**63), 2**63 - 1) for p in ("", "s")},
    "sfixed32": st.integers(-(2**31), 2**31 - 1),
    "sfixed64": st.integers(-(2**63), 2**63 - 1),
    **{name: st.integers(0, 2**32 - 1) for name in ("uint32", "fixed32")},
    **{name: st.integers(0, 2**64 - 1) for name in ("uint64", "fixed64")},
    "bool": st.booleans(),
    "string": texts,
    "bytes": st.binary(max_size=8),
}
nanos = st.integers(0, 999_999_999) | st.sampled_from([0, 5_000_000, 7_000, 120_000_000])
colours = st.sampled_from([0, 1, -7, 42])
json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def timestamp(draw: Any, target: Any) -> None:
    target.seconds = draw(st.integers(MIN_SECONDS, MAX_SECONDS))
    target.nanos = draw(nanos)


def duration(draw: Any, target: Any) -> None:
    sign = draw(st.sampled_from([1, -1]))
    target.seconds = sign * draw(st.integers(0, MAX_DURATION) | st.just(0))
    target.nanos = sign * draw(nanos)


def packed(draw: Any, target: Any) -> None:
    kind = draw(st.integers(0, 2))
    if kind == 0:
        target.Pack(error_details_pb2.ErrorInfo(reason=draw(texts), metadata={"k": draw(texts)}))
    elif kind == 1:
        inner = MESSAGES["duration"]()
        duration(draw, inner)
        target.Pack(inner)
    else:
        target.Pack(MESSAGES["wrapped_int64"](value=draw(numbers["int64"])))


def fill_message(draw: Any, name: str, target: Any) -> None:
    target.SetInParent()
    if name == "timestamp":
        timestamp(draw, target)
    elif name == "duration":
        duration(draw, target)
    elif name == "any":
        packed(draw, target)
    elif name == "mask":
        target.paths.extend(draw(st.lists(st.sampled_from(["a", "b_c", "d.e_f"]), max_size=2)))
    elif name in ("struct", "value", "list_value"):
        kinds = {"struct": dict, "list_value": list}
        content = draw(json_values.filter(lambda v: isinstance(v, kinds.get(name, object))))
        json_format.ParseDict(content, target)
    elif name.startswith("wrapped_"):
        target.value = draw(numbers[name.removeprefix("wrapped_")])


@st.composite
def messages(draw: Any, depth: int = 2) -> Any:
    message = Everything()
    for kind in draw(st.sets(st.sampled_from(SCALARS), max_size=4)):
        setattr(message, f"one_{kind}", draw(numbers[kind]))
        getattr(message, f"many_{kind}").extend(draw(st.lists(numbers[kind], max_size=3)))
        if draw(st.booleans()):
            setattr(message, f"maybe_{kind}", draw(numbers[kind]))
    for name in draw(st.sets(st.sampled_from(sorted(MESSAGES)), max_size=4)):
        fill_message(draw, name, getattr(message, f"one_{name}"))
        fill_message(draw, name, getattr(message, f"many_{name}").add())
    message.one_colour = draw(colours)
    message.many_colour.extend(draw(st.lists(colours, max_size=2)))
    for key in draw(st.sets(st.sampled_from(KEYS), max_size=2)):
        getattr(message, f"map_{key}_string")[draw(numbers[key])] = draw(texts)
    message.map_string_double.update(draw(st.dictionaries(texts, st.floats(), max_size=2)))
    message.map_string_sint64.update(draw(st.dictionaries(texts, numbers["int64"], max_size=2)))
    message.map_string_colour.update(draw(st.dictionaries(texts, colours, max_size=2)))
    if depth and draw(st.booleans()):
        message.one_child.CopyFrom(draw(messages(depth - 1)))
        message.map_int32_child[draw(numbers["int32"])].CopyFrom(draw(messages(depth - 1)))
    choice = draw(st.integers(0, 2))
    if choice == 1:
        message.choice_text = draw(texts)
    elif choice == 2:
        message.choice_child.SetInParent()
    return message


property_test = settings(max_examples=150, suppress_health_check=list(HealthCheck))


def standard(message: Any) -> Any:
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


def read(value: Any, message: Any) -> list[FieldViolation]:
    problems: list[FieldViolation] = []
    read_message(message, value, "", problems)
    return problems


@property_test
@given(messages())
def test_output_is_that_of_json_format(message: Any) -> None:
    assert orjson.loads(encode(message)) == orjson.loads(orjson.dumps(standard(message)))


@property_test
@given(messages(), st.booleans())
def test_input_is_that_of_json_format(message: Any, proto_names: bool) -> None:
    text = json_format.MessageToJson(message, preserving_proto_field_name=proto_names)
    expected, found = Everything(), Everything()
    json_format.Parse(text, expected)
    assert read(orjson.loads(text), found) == []
    # NaN is unlike itself, so the bytes are compared.
    assert found.SerializeToString(deterministic=True) == expected.SerializeToString(
        deterministic=True
    )


SOME_JSON = json_values | st.sampled_from(
    ["1", "-1", "1.5", "NaN", "2026-01-31T08:30:00Z", "3.5s", "AQ==", "COLOUR_RED", 2**31, 2**63]
)


@property_test
@given(
    st.dictionaries(
        st.sampled_from([field.json_name for field in Everything.DESCRIPTOR.fields]),
        SOME_JSON,
        max_size=3,
    )
)
def test_any_json_is_read_or_told(value: dict[str, Any]) -> None:
    message = Everything()
    problems = read(value, message)
    for problem in problems:
        assert any(problem.field.startswith(key) for key in value)
        assert problem.description
    if not problems:
        encode(message)


def test_raw_json_is_embedded_and_stays_on_one_line() -> None:
    message = objects_pb2.KubernetesObject(json='{"a":\n [1,\r\n2]}')
    text = encode(message)
    assert b"\n" not in text
    assert b"\r" not in text
    assert orjson.loads(text) == {"labels": {}, "json": {"a": [1, 2]}}


def test_an_empty_raw_json_is_absent() -> None:
    assert "json" not in orjson.loads(encode(watch_pb2.WatchEvent()))


def test_fields_come_in_the_order_of_the_proto() -> None:
    pod = objects_pb2.Pod(name="a")
    pod.create_time.seconds = 1
    keys = list(orjson.loads(encode(pod)))
    assert keys[:6] == ["name", "namespace", "uid", "labels", "createTime", "phase"]


def test_an_any_of_an_unknown_type_keeps_its_bytes() -> None:
    packed_value = any_pb2.Any(type_url="type.googleapis.com/nobody.Knows", value=b"\x01")
    assert any_to_json(packed_value) == {
        "@type": "type.googleapis.com/nobody.Knows",
        "value": "AQ==",
    }


@pytest.mark.parametrize(
    ("value", "field", "text"),
    [
        ({"oneInt32": 2**31}, "oneInt32", "from -2147483648 to 2147483647"),
        ({"oneInt32": True}, "oneInt32", "whole number"),
        ({"oneInt64": "9223372036854775808"}, "oneInt64", "from"),
        ({"oneUint32": -1}, "oneUint32", "from 0"),
        ({"oneBool": "true"}, "oneBool", "true or false"),
        ({"oneString": 1}, "oneString", "string"),
        ({"oneBytes": "!"}, "oneBytes", "base64"),
        ({"oneFloat": 1e39}, "oneFloat", "32-bit"),
        ({"oneColour": "COLOUR_BLUE"}, "oneColour", "COLOUR_RED"),
        ({"oneTimestamp": "yesterday"}, "oneTimestamp", "RFC 3339"),
        ({"oneDuration": 5}, "oneDuration", "3.5s"),
        ({"manyInt32": [1, "x"]}, "manyInt32[1]", "whole number"),
        ({"manyInt32": 1}, "manyInt32", "array"),
        (
            {"mapInt32Child": {"1": {"oneChild": {"nope": 1}}}},
            'mapInt32Child["1"].oneChild.nope',
            "field",
        ),
        ({"mapInt32String": {"x": ""}}, 'mapInt32String["x"]', "key"),
        ({"one_int32": 1, "oneInt32": 2}, "oneInt32", "same field"),
        ({"choiceText": "a", "choiceChild": {}}, "choiceChild", "together"),
        ({"oneChild": []}, "oneChild", "object"),
        ({"onInt32": 1}, "onInt32", 'did you mean "oneInt32"'),
        ({"oneDouble": "1_000"}, "oneDouble", "must be a number"),
        ({"oneDouble": "\u0663"}, "oneDouble", "must be a number"),
        ({"oneDouble": " 1"}, "oneDouble", "must be a number"),
        ({"oneDouble": "nan"}, "oneDouble", "must be a number"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(value: Any, field: str, text: str) -> None:
    problems = read(value, Everything())
    assert [problem.field for problem in problems] == [field]
    assert text in problems[0].description


def test_every_problem_is_told_at_once() -> None:
    problems = read({"oneInt32": "x", "oneBool": 1, "nope": None}, Everything())
    assert [problem.field for problem in problems] == ["oneInt32", "oneBool", "nope"]


def test_null_leaves_a_field_alone() -> None:
    message = Everything()
    assert read({"oneInt32": None, "manyInt32": None, "oneChild": None}, message) == []
    assert not message.ListFields()


def test_floats_as_short_as_they_can_be() -> None:
    message = Everything(one_float=0.1, one_double=0.1, many_float=[math.inf, 3.4028235e38])
    found = orjson.loads(encode(message))
    assert (found["oneFloat"], found["oneDouble"]) == (0.1, 0.1)
    assert found["manyFloat"] == ["Infinity", 3.4028235e38]


@given(messages())
def test_remembered_entries_make_the_same_json(message: Any) -> None:
    encoder = ResponseEncoder(type(message), Fragments())
    encoded = message.SerializeToString()
    expected = orjson.loads(encode(message))  # maps have no order
    assert orjson.loads(encoder.encode(encoded)) == expected
    assert orjson.loads(encoder.encode(encoded)) == expected, "now from what is remembered"


def test_an_entry_is_encoded_once_and_again_when_it_changed() -> None:
    made: list[bytes] = []

    def make(data: bytes) -> bytes:
        made.append(data)
        return data

    fragments = Fragments(max_bytes=2_000)
    for data in (b"a", b"b", b"a", b"b"):
        assert fragments.get("kind", data, make) == data
    assert made == [b"a", b"b"]
    assert fragments.get("other kind", b"a", lambda _: b"other") == b"other"
    for number in range(100):
        fragments.get("kind", b"%d" % number, make)
    fragments.get("kind", b"a", make)
    assert made.count(b"a") == 2, "what is not used goes when there is too much"


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\x05a", b"\x0b", b"\xff" * 12, b"\x09abc"])
def test_what_is_no_message_is_an_error_of_decoding(data: bytes) -> None:
    with pytest.raises(DecodeError):
        ResponseEncoder(k8s_pb.ListPodsResponse, Fragments()).encode(data)
