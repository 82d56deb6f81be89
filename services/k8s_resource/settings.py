"""Settings of the service, from PODYARD_K8S_RESOURCE_* variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from services.common.settings import LoopbackAddress, ServiceSettings
from services.k8s_resource.adapters.kubeconfig import default_kubeconfig_paths
from services.k8s_resource.domain.manifests import namespace_problem


def _namespaces(text: object) -> object:
    if not isinstance(text, str):
        return text
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if problem := namespace_problem(name):
            raise ValueError(f'"{name}" {problem}')
    return tuple(names)


class K8sResourceSettings(ServiceSettings):
    """What the service can be told."""

    model_config = SettingsConfigDict(
        env_prefix="PODYARD_K8S_RESOURCE_", frozen=True, extra="ignore"
    )

    listen: LoopbackAddress = "127.0.0.1:7401"
    kubeconfig: str = ""
    """Kubeconfig files, separated as in KUBECONFIG; empty means KUBECONFIG, then
    ~/.kube/config, then the service account of the pod this runs in."""
    namespaces: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_namespaces)] = ()
    """Namespaces to look in for a list of all, separated by commas, on clusters where neither
    everything nor the namespaces may be listed."""
    kind_idle_seconds: Annotated[float, Field(ge=1, le=86400)] = 900.0
    """How long a kind that nobody asks for stays watched; watching costs memory here and a
    connection there, starting again costs a full list."""
    watch_history: Annotated[int, Field(ge=16, le=1_000_000)] = 4096
    """Changes kept for each kind, for watchers that connect again."""
    watch_inactivity_seconds: Annotated[float, Field(ge=5, le=3600)] = 90.0
    """After this long without a byte an upstream watch is taken for dead. The API server
    sends a bookmark about once a minute."""

    def kubeconfig_paths(self) -> list[Path]:
        """The files to read, in order of precedence."""
        if self.kubeconfig:
            return [Path(p).expanduser() for p in self.kubeconfig.split(os.pathsep) if p]
        return default_kubeconfig_paths()
