"""The commands as users and scripts see them: output, exit codes, error texts."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest
import yaml
from podyard.common.v1 import operation_pb2
from podyard.k8s_resource.v1 import logs_pb2, objects_pb2, watch_pb2
from podyard.training_history.v1 import training_history_service_pb2 as history

from services.common import errors
from tests.integration.cli.command_line import CommandLine
from tests.integration.cli.scripted_services import Script, Services


def pod(name: str, namespace: str = "default") -> objects_pb2.Pod:
    made = objects_pb2.Pod(
        name=name, namespace=namespace, phase="Running", display_status="Running"
    )
    made.containers.add(name="main", ready=True)
    made.gpu_request = 8
    return made


def config_map(name: str) -> objects_pb2.KubernetesObject:
    made = objects_pb2.KubernetesObject(
        json=json.dumps({"kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})
    )
    made.ref.kind, made.ref.name = "ConfigMap", name
    return made


async def test_a_list_reads_all_its_pages(podyard: CommandLine, script: Script) -> None:
    script.pods = [pod(f"web-{number:04d}") for number in range(2500)]
    result = await podyard("pods")
    lines = result.stdout.splitlines()
    assert (result.code, result.stderr) == (0, "")
    assert lines[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "GPUS", "AGE", "IP", "NODE"]
    assert [line.split()[0] for line in lines[1:]] == [p.name for p in script.pods]
    assert lines[1].split() == ["web-0000", "1/1", "Running", "0", "8", "-", "-", "-"]
    assert len(script.requests) == 3


async def test_a_proxy_for_the_web_is_not_for_the_services(
    podyard: CommandLine, script: Script
) -> None:
    script.pods = [pod("web")]
    podyard.environment["http_proxy"] = podyard.environment["grpc_proxy"] = "http://127.0.0.1:1"
    assert "web" in (await podyard("pods")).stdout


async def test_json_is_one_answer_whatever_the_pages(podyard: CommandLine, script: Script) -> None:
    script.pods = [pod(f"web-{number}") for number in range(1500)]
    result = await podyard("pods", "-o", "json")
    answer = json.loads(result.stdout)
    assert [p["name"] for p in answer["pods"]] == [p.name for p in script.pods]
    assert (answer["totalSize"], answer["nextPageToken"]) == (1500, "")
    assert answer["pods"][0]["ready"] is False  # absent values are present
    assert yaml.safe_load((await podyard("pods", "-o", "yaml")).stdout) == answer


async def test_a_limit_says_how_many_there_are(podyard: CommandLine, script: Script) -> None:
    script.pods = [pod(f"web-{number}") for number in range(30)]
    result = await podyard("pods", "--limit", "2")
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr == "2 of 30 shown\n"


async def test_the_namespace_is_default_unless_said_otherwise(
    podyard: CommandLine, script: Script
) -> None:
    script.pods = [pod("a"), pod("b", "kube-system")]
    assert (await podyard("pods")).stdout.splitlines()[1].split()[0] == "a"
    assert (await podyard("pods", "-n", "kube-system")).stdout.splitlines()[1].split()[0] == "b"
    everywhere = (await podyard("pods", "-A")).stdout.splitlines()
    assert [line.split()[:2] for line in everywhere] == [
        ["NAMESPACE", "NAME"],
        ["default", "a"],
        ["kube-system", "b"],
    ]


async def test_nothing_found_is_said_and_is_no_error(podyard: CommandLine) -> None:
    result = await podyard("pods")
    assert (result.code, result.stdout, result.stderr) == (0, "", "no pods found\n")


async def test_outdated_data_are_marked(podyard: CommandLine, script: Script) -> None:
    script.pods, script.stale_reason = [pod("a")], "the API server is gone"
    assert "outdated" in (result := await podyard("pods")).stderr
    assert "the API server is gone" in result.stderr


async def test_nodes_have_gpus_in_all_used_and_available(
    podyard: CommandLine, script: Script
) -> None:
    good = objects_pb2.Node(name="n1", ready=True, schedulable=True, instance_type="ml.p5.48xlarge")
    good.gpu.capacity, good.gpu.allocatable, good.gpu.used, good.gpu.available = 8, 8, 6, 2
    bad = objects_pb2.Node(name="n2", ready=False, schedulable=False)
    bad.gpu.error = 'allocatable "x" is not a number'
    script.nodes = [good, bad, objects_pb2.Node(name="n3", ready=True, schedulable=True)]
    result = await podyard("nodes")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0][4:7] == ["GPUS", "USED", "AVAILABLE"]
    assert [row[1] for row in rows[1:]] == ["Ready", "NotReady,SchedulingDisabled", "Ready"]
    assert [row[4:7] for row in rows[1:]] == [["8", "6", "2"], ["error"] * 3, ["-"] * 3]
    assert "8 GPUs on 3 nodes: 6 used, 2 available; 1 nodes could not be read" in result.stderr


async def test_get_prints_objects_as_kubernetes_has_them(
    podyard: CommandLine, script: Script
) -> None:
    script.objects = {("configmaps", "one"): config_map("one")}
    one = json.loads((await podyard("get", "configmaps", "one", "-o", "json")).stdout)
    assert one == {"kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "b"}}
    everything = yaml.safe_load((await podyard("get", "configmaps", "-o", "yaml")).stdout)
    assert everything == {"apiVersion": "v1", "kind": "List", "items": [one]}
    assert (await podyard("get", "configmaps")).stdout.split()[:4] == [
        "NAME",
        "KIND",
        "AGE",
        "LABELS",
    ]


async def test_cluster_scoped_kinds_are_asked_for_without_a_namespace(
    podyard: CommandLine, script: Script
) -> None:
    await podyard("get", "pv", "missing")
    await podyard("get", "configmap", "missing")
    assert [request.namespace for request in script.requests] == ["", "default"]


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (errors.NotFoundError("pod", "x"), 3, 'pod "x" does not exist'),
        (errors.PermissionDeniedError("viewers may not"), 4, "viewers may not"),
        (errors.UnauthenticatedError("say who you are"), 4, "say who you are"),
        (errors.UnavailableError("no API server", retry_after=3), 5, "try again in 3 s"),
        (errors.DeadlineExceededError("too slow"), 5, "too slow"),
        (errors.ConflictError("changed meanwhile"), 1, "changed meanwhile"),
        (RuntimeError("secret"), 1, "request id"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_failures_have_exit_codes_and_no_stack_trace(
    podyard: CommandLine, script: Script, error: Exception, code: int, text: str
) -> None:
    script.fail_with = error
    result = await podyard("pods")
    assert (result.code, result.stdout) == (code, "")
    assert result.stderr.startswith("error: ")
    assert text in result.stderr
    assert "Traceback" not in result.stderr
    assert "secret" not in result.stderr


async def test_every_bad_field_is_named_on_its_own_line(podyard: CommandLine) -> None:
    result = await podyard(
        "clusters", "create", "lab", "--region", "x;reboot", "--stack-name", "y;reboot"
    )
    assert result.code == 1
    assert result.stderr.splitlines() == [
        "error: the request has 2 bad fields",
        "  cluster.config.aws_region: has a character that is not allowed",
        "  cluster.config.stack_name: has a character that is not allowed",
    ]


async def test_a_service_that_is_down_is_named(podyard: CommandLine, services: Services) -> None:
    address = services.address("training_history")
    await services.stop("training_history")
    result = await podyard("runs", "list")
    assert result.code == 5
    assert result.stderr.splitlines() == [
        f"error: the training-history service at {address} cannot be reached: connection refused",
        "  is it running? `podyard doctor` tells what is up and what is wrong",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["pods", "--nonsense"],
        ["pods", "-o", "xml"],
        ["nonsense"],
        ["logs"],
        ["logs", "web", "-l", "app=web"],
        ["logs", "web", "--since", "soon"],
        ["delete", "pods"],
        ["delete", "pods", "a", "-l", "app=web"],
        ["delete", "pods", "a", "--cascade", "maybe"],
        ["delete", "pods", "a", "--grace-period", "99999999999999"],
        ["logs", "web", "--tail", "99999999999999999999"],
        ["logs", "web", "--since-time", "0001-01-01T00:00:00+14:00"],
        ["get", "pods", "a\udcffb"],
        ["clusters", "create", "lab", "--instance-count", "99999999999"],
        ["clusters", "log", "lab", "--offset", "99999999999999999999"],
        ["clusters", "launch", "lab", "--follow", "-o", "json"],
        ["clusters", "configure", "lab", "--follow", "-o", "yaml"],
        ["clusters", "create"],
        ["ops", "list", "--state", "done"],
        ["runs", "list", "--status", "done"],
        ["apply"],
    ],
    ids=" ".join,
)
async def test_wrong_usage_is_exit_code_2_and_calls_nothing(
    podyard: CommandLine, script: Script, arguments: list[str]
) -> None:
    result = await podyard(*arguments)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert not script.requests


async def test_apply_reports_each_object_and_fails_when_one_did(
    podyard: CommandLine, script: Script
) -> None:
    result = await podyard("apply", "-f", "-", stdin="good refused")
    assert (result.code, result.stdout) == (1, "configmap/good created\n")
    assert result.stderr == "error: configmap/refused: conflict with kubectl: use --force\n"
    dry = await podyard("apply", "-f", "-", "--dry-run", stdin="good")
    assert (dry.code, dry.stdout) == (0, "configmap/good created (dry run)\n")
    assert [r.validate_only for r in script.requests] == [False, True]


async def test_a_manifest_that_cannot_be_read_is_named(
    podyard: CommandLine, script: Script
) -> None:
    result = await podyard("apply", "-f", "nowhere.yaml")
    assert (result.code, result.stderr) == (1, "error: nowhere.yaml: No such file or directory\n")
    result = await podyard("apply", "-f", "-", stdin="  \n")
    assert (result.code, result.stderr) == (1, "error: standard input: empty\n")
    assert not script.requests


async def test_delete_by_name(podyard: CommandLine, script: Script) -> None:
    result = await podyard("delete", "deployment", "a", "b", "--cascade", "foreground")
    assert result.stdout == "deployment/a in default deleted\ndeployment/b in default deleted\n"
    assert script.requests[0].propagation_policy == 2


async def test_a_cluster_comes_from_a_file_and_options_win(
    podyard: CommandLine, script: Script, tmp_path: object
) -> None:
    text = "tag: lab\nconfig:\n  awsRegion: us-west-2\n  gpu_instance_count: 4\n"
    result = await podyard("clusters", "create", "-f", "-", "--instance-count", "2", stdin=text)
    assert result.code == 0
    config = script.clusters["lab"].config
    assert (config.aws_region, config.gpu_instance_count) == ("us-west-2", 2)
    shown = yaml.safe_load((await podyard("clusters", "show", "lab", "-o", "yaml")).stdout)
    assert (shown["tag"], shown["config"]["gpuInstanceCount"]) == ("lab", 2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tag: lab\nconfig: {aws_regoin: x}\n", "aws_regoin"),
        ("tag: [\n", "not valid YAML"),
        ("- a\n", "a mapping"),
        ("tag: other\nconfig: {}\n", 'says "other"'),
        ("!!python/object/apply:os.system ['true']\n", "not valid YAML"),
    ],
)
async def test_a_bad_cluster_file_is_refused(
    podyard: CommandLine, script: Script, text: str, complaint: str
) -> None:
    result = await podyard("clusters", "create", "lab", "-f", "-", stdin=text)
    assert result.code in (1, 2)
    assert complaint in result.stderr
    assert not script.requests


async def test_an_update_changes_only_the_options_given(
    podyard: CommandLine, script: Script
) -> None:
    await podyard("clusters", "create", "lab", "--region", "us-west-2", "--instance-count", "4")
    script.clusters["lab"].etag = "v1"
    result = await podyard("clusters", "update", "lab", "--instance-count", "8")
    config = script.clusters["lab"].config
    assert (config.aws_region, config.gpu_instance_count) == ("us-west-2", 8)
    assert script.clusters["lab"].etag == "v1"
    assert "init_envs.backup.1" in result.stderr


async def test_deleting_needs_yes_where_nobody_can_be_asked(
    podyard: CommandLine, script: Script
) -> None:
    await podyard("clusters", "create", "lab")
    refused = await podyard("clusters", "delete", "lab")
    assert (refused.code, list(script.clusters)) == (2, ["lab"])
    assert "--yes" in refused.stderr
    assert (await podyard("clusters", "delete", "lab", "--yes")).code == 0
    assert not script.clusters


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (operation_pb2.OPERATION_STATE_SUCCEEDED, 0),
        (operation_pb2.OPERATION_STATE_FAILED, 1),
        (operation_pb2.OPERATION_STATE_CANCELLED, 1),
    ],
    ids=["succeeded", "failed", "cancelled"],
)
async def test_launch_follows_the_log_and_exits_by_the_outcome(
    podyard: CommandLine, script: Script, state: operation_pb2.OperationState, code: int
) -> None:
    def operation(at: operation_pb2.OperationState) -> operation_pb2.Operation:
        return operation_pb2.Operation(
            id="lab.1", kind="launch", target="lab", state=at, log_id="log-1"
        )

    await script.operations.add(operation(operation_pb2.OPERATION_STATE_QUEUED))
    async with podyard.started("clusters", "launch", "lab", "--follow") as process:
        assert process.stdout is not None
        await script.operations.add(operation(operation_pb2.OPERATION_STATE_RUNNING))
        await script.launch_log.add("bucket made\n")
        assert await process.stdout.readline() == b"bucket made\n"
        await script.launch_log.add("stack made\n")
        await script.launch_log.close()
        await script.operations.add(operation(state))
        rest, err = await process.communicate()
    assert (process.returncode, rest) == (code, b"stack made\n")
    word = operation_pb2.OperationState.Name(state).rpartition("_")[2].lower()
    assert f"launch of lab {word}" in err.decode()


def log_lines(container: str, *texts: str) -> logs_pb2.LogEvent:
    event = logs_pb2.LogEvent()
    event.lines.source.namespace, event.lines.source.pod = "default", "web-1"
    event.lines.source.container = container
    event.lines.text.extend(texts)
    event.lines.time_unix_nano.extend(1_700_000_000_123_456_789 + n for n in range(len(texts)))
    return event


async def test_logs_of_one_container_are_bare_lines(podyard: CommandLine, script: Script) -> None:
    script.pods = [pod("web-1")]
    marker = logs_pb2.LogMarker(type=logs_pb2.LOG_MARKER_TYPE_ATTACHED)
    await script.logs.add(logs_pb2.LogEvent(marker=marker), log_lines("main", "one", "", "three"))
    await script.logs.close()
    result = await podyard("logs", "web-1", "--tail", "3", "--since", "1h30m")
    assert (result.stdout, result.stderr) == ("one\n\nthree\n", "")
    request = script.requests[-1]
    assert (request.tail_lines, request.since.seconds, request.follow) == (3, 5400, False)
    timed = await podyard("logs", "web-1", "--timestamps", "-c", "main")
    assert timed.stdout.splitlines()[0] == "2023-11-14T22:13:20.123456789Z one"


async def test_logs_of_several_sources_say_which(podyard: CommandLine, script: Script) -> None:
    gap = logs_pb2.LogMarker(type=logs_pb2.LOG_MARKER_TYPE_GAP, message="the file was rotated")
    gap.source.namespace, gap.source.pod, gap.source.container = "default", "web-1", "main"
    await script.logs.add(log_lines("main", "one"), logs_pb2.LogEvent(marker=gap))
    await script.logs.close()
    result = await podyard("logs", "-l", "app=web")
    assert result.stdout == "web-1 main | one\n"
    assert result.stderr == "default/web-1 main: gap: the file was rotated\n"
    lines = (await podyard("logs", "-l", "app=web", "-o", "json")).stdout.splitlines()
    assert json.loads(lines[0])["text"] == "one"
    assert json.loads(lines[0])["source"]["pod"] == "web-1"
    assert json.loads(lines[1])["marker"]["type"] == "LOG_MARKER_TYPE_GAP"


async def test_watch_prints_each_event_and_ends_by_interrupt(
    podyard: CommandLine, script: Script
) -> None:
    event = watch_pb2.WatchEvent(type=watch_pb2.WATCH_EVENT_TYPE_ADDED)
    event.ref.kind, event.ref.namespace, event.ref.name = "Pod", "default", "web-1"
    event.pod.CopyFrom(pod("web-1"))
    await script.watch.add(event)
    async with podyard.started("watch", "pods", "nodes") as process:
        assert process.stdout is not None
        line = await process.stdout.readline()
        assert line.split()[1:5] == [b"ADDED", b"Pod", b"default/web-1", b"Running"]
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"")
    targets = script.requests[0].targets
    assert [(t.kind, t.namespace) for t in targets] == [("pods", "default"), ("nodes", "")]


async def test_watch_goes_on_when_the_service_restarts(
    podyard: CommandLine, services: Services, script: Script
) -> None:
    def event(name: str) -> watch_pb2.WatchEvent:
        made = watch_pb2.WatchEvent(type=watch_pb2.WATCH_EVENT_TYPE_ADDED)
        made.ref.kind, made.ref.name = "Pod", name
        return made

    await script.watch.add(event("one"))
    async with podyard.started("watch", "pods", "-o", "json") as process:
        assert process.stdout is not None
        assert json.loads(await process.stdout.readline())["ref"]["name"] == "one"
        await services.restart("k8s_resource")
        await script.watch.add(event("two"))
        assert json.loads(await process.stdout.readline())["ref"]["name"] == "two"
        await script.watch.close()
        out, err = await process.communicate()
    assert (process.returncode, out) == (0, b"")
    assert "the service is stopping; connecting again" in err.decode()


async def test_a_closed_pipe_is_quiet(podyard: CommandLine, script: Script) -> None:
    script.pods = [pod(f"web-{number:05d}") for number in range(5000)]
    command = f"{' '.join(podyard_program())} pods | head -1"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-o", "pipefail", "-c", command),
        env=podyard.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, out.split()[0], err) == (141, b"NAME", b"")


def podyard_program() -> tuple[str, ...]:
    from tests.integration.cli.command_line import PROGRAM

    return PROGRAM


def run_of(run_id: str, **values: float) -> history.Run:
    run = history.Run(run_id=run_id, run_name=f"name-{run_id}", metrics=values)
    run.status = history.RUN_STATUS_FINISHED
    run.tags["model"] = "llama"
    return run


async def test_runs_have_the_columns_of_the_service(podyard: CommandLine, script: Script) -> None:
    script.columns = [
        history.Column(key="run_name", source=history.COLUMN_SOURCE_ATTRIBUTE, title="Run Name"),
        history.Column(key="model", source=history.COLUMN_SOURCE_TAG, title="Model"),
        history.Column(key="dataset", source=history.COLUMN_SOURCE_TAG, title="Data\nset"),
        history.Column(key="sps", source=history.COLUMN_SOURCE_METRIC, title="Samples/s"),
        history.Column(source=history.COLUMN_SOURCE_ACTION, title="Actions"),
    ]
    script.runs = [run_of("r1", sps=1.23456789), run_of("r2")]
    result = await podyard("runs", "list")
    lines = [line.split("  ") for line in result.stdout.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells == [
        ["RUN NAME", "MODEL", "DATA SET", "SAMPLES/S", "RUN ID"],
        ["name-r1", "llama", "-", "1.23457", "r1"],
        ["name-r2", "llama", "-", "-", "r2"],
    ]


async def test_deleting_a_run_that_is_missing_is_exit_code_3(
    podyard: CommandLine, script: Script
) -> None:
    script.runs = [run_of("r1")]
    result = await podyard("runs", "delete", "r1", "nope", "--yes")
    assert (result.code, result.stdout) == (3, "run r1 deleted\n")
    assert 'run "nope" does not exist' in result.stderr
