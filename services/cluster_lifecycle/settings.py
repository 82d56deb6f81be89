"""What the service can be told, by variables PODYARD_CLUSTER_LIFECYCLE_….

AWS is set by the AWS SDK's own variables: AWS_PROFILE, AWS_ENDPOINT_URL and so on.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from services.common.settings import LoopbackAddress, ServiceSettings

_CHECKOUT = Path(__file__).resolve().parents[2]
DEFAULT_TEMPLATE = _CHECKOUT / "deploy" / "cloudformation" / "hyperpod-eks.yaml"
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9]{1,255}")


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _folder(path: Path) -> Path:
    path = _absolute(path)
    if not path.is_dir():
        raise ValueError(f"{path} is not a folder")
    return path


def _file(path: Path) -> Path:
    path = _absolute(path)
    if not path.is_file():
        raise ValueError(f"{path} is not a file")
    return path


def _parameters(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if not _PARAMETER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a CloudFormation parameter")
    return value


class ClusterLifecycleSettings(ServiceSettings):
    """Settings of the cluster-lifecycle service."""

    model_config = SettingsConfigDict(env_prefix="PODYARD_CLUSTER_LIFECYCLE_")

    listen: LoopbackAddress = "127.0.0.1:7402"
    state: Annotated[Path, AfterValidator(_absolute)] = Path(
        "~/.local/state/podyard/cluster-lifecycle"
    )
    """Folder of the registry, the runs and, by default, the database."""
    database_url: str | None = None
    """SQLAlchemy URL of the operations; None is an SQLite file in `state`."""
    scripts: Annotated[Path, AfterValidator(_folder)] | None = None
    """Folder with 1-cluster-launch.sh and 2-cluster-configs.sh to run in place of our steps."""
    template: Annotated[Path, AfterValidator(_file)] = DEFAULT_TEMPLATE
    """CloudFormation template of the launch step."""
    stack_parameters: Annotated[dict[str, str], AfterValidator(_parameters)] = Field(
        default_factory=dict
    )
    """JSON object of template parameters that go before those from the configuration."""
    mlflow_role_arn: str = ""
    """Role of new tracking servers; empty is the stack's own, else that of the service."""
    stack_poll_seconds: Annotated[float, Field(ge=0.05, le=300)] = 5.0
    """How often a step asks CloudFormation for new events; AWS throttles much faster asking."""
    k8s_resource_address: str = "127.0.0.1:7401"
    """Address of the k8s-resource service."""
    k8s_cluster: str = ""
    """Its connection to use for every cluster; empty is the one named as the EKS cluster."""
    cancel_grace_seconds: Annotated[float, Field(ge=0, le=3600)] = 30.0
    """Time from SIGTERM to SIGKILL for a step that is cancelled."""
    operation_poll_seconds: Annotated[float, Field(ge=0.05, le=60)] = 0.25
    """How often the progress and the end of a running step are looked for."""
