"""Manifests: what is read, and what is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import ConflictError, InvalidArgumentError
from services.k8s_resource.domain.field_ownership import owned
from services.k8s_resource.domain.manifest_plan import defined_kinds
from services.k8s_resource.domain.manifests import name_problem, read_manifest
from services.k8s_resource.domain.redaction import redacted
from services.k8s_resource.domain.yaml_documents import DocumentError, read_documents


def value_of(text: str) -> Any:
    (document,) = read_documents(text)
    return document.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 22:22", {"a": "22:22"}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("a: 2024-01-01T00:00:00Z", {"a": "2024-01-01T00:00:00Z"}),
        ("a: 0644", {"a": 0o644}),
        ("a: 0x1F", {"a": 31}),
        ("a: 1e3", {"a": 1000}),
        ("a: 1.5", {"a": 1.5}),
        ("a: -3", {"a": -3}),
        ("a: 1_000", {"a": 1000}),
        ("a: 100m", {"a": "100m"}),
        ("a: yes", {"a": True}),
        ("a: 'yes'", {"a": "yes"}),
        ("a: y", {"a": "y"}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("a: ''", {"a": ""}),
        ("a: !!str 12", {"a": "12"}),
        ("8080: x\ntrue: y", {"8080": "x", "true": "y"}),
        ("a: &x [1, 2]\nb: *x", {"a": [1, 2], "b": [1, 2]}),
        (
            "base: &b {k: 1, j: 2}\nx:\n  <<: *b\n  k: 3",
            {"base": {"k": 1, "j": 2}, "x": {"k": 3, "j": 2}},
        ),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ('{"a": [1, 2.5, "x\\u00e9", null]}', {"a": [1, 2.5, "x\u00e9", None]}),
        ("{a: 1}", {"a": 1}),
        ("a: " + "9" * 5000, {"a": "9" * 5000}),
    ],
)
def test_scalars_as_kubectl_reads_them(text: str, value: Any) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize(
    ("text", "document", "line", "told"),
    [
        ("a: [1", 0, 2, "not valid YAML"),
        ("a: 1\n---\nb: {\n", 1, 4, "not valid YAML"),
        ("a: 1\nb: 2\na: 3", 0, 3, '"a" twice'),
        ('{"a": {"b": 1, "b": 2}}', 0, 1, '"b" twice'),
        ("a: &x [*x]", 0, 1, "inside the value"),
        ("a: *nowhere", 0, 1, "not defined"),
        ("a: .inf", 0, 1, "JSON"),
        ('{"a": 1e999}', 0, 1, "JSON"),
        ("a: !!python/object:os.system x", 0, 1, "not supported"),
        ("? [a]\n: 1", 0, 1, "as a key"),
        ("a: {{ .Values.x }}", 0, 1, "as a key"),
        ("a: \x01", 0, 1, "does not allow"),
        ("[" * 5000, 0, 1, "deeper than 100"),
        ('{"a":' * 5000, 0, 1, "deeper than 100"),
        ('{"a":' * 5000 + "1" + "}" * 5000, 0, 1, "deeper than 100"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(
    text: str, document: int, line: int, told: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        read_documents(text)
    assert (caught.value.document, caught.value.line) == (document, line)
    assert told in caught.value.problem


def test_a_bomb_of_aliases_is_refused() -> None:
    levels = "".join(f"l{n + 1}: &l{n + 1} [{', '.join([f'*l{n}'] * 10)}]\n" for n in range(20))
    with pytest.raises(DocumentError, match="beyond 16 MiB"):
        read_documents("l0: &l0 [x]\n" + levels)
    big = "a: &a " + "x" * 100_000 + "\nb: [" + ", ".join(["*a"] * 1000) + "]"
    with pytest.raises(DocumentError, match="beyond 16 MiB"):
        read_documents(big)


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        read_manifest(text)
    except InvalidArgumentError as error:
        assert error.violations[0].field == "manifest"  # noqa: PT017 - any text may be right


def test_items_of_lists_are_objects_of_their_document() -> None:
    text = """
apiVersion: v1
kind: ConfigMapList
items:
- metadata: {name: a}
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: b, namespace: x}
---
apiVersion: v1
kind: Secret
metadata: {name: c}
"""
    found = read_manifest(text)
    assert [(o.document, o.line, o.api_version, o.kind, o.namespace, o.name) for o in found] == [
        (0, 5, "v1", "ConfigMap", "", "a"),
        (0, 6, "v1", "ConfigMap", "x", "b"),
        (1, 10, "v1", "Secret", "", "c"),
    ]


def test_every_wrong_document_is_told_at_once() -> None:
    text = "kind: A\n---\napiVersion: v1\nkind: B\nmetadata: {name: 5}\n---\n- 1\n"
    with pytest.raises(InvalidArgumentError) as caught:
        read_manifest(text)
    assert [v.description for v in caught.value.violations] == [
        "document 0, line 1: has no apiVersion",
        "document 1, line 3: metadata.name is not text; put it in quotes",
        "document 2, line 7: is not a mapping; an object has apiVersion, kind and metadata",
    ]


def test_generated_names_cannot_be_applied() -> None:
    with pytest.raises(InvalidArgumentError, match="generateName"):
        read_manifest("apiVersion: v1\nkind: Pod\nmetadata: {generateName: x-}")


@pytest.mark.parametrize("name", ["a", "a-b.c", "0", "x" * 253])
def test_good_names(name: str) -> None:
    assert name_problem(name) == ""


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a%2fb", "A", "-a", "a-", "a..b", "a\n", "x" * 254]
)
def test_bad_names(name: str) -> None:
    assert name_problem(name)


def test_roles_may_have_colons_and_namespaces_no_dots() -> None:
    assert name_problem("system:node", "rbac.authorization.k8s.io", "ClusterRole") == ""
    assert name_problem("a.b", "", "Namespace")


def test_kinds_that_a_definition_brings() -> None:
    (definition,) = read_manifest(
        """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Cluster
  names: {plural: widgets, kind: Widget}
  versions: [{name: v1}, {name: v2}]
"""
    )
    assert [(r.api_version, r.plural, r.namespaced) for r in defined_kinds(definition)] == [
        ("example.com/v1", "widgets", False),
        ("example.com/v2", "widgets", False),
    ]


def test_values_of_secrets_are_hidden_in_errors() -> None:
    (secret,) = read_manifest(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: tops3cret}"
    )
    error = ConflictError("cannot take tops3cret, got &{tops3cret}", metadata={"x": "tops3cret"})
    shown = redacted(error, secret)
    assert isinstance(shown, ConflictError)
    assert "tops3cret" not in f"{shown.message} {shown} {shown.metadata}"
    assert "tops3cret" in error.message


def test_ownership_sees_values_of_owned_fields_only() -> None:
    fields = {
        "f:spec": {
            "f:replicas": {},
            "f:containers": {'k:{"name":"main"}': {".": {}, "f:image": {}}},
            "f:finalizers": {'v:"keep"': {}},
        }
    }

    def made(replicas: int, image: str, other: int) -> dict[str, Any]:
        return {
            "metadata": {
                "resourceVersion": str(other),
                "managedFields": [
                    {"manager": "us", "operation": "Apply", "fieldsV1": fields},
                    {"manager": "them", "operation": "Update", "fieldsV1": {"f:status": {}}},
                ],
            },
            "spec": {
                "replicas": replicas,
                "other": other,
                "finalizers": ["keep"],
                "containers": [{"name": "side"}, {"name": "main", "image": image}],
            },
        }

    before = owned(made(1, "a", 1), "us")
    assert before == owned(made(1, "a", 2), "us")
    assert before != owned(made(2, "a", 1), "us")
    assert before != owned(made(1, "b", 1), "us")
    assert owned(made(1, "a", 1), "nobody") == []
