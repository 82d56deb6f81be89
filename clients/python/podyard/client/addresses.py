"""Where the services are: arguments, environment, the local stack's record, defaults."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podyard.client.errors import ConfigurationError

ENDPOINTS_FILE = "endpoints.json"

_VARIABLES = {
    "k8s_resource": "PODYARD_K8S_RESOURCE_ADDRESS",
    "cluster_lifecycle": "PODYARD_CLUSTER_LIFECYCLE_ADDRESS",
    "training_history": "PODYARD_TRAINING_HISTORY_ADDRESS",
    "gateway": "PODYARD_GATEWAY",
}
_DEFAULTS = {
    "k8s_resource": "127.0.0.1:7401",
    "cluster_lifecycle": "127.0.0.1:7402",
    "training_history": "127.0.0.1:7403",
    "gateway": "http://127.0.0.1:7400",
}


@dataclass(frozen=True, slots=True)
class Address:
    """An address and where it came from: "argument", a variable's name, a file, "default"."""

    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Addresses:
    """The gRPC services as "host:port" and the gateway as an URL."""

    k8s_resource: Address
    cluster_lifecycle: Address
    training_history: Address
    gateway: Address


def resolve_addresses(
    *,
    k8s_resource: str = "",
    cluster_lifecycle: str = "",
    training_history: str = "",
    gateway: str = "",
    environment: Mapping[str, str] | None = None,
) -> Addresses:
    """The address of each service by itself, the first of: argument, environment, the file
    `endpoints.json` of the local stack, default.

    ConfigurationError names what cannot be read or is not an address.
    """
    environ = os.environ if environment is None else environment
    given = {
        "k8s_resource": k8s_resource,
        "cluster_lifecycle": cluster_lifecycle,
        "training_history": training_history,
        "gateway": gateway,
    }
    recorded = read_endpoints(state_folder(environ))
    file = str(state_folder(environ) / ENDPOINTS_FILE)

    def find(name: str) -> Address:
        variable = _VARIABLES[name]
        for value, source in (
            (given[name], "argument"),
            (environ.get(variable, ""), variable),
            (_recorded_address(recorded.get(name)), file),
        ):
            if value:
                return Address(_checked(name, value, source), source)
        return Address(_DEFAULTS[name], "default")

    return Addresses(
        find("k8s_resource"), find("cluster_lifecycle"), find("training_history"), find("gateway")
    )


def state_folder(environment: Mapping[str, str] | None = None) -> Path:
    """The folder of the local stack: $PODYARD_STATE, by default ~/.local/state/podyard."""
    environ = os.environ if environment is None else environment
    return Path(environ.get("PODYARD_STATE") or "~/.local/state/podyard").expanduser()


def read_endpoints(folder: Path) -> dict[str, Any]:
    """What the local stack recorded; empty when it never ran."""
    path = folder / ENDPOINTS_FILE
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error}); start the local stack again, or delete the file"
        ) from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} does not hold an object; delete it")
    return document


def _recorded_address(value: object) -> str:
    """An entry is the address itself or an object with `address`."""
    if isinstance(value, dict):
        value = value.get("address")
    return value if isinstance(value, str) else ""


def _checked(name: str, value: str, source: str) -> str:
    if name == "gateway":
        address = value if "://" in value else f"http://{value}"
        if not address.startswith(("http://", "https://")):
            raise ConfigurationError(f'{source}: "{value}" is not an http or https URL')
        return address.rstrip("/")
    address = value.removeprefix("http://").removeprefix("grpc://").rstrip("/")
    host, separator, port = address.rpartition(":")
    if not (separator and host and port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ConfigurationError(f'{source}: "{value}" is not "host:port"')
    return address
