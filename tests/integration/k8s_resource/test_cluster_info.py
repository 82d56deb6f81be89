"""The preflight of the real control plane, with all rights and with few, healthy and not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from podyard.k8s_resource.v1 import cluster_info_pb2 as info_pb
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from tests.integration.k8s_resource.conftest import Service, running_service
from tests.integration.k8s_resource.service_accounts import (
    ServiceAccount,
    reading,
    service_account,
)
from tools.stack.testing import ControlPlane

ALLOWED, PARTLY, DENIED = (
    info_pb.PERMISSION_STATE_ALLOWED,
    info_pb.PERMISSION_STATE_PARTLY,
    info_pb.PERMISSION_STATE_DENIED,
)


@pytest.fixture
def account(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> Iterator[ServiceAccount]:
    made = service_account(control_plane, namespace, tmp_path)
    yield made
    made.revoke_everywhere()


async def preflight(service: Service, **request: Any) -> pb.GetClusterInfoResponse:
    found = await service.stub.GetClusterInfo(pb.GetClusterInfoRequest(**request))
    assert isinstance(found, pb.GetClusterInfoResponse)
    return found


def component(info: pb.GetClusterInfoResponse, name: str) -> info_pb.Component:
    return next(each for each in info.components if each.name == name)


async def test_with_all_rights_everything_is_told(
    service: Service, control_plane: ControlPlane
) -> None:
    info = await preflight(service)
    assert {each.state for each in info.permissions} == {ALLOWED}
    assert not any(each.rule for each in info.permissions)
    assert info.user == "kwok-admin"
    assert "system:masters" in info.groups
    assert info.platform.startswith("linux/")
    assert {"", "apps", "batch"} <= {group.name for group in info.api_groups}
    assert {check.endpoint for check in info.health_checks} == {"livez", "readyz"}
    assert all(check.passed for check in info.health_checks)
    assert "etcd" in {check.name for check in info.health_checks}
    nodes = component(info, "nodes")
    assert nodes.state == info_pb.COMPONENT_STATE_READY
    assert nodes.ready == nodes.desired >= 3
    assert component(info, "aggregated APIs").state == info_pb.COMPONENT_STATE_READY
    # This control plane runs no name service, which every cluster needs.
    assert component(info, "CoreDNS").state == info_pb.COMPONENT_STATE_MISSING
    (problem,) = info.problems
    assert (problem.subject, problem.severity) == ("CoreDNS", info_pb.PROBLEM_SEVERITY_WARNING)


async def test_with_few_rights_what_is_lost_is_told_with_the_rule_that_helps(
    account: ServiceAccount, control_plane: ControlPlane
) -> None:
    mine = account.namespace
    await asyncio.to_thread(account.grant, mine, reading("pods"))
    async with running_service(account.kubeconfig) as service:
        info = await preflight(service, namespaces=[mine])
        assert info.reachable
        assert info.user == account.user
        states = {(p.resource, p.verb): p for p in info.permissions}
        pods = states["pods", "list"]
        assert (pods.state, list(pods.namespaces)) == (PARTLY, [mine])
        assert states["pods/log", "get"].state == DENIED
        nodes = states["nodes", "list"]
        assert nodes.state == DENIED
        assert component(info, "nodes").state == info_pb.COMPONENT_STATE_UNKNOWN
        assert account.user in component(info, "nodes").message
        assert component(info, "CoreDNS").state == info_pb.COMPONENT_STATE_UNKNOWN
        # livez and the version are for everybody.
        assert info.version.startswith("v1.")
        assert any(check.endpoint == "livez" for check in info.health_checks)
        worst = info.problems[0]
        assert worst.severity == info_pb.PROBLEM_SEVERITY_ERROR
        assert worst.subject == "permissions: nodes and their GPUs"
        # Kinds that the cluster does not have are no loss.
        assert not any("RayCluster" in problem.subject for problem in info.problems)
        await asyncio.to_thread(account.grant_everywhere, json.loads(nodes.rule))
        async with asyncio.timeout(30):
            while {p.state for p in info.permissions if p.resource == "nodes"} != {ALLOWED}:
                info = await preflight(service)
        assert component(info, "nodes").state == info_pb.COMPONENT_STATE_READY


async def test_workloads_are_counted(service: Service, control_plane: ControlPlane) -> None:
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "coredns", "namespace": "kube-system"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"k8s-app": "kube-dns"}},
            "template": {
                "metadata": {"labels": {"k8s-app": "kube-dns"}},
                "spec": {"containers": [{"name": "coredns", "image": "coredns"}]},
            },
        },
    }
    await asyncio.to_thread(control_plane.apply, json.dumps(manifest))
    try:
        async with asyncio.timeout(60):
            while (dns := component(await preflight(service), "CoreDNS")).ready < 2:
                assert dns.state != info_pb.COMPONENT_STATE_READY
        assert (dns.state, dns.ready, dns.desired) == (info_pb.COMPONENT_STATE_READY, 2, 2)
        assert list(dns.objects) == ["Deployment kube-system/coredns"]
    finally:
        await asyncio.to_thread(
            control_plane.kubectl, "delete", "deployment", "coredns", "-n", "kube-system"
        )


async def test_a_broken_aggregated_api_is_named(
    service: Service, control_plane: ControlPlane
) -> None:
    manifest = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1.gone.example.com"},
        "spec": {
            "group": "gone.example.com",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 10,
            "insecureSkipTLSVerify": True,
            "service": {"name": "gone", "namespace": "default"},
        },
    }
    await asyncio.to_thread(control_plane.apply, json.dumps(manifest))
    try:
        async with asyncio.timeout(60):
            while not (apis := component(await preflight(service), "aggregated APIs")).message:
                assert apis.state == info_pb.COMPONENT_STATE_READY
        assert apis.state == info_pb.COMPONENT_STATE_NOT_READY
        assert "v1.gone.example.com" in apis.message
    finally:
        await asyncio.to_thread(
            control_plane.kubectl, "delete", "apiservice", "v1.gone.example.com"
        )


async def test_a_stopped_etcd_hides_nothing_that_does_not_need_it(
    service: Service, control_plane: ControlPlane
) -> None:
    usual = await preflight(service)
    etcd = control_plane.identities()["etcd"].pid
    os.kill(etcd, signal.SIGSTOP)
    try:
        async with asyncio.timeout(60):
            info = await preflight(service)
    finally:
        os.kill(etcd, signal.SIGCONT)
    assert info.reachable
    assert (info.version, info.user) == (usual.version, usual.user)
    assert [p.state for p in info.permissions] == [p.state for p in usual.permissions]
    assert info.api_groups == usual.api_groups
