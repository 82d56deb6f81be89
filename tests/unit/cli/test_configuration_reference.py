"""docs/configuration.md names every variable that the processes read, with its default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from gateway.settings import GatewaySettings
from services.cluster_lifecycle.settings import ClusterLifecycleSettings
from services.common.settings import ServiceSettings
from services.k8s_resource.settings import K8sResourceSettings
from services.training_history.settings import TrainingHistorySettings

PAGE = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"
PROCESSES: list[type[BaseSettings]] = [
    K8sResourceSettings,
    ClusterLifecycleSettings,
    TrainingHistorySettings,
    GatewaySettings,
]


def rows() -> dict[str, str]:
    """Default by variable, as the page says it."""
    found = re.findall(
        r"^\| `(PODYARD_[A-Z0-9_<>]+)` \| ([^|]*) \|", PAGE.read_text(), re.MULTILINE
    )
    return {name: default.strip().strip("`") for name, default in found}


@pytest.mark.parametrize("settings", PROCESSES, ids=lambda cls: cls.__name__)
def test_every_variable_is_on_the_page(settings: type[BaseSettings]) -> None:
    prefix = settings.model_config["env_prefix"]
    page = rows()
    for name, field in settings.model_fields.items():
        if name in ServiceSettings.model_fields:
            assert f"PODYARD_<PROCESS>_{name.upper()}" in page
            continue
        variable = f"{prefix}{name.upper()}"
        assert variable in page
        if isinstance(field.default, (int, float)) and not isinstance(field.default, bool):
            assert float(page[variable]) == field.default, variable


def test_nothing_on_the_page_was_removed_from_the_processes() -> None:
    known = {
        f"{settings.model_config['env_prefix']}{name.upper()}"
        for settings in PROCESSES
        for name in settings.model_fields
    }
    prefixes = tuple(str(settings.model_config["env_prefix"]) for settings in PROCESSES)
    clients = {
        "PODYARD_K8S_RESOURCE_ADDRESS",
        "PODYARD_CLUSTER_LIFECYCLE_ADDRESS",
        "PODYARD_TRAINING_HISTORY_ADDRESS",
    }
    on_page = {name for name in rows() if name.startswith(prefixes)}
    assert on_page - clients <= known
