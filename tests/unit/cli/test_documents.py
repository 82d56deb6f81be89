"""Proto JSON with embedded documents, and names of enum values."""

from __future__ import annotations

import json

import pytest
import yaml
from podyard.cli import documents
from podyard.cli.words import enum_number, enum_word
from podyard.common.v1 import operation_pb2
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as k8s
from podyard.k8s_resource.v1 import objects_pb2, watch_pb2


def test_raw_json_is_embedded_at_any_depth() -> None:
    answer = k8s.ListObjectsResponse()
    answer.objects.add(json='{"kind": "Pod", "spec": {"n": 1}}', labels={"a": "b"})
    answer.objects.add(json="not json")
    objects = documents.to_document(answer)["objects"]
    assert objects[0]["json"] == {"kind": "Pod", "spec": {"n": 1}}
    assert objects[0]["labels"] == {"a": "b"}
    assert objects[1]["json"] == "not json"
    event = watch_pb2.WatchEvent(json="[1, 2]")
    assert documents.to_document(event)["json"] == [1, 2]


def test_zero_and_empty_values_are_present() -> None:
    document = documents.to_document(objects_pb2.Pod(name="a"))
    assert (document["ready"], document["restartCount"], document["labels"]) == (False, 0, {})


def test_text_survives_json_and_yaml() -> None:
    document = {"name": "Größe 模型", "text": "a\nb: c", "truth": "yes", "number": "1"}
    assert json.loads(documents.to_json(document)) == document
    assert json.loads(documents.to_json_line(document)) == document
    assert "\n" not in documents.to_json_line(document)
    assert yaml.safe_load(documents.to_yaml(document)) == document


def test_enum_words() -> None:
    operation = operation_pb2.Operation(state=operation_pb2.OPERATION_STATE_RUNNING)
    assert enum_word(operation, "state") == "RUNNING"
    assert enum_word(watch_pb2.WatchEvent(), "type") == "UNSPECIFIED"
    assert enum_number(operation, "state", "failed") == operation_pb2.OPERATION_STATE_FAILED
    for bad in ("", "done", "unspecified", "OPERATION_STATE_FAILED"):
        with pytest.raises(ValueError, match="queued, running, cancelling"):
            enum_number(operation, "state", bad)


def test_an_enum_value_of_a_newer_service_is_shown_as_number() -> None:
    newer = operation_pb2.Operation()
    newer.ParseFromString(b"\x20\x63")  # field 4 (state) = 99
    assert enum_word(newer, "state") == "99"
