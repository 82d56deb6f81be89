"""Kinds by the names that kubectl takes."""

from __future__ import annotations

import pytest

from services.k8s_resource.domain.discovery import KindIndex
from services.k8s_resource.domain.discovery_documents import ResourceType
from services.k8s_resource.domain.resources import Resource


def kind(group: str, version: str, plural: str, kind: str, *short: str) -> ResourceType:
    return ResourceType(Resource(group, version, plural, kind), kind.lower(), short)


INDEX = KindIndex(
    [
        kind("", "v1", "pods", "Pod", "po"),
        kind("", "v1", "events", "Event", "ev"),
        kind("events.k8s.io", "v1", "events", "Event", "ev"),
        kind("apps", "v1", "deployments", "Deployment", "deploy"),
        kind("apps", "v1beta1", "deployments", "Deployment", "deploy"),
        kind("example.com", "v1", "po", "Po"),
        kind("sagemaker.amazonaws.com", "v1", "hyperpodpytorchjobs", "HyperPodPyTorchJob"),
    ]
)


@pytest.mark.parametrize(
    ("name", "full", "version"),
    [
        ("pods", "pods", "v1"),
        ("Pod", "pods", "v1"),
        ("PODS", "pods", "v1"),
        ("v1/Pod", "pods", "v1"),
        ("v1/pods", "pods", "v1"),
        # A real name goes before a short one, whatever the order of groups.
        ("po", "po.example.com", "v1"),
        ("ev", "events", "v1"),
        ("events.events.k8s.io", "events.events.k8s.io", "v1"),
        ("events.k8s.io/v1/Event", "events.events.k8s.io", "v1"),
        ("deploy", "deployments.apps", "v1"),
        ("deployments.apps", "deployments.apps", "v1"),
        ("Deployment.v1beta1.apps", "deployments.apps", "v1beta1"),
        ("apps/v1beta1/Deployment", "deployments.apps", "v1beta1"),
        ("hyperpodpytorchjobs", "hyperpodpytorchjobs.sagemaker.amazonaws.com", "v1"),
    ],
)
def test_names_are_found(name: str, full: str, version: str) -> None:
    found = INDEX.find(name)
    assert found is not None
    assert (found.resource.full_name, found.resource.version) == (full, version)


@pytest.mark.parametrize(
    "name", ["", "pod.apps", "apps/v9/Deployment", "deployments.v9.apps", "/", ".", "a/b/c/d"]
)
def test_other_names_are_not(name: str) -> None:
    assert INDEX.find(name) is None


def test_similar_names_are_suggested() -> None:
    assert INDEX.similar("deploymnts") == ["deployments.apps"]
    assert INDEX.similar("hyperpodpytorchjob")[0].startswith("hyperpodpytorchjobs")
    assert INDEX.similar("zzz") == []
    assert INDEX.versions("apps", "Deployment") == ["apps/v1", "apps/v1beta1"]
