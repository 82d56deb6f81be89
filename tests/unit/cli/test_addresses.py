"""Where the SDK finds the services."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from podyard.client import ConfigurationError, resolve_addresses


def test_the_first_source_wins_for_each_service_by_itself(tmp_path: Path) -> None:
    recorded = {
        "k8s_resource": "127.0.0.1:1",
        "cluster_lifecycle": "127.0.0.1:2",
        "gateway": "http://127.0.0.1:4/",
    }
    (tmp_path / "endpoints.json").write_text(json.dumps(recorded))
    environment = {
        "PODYARD_STATE": str(tmp_path),
        "PODYARD_K8S_RESOURCE_ADDRESS": "k8s:10",
        "PODYARD_CLUSTER_LIFECYCLE_ADDRESS": "",
    }
    found = resolve_addresses(k8s_resource="given:20", environment=environment)
    assert (found.k8s_resource.value, found.k8s_resource.source) == ("given:20", "argument")
    found = resolve_addresses(environment=environment)
    assert (found.k8s_resource.value, found.k8s_resource.source) == (
        "k8s:10",
        "PODYARD_K8S_RESOURCE_ADDRESS",
    )
    assert (found.cluster_lifecycle.value, found.cluster_lifecycle.source) == (
        "127.0.0.1:2",
        str(tmp_path / "endpoints.json"),
    )
    assert (found.training_history.value, found.training_history.source) == (
        "127.0.0.1:7403",
        "default",
    )
    assert found.gateway.value == "http://127.0.0.1:4"


@pytest.mark.parametrize("address", ["host", "host:", ":7401", "host:port", "host:70000", "h:-1"])
def test_a_bad_address_is_refused(address: str, tmp_path: Path) -> None:
    environment = {"PODYARD_STATE": str(tmp_path), "PODYARD_TRAINING_HISTORY_ADDRESS": address}
    with pytest.raises(ConfigurationError, match="PODYARD_TRAINING_HISTORY_ADDRESS"):
        resolve_addresses(environment=environment)


@pytest.mark.parametrize("address", ["[::1]:7401", "example.com:443", "unix-host:1"])
def test_good_addresses(address: str, tmp_path: Path) -> None:
    found = resolve_addresses(k8s_resource=address, environment={"PODYARD_STATE": str(tmp_path)})
    assert found.k8s_resource.value == address


@pytest.mark.parametrize("content", ["{", "[]", '"x"', "\x00"])
def test_a_broken_record_is_told(content: str, tmp_path: Path) -> None:
    (tmp_path / "endpoints.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"endpoints\.json"):
        resolve_addresses(environment={"PODYARD_STATE": str(tmp_path)})
