"""`podyard cluster-info` and `connections`, and what the doctor makes of a preflight."""

from __future__ import annotations

import json

from podyard.k8s_resource.v1 import cluster_info_pb2 as pb
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as k8s

from tests.integration.cli.command_line import CommandLine
from tests.integration.cli.scripted_services import Script
from tests.integration.cli.test_doctor import checks_of

DENIED = pb.Problem(
    severity=pb.PROBLEM_SEVERITY_ERROR,
    subject="permissions: pods",
    message="not possible: may not list pods",
    remedy="grant it",
)
FOUND = {
    "user": "system:serviceaccount:podyard:podyard",
    "platform": "linux/amd64",
    "permissions": [
        pb.Permission(
            feature="pods", verb="list", resource="pods", state="PERMISSION_STATE_DENIED"
        ),
        pb.Permission(
            feature="pods",
            verb="watch",
            resource="pods",
            state="PERMISSION_STATE_PARTLY",
            namespaces=["a", "b"],
        ),
        pb.Permission(
            feature="nodes", verb="list", resource="nodes", state="PERMISSION_STATE_ALLOWED"
        ),
    ],
    "api_groups": [pb.ApiGroup(name="kueue.x-k8s.io", versions=["v1beta1"], product="Kueue")],
    "components": [
        pb.Component(
            name="nodes",
            state=pb.COMPONENT_STATE_NOT_READY,
            needed=True,
            ready=2,
            desired=3,
            message="not ready: n3",
        ),
        pb.Component(name="KubeRay", state=pb.COMPONENT_STATE_MISSING),
    ],
    "health_checks": [pb.HealthCheck(endpoint="livez", name="etcd", passed=True)],
    "problems": [DENIED],
}


async def test_connections_are_listed(podyard: CommandLine) -> None:
    result = await podyard("connections")
    assert result.code == 0
    assert result.stdout.split() == [
        *("NAME", "DEFAULT", "SERVER", "NAMESPACE"),
        *("lab", "*", "https://lab", "-"),
    ]


async def test_the_preflight_is_shown_with_its_problems_last(
    podyard: CommandLine, script: Script
) -> None:
    script.cluster_info = FOUND
    result = await podyard("cluster-info", "--cluster", "lab", "-n", "a", "-n", "b")
    # An error is one for scripts too.
    assert result.code == 1
    request = script.requests[-1]
    assert isinstance(request, k8s.GetClusterInfoRequest)
    assert (request.cluster, list(request.namespaces)) == ("lab", ["a", "b"])
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "Version: v1.37.2 (linux/amd64)" in lines
    assert "API server: 1 of 1 checks pass" in lines
    assert "Installed: Kueue" in lines
    assert "nodes NOT_READY 2/3 yes not ready: n3" in lines
    assert "PERMISSION FOR RESOURCE LIST WATCH" in lines
    assert "pods pods no in a, b" in lines
    assert "nodes nodes yes" in lines
    assert not any("KubeRay" in line for line in lines)
    assert lines[-2:] == [
        "ERROR permissions: pods: not possible: may not list pods",
        "remedy: grant it",
    ]
    assert "KubeRay" in (await podyard("cluster-info", "-a")).stdout


async def test_for_programs_it_is_the_answer_itself(podyard: CommandLine, script: Script) -> None:
    script.cluster_info = {"user": "podyard"}
    result = await podyard("cluster-info", "-o", "json")
    assert result.code == 0
    document = json.loads(result.stdout)
    assert (document["user"], document["problems"]) == ("podyard", [])


async def test_a_cluster_that_is_down_is_told_with_the_remedy(
    podyard: CommandLine, script: Script
) -> None:
    script.reachable = False
    script.cluster_info = {
        "problems": [
            pb.Problem(
                severity=pb.PROBLEM_SEVERITY_ERROR,
                subject="API server",
                message="connection refused",
                remedy="start it",
            )
        ]
    }
    result = await podyard("cluster-info")
    assert result.code == 1
    assert "Reachable:  no" in result.stdout
    assert "remedy: start it" in result.stdout


async def test_the_doctor_tells_what_a_preflight_found(
    podyard: CommandLine, script: Script
) -> None:
    script.cluster_info = FOUND
    code, checks = await checks_of(podyard)
    assert code == 1
    assert checks["lab (default)"]["detail"] == "v1.37.2, 2 of 3 nodes ready"
    problem = checks["lab → permissions: pods"]
    assert (problem["state"], problem["remedy"]) == ("problem", "grant it")
