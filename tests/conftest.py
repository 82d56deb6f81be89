"""Real servers shared by all tests of a session; each is started when first asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tools.stack import testing
from tools.stack.postgres import PostgresMissingError

# Examples have no time limit: a busy machine makes no property wrong.
settings.register_profile("podyard", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("podyard")


@pytest.fixture(scope="session")
def control_plane() -> Iterator[testing.ControlPlane]:
    """A Kubernetes control plane with three plain nodes."""
    with testing.control_plane("test", nodes=3) as plane:
        yield plane


@pytest.fixture(scope="session")
def aws_emulator() -> Iterator[testing.AwsEmulator]:
    """ministack: CloudFormation, S3, EKS, IAM, STS."""
    with testing.ministack() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def fake_sagemaker() -> Iterator[testing.FakeSageMaker]:
    """HyperPod clusters and tracking servers."""
    with testing.fake_sagemaker() as sagemaker:
        yield sagemaker


@pytest.fixture(scope="session")
def mlflow_server() -> Iterator[testing.MlflowServer]:
    """An MLflow tracking server without runs."""
    with testing.mlflow_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[testing.Postgres]:
    """A PostgreSQL server; tests that need it are skipped by name where there is none."""
    try:
        with testing.postgres() as server:
            yield server
    except PostgresMissingError as missing:
        pytest.skip(str(missing))
