"""The command line and the SDK against the real services, on a real control plane and MLflow."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from podyard.cli.words import enum_word
from podyard.client import Podyard, log_lines

from tests.integration.cli.command_line import CommandLine
from tests.service_process import ServiceProcess, running_service
from tools.stack.testing import ControlPlane, MlflowServer

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{{name: main, image: nginx}}]
"""
WAIT_SECONDS = 60


@pytest.fixture
async def kubernetes(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    environment = {"PODYARD_K8S_RESOURCE_KUBECONFIG": str(control_plane.kubeconfig)}
    async with running_service("k8s_resource", environment, tmp_path) as service:
        yield service


@pytest.fixture
def podyard(kubernetes: ServiceProcess, tmp_path: Path) -> CommandLine:
    return CommandLine({"PODYARD_K8S_RESOURCE_ADDRESS": kubernetes.address}, tmp_path)


@pytest.fixture
def namespace(control_plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"cli-{abs(hash(request.node.name)) % 10**8}"
    control_plane.kubectl("create", "namespace", name)
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false")


async def test_nodes_are_those_of_kubectl(
    podyard: CommandLine, control_plane: ControlPlane
) -> None:
    shown = json.loads((await podyard("nodes", "-o", "json")).stdout)["nodes"]
    known = json.loads(control_plane.kubectl("get", "nodes", "-o", "json"))["items"]
    assert [node["name"] for node in shown] == sorted(n["metadata"]["name"] for n in known)


async def test_a_pod_is_seen_to_come_become_ready_and_go(
    podyard: CommandLine, namespace: str
) -> None:
    manifest = POD.format(name="web", namespace=namespace)
    async with podyard.started("watch", "pods", "-n", namespace, "-o", "json") as watch:
        assert watch.stdout is not None
        first = json.loads(await watch.stdout.readline())
        assert first["type"] == "WATCH_EVENT_TYPE_SYNCED"
        applied = await podyard("apply", "-f", "-", stdin=manifest)
        assert applied.stdout == f"pod/web in {namespace} created\n"
        events = [first]
        async with asyncio.timeout(WAIT_SECONDS):
            while not events[-1].get("pod", {}).get("ready"):
                events.append(json.loads(await watch.stdout.readline()))
            assert (await podyard("delete", "-f", "-", stdin=manifest)).code == 0
            while events[-1]["type"] != "WATCH_EVENT_TYPE_DELETED":
                events.append(json.loads(await watch.stdout.readline()))
    versions = [event["ref"]["resourceVersion"] for event in events[1:]]
    assert len(set(versions)) == len(versions)
    assert events[1]["type"] == "WATCH_EVENT_TYPE_ADDED"


async def test_a_watch_shows_what_changed_and_ends_in_time(
    podyard: CommandLine, control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("create", "configmap", "one", "-n", namespace, "--from-literal=a=1")
    selected = ("--field-selector", "metadata.name=one", "--timeout", "6s")
    options = ("-n", namespace, "--view", "changes", "--changes-only", "--coalesce", *selected)
    async with podyard.started("watch", "configmaps", *options) as watch:
        assert watch.stderr is not None
        assert watch.stdout is not None
        await watch.stderr.readline()
        patch = ("--type=merge", "-p", '{"data":{"a":"2"}}')
        control_plane.kubectl("patch", "configmap", "one", "-n", namespace, *patch)
        line = (await watch.stdout.readline()).decode()
        assert line.split()[1:4] == ["MODIFIED", "ConfigMap", f"{namespace}/one"]
        assert (await watch.stdout.readline()).decode() == '    /data/a: "1" → "2"\n'
        out, err = await watch.communicate()
    assert (watch.returncode, out) == (0, b"")
    assert "the time that was asked for is over" in err.decode()


async def test_get_is_what_kubectl_gets(
    podyard: CommandLine, control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("create", "configmap", "one", "-n", namespace, "--from-literal=a=b")
    ours = json.loads((await podyard("get", "cm", "one", "-n", namespace, "-o", "json")).stdout)
    theirs = json.loads(
        control_plane.kubectl("get", "configmap", "one", "-n", namespace, "-o", "json")
    )
    assert ours == theirs


async def test_the_preflight_of_a_real_cluster(
    podyard: CommandLine, control_plane: ControlPlane
) -> None:
    result = await podyard("cluster-info")
    assert result.code == 0, result.stderr
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert f"Cluster: {control_plane.context}" in lines
    assert "User: kwok-admin" in lines
    assert any(line.startswith("nodes READY ") for line in lines)
    assert "logs pods/log yes" in lines
    # This control plane runs no name service.
    assert any(line.startswith("WARNING CoreDNS: ") for line in lines)
    connections = json.loads((await podyard("connections", "-o", "json")).stdout)["connections"]
    assert [each["name"] for each in connections] == [control_plane.context]


BAD_INPUT = [
    ("get nonsense", 3, 'serves no kind "nonsense"'),
    ("get pod missing", 3, "missing"),
    ("pods -n Bad_NS", 1, "namespace"),
    ("get pod Not_A_Name", 1, "name: must be lower-case"),
    ("logs missing", 3, "missing"),
    ("pods --cluster elsewhere", 3, '"elsewhere" is not known'),
    ("pods -l !", 1, "label_selector"),
    ("pods --sort-by colour", 1, "order_by"),
    ("watch nonsense", 3, 'serves no kind "nonsense"'),
    ("logs -l a=b --include (", 1, "include"),
]


async def test_bad_input_is_named(podyard: CommandLine) -> None:
    results = await asyncio.gather(*(podyard(*line.split()) for line, _, _ in BAD_INPUT))
    for (line, code, complaint), result in zip(BAD_INPUT, results, strict=True):
        assert complaint in result.stderr, line
        assert (result.code, result.stdout) == (code, ""), line
        assert "Traceback" not in result.stderr, line


async def test_a_malformed_manifest_changes_nothing(
    podyard: CommandLine, control_plane: ControlPlane, namespace: str
) -> None:
    manifest = POD.format(name="web", namespace=namespace) + "---\na: [\n"
    result = await podyard("apply", "-f", "-", stdin=manifest)
    assert result.code == 1
    assert "manifest" in result.stderr
    assert control_plane.kubectl("get", "pods", "-n", namespace, "-o", "name") == ""


async def test_deleting_what_is_not_there_is_told_by_the_exit_code(
    podyard: CommandLine, control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("create", "configmap", "there", "-n", namespace)
    result = await podyard("delete", "configmap", "there", "absent", "-n", namespace)
    assert result.code == 3
    assert "configmap/absent" in result.stdout
    assert "missing" in result.stdout
    assert "there" not in control_plane.kubectl("get", "configmaps", "-n", namespace, "-o", "name")


class Mirror:
    """What a watcher knows, and whether anything came twice."""

    def __init__(self) -> None:
        self.present: dict[str, str] = {}
        self.doubled: list[str] = []

    def take(self, event: Any) -> None:
        word, name = enum_word(event, "type"), event.ref.name
        if word == "RELISTED":
            self.present.clear()
        elif word == "DELETED":
            self.present.pop(name, None)
        elif event.HasField("ref"):
            version = event.ref.resource_version
            if self.present.get(name) == version:
                self.doubled.append(name)
            self.present[name] = version


async def test_a_watch_survives_a_killed_service(
    kubernetes: ServiceProcess, control_plane: ControlPlane, namespace: str
) -> None:
    loop = asyncio.get_running_loop()
    mirror = Mirror()
    changed = asyncio.Event()

    def create(*names: str) -> None:
        for name in names:
            control_plane.kubectl("create", "configmap", name, "-n", namespace)

    def follow(stream: Any) -> None:
        for event in stream:
            mirror.take(event)
            loop.call_soon_threadsafe(changed.set)

    async def until(*names: str) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not set(names) <= mirror.present.keys():
                changed.clear()
                await changed.wait()

    with Podyard(k8s_resource=kubernetes.address) as client:
        stream = client.k8s.watch("configmaps", namespace=namespace)
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(follow, stream))
            await asyncio.to_thread(create, "before-1", "before-2")
            await until("before-1", "before-2")
            await kubernetes.end(signal.SIGKILL)
            await asyncio.to_thread(create, "meanwhile")
            await asyncio.to_thread(
                control_plane.kubectl, "delete", "configmap", "before-1", "-n", namespace
            )
            await kubernetes.start()
            await asyncio.to_thread(create, "after")
            await until("before-2", "meanwhile", "after")
            stream.close()
    assert mirror.doubled == []
    assert "before-1" not in mirror.present


async def test_a_log_tail_survives_a_killed_service(
    kubernetes: ServiceProcess, control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.apply(POD.format(name="web", namespace=namespace))
    wait = ("wait", "--for=condition=Ready", "pod/web", "-n", namespace, "--timeout=60s")
    await asyncio.to_thread(control_plane.kubectl, *wait)
    loop = asyncio.get_running_loop()
    seen: list[str] = []
    changed = asyncio.Event()

    def write(first: int, last: int) -> None:
        lines = [f"line {number}" for number in range(first, last)]
        control_plane.write_logs("web", *lines, namespace=namespace)

    def follow(stream: Any) -> None:
        for event in stream:
            seen.extend(line.text for line in log_lines(event))
            loop.call_soon_threadsafe(changed.set)

    async def until(count: int) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while len(seen) < count:
                changed.clear()
                await changed.wait()

    await asyncio.to_thread(write, 0, 100)
    with Podyard(k8s_resource=kubernetes.address) as client:
        stream = client.k8s.tail_logs(namespace=namespace, label_selector="app=web", follow=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(follow, stream))
            await until(100)
            await kubernetes.end(signal.SIGKILL)
            await asyncio.to_thread(write, 100, 200)
            await kubernetes.start()
            await asyncio.to_thread(write, 200, 300)
            await until(300)
            stream.close()
    assert seen == [f"line {number}" for number in range(300)]


async def test_a_deleted_run_disappears(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    run_ids = await asyncio.to_thread(mlflow_server.insert_runs, 12)
    environment = {
        "PODYARD_TRAINING_HISTORY_TRACKING_URI": mlflow_server.url,
        "PODYARD_TRAINING_HISTORY_STATE": str(tmp_path / "history"),
    }
    async with running_service("training_history", environment, tmp_path) as service:
        podyard = CommandLine({"PODYARD_TRAINING_HISTORY_ADDRESS": service.address}, tmp_path)
        table = (await podyard("runs", "list", "--limit", "0")).stdout.splitlines()
        titles = "EXPERIMENT RUN NAME STATUS MODEL DATASET INSTANCE TYPE REPLICA COUNT"
        assert " ".join(table[0].split()).startswith(titles)
        shown = {line.split()[-1] for line in table[1:]}
        assert set(run_ids) <= shown
        deleted = await podyard("runs", "delete", run_ids[0], "--yes")
        assert (deleted.code, deleted.stdout) == (0, f"run {run_ids[0]} deleted\n")
        rest = json.loads((await podyard("runs", "list", "--limit", "0", "-o", "json")).stdout)
        assert {run["runId"] for run in rest["runs"]} == shown - {run_ids[0]}
        assert (await podyard("runs", "show", "0" * 32)).code == 3


async def test_events_by_object_type_and_time_and_as_they_come(
    podyard: CommandLine, control_plane: ControlPlane, namespace: str
) -> None:
    def event(event_name: str, reason: str, seconds_ago: int, **about: str) -> str:
        seen = datetime.now(UTC) - timedelta(seconds=seconds_ago)
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": event_name, "namespace": namespace},
                "involvedObject": {"namespace": namespace, **about},
                "type": "Warning" if reason == "BackOff" else "Normal",
                "reason": reason,
                "message": "a long message " * 20,
                "count": 3,
                "lastTimestamp": seen.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    web = {"apiVersion": "v1", "kind": "Pod", "name": "web"}
    control_plane.apply(event("a", "Pulled", 4000, **web))
    control_plane.apply(event("b", "BackOff", 60, **web))
    control_plane.apply(event("c", "Created", 30, apiVersion="batch/v1", kind="Job", name="web"))

    async def reasons(*options: str) -> list[str]:
        result = await podyard("events", "-n", namespace, "--consistent", "-o", "json", *options)
        return [each["reason"] for each in json.loads(result.stdout)["events"]]

    assert await reasons() == ["Created", "BackOff", "Pulled"]
    assert await reasons("--for", "po/web") == ["BackOff", "Pulled"]
    assert await reasons("--for", "batch/v1/Job/web") == ["Created"]
    assert await reasons("--since", "10m", "--sort-by", "reason") == ["BackOff", "Created"]
    assert await reasons("--type", "Warning") == ["BackOff"]
    assert await reasons("--reason", "pulled", "--reason", "created") == ["Created", "Pulled"]
    counted = await podyard("events", "-n", namespace, "--count-by", "type,reason")
    assert counted.stdout.split() == [
        "TYPE", "COUNT", "Normal", "2", "Warning", "1",
        "REASON", "COUNT", "BackOff", "1", "Created", "1", "Pulled", "1",
    ]  # fmt: skip
    table = (await podyard("events", "-n", namespace)).stdout.splitlines()
    assert table[0].split()[:4] == ["SEEN", "TYPE", "REASON", "OBJECT"]
    assert table[2].split()[1:4] == ["Warning", "BackOff", "pod/web"]
    for bad in (["--for", "web"], ["--since", "soon"], ["--watch", "--limit", "3"]):
        assert (await podyard("events", *bad)).code == 2

    options = ("--for", "pod/web", "--watch", "-o", "json")
    async with podyard.started("events", "-n", namespace, *options) as watch:
        assert watch.stdout is not None
        async with asyncio.timeout(WAIT_SECONDS):
            shown = [json.loads(await watch.stdout.readline())["reason"] for _ in range(2)]
            assert shown == ["Pulled", "BackOff"]
            control_plane.apply(event("d", "Killing", 0, kind="Job", name="web"))
            control_plane.apply(event("e", "Started", 0, **web))
            late = json.loads(await watch.stdout.readline())
            assert (late["reason"], late["count"]) == ("Started", 3)


async def test_filters_and_counts_of_the_command_line(
    podyard: CommandLine, control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("wait", "-n", namespace, "--for=create", "serviceaccount/default")
    for name in ("one", "two"):
        control_plane.apply(POD.format(name=name, namespace=namespace))
    control_plane.kubectl("wait", "pod", "-n", namespace, "--all", "--for=condition=Ready")
    control_plane.kubectl(
        "patch", "pod", "two", "-n", namespace, "--subresource=status", "--type=merge",
        "-p", '{"status":{"phase":"Failed","reason":"Evicted"}}',
    )  # fmt: skip

    async def names(*options: str) -> list[str]:
        result = await podyard("pods", "-n", namespace, "--consistent", "-o", "json", *options)
        return [each["name"] for each in json.loads(result.stdout)["pods"]]

    assert await names() == ["one", "two"]
    assert await names("--phase", "running") == ["one"]
    assert await names("--reason", "Evicted") == ["two"]
    assert await names("--gpu") == []
    assert await names("--node", "") == []
    both = await podyard("pods", "-n", f"{namespace},kube-system", "--count-by", "phase")
    assert both.stdout.split() == ["PHASE", "COUNT", "Failed", "1", "Running", "1"]
    assert both.stderr == "2 pods in all\n"
    as_json = await podyard("pods", "-n", namespace, "--count-by", "phase", "-o", "json")
    document = json.loads(as_json.stdout)
    assert "pods" not in document
    assert document["counts"][0]["values"][0] == {"value": "Failed", "count": 1}
    refused = await podyard("pods", "--phase", "Runing")
    assert (refused.code, refused.stdout) == (1, "")
    assert 'phases[0]: "Runing" is not one of Pending, Running' in refused.stderr
    found = await podyard("namespaces", "--phase", "active", "-o", "json")
    assert namespace in [each["name"] for each in json.loads(found.stdout)["namespaces"]]
    ready = await podyard("nodes", "--ready", "--count-by", "ready")
    assert ready.stdout.split() == ["READY", "COUNT", "true", "3"]
    assert (await podyard("nodes", "--not-ready")).stderr == "no nodes found\n"
    assert namespace in (await podyard("get", "ns")).stdout


async def test_the_sdk_lists_with_masks_counts_and_events(
    kubernetes: ServiceProcess, control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("wait", "-n", namespace, "--for=create", "serviceaccount/default")
    for name in ("one", "two", "three"):
        control_plane.apply(POD.format(name=name, namespace=namespace))

    def read() -> tuple[list[str], Any, list[str], list[str]]:
        with Podyard(k8s_resource=kubernetes.address) as client:
            pods = client.k8s.list_pods(
                namespaces=[namespace],
                read_mask=["name", "owner.name"],
                count_by=["namespace"],
                page_size=2,
                consistent=True,
            ).answer()
            events = client.k8s.list_events(
                namespace=namespace, since=timedelta(hours=1), reasons=["Scheduled"]
            )
            spaces = client.k8s.list_namespaces(phases=["Active"], read_mask=["name"])
            assert all(not pod.phase for pod in pods.pods)
            return (
                [pod.name for pod in pods.pods],
                pods.counts,
                [event.reason for event in events],
                [each.name for each in spaces],
            )

    control_plane.kubectl("wait", "pod", "-n", namespace, "--all", "--for=condition=Ready")
    names, counts, reasons, spaces = await asyncio.to_thread(read)
    assert names == ["one", "three", "two"]
    # Counted once, though there were two pages.
    assert [(v.value, v.count) for each in counts for v in each.values] == [(namespace, 3)]
    assert set(reasons) <= {"Scheduled"}
    assert namespace in spaces
