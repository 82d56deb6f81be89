"""Settings of the training-history service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.settings import LoopbackAddress, ServiceSettings


class TrainingHistorySettings(ServiceSettings):
    """PODYARD_TRAINING_HISTORY_*."""

    model_config = SettingsConfigDict(
        env_prefix="PODYARD_TRAINING_HISTORY_", frozen=True, extra="ignore"
    )

    listen: LoopbackAddress = "127.0.0.1:7403"
    """Address of the gRPC server."""
    tracking_uri: SecretStr = SecretStr("")
    """The MLflow tracking server: http(s) URL (with user:password@, or with the variables of
    `MlflowAccess`), or the ARN of a SageMaker one. Empty: the service answers what to set."""
    state: Path = Path("~/.local/state/podyard/training-history")
    """Folder of the persisted cache; losing it costs one full read of the tracking server."""
    columns: Path | None = None
    """YAML or JSON file that changes the columns of the table; see domain/columns.py."""
    sync_seconds: Annotated[float, Field(ge=0.05, le=300)] = 5.0
    """Pause between incremental syncs: how old a row may be."""
    full_sync_seconds: Annotated[float, Field(ge=1, le=86_400)] = 900.0
    """Age at which an experiment is read in full again, which finds what the others cannot."""
    request_seconds: Annotated[float, Field(ge=0.1, le=600)] = 60.0
    """Time limit of one request to the tracking server; a page takes it seconds under load."""


class MlflowAccess(BaseSettings):
    """MLFLOW_TRACKING_*: the variables of MLflow's own clients, so that both can share them."""

    model_config = SettingsConfigDict(env_prefix="MLFLOW_TRACKING_", frozen=True, extra="ignore")

    username: str = ""
    """For basic authentication."""
    password: SecretStr = SecretStr("")
    """For basic authentication."""
    token: SecretStr = SecretStr("")
    """Bearer token; basic authentication goes before it, as in MLflow."""
    server_cert_path: Path | None = None
    """PEM file of the authorities that the server's certificate is checked with."""
    client_cert_path: Path | None = None
    """PEM file with certificate and key to present to the server."""
    insecure_tls: bool = False
    """Do not check the server's certificate."""
    sagemaker_endpoint: str = Field(
        default="", validation_alias=AliasChoices("SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT")
    )
    """URL to use in place of SageMaker's own host, as in sagemaker-mlflow."""
