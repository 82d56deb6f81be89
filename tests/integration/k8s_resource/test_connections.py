"""Which clusters there are, and what happens when they cannot be used."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from services.common.errors import PermissionDeniedError
from services.k8s_resource.adapters import credentials
from services.k8s_resource.adapters.kubeconfig import KubeconfigConnections
from tests.integration.k8s_resource.conftest import Service, running_service
from tests.integration.k8s_resource.watching import DISCONNECTED, watching
from tools.stack import testing
from tools.stack.ports import free_ports
from tools.stack.testing import ControlPlane

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


def kubeconfig_of(plane: ControlPlane) -> Any:
    return yaml.safe_load(plane.kubeconfig.read_text())


def with_contexts(plane: ControlPlane, **servers: str) -> Any:
    """A kubeconfig with a context for each server address, "" being the plane's own."""
    config = kubeconfig_of(plane)
    cluster = config["clusters"][0]["cluster"]
    user = config["users"][0]["name"]
    config["clusters"] = [
        {"name": name, "cluster": {**cluster, **({"server": server} if server else {})}}
        for name, server in servers.items()
    ]
    config["contexts"] = [
        {"name": name, "context": {"cluster": name, "user": user}} for name in servers
    ]
    config["current-context"] = next(iter(servers))
    return config


def write(path: Path, config: Any) -> Path:
    """Replace the file at once, as kubectl and editors do."""
    beside = path.with_suffix(".new")
    beside.write_text(yaml.safe_dump(config))
    beside.replace(path)
    return path


async def failure(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), str(caught.value.details())


async def names(service: Service) -> list[str]:
    response = await service.stub.ListClusterConnections(pb.ListClusterConnectionsRequest())
    return [each.name for each in response.connections]


async def test_two_clusters_side_by_side(control_plane: ControlPlane, tmp_path: Path) -> None:
    with testing.control_plane("beside", nodes=1) as other:
        first, second = kubeconfig_of(control_plane), kubeconfig_of(other)
        for section in ("clusters", "users", "contexts"):
            first[section] += second[section]
        async with running_service(write(tmp_path / "config", first)) as service:
            assert await names(service) == sorted([control_plane.context, other.context])
            ours = await service.stub.ListNodes(pb.ListNodesRequest())
            theirs = await service.stub.ListNodes(pb.ListNodesRequest(cluster=other.context))
            assert (len(ours.nodes) >= 3, theirs.total_size) == (True, 1)
            async with watching(service.stub, kinds=["nodes"], cluster=other.context) as watcher:
                await watcher.synced()
                await asyncio.to_thread(other.kill)
                await watcher.until(lambda: watcher.has(DISCONNECTED))
                stale = await service.stub.ListNodes(pb.ListNodesRequest(cluster=other.context))
                fresh = await service.stub.ListNodes(pb.ListNodesRequest(consistent=True))
    assert (stale.freshness.stale, stale.total_size) == (True, 1)
    assert not fresh.freshness.stale


async def test_an_unreachable_cluster_is_told_promptly_and_harms_no_other(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    nowhere = f"https://127.0.0.1:{free_ports(1)[0]}"
    config = with_contexts(control_plane, good="", bad=nowhere)
    async with running_service(write(tmp_path / "config", config)) as service:
        async with asyncio.timeout(20):
            code, text = await failure(service.stub.ListPods(pb.ListPodsRequest(cluster="bad")))
        assert code is UNAVAILABLE
        assert nowhere in text
        assert "Connection refused" in text
        info = await service.stub.GetClusterInfo(pb.GetClusterInfoRequest(cluster="bad"))
        assert (info.reachable, info.cluster, info.server) == (False, "bad", nowhere)
        assert info.problem == text
        await service.stub.ListPods(pb.ListPodsRequest(cluster="good"))


async def test_cluster_info_tells_version_access_and_what_is_cached(
    service: Service, control_plane: ControlPlane
) -> None:
    await service.stub.ListNodes(pb.ListNodesRequest())
    info = await service.stub.GetClusterInfo(pb.GetClusterInfoRequest())
    assert info.reachable
    assert info.cluster == control_plane.context
    assert info.version.startswith("v1.")
    assert info.latency.ToNanoseconds() > 0
    assert abs(info.clock_skew.seconds) <= 1
    assert any("*" in rule.verbs and "*" in rule.resources for rule in info.access_rules)
    assert {"nodes", "pods"} <= {kind.resource for kind in info.cached_kinds}
    assert not info.problem


async def test_without_a_kubeconfig_the_service_starts_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "config"
    async with running_service(path) as service:
        for call in (
            service.stub.ListPods(pb.ListPodsRequest()),
            service.stub.ListClusterConnections(pb.ListClusterConnectionsRequest()),
            service.stub.GetClusterInfo(pb.GetClusterInfoRequest()),
        ):
            code, text = await failure(call)
            assert code is PRECONDITION
            assert str(path) in text
            assert "PODYARD_K8S_RESOURCE_KUBECONFIG" in text
        async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            check = health_pb2.HealthCheckRequest(service="dependency:kubernetes")
            assert (await health.Check(check)).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def eventually(service: Service, wanted: list[str]) -> None:
    """The file is looked at twice a second at most."""
    async with asyncio.timeout(30):
        while True:
            try:
                if await names(service) == wanted:
                    return
            except grpc.aio.AioRpcError as error:
                assert error.code() is PRECONDITION  # noqa: PT017
            await asyncio.sleep(0.05)


async def test_a_changed_kubeconfig_is_picked_up(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    async with running_service(path) as service:
        write(path, with_contexts(control_plane, one=""))
        await eventually(service, ["one"])
        await service.stub.ListPods(pb.ListPodsRequest(cluster="one"))
        async with watching(service.stub, kinds=["nodes"], cluster="one") as going_on:
            await going_on.synced()
            # What is half written or broken changes nothing.
            path.write_text("clusters: [")
            write(path, with_contexts(control_plane, one="", two=""))
            await eventually(service, ["one", "two"])
            control_plane.kubectl("label", "node", "node-000000", f"t{os.getpid()}=1")
            await going_on.until(lambda: "MODIFIED node-000000" in going_on.types())
            control_plane.kubectl("label", "node", "node-000000", f"t{os.getpid()}-")
        await service.stub.ListPods(pb.ListPodsRequest(cluster="two"))
        write(path, with_contexts(control_plane, two=""))
        await eventually(service, ["two"])
        code, text = await failure(service.stub.ListPods(pb.ListPodsRequest(cluster="one")))
        assert code is grpc.StatusCode.NOT_FOUND
        assert "known are: two" in text


async def test_a_watch_ends_when_its_cluster_becomes_another(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    path = write(tmp_path / "config", with_contexts(control_plane, one=""))
    nowhere = f"https://127.0.0.1:{free_ports(1)[0]}"
    async with running_service(path) as service:
        call = service.stub.Watch(_watch("one"))
        await call.read()
        write(path, with_contexts(control_plane, one=nowhere))
        code, text = await failure(_read_to_the_end(call))
    assert code is UNAVAILABLE
    assert "connect again" in text


async def _read_to_the_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


def _watch(cluster: str) -> Any:
    from podyard.k8s_resource.v1 import watch_pb2

    return watch_pb2.WatchRequest(kinds=["nodes"], cluster=cluster)


async def test_an_exec_plugin_gives_the_credentials_and_its_failure_is_explained(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    config = kubeconfig_of(control_plane)
    pki = control_plane.work_folder / "pki"
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import json, pathlib\n"
        f"read = lambda name: (pathlib.Path({str(pki)!r}) / name).read_text()\n"
        "status = {'clientCertificateData': read('admin.crt'), 'clientKeyData': read('admin.key')}\n"
        "kind = {'kind': 'ExecCredential', 'apiVersion': 'client.authentication.k8s.io/v1'}\n"
        "print(json.dumps({**kind, 'status': status}))\n"
    )
    execute = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(plugin)],
        "interactiveMode": "Never",
    }
    config["users"][0]["user"] = {"exec": execute}
    async with running_service(write(tmp_path / "good", config)) as service:
        assert (await service.stub.ListNodes(pb.ListNodesRequest())).total_size >= 3
    execute["args"] = ["-c", "import sys; sys.exit('no cloud credentials')"]
    async with running_service(write(tmp_path / "bad", config)) as service:
        code, text = await failure(service.stub.ListNodes(pb.ListNodesRequest()))
    assert code is PRECONDITION
    assert "no cloud credentials" in text
    execute["command"] = "podyard-no-such-plugin"
    async with running_service(write(tmp_path / "none", config)) as service:
        code, text = await failure(service.stub.ListNodes(pb.ListNodesRequest()))
    assert code is PRECONDITION
    assert "podyard-no-such-plugin is not installed" in text


async def test_refused_credentials_are_the_configurations_fault(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    config = kubeconfig_of(control_plane)
    config["users"][0]["user"] = {"token": "not-a-token"}
    async with running_service(write(tmp_path / "config", config)) as service:
        code, text = await failure(service.stub.ListPods(pb.ListPodsRequest()))
    assert code is PRECONDITION
    assert "does not accept Podyard's credentials" in text
    assert "not-a-token" not in text


async def test_an_untrusted_certificate_is_explained(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    config = kubeconfig_of(control_plane)
    other = tmp_path / "other.crt"
    shutil.copy(control_plane.work_folder / "pki" / "admin.crt", other)
    cluster = config["clusters"][0]["cluster"]
    cluster.pop("certificate-authority-data", None)
    cluster["certificate-authority"] = str(other)
    cluster.pop("insecure-skip-tls-verify", None)
    async with running_service(write(tmp_path / "config", config)) as service:
        code, text = await failure(service.stub.ListPods(pb.ListPodsRequest()))
    assert code is PRECONDITION
    assert "certificate-authority" in text


async def test_the_process_starts_serves_and_ends_on_sigterm(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    port = free_ports(1)[0]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.k8s_resource",
        env={
            **os.environ,
            "PODYARD_K8S_RESOURCE_LISTEN": f"127.0.0.1:{port}",
            "KUBECONFIG": str(control_plane.kubeconfig),
        },
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc

            stub: Any = pb_grpc.K8sResourceServiceStub(channel)
            nodes = await stub.ListNodes(pb.ListNodesRequest(), wait_for_ready=True)
            assert nodes.total_size >= 3
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert b"Traceback" not in errors


async def test_in_a_pod_the_service_account_is_used(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, namespace: str
) -> None:
    account = f"system:serviceaccount:{namespace}:default"
    control_plane.kubectl(
        "create", "clusterrolebinding", namespace, "--clusterrole=view", f"--user={account}"
    )
    shutil.copy(control_plane.work_folder / "pki" / "ca.crt", tmp_path / "ca.crt")
    token = control_plane.kubectl("create", "token", "-n", namespace, "default").strip()
    (tmp_path / "token").write_text(token)
    (tmp_path / "namespace").write_text(namespace)
    host, port = control_plane.server_url.removeprefix("https://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setattr(credentials, "_RELOAD_SECONDS", 0.2)
    connections = KubeconfigConnections([tmp_path / "no-kubeconfig"], tmp_path)
    try:
        connection = connections.get("")
        assert connections.get("in-cluster") is connection
        assert (connection.namespace, connection.default) == (namespace, True)
        await connection.api.request("GET", "/api/v1/pods")
        with pytest.raises(PermissionDeniedError, match="cannot list resource"):
            await connection.api.request("GET", "/api/v1/secrets")
        # The kubelet writes a new token long before the old one ends.
        rotated = control_plane.kubectl("create", "token", "-n", namespace, "default").strip()
        (tmp_path / "token").write_text(rotated)
        claims = rotated.split(".")[1]
        new = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["jti"]
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        used = b""
        async with asyncio.timeout(30):
            while f"JTI={new}".encode() not in used:
                answer = await connection.api.request(
                    "POST", path, body=json.dumps(review).encode()
                )
                used = answer.body
        assert connections.get("").api is connection.api
    finally:
        await connections.close()
        control_plane.kubectl("delete", "clusterrolebinding", namespace)
