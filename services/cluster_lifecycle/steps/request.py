"""What the service tells a step's program: a file in the run's folder."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from services.cluster_lifecycle.domain.model import ClusterConfig

FILE_NAME = "step.json"
_PARAMETERS_VARIABLE = "PODYARD_STACK_PARAMETERS"


class StepRequest(msgspec.Struct, frozen=True):
    """One run of a step. Folders are the cluster's; `config` is its copy for this run."""

    tag: str
    config: ClusterConfig
    config_folder: str
    metadata_folder: str
    template: str
    mlflow_role_arn: str
    stack_poll_seconds: float
    k8s_resource_address: str
    k8s_connection: str
    stack_parameters: dict[str, str] = {}
    """Never in the file: they may hold secrets, which come by the environment."""


def write_request(folder: Path, request: StepRequest) -> None:
    """Put the request into a run's folder."""
    path = folder / FILE_NAME
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(request, stack_parameters={})))
    path.chmod(0o600)


def secret_environment(request: StepRequest) -> dict[str, str]:
    """What of the request goes by the environment."""
    return {_PARAMETERS_VARIABLE: msgspec.json.encode(request.stack_parameters).decode()}


def read_request(path: Path) -> StepRequest:
    """The request that `write_request` wrote; errors of msgspec and of files."""
    request = msgspec.json.decode(path.read_bytes(), type=StepRequest)
    parameters = os.environ.get(_PARAMETERS_VARIABLE, "{}")
    return msgspec.structs.replace(
        request, stack_parameters=msgspec.json.decode(parameters, type=dict[str, str])
    )
