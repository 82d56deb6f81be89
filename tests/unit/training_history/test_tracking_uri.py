"""What tracking URIs mean, and which are refused."""

from __future__ import annotations

import pytest

from services.training_history.adapters.tracking_uri import (
    HttpServer,
    SageMakerServer,
    TrackingUriError,
    parse_tracking_uri,
)

ARN = "arn:aws:sagemaker:eu-west-1:111122223333:mlflow-tracking-server/my-server"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://mlflow:5000", HttpServer("http://mlflow:5000")),
        ("https://host/mlflow/", HttpServer("https://host/mlflow")),
        ("http://[::1]:5000/", HttpServer("http://[::1]:5000")),
        ("https://u:p%40ss@host:8443", HttpServer("https://host:8443", "u", "p@ss")),
    ],
)
def test_urls(text: str, expected: HttpServer) -> None:
    parsed = parse_tracking_uri(text)
    assert parsed == expected
    assert "p@ss" not in repr(parsed)
    assert "ss" not in parsed.display_uri.removeprefix("https")


@pytest.mark.parametrize(
    ("arn", "url", "region", "signing_name"),
    [
        (ARN, "https://eu-west-1.experiments.sagemaker.aws", "eu-west-1", "sagemaker-mlflow"),
        (
            "arn:aws-us-gov:sagemaker:us-gov-west-1:111122223333:mlflow-tracking-server/a",
            "https://us-gov-west-1.experiments.sagemaker.aws",
            "us-gov-west-1",
            "sagemaker-mlflow",
        ),
        (
            "arn:aws:sagemaker:us-east-1:111122223333:mlflow-app/app-X",
            "https://mlflow.sagemaker.us-east-1.app.aws",
            "us-east-1",
            "sagemaker",
        ),
    ],
)
def test_arns(arn: str, url: str, region: str, signing_name: str) -> None:
    assert parse_tracking_uri(arn) == SageMakerServer(arn, url, region, signing_name)


def test_custom_endpoint_takes_the_place_of_the_host() -> None:
    china = "arn:aws-cn:sagemaker:cn-north-1:111122223333:mlflow-tracking-server/a"
    parsed = parse_tracking_uri(china, "https://vpce.example/")
    assert isinstance(parsed, SageMakerServer)
    assert (parsed.base_url, parsed.region) == ("https://vpce.example", "cn-north-1")
    with pytest.raises(TrackingUriError, match="SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT"):
        parse_tracking_uri(china)


@pytest.mark.parametrize(
    "text",
    [
        "mlflow:5000",
        "file:///mlruns",
        "databricks",
        "http://",
        "http://u:topsecret@host:port",
        "http://u:topsecret@host/?q=1",
        "ftp://u:topsecret@host",
        "arn:aws:sagemaker:eu-west-1:1111:mlflow-tracking-server/x",
        "arn:aws:sagemaker:eu-west-1:111122223333:model/x",
        "arn:aws:s3:::bucket",
        f"{ARN}/../x",
        f"{ARN}\nX-Injected: 1",
    ],
)
def test_refused_without_repeating_secrets(text: str) -> None:
    with pytest.raises(TrackingUriError) as caught:
        parse_tracking_uri(text)
    assert "topsecret" not in str(caught.value)
