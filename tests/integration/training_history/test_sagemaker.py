"""A SageMaker tracking server: the service signs, a stand-in of AWS's front door checks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from botocore.credentials import Credentials

from services.training_history.adapters.authorization import SigV4Authorization
from services.training_history.adapters.tracking_uri import SageMakerServer, parse_tracking_uri
from tests.integration.training_history.conftest import StartService
from tests.integration.training_history.mlflow_api import MlflowApi
from tests.integration.training_history.running_service import RunningService
from tests.integration.training_history.sigv4_proxy import SigV4Proxy
from tools.stack.testing import MlflowServer

SERVER_ARN = "arn:aws:sagemaker:eu-west-1:111122223333:mlflow-tracking-server/history"
APP_ARN = "arn:aws:sagemaker:us-west-2:111122223333:mlflow-app/app-1"
KEY, SECRET, TOKEN = "AKIDEXAMPLE", "the-secret", "the-session-token"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(params=[(SERVER_ARN, "sagemaker-mlflow"), (APP_ARN, "sagemaker")])
async def front_door(
    mlflow_server: MlflowServer, request: pytest.FixtureRequest
) -> AsyncIterator[SigV4Proxy]:
    arn, signing_name = request.param
    region = arn.split(":")[3]
    known = Credentials(KEY, SECRET, TOKEN)
    async with SigV4Proxy(mlflow_server.url, arn, region, signing_name, known) as proxy:
        yield proxy


def signed(arn: str, endpoint: str) -> SigV4Authorization:
    """As __main__ makes it from the ARN."""
    target = parse_tracking_uri(arn, endpoint)
    assert isinstance(target, SageMakerServer)
    return SigV4Authorization(target.arn, target.region, target.signing_name)


async def test_every_kind_of_request_is_accepted(
    front_door: SigV4Proxy, start_service: StartService, mlflow: MlflowApi
) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment)
    service: RunningService = await start_service(
        front_door.url, authorization=signed(front_door._arn, front_door.url)
    )
    await service.fresh()
    await service.until_row(experiment, run)
    await service.application.server.probe()
    assert (await service.application.server.get_run(run)).run.run_id == run
    # Characters that a URL and a signature encode differently if one is careless.
    with pytest.raises(Exception, match="does not exist"):
        await service.application.server.get_run("a b+c/d~e%f&g=h")
    await service.application.server.delete_run(run)
    assert await mlflow.lifecycle(run) == "deleted"
    assert front_door.accepted >= 10


async def test_wrong_secret_is_refused_and_explained(
    front_door: SigV4Proxy, start_service: StartService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    service: RunningService = await start_service(
        front_door.url, authorization=signed(front_door._arn, front_door.url)
    )
    await service.stale("denies access (HTTP 403: wrong signature)")
    assert front_door.accepted == 0


async def test_no_credentials_are_explained(
    front_door: SigV4Proxy, start_service: StartService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    service: RunningService = await start_service(
        front_door.url, authorization=signed(front_door._arn, front_door.url)
    )
    await service.stale("no AWS credentials were found")
