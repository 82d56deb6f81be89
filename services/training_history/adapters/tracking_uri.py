"""What a tracking URI means: where to send requests, and how to prove who sends them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):sagemaker:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d):"
    r"(?P<account>\d{12}):(?P<type>mlflow-tracking-server|mlflow-app)/(?P<name>[A-Za-z0-9-]+)"
)

# From sagemaker-mlflow 0.5: host and signing name by type of resource.
_HOSTS = {
    "mlflow-tracking-server": "https://{region}.experiments.sagemaker.aws",
    "mlflow-app": "https://mlflow.sagemaker.{region}.app.aws",
}
_SIGNING_NAMES = {"mlflow-tracking-server": "sagemaker-mlflow", "mlflow-app": "sagemaker"}
_PARTITIONS = ("aws", "aws-us-gov")


class TrackingUriError(ValueError):
    """The tracking URI cannot be used; the text never repeats credentials in it."""


@dataclass(frozen=True, slots=True)
class HttpServer:
    """A tracking server by URL."""

    base_url: str
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def display_uri(self) -> str:
        return self.base_url


@dataclass(frozen=True, slots=True)
class SageMakerServer:
    """A tracking server by ARN; requests are signed for `region` and `signing_name`."""

    arn: str
    base_url: str
    region: str
    signing_name: str

    @property
    def display_uri(self) -> str:
        return self.arn


def parse_tracking_uri(text: str, custom_endpoint: str = "") -> HttpServer | SageMakerServer:
    """The server that a tracking URI names; TrackingUriError with the remedy.

    `custom_endpoint` takes the place of a SageMaker host, as with sagemaker-mlflow: a VPC
    endpoint, or a proxy.
    """
    if text.startswith("arn:"):
        return _sagemaker(text, custom_endpoint)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise TrackingUriError("is not a valid URL (is the port a number?)") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TrackingUriError(
            "must be http://HOST[:PORT], https://HOST[:PORT], or a SageMaker ARN such as "
            "arn:aws:sagemaker:us-east-1:111122223333:mlflow-tracking-server/NAME"
        )
    if parts.query or parts.fragment:
        raise TrackingUriError("must not have a query (?) or fragment (#)")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    location = host if port is None else f"{host}:{port}"
    return HttpServer(
        urlunsplit((parts.scheme, location, parts.path.rstrip("/"), "", "")),
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )


def _sagemaker(text: str, custom_endpoint: str) -> SageMakerServer:
    match = _ARN.fullmatch(text)
    if match is None:
        raise TrackingUriError(
            f'"{text}" is not the ARN of a tracking server: '
            "arn:aws:sagemaker:REGION:ACCOUNT:mlflow-tracking-server/NAME"
        )
    if not custom_endpoint and match["partition"] not in _PARTITIONS:
        raise TrackingUriError(
            f"no host is known for the partition {match['partition']}; "
            "set SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT"
        )
    url = custom_endpoint or _HOSTS[match["type"]].format(region=match["region"])
    return SageMakerServer(
        arn=text,
        base_url=url.rstrip("/"),
        region=match["region"],
        signing_name=_SIGNING_NAMES[match["type"]],
    )
