"""Settings of the service, from PODYARD_K8S_RESOURCE_* variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_settings import NoDecode, SettingsConfigDict

from services.common.settings import LoopbackAddress, ServiceSettings
from services.k8s_resource.adapters.captured.rules_file import read_seed
from services.k8s_resource.adapters.captured.s3_objects import S3Objects
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


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _rules(path: Path, info: ValidationInfo) -> Path:
    path = _absolute(path)
    read_seed(path)
    if info.data.get("state") is None:
        raise ValueError("needs PODYARD_K8S_RESOURCE_STATE, a folder to keep the logs in")
    return path


def _s3_url(url: str, info: ValidationInfo) -> str:
    if url:
        S3Objects(url)
        if info.data.get("state") is None:
            raise ValueError(
                "needs PODYARD_K8S_RESOURCE_STATE, a folder for what is not copied yet"
            )
    return url


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
    """Changes kept for each kind, for watchers that are behind or connect again."""
    watch_history_bytes: Annotated[int, Field(ge=1_048_576, le=8_589_934_592)] = 32 * 1024 * 1024
    """Upper limit of the same, in bytes of the objects as JSON before and after each change:
    whole objects may be large."""
    watch_inactivity_seconds: Annotated[float, Field(ge=5, le=3600)] = 90.0
    """After this long without a byte an upstream watch is taken for dead. The API server
    sends a bookmark about once a minute."""

    state: Annotated[Path, AfterValidator(_absolute)] | None = None
    """Folder of the capture rules and the captured logs. Without one no logs are kept: in a
    container, a folder that nobody chose would vanish with it."""
    capture_rules: Annotated[Path, AfterValidator(_rules)] | None = None
    """YAML or JSON file of capture rules, applied at a start once for each content of it."""
    capture_max_bytes: Annotated[int, Field(ge=0)] = 20 * 1024**3
    """Most bytes of captured logs; the oldest go first. 0 is no limit."""
    capture_min_free_bytes: Annotated[int, Field(ge=0)] = 256 * 1024**2
    """What capture leaves free on its disk, for the others that need it."""
    capture_segment_bytes: Annotated[int, Field(ge=4096, le=2**30)] = 8 * 1024**2
    """Size at which a part of a log is compressed; retention deletes by such parts."""
    capture_segment_seconds: Annotated[float, Field(ge=1, le=604800)] = 3600.0
    """Age at which it is compressed."""
    capture_sync_seconds: Annotated[float, Field(ge=0.05, le=60)] = 5.0
    """How often what was written is made durable: what a power failure may cost, unless
    Kubernetes still has it."""
    capture_s3: Annotated[str, AfterValidator(_s3_url)] = ""
    """Where captured logs are copied to, as s3://bucket/prefix; empty means nowhere. Needs the
    extra k8s-resource-s3; access is set by the AWS SDK's own variables."""
    capture_local_bytes: Annotated[int, Field(ge=0)] = 2 * 1024**3
    """With S3, bytes of captured logs that stay on the local disk too, the newest: reading them
    is quicker and costs nothing."""

    def kubeconfig_paths(self) -> list[Path]:
        """The files to read, in order of precedence."""
        if self.kubeconfig:
            return [Path(p).expanduser() for p in self.kubeconfig.split(os.pathsep) if p]
        return default_kubeconfig_paths()
