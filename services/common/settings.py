"""Settings from environment variables, checked once at the start."""

from __future__ import annotations

import ipaddress
import sys
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.stream_budget import MOST, MOST_OF_ONE, StreamBudget


def _loopback(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not separator or not port.isdigit() or int(port) > 65535:
        raise ValueError('must be "host:port", such as 127.0.0.1:7401')
    if not is_loopback(host):
        raise ValueError(
            f'"{host}" is not a loopback address; callers are not authenticated yet, '
            "so only 127.0.0.0/8, [::1] and localhost are accepted"
        )
    return value


def is_loopback(host: str) -> bool:
    """Whether a host of an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


LoopbackAddress = Annotated[str, AfterValidator(_loopback)]
"""A "host:port" to listen on; port 0 takes a free one."""

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class ServiceSettings(BaseSettings):
    """What every service can be told. Subclasses set `env_prefix` and `listen`'s default."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    listen: LoopbackAddress
    """Address of the gRPC server."""
    log_level: LogLevel = "INFO"
    drain_seconds: Annotated[float, Field(ge=0, le=600)] = 10.0
    """Time that calls in flight get after SIGTERM; Kubernetes itself allows 30 s by default."""
    max_streams: Annotated[int, Field(ge=1, le=100_000)] = MOST
    """Streams that may be open at the same time. One whose subscriber does not read costs up to
    1 MiB."""
    max_streams_per_identity: Annotated[int, Field(ge=1, le=100_000)] = MOST_OF_ONE
    """Of these, those of one caller: a client that opens them in a loop must not take all."""
    metrics_listen: LoopbackAddress | None = None
    """Address of a Prometheus endpoint; none by default."""

    def stream_budget(self) -> StreamBudget:
        """The limits on open streams."""
        prefix = self.model_config.get("env_prefix", "")
        return StreamBudget(self.max_streams, self.max_streams_per_identity, prefix)


S = TypeVar("S", bound=BaseSettings)


def load_settings(settings: type[S], **values: Any) -> S:
    """Read settings from the environment; on a bad value, one clear line and exit code 2."""
    try:
        return settings(**values)
    except ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "")
        problems = "; ".join(
            f"{prefix}{'_'.join(str(part) for part in problem['loc'])}".upper()
            + f": {problem['msg'].removeprefix('Value error, ')}"
            + (f" (got {problem['input']!r})" if problem["type"] != "missing" else "")
            for problem in error.errors()
        )
        sys.stderr.write(f"bad settings: {problems}\n")
        raise SystemExit(2) from None
