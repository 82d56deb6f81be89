"""What changed in an object: exact, so that the changes make the new object of the old."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.k8s_resource.domain.watching.field_changes import FieldChange, field_changes
from tests.json_pointers import with_changes

_SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab/~", max_size=3)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(st.sampled_from(["spec", "status", "data", "a/b"]), _VALUES)


def changes(old: Any, new: Any) -> list[FieldChange] | None:
    return field_changes(msgspec.json.encode(old), msgspec.json.encode(new))


def shown(old: Any, new: Any) -> list[tuple[str, str, str]]:
    # The padding keeps the changes smaller than the object.
    padding = {"padding": "x" * 1000}
    found = changes(old | padding, new | padding)
    assert found is not None
    return [(change.path, change.old, change.new) for change in found]


@given(_OBJECTS, _OBJECTS)
def test_the_changes_make_the_new_object_of_the_old(old: Any, new: Any) -> None:
    found = changes(old | {"padding": "x" * 4000}, new | {"padding": "x" * 4000})
    assert found is not None
    made = with_changes(old, [(change.path, change.new) for change in found])
    assert msgspec.json.encode(made, order="sorted") == msgspec.json.encode(new, order="sorted")
    assert len({change.path for change in found}) == len(found)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 2}, [("/a", "1", "2")]),
        ({"a": 1}, {"a": True}, [("/a", "1", "true")]),
        ({}, {"a": {"b": None}}, [("/a", "", '{"b":null}')]),
        ({"a": {"b": None}}, {"a": {}}, [("/a/b", "null", "")]),
        (
            {"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
            {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
            [("/status/conditions/0/status", '"False"', '"True"')],
        ),
        ({"a": [1]}, {"a": [1, 2]}, [("/a", "[1]", "[1,2]")]),
        ({"a": {"x/y~z": 1}}, {"a": {"x/y~z": 2}}, [("/a/x~1y~0z", "1", "2")]),
        ({"a": {"b": 1}}, {"a": [1]}, [("/a", '{"b":1}', "[1]")]),
        (
            {"metadata": {"resourceVersion": "1", "managedFields": [1], "labels": {"l": "m"}}},
            {"metadata": {"resourceVersion": "2", "managedFields": [2], "labels": {"l": "n"}}},
            [("/metadata/labels/l", '"m"', '"n"')],
        ),
        ({"metadata": {"resourceVersion": "1"}}, {"metadata": {"resourceVersion": "2"}}, []),
    ],
)
def test_places_are_json_pointers(old: Any, new: Any, expected: list[tuple[str, str, str]]) -> None:
    assert shown(old, new) == expected


def test_changes_that_are_no_smaller_than_the_object_are_not_told_one_by_one() -> None:
    assert changes({"data": {"k": "x" * 100}}, {"data": {"k": "y" * 100}}) is None
    many = {str(number): 0 for number in range(300)}
    assert changes({"data": many}, {"data": dict.fromkeys(many, 1), "pad": "x" * 100_000}) is None
