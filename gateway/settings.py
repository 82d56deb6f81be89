"""Settings of the gateway; every variable starts with PODYARD_GATEWAY_."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from services.common.settings import LoopbackAddress, ServiceSettings


def _address(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not (host and separator and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError('must be "host:port", such as 127.0.0.1:7401')
    return value


def _host(value: str) -> str:
    if "/" in value or "*" in value or value != value.strip().lower():
        raise ValueError('must be a lower-case host name without port, such as "podyard.internal"')
    return value


def _origin(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if scheme not in ("http", "https") or not rest or set(rest) & set("/*") or not rest.isascii():
        raise ValueError('must be an origin, such as "https://console.internal"')
    return value


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Names = BeforeValidator(_split)
ServiceAddress = Annotated[str, AfterValidator(_address)]
"""The "host:port" of a gRPC service."""


class GatewaySettings(ServiceSettings):
    """What the gateway can be told."""

    model_config = SettingsConfigDict(env_prefix="PODYARD_GATEWAY_", frozen=True, extra="ignore")

    listen: LoopbackAddress = "127.0.0.1:7400"
    """Address of the HTTP server."""
    k8s_resource_address: ServiceAddress = "127.0.0.1:7401"
    cluster_lifecycle_address: ServiceAddress = "127.0.0.1:7402"
    training_history_address: ServiceAddress = "127.0.0.1:7403"
    unary_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    """Deadline of a call whose caller sets none by the header grpc-timeout."""
    allowed_hosts: Annotated[
        tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, Names
    ] = ()
    """Host names, separated by commas, that requests may name besides loopback ones: what a
    browser is told to call by a page with a rebound name is none of them."""
    allowed_origins: Annotated[
        tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, Names
    ] = ()
    """Origins, separated by commas, of pages elsewhere that may call the API from a browser."""
