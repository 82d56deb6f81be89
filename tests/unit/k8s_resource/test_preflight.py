"""What a preflight makes of answers, and of parts that never answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
import pytest

from services.common.errors import NotFoundError, PermissionDeniedError, UnavailableError
from services.k8s_resource.domain.api_status import error_of
from services.k8s_resource.domain.cache.clusters import CacheLimits, ClusterCaches
from services.k8s_resource.domain.objects.nodes import Node
from services.k8s_resource.domain.ports import Connection, KubeResponse, KubeStream, Params
from services.k8s_resource.domain.preflight import clusters, components, probes
from services.k8s_resource.domain.preflight.clusters import Clusters
from services.k8s_resource.domain.preflight.model import (
    ClusterInfo,
    Component,
    ComponentState,
    PermissionState,
    Severity,
)
from services.k8s_resource.domain.preflight.workloads import Workload

HANGS = object()
NODE = {
    "metadata": {
        "name": "n1",
        "resourceVersion": "1",
        "labels": {"node.kubernetes.io/instance-type": "ml.p5.48xlarge"},
    },
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}
ANSWERS: Mapping[str, Any] = {
    "/version": {"gitVersion": "v1.33.1-eks-1", "platform": "linux/amd64"},
    "/apis": {
        "groups": [
            {
                "name": "kueue.x-k8s.io",
                "versions": [{"version": "v1alpha1"}, {"version": "v1beta1"}],
                "preferredVersion": {"version": "v1beta1"},
            }
        ]
    },
    "/livez": b"[+]ping ok\n[+]etcd ok\nlivez check passed\n",
    "/readyz": b"[+]ping ok\nreadyz check passed\n",
    "/apis/authentication.k8s.io/v1/selfsubjectreviews": {
        "status": {"userInfo": {"username": "podyard", "groups": ["system:authenticated"]}}
    },
    "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews": {"status": {"incomplete": True}},
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": {"status": {"allowed": True}},
    "/apis/apiregistration.k8s.io/v1/apiservices": {"items": []},
    "/apis/storage.k8s.io/v1/csidrivers": {"items": []},
    "/apis/apps/v1/deployments": {"items": []},
    "/apis/apps/v1/daemonsets": {"items": []},
    "/api/v1/nodes": {"metadata": {"resourceVersion": "1"}, "items": [NODE]},
}


class Api:
    """Answers by path, "*" for all others; `HANGS` never does."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {**ANSWERS, **answers}

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: bytes | None = None,
        content_type: str = "",
        accept: str = "",
        timeout: float = 30.0,
        retry: bool | None = None,
    ) -> KubeResponse:
        answer = self.answers.get(path, self.answers.get("*"))
        if answer is HANGS:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer(json.loads(body or b"{}"))
        if answer is None:
            raise NotFoundError("path", path)
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return KubeResponse(200, {}, content)

    def stream(self, *_: Any, **__: Any) -> AbstractAsyncContextManager[KubeStream]:
        @asynccontextmanager
        async def silent() -> AsyncIterator[KubeStream]:
            await asyncio.Event().wait()
            raise AssertionError
            yield

        return silent()


class OneCluster:
    """`ports.Connections` with one."""

    problem = ""

    def __init__(self, api: Api) -> None:
        self.connection = Connection("c", "https://c", "", True, api)

    def get(self, _cluster: str) -> Connection:
        return self.connection

    def list(self) -> list[Connection]:
        return [self.connection]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that nothing that answers here comes near to."""
    for module in (clusters, probes):
        monkeypatch.setattr(module, "PROBE_SECONDS", 0.5)
    monkeypatch.setattr(probes.probed, "__defaults__", (0.5,))
    monkeypatch.setattr(clusters, "_HEAD_START_SECONDS", 0.01)


async def preflight(**answers: Any) -> ClusterInfo:
    connections = OneCluster(Api(**answers))
    caches = ClusterCaches(connections, CacheLimits())
    async with caches.running():
        return await Clusters(connections, caches, ("team-a",)).info("")


def component(info: ClusterInfo, name: str) -> Component:
    return next(each for each in info.components if each.name == name)


async def test_a_cluster_that_answers_everything() -> None:
    info = await preflight()
    assert (info.version, info.platform, info.user) == ("v1.33.1-eks-1", "linux/amd64", "podyard")
    assert info.rules_incomplete
    (core, kueue) = info.api_groups
    assert (core.name, core.versions) == ("", ("v1",))
    assert (kueue.versions, kueue.product) == (("v1beta1", "v1alpha1"), "Kueue")
    assert {each.state for each in info.permissions} == {PermissionState.ALLOWED}
    assert [(c.endpoint, c.name, c.passed) for c in info.health_checks] == [
        ("livez", "ping", True),
        ("livez", "etcd", True),
        ("readyz", "ping", True),
    ]
    nodes = component(info, "nodes")
    assert (nodes.state, nodes.ready, nodes.desired) == (ComponentState.READY, 1, 1)
    # What is needed goes by what the cluster has.
    needed = {c.name for c in info.components if c.needed and c.state is ComponentState.MISSING}
    assert needed == {"CoreDNS", "NVIDIA device plugin", "Kueue"}
    assert {p.subject for p in info.problems} == needed
    assert all(p.remedy for p in info.problems)


@pytest.mark.parametrize("path", sorted(ANSWERS))
async def test_a_part_that_never_answers_hides_no_other(path: str) -> None:
    usual = await preflight()
    async with asyncio.timeout(20):
        info = await preflight(**{path: HANGS})
    assert info.reachable
    differing = {
        "/version": {"version", "platform", "latency"},
        "/apis": {"api_groups", "components"},
        "/livez": {"health_checks"},
        "/readyz": {"health_checks"},
        "/apis/authentication.k8s.io/v1/selfsubjectreviews": {"user", "groups"},
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews": {"rules_incomplete"},
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": {"permissions"},
        "/api/v1/nodes": {"components", "cached_kinds"},
    }.get(path, {"components"})
    for field in (
        "version",
        "user",
        "groups",
        "rules_incomplete",
        "permissions",
        "api_groups",
        "components",
        "health_checks",
    ):
        same = getattr(info, field) == getattr(usual, field)
        # The drivers decide only what else is needed.
        assert same or field in differing, field
        assert not same or field not in differing or path.endswith("csidrivers"), field
    if path == "/api/v1/nodes":
        assert component(info, "nodes").state is ComponentState.UNKNOWN
        assert component(info, "CoreDNS").state is ComponentState.MISSING
    if path.endswith("accessreviews"):
        assert {each.state for each in info.permissions} == {PermissionState.UNKNOWN}
    if "components" not in differing and "permissions" not in differing:
        assert any("no answer within" in problem.message for problem in info.problems)


async def test_a_cluster_that_never_answers_at_all_is_down() -> None:
    async with asyncio.timeout(20):
        info = await preflight(**dict.fromkeys(ANSWERS, HANGS))
    assert not info.reachable
    (problem,) = info.problems
    assert (problem.severity, problem.subject) == (Severity.ERROR, "API server")
    assert {c.state for c in info.components} == {ComponentState.UNKNOWN}


async def test_what_may_not_be_looked_at_is_told_apart_from_what_is_missing() -> None:
    denied = PermissionDeniedError("may not")
    everything = dict.fromkeys([*ANSWERS], denied) | {"*": denied}
    info = await preflight(**everything)
    assert info.reachable
    assert {c.state for c in info.components} == {ComponentState.UNKNOWN}
    assert component(info, "Kueue").message == "may not"
    looked = {
        "/apis/apps/v1/deployments": denied,
        "/apis/apps/v1/daemonsets": denied,
        "/apis/apps/v1/namespaces/kube-system/deployments": {
            "items": [
                {
                    "metadata": {"name": "coredns", "namespace": "kube-system"},
                    "spec": {"replicas": 2},
                    "status": {"readyReplicas": 1},
                }
            ]
        },
        "*": denied,
    }
    info = await preflight(**looked)
    dns = component(info, "CoreDNS")
    assert (dns.state, dns.ready, dns.desired) == (ComponentState.NOT_READY, 1, 2)
    assert dns.objects == ("Deployment kube-system/coredns",)
    assert component(info, "Kueue").state is ComponentState.UNKNOWN


async def test_what_is_allowed_in_a_namespace_only_is_told_with_its_names() -> None:
    def decide(review: Any) -> Any:
        attributes = review["spec"]["resourceAttributes"]
        if attributes["resource"] == "pods":
            return {"status": {"allowed": attributes["namespace"] == "team-a"}}
        return {"status": {"allowed": attributes["resource"] != "nodes"}}

    info = await preflight(**{"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": decide})
    pods = next(p for p in info.permissions if (p.resource, p.verb) == ("pods", "list"))
    assert (pods.state, pods.namespaces) == (PermissionState.PARTLY, ("team-a",))
    nodes = next(p for p in info.permissions if (p.resource, p.verb) == ("nodes", "list"))
    assert nodes.state is PermissionState.DENIED
    assert json.loads(nodes.rule)["resources"] == ["nodes"]
    worst = info.problems[0]
    assert (worst.severity, worst.subject) == (
        Severity.ERROR,
        "permissions: nodes and their GPUs",
    )
    assert nodes.rule in worst.remedy


async def test_failing_checks_of_the_api_server_are_named() -> None:
    body = b"[+]ping ok\n" + b"[+]more ok\n" * 100 + b"[-]etcd failed: reason withheld\n"
    info = await preflight(**{"/readyz": error_of(500, {}, body)})
    failing = [check for check in info.health_checks if not check.passed]
    assert [(c.endpoint, c.name, c.message) for c in failing] == [
        ("readyz", "etcd", "failed: reason withheld")
    ]
    assert any("readyz/etcd" in problem.message for problem in info.problems)


async def test_a_kubeconfig_that_is_partly_wrong_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(OneCluster, "problem", "context x: no user")
    assert any(
        p.subject == "kubeconfig" and "context x" in p.message for p in (await preflight()).problems
    )


async def test_other_failures_of_the_first_answer_end_it_at_once() -> None:
    down = UnavailableError("cannot connect to the API server")
    info = await preflight(**{"/version": down, "/livez": HANGS})
    assert not info.reachable
    assert info.problems[0].message == "cannot connect to the API server"


def workload(name: str, namespace: str = "kube-system", label: str = "") -> Workload:
    labels = {"app.kubernetes.io/name": label} if label else {}
    return msgspec.convert(
        {
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "status": {"readyReplicas": 1},
            "kind": "Deployment",
        },
        Workload,
    )


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (
            workload("hp-training-operator-hp-training-controller-manager"),
            "HyperPod training operator",
        ),
        (
            workload("x-controller-manager", label="hp-training-operator"),
            "HyperPod training operator",
        ),
        (workload("training-operator", "kubeflow"), "Kubeflow training operator"),
        (workload("kueue-controller-manager", "kueue-system"), "Kueue"),
        (workload("nvidia-device-plugin-daemonset"), "NVIDIA device plugin"),
        (workload("hyperpod-dependencies-nvidia-device-plugin"), "NVIDIA device plugin"),
        (workload("coredns"), "CoreDNS"),
        (workload("my-kueuelike-app", "default"), ""),
    ],
)
def test_workloads_are_known_by_their_names_and_labels(found: Workload, name: str) -> None:
    around = components.Surroundings((), (), ())
    ready = [
        each.name
        for each in components.components(around, [found], "")
        if each.state is ComponentState.READY
    ]
    assert ready == ([name] if name else [])


def test_nodes_that_are_away_are_counted_and_named() -> None:
    away = [msgspec.convert({"metadata": {"name": f"n{number}"}}, Node) for number in range(7)]
    found = components.nodes_component([*away, msgspec.convert(NODE, Node)])
    assert (found.state, found.ready, found.desired) == (ComponentState.NOT_READY, 1, 8)
    assert found.message == "not ready: n0, n1, n2, n3, n4 and 2 more"
