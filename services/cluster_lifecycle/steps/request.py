"""What the service tells a step's program: a file in the run's folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from services.cluster_lifecycle.domain.model import ClusterConfig

FILE_NAME = "step.json"


class StepRequest(msgspec.Struct, frozen=True):
    """One run of a step. Folders are the cluster's; `config` is its copy for this run."""

    tag: str
    config: ClusterConfig
    config_folder: str
    metadata_folder: str
    template: str
    stack_parameters: dict[str, str]
    mlflow_role_arn: str
    stack_poll_seconds: float
    k8s_resource_address: str
    k8s_connection: str


def write_request(folder: Path, request: StepRequest) -> None:
    """Put the request into a run's folder."""
    path = folder / FILE_NAME
    path.write_bytes(msgspec.json.encode(request))
    path.chmod(0o600)


def read_request(path: Path) -> StepRequest:
    """The request that `write_request` wrote; errors of msgspec and of files."""
    return msgspec.json.decode(path.read_bytes(), type=StepRequest)
