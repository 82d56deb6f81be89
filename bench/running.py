"""Podyard's own processes, each as in production, on free ports."""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc

from bench.processes import python_process, wait_until
from bench.timing import grpc_channel
from tools.stack.ports import free_ports


@dataclass(frozen=True)
class Service:
    """A running k8s_resource: where, as which process, and a stub on an open channel."""

    address: str
    pid: int
    stub: Any


@dataclass(frozen=True)
class Gateway:
    """A running gateway."""

    address: str
    pid: int

    def connection(self) -> http.client.HTTPConnection:
        """A connection to it, open."""
        made = http.client.HTTPConnection(self.address, timeout=60)
        made.connect()
        return made


@contextmanager
def k8s_resource(kubeconfig: Path) -> Iterator[Service]:
    """The service on a cluster; nothing is cached yet."""
    with started_k8s_resource(kubeconfig) as (process, address), grpc_channel(address) as channel:
        yield Service(address, process.pid, pb_grpc.K8sResourceServiceStub(channel))


@contextmanager
def started_k8s_resource(kubeconfig: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """As above, without waiting until it listens."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    environment = {
        "PODYARD_K8S_RESOURCE_LISTEN": address,
        "PODYARD_K8S_RESOURCE_KUBECONFIG": str(kubeconfig),
    }
    with python_process("services.k8s_resource", environment=environment) as process:
        yield process, address


@contextmanager
def gateway(k8s_resource_address: str) -> Iterator[Gateway]:
    """The gateway before a k8s_resource; the other services are not there."""
    here, *others = (f"127.0.0.1:{port}" for port in free_ports(3))
    environment = {
        "PODYARD_GATEWAY_LISTEN": here,
        "PODYARD_GATEWAY_K8S_RESOURCE_ADDRESS": k8s_resource_address,
        "PODYARD_GATEWAY_CLUSTER_LIFECYCLE_ADDRESS": others[0],
        "PODYARD_GATEWAY_TRAINING_HISTORY_ADDRESS": others[1],
    }
    with python_process("gateway", environment=environment) as process:
        made = Gateway(here, process.pid)
        wait_until(lambda: answers(made, "/healthz"), "the gateway answers", 60)
        yield made


def answers(gateway: Gateway, path: str) -> bool:
    """Whether a GET of a path is answered with 200."""
    try:
        connection = gateway.connection()
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
