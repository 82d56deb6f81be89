"""Whether the process of this container serves: `python healthcheck.py k8s_resource`.

Asks grpc.health.v1 of a service, or /healthz of the gateway, at the address that the process
itself was told. Exit code 0 when it serves, 1 with a reason when it does not.
"""

from __future__ import annotations

import os
import sys
import urllib.request
from typing import Any

_PORTS = {
    "gateway": 7400,
    "k8s_resource": 7401,
    "cluster_lifecycle": 7402,
    "training_history": 7403,
}
_TIMEOUT_SECONDS = 4.0


def check(stem: str, address: str) -> str:
    """What is wrong with a process at an address; empty when it serves."""
    if stem == "gateway":
        return _check_http(f"http://{address}/healthz")
    return _check_grpc(address)


def _check_http(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS):  # noqa: S310 - http only
            return ""
    except OSError as error:
        return str(error)


def _check_grpc(address: str) -> str:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            return str(error.details())
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return "" if status == "SERVING" else status


def main(arguments: list[str]) -> int:
    """The exit code."""
    if len(arguments) != 1 or arguments[0] not in _PORTS:
        sys.stderr.write(f"usage: healthcheck.py {'|'.join(_PORTS)}\n")
        return 2
    stem = arguments[0]
    variable = f"PODYARD_{stem.upper()}_LISTEN"
    problem = check(stem, os.environ.get(variable) or f"127.0.0.1:{_PORTS[stem]}")
    if problem:
        sys.stderr.write(f"{stem}: {problem}\n")
    return 1 if problem else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
