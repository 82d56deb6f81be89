"""Typed lists of a real cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

from tests.integration.k8s_resource.manifests import crd, custom_job, deployment, node, pod
from tools.stack.testing import ControlPlane

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def apply(plane: ControlPlane, *objects: dict[str, Any]) -> None:
    plane.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


async def pods_of(service: Any, **fields: Any) -> list[str]:
    response = await service.stub.ListPods(pb.ListPodsRequest(consistent=True, **fields))
    return [each.name for each in response.pods]


async def eventually(check: Callable[[], Any], timeout: float = 60.0) -> Any:
    """The first true answer of an awaitable check; the API server changes on its own time."""
    async with asyncio.timeout(timeout):
        while not (found := await check()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # the API server tells no one when it is done
        return found


async def test_a_consistent_list_shows_what_was_just_written(
    service: Any, control_plane: ControlPlane, namespace: str
) -> None:
    for number in range(5):
        apply(control_plane, pod(f"p{number}", namespace))
        assert len(await pods_of(service, namespace=namespace)) == number + 1


async def test_a_consistent_list_shows_changes_and_removals(
    service: Any, control_plane: ControlPlane, namespace: str
) -> None:
    apply(control_plane, pod("a", namespace), pod("b", namespace))
    for turn in range(1, 5):
        control_plane.kubectl("label", "pod", "a", "-n", namespace, f"turn={turn}", "--overwrite")
        chosen = await pods_of(service, namespace=namespace, label_selector=f"turn={turn}")
        assert chosen == ["a"]
        before = f"turn={turn - 1}"
        assert await pods_of(service, namespace=namespace, label_selector=before) == []
    control_plane.kubectl("delete", "pod", "a", "-n", namespace, "--force", "--grace-period=0")
    answers = await asyncio.gather(*(pods_of(service, namespace=namespace) for _ in range(20)))
    assert answers == [["b"]] * 20


async def test_label_selectors_choose_as_kubectl_does(
    service: Any, control_plane: ControlPlane, namespace: str
) -> None:
    apply(
        control_plane,
        pod("a", namespace, labels={"app": "web", "env": "dev", "size": "3"}),
        pod("b", namespace, labels={"app": "web", "env": "prod", "size": "30"}),
        pod("c", namespace, labels={"app": "db"}),
        pod("d", namespace),
    )
    selectors = [
        "app=web", "app==db", "app!=web", "app", "!app", "env in (dev, prod)", "env notin (dev)",
        "app=web,env=prod", "app in (web,db),!env", "size>3", "size<10", "app=web,env!=dev", "env=",
    ]  # fmt: skip
    for selector in selectors:
        found = await pods_of(service, namespace=namespace, label_selector=selector)
        listed = control_plane.kubectl(
            "get",
            "pods",
            "-n",
            namespace,
            "-l",
            selector,
            "-o",
            "jsonpath={.items[*].metadata.name}",
        )
        assert found == listed.split(), selector


async def test_field_selectors_choose_as_kubectl_does(
    service: Any, control_plane: ControlPlane, namespace: str
) -> None:
    apply(control_plane, pod("a", namespace), pod("b", namespace, node="not-there"))
    await eventually(
        lambda: pods_of(service, namespace=namespace, field_selector="status.phase=Running")
    )
    for selector in (
        "metadata.name=a", "metadata.name!=a", "spec.nodeName=not-there", "status.phase=Running",
        "status.phase!=Running,spec.nodeName=not-there", "spec.schedulerName=default-scheduler",
        "spec.serviceAccountName=default", "spec.restartPolicy=Never",
    ):  # fmt: skip
        found = await pods_of(service, namespace=namespace, field_selector=selector)
        listed = control_plane.kubectl(
            "get", "pods", "-n", namespace, "--field-selector", selector,
            "-o", "jsonpath={.items[*].metadata.name}",
        )  # fmt: skip
        assert found == listed.split(), selector


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"label_selector": "a=(b"}, "label_selector"),
        ({"label_selector": "app in (web"}, "label_selector"),
        ({"label_selector": "-bad-=x"}, "label_selector"),
        ({"namespace": "Bad_NS"}, "namespace"),
        ({"field_selector": "spec.color=red"}, "status.phase"),
        ({"field_selector": "metadata.name"}, "field_selector"),
        ({"order_by": "color"}, "create_time"),
        ({"order_by": "name downwards"}, "order_by"),
        ({"page_token": "nonsense"}, "page_token"),
        ({"page_size": -1}, "page_size"),
        ({"page_size": 1001}, "page_size"),
    ],
)
async def test_bad_queries_name_the_field_and_the_remedy(
    service: Any, fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub.ListPods(pb.ListPodsRequest(**fields))
    assert caught.value.code() is INVALID
    assert named in str(caught.value.details())


async def test_a_page_token_belongs_to_its_query(
    service: Any, control_plane: ControlPlane, namespace: str
) -> None:
    apply(control_plane, *(pod(f"p{number}", namespace) for number in range(3)))
    first = await service.stub.ListPods(
        pb.ListPodsRequest(namespace=namespace, page_size=2, consistent=True)
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub.ListPods(pb.ListPodsRequest(page_token=first.next_page_token))
    assert caught.value.code() is INVALID
    assert "other fields" in str(caught.value.details())


@pytest.mark.parametrize("order_by", ["", "name desc", "restart_count, name", "create_time desc"])
async def test_pages_neither_skip_nor_repeat_while_the_list_changes(
    service: Any, control_plane: ControlPlane, namespace: str, order_by: str
) -> None:
    kept = {f"k{number:02d}" for number in range(20)}
    apply(control_plane, *(pod(name, namespace) for name in sorted(kept)))
    seen: list[str] = []
    token = ""
    turn = 0
    while True:
        page = await service.stub.ListPods(
            pb.ListPodsRequest(
                namespace=namespace,
                order_by=order_by,
                page_size=6,
                page_token=token,
                consistent=True,
            )
        )
        seen += [each.name for each in page.pods]
        token = page.next_page_token
        if not token:
            break
        # One comes before, one after the position, and one that was shown goes.
        apply(control_plane, pod(f"a{turn}", namespace), pod(f"z{turn}", namespace))
        control_plane.kubectl(
            "delete", "pod", "-n", namespace, seen[turn], "--force", "--grace-period=0"
        )
        turn += 1
    assert len(seen) == len(set(seen))
    assert kept <= set(seen)


async def test_order_by_several_fields(
    service: Any, control_plane: ControlPlane, namespace: str
) -> None:
    apply(
        control_plane,
        deployment("a", namespace, replicas=0),
        deployment("b", namespace, replicas=2),
        deployment("c", namespace, replicas=2),
    )
    response = await service.stub.ListDeployments(
        pb.ListDeploymentsRequest(
            namespace=namespace, order_by="replicas desc, name desc", consistent=True
        )
    )
    assert [each.name for each in response.deployments] == ["c", "b", "a"]
    assert response.total_size == 3


async def test_display_status_is_what_kubectl_shows(
    service: Any, control_plane: ControlPlane, namespace: str
) -> None:
    broken = pod("broken", namespace, node="not-there")
    broken["status"] = {
        "phase": "Running",
        "containerStatuses": [
            {
                "name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": 7,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            }
        ],
    }  # fmt: skip
    initializing = pod("initializing", namespace, node="not-there")
    initializing["spec"]["initContainers"] = [{"name": "setup", "image": "i"}]
    initializing["status"] = {
        "phase": "Pending",
        "initContainerStatuses": [
            {"name": "setup", "image": "i", "imageID": "", "ready": False, "restartCount": 0,
             "state": {"running": {}}}
        ],
    }  # fmt: skip
    stuck = pod("stuck", namespace, node="not-there")
    stuck["metadata"]["finalizers"] = ["podyard.test/hold"]
    gated = pod("gated", namespace)
    gated["spec"]["schedulingGates"] = [{"name": "podyard.test/wait"}]
    apply(control_plane, broken, initializing, stuck, gated)
    for each in (broken, initializing):
        control_plane.kubectl(
            "patch", "pod", "-n", namespace, each["metadata"]["name"], "--subresource=status",
            "--type=merge", "-p", json.dumps({"status": each["status"]}),
        )  # fmt: skip
    control_plane.kubectl("delete", "pod", "-n", namespace, "stuck", "--wait=false")
    response = await service.stub.ListPods(pb.ListPodsRequest(namespace=namespace, consistent=True))
    ours = {each.name: each.display_status for each in response.pods}
    lines = control_plane.kubectl("get", "pods", "-n", namespace, "--no-headers").splitlines()
    theirs = {line.split()[0]: line.split()[2] for line in lines}
    patch = '{"metadata":{"finalizers":null}}'
    control_plane.kubectl("patch", "pod", "-n", namespace, "stuck", "--type=merge", "-p", patch)
    assert ours == theirs
    assert set(ours.values()) == {"CrashLoopBackOff", "Init:0/1", "Terminating", "SchedulingGated"}
    crashing = next(each for each in response.pods if each.name == "broken")
    assert crashing.restart_count == 7
    assert crashing.containers[0].reason == "CrashLoopBackOff"


async def test_gpus_in_use_are_those_of_unfinished_pods_of_all_namespaces(
    service: Any, control_plane: ControlPlane, namespace: str, passing: Callable[[str, str], None]
) -> None:
    name = f"gpu-{namespace}"
    passing("node", name)
    passing("pod", "one")
    apply(control_plane, node(name, gpus=8, efa=4))

    async def gpu() -> tuple[int, int, int, int, int]:
        await service.stub.ListNodes(pb.ListNodesRequest(consistent=True, page_size=1))
        found = (await service.stub.GetNode(pb.GetNodeRequest(name=name))).node
        quantities = found.gpu
        assert quantities.error == ""
        return (
            quantities.capacity, quantities.allocatable, quantities.used, quantities.available,
            found.pod_count,
        )  # fmt: skip

    assert await gpu() == (8, 8, 0, 8, 0)
    # A sidecar keeps its GPU, an init container needs 3 at its time: 1 + max(2, 3) = 4.
    many = pod("many", namespace, node=name, gpus=2)
    limits = {"nvidia.com/gpu": "1"}
    many["spec"]["initContainers"] = [
        {"name": "side", "image": "i", "restartPolicy": "Always", "resources": {"limits": limits}},
        {"name": "init", "image": "i", "resources": {"limits": {"nvidia.com/gpu": "3"}}},
    ]
    apply(control_plane, pod("one", "default", node=name, gpus=1), many)
    assert await gpu() == (8, 8, 5, 3, 2)
    # Requests are allocated by the scheduler; bound by hand, they can exceed what there is.
    apply(control_plane, pod("huge", namespace, node=name, gpus=16))
    assert await gpu() == (8, 8, 21, 0, 3)
    status = '{"status":{"phase":"Succeeded"}}'
    control_plane.kubectl(
        "patch",
        "pod",
        "-n",
        namespace,
        "huge",
        "--subresource=status",
        "--type=merge",
        "-p",
        status,
    )
    assert await gpu() == (8, 8, 5, 3, 2)
    control_plane.kubectl("delete", "pod", "one", "--force", "--grace-period=0")
    assert await gpu() == (8, 8, 4, 4, 1)
    listed = await service.stub.ListNodes(
        pb.ListNodesRequest(field_selector=f"metadata.name={name}", consistent=True)
    )
    efa = next(r for r in listed.nodes[0].extended_resources if r.name.endswith("/efa"))
    assert (efa.capacity, efa.used) == (4, 0)


async def test_training_jobs_of_every_kind_with_the_figures_of_their_pods(
    service: Any, control_plane: ControlPlane, namespace: str, passing: Callable[[str, str], None]
) -> None:
    passing("crd", "hyperpodpytorchjobs.sagemaker.amazonaws.com")
    apply(
        control_plane, crd("sagemaker.amazonaws.com", "HyperPodPyTorchJob", "hyperpodpytorchjobs")
    )
    job = custom_job("sagemaker.amazonaws.com/v1", "HyperPodPyTorchJob", "train", namespace)
    job["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "research"}
    job["spec"] = {"nprocPerNode": "8", "replicaSpecs": [{"name": "pods", "replicas": 2}]}
    job["status"] = {
        "restartCount": 3,
        "startTime": "2026-01-02T00:00:00Z",
        "conditions": [
            {"type": "Created", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            {"type": "Running", "status": "True", "lastTransitionTime": "2026-01-02T00:00:00Z",
             "message": "all pods run"},
            {"type": "Failed", "status": "False", "lastTransitionTime": "2026-01-03T00:00:00Z"},
        ],
    }  # fmt: skip
    plain = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "plain", "namespace": namespace},
        "spec": {
            "suspend": True,
            "template": {
                "spec": {"restartPolicy": "Never", "containers": [{"name": "m", "image": "i"}]}
            },
        },
    }
    await eventually(lambda: asyncio.to_thread(_applied, control_plane, job))
    apply(
        control_plane,
        plain,
        pod("train-pod-0", namespace, labels={"HPJob": "train"}, gpus=4, node="not-there"),
        pod("train-pod-1", namespace, labels={"HPJob": "train"}, gpus=4, node="not-there"),
        pod("other", namespace, labels={"HPJob": "another"}, gpus=4, node="not-there"),
    )
    control_plane.kubectl(
        "patch", "pod", "-n", namespace, "train-pod-0", "--subresource=status", "--type=merge",
        "-p", '{"status":{"phase":"Running"}}',
    )  # fmt: skip

    async def listed() -> Any:
        response = await service.stub.ListTrainingJobs(
            pb.ListTrainingJobsRequest(namespace=namespace, consistent=True)
        )
        return response if len(response.training_jobs) == 2 else None

    response = await eventually(listed)
    batch, train = response.training_jobs
    assert (batch.kind, batch.state, batch.name) == ("Job", "Suspended", "plain")
    assert (train.kind, train.state, train.message) == (
        "HyperPodPyTorchJob", "Running", "all pods run",
    )  # fmt: skip
    assert (train.processes_per_node, train.replicas, train.restart_count) == ("8", 2, 3)
    assert (train.active_pods, train.gpu_request, train.queue) == (1, 8, "research")
    assert train.start_time.ToJsonString() == "2026-01-02T00:00:00Z"
    assert any("rayclusters.ray.io" in note for note in response.notes)


def _applied(plane: ControlPlane, job: dict[str, Any]) -> bool:
    """Whether the API server serves the new kind already."""
    from tools.stack.errors import StackError

    try:
        apply(plane, job)
    except StackError:
        return False
    return True


async def test_a_kind_installed_later_is_noticed(
    service: Any, control_plane: ControlPlane, namespace: str, passing: Callable[[str, str], None]
) -> None:
    passing("crd", "pytorchjobs.kubeflow.org")
    request = pb.ListTrainingJobsRequest(namespace=namespace)
    before = await service.stub.ListTrainingJobs(request)
    assert any("pytorchjobs.kubeflow.org" in note for note in before.notes)
    apply(control_plane, crd("kubeflow.org", "PyTorchJob", "pytorchjobs"))
    job = custom_job("kubeflow.org/v1", "PyTorchJob", "late", namespace)
    job["spec"] = {"pytorchReplicaSpecs": {"Master": {"replicas": 1}, "Worker": {"replicas": 3}}}
    await eventually(lambda: asyncio.to_thread(_applied, control_plane, job))

    async def listed() -> Any:
        return (await service.stub.ListTrainingJobs(request)).training_jobs

    found = await eventually(listed)
    assert [(each.name, each.kind, each.replicas) for each in found] == [("late", "PyTorchJob", 4)]
    control_plane.kubectl("delete", "crd", "pytorchjobs.kubeflow.org")

    async def gone() -> bool:
        response = await service.stub.ListTrainingJobs(request)
        return not response.training_jobs and len(response.notes) > 1

    await eventually(gone)


async def test_services_and_persistent_volumes(
    service: Any, control_plane: ControlPlane, namespace: str, passing: Callable[[str, str], None]
) -> None:
    passing("pv", f"pv-{namespace}")
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pv-{namespace}"},
        "spec": {
            "capacity": {"storage": "1200Gi"},
            "accessModes": ["ReadWriteMany"],
            "mountOptions": ["allow-delete", "region us-west-2"],
            "storageClassName": "",
            "claimRef": {"namespace": namespace, "name": "s3-claim"},
            "csi": {
                "driver": "s3.csi.aws.com",
                "volumeHandle": "s3-volume",
                "volumeAttributes": {"bucketName": "training-data"},
            },
        },
    }
    web = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "type": "NodePort",
            "selector": {"app": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": "web"}],
            "externalIPs": ["192.0.2.7"],
        },
    }
    apply(control_plane, volume, web)
    volumes = await service.stub.ListPersistentVolumes(
        pb.ListPersistentVolumesRequest(
            field_selector=f"metadata.name=pv-{namespace}", consistent=True
        )
    )
    found = volumes.persistent_volumes[0]
    assert (found.bucket, found.region, found.capacity) == ("training-data", "us-west-2", "1200Gi")
    assert (found.claim.namespace, found.claim.name) == (namespace, "s3-claim")
    assert list(found.mount_options) == ["allow-delete", "region us-west-2"]
    services = await service.stub.ListServices(
        pb.ListServicesRequest(
            namespace=namespace, field_selector="spec.type=NodePort", consistent=True
        )
    )
    shown = services.services[0]
    assert (shown.name, shown.type, list(shown.external_addresses)) == (
        "web", "NodePort", ["192.0.2.7"],
    )  # fmt: skip
    port = shown.ports[0]
    assert (port.name, port.port, port.target_port, port.node_port > 0) == ("http", 80, "web", True)


async def test_an_unknown_node_is_not_found(service: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub.GetNode(pb.GetNodeRequest(name="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert '"nobody"' in str(caught.value.details())
