"""`python -m tools.stack run|up|down` with everything but Podyard's own processes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from tools.stack import layout, processes
from tools.stack.processes import ProcessIdentity
from tools.stack.records import Records

COMMAND = [sys.executable, "-m", "tools.stack"]


def _stack(state: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, arguments[0], "--state", str(state), *arguments[1:]],
        cwd=layout.CHECKOUT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=120,
    )


@contextmanager
def _running(state: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A stack in the foreground, once it says that it is ready; its output so far."""
    process = subprocess.Popen(
        [*COMMAND, "run", "--state", str(state), *arguments],
        cwd=layout.CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    guard = threading.Timer(120, process.kill)
    guard.start()
    said: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if line.startswith("Try:"):
                break
        else:
            pytest.fail("".join(said))
        yield process, said
    finally:
        guard.cancel()
        process.kill()
        process.communicate()
        _stack(state, "down")


def _rest(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=60)[0]


def _listening(identities: dict[str, ProcessIdentity]) -> set[str]:
    """Local addresses of the listening sockets of these processes and of their children."""
    shown = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout
    groups = {identity.pid for identity in identities.values()}
    found = set()
    for line in shown.splitlines():
        pids = {int(pid) for pid in re.findall(r"pid=(\d+)", line)}
        if any(pid in groups or _group(pid) in groups for pid in pids):
            found.add(line.split()[3].rpartition(":")[0])
    return found


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


def test_runs_shows_everything_and_leaves_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with _running(state, "--backing-only") as (process, _):
        endpoints: dict[str, Any] = json.loads((state / "endpoints.json").read_text())
        running = Records(state).recorded()
        assert {"etcd", "kube-apiserver", "mlflow", "aws-emulator", "sagemaker"} <= set(running)
        assert {row["pid"] for row in endpoints["components"]} <= {
            identity.pid for identity in running.values()
        }
        assert all(Path(row["log"]).exists() for row in endpoints["components"])
        assert _listening(running) == {"127.0.0.1"}
        _check_demo_data(endpoints)
        _check_sample_runs(endpoints)

        again = _stack(state, "run", "--backing-only")
        assert again.returncode == 0
        assert "running already" in again.stdout
        assert endpoints["mlflow"] in again.stdout

        process.send_signal(signal.SIGINT)
        assert "Everything has stopped." in _rest(process)
        assert process.returncode == 0
        assert not any(processes.is_alive(identity) for identity in running.values())
        assert not (state / "endpoints.json").exists()


def test_death_is_reported_and_ends_the_rest(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with _running(state, "--backing-only") as (process, _):
        running = Records(state).recorded()
        processes.kill([running["kube-scheduler"]])
        said = _rest(process)
        assert process.returncode == 1
        assert "kube-scheduler ended unexpectedly" in said
        assert "kube-scheduler.log" in said
        assert not any(processes.is_alive(identity) for identity in running.values())


def test_killed_supervisor_is_cleaned_up_after(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with _running(state, "--backing-only") as (process, _):
        running = Records(state).recorded()
        process.kill()
        process.wait()
        assert processes.is_alive(running["etcd"])
        down = _stack(state, "down")
        assert "earlier stack left running" in down.stdout
        assert not any(processes.is_alive(identity) for identity in running.values())
        assert "not running" in _stack(state, "down").stdout


def test_up_with_a_real_cluster_starts_no_kubernetes(tmp_path: Path) -> None:
    state, kubeconfig = tmp_path / "state", tmp_path / "kubeconfig"
    kubeconfig.write_text("apiVersion: v1\nkind: Config\n")
    try:
        up = _stack(state, "up", "--backing-only", "--kubeconfig", str(kubeconfig))
        assert up.returncode == 0, up.stderr
        assert set(Records(state).recorded()) == {
            *("supervisor", "mlflow", "aws-emulator", "sagemaker")
        }
        endpoints = json.loads((state / "endpoints.json").read_text())
        assert endpoints["kubeconfig"] == str(kubeconfig)
        assert endpoints["kubernetes"] == ""
        assert kubeconfig.read_text() == "apiVersion: v1\nkind: Config\n"
        assert _stack(state, "status").returncode == 0
        assert "running already" in _stack(state, "up").stdout
    finally:
        down = _stack(state, "down")
    assert "Everything has stopped." in down.stdout
    assert Records(state).recorded() == {}


def test_port_in_use_is_told_before_anything_starts(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        up = _stack(state, "up", PODYARD_K8S_RESOURCE_LISTEN=address)
    assert up.returncode == 1
    assert "(k8s-resource) is in use" in up.stderr
    assert "PODYARD_K8S_RESOURCE_LISTEN" in up.stderr
    assert Records(state).recorded() == {}


def test_unusable_state_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = _stack(tmp_path / "file" / "state", "run", "--backing-only")
    assert run.returncode == 1
    assert "cannot be used" in run.stderr
    assert "Traceback" not in run.stderr


def _kubectl(endpoints: dict[str, Any], *arguments: str) -> Any:
    shown = subprocess.run(
        [f"{endpoints['programs']}/kubectl", "--kubeconfig", endpoints["kubeconfig"], *arguments],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return json.loads(shown) if "json" in arguments else shown


def _check_demo_data(endpoints: dict[str, Any]) -> None:
    nodes = _kubectl(endpoints, "get", "nodes", "-o", "json")["items"]
    by_type: dict[str, list[str]] = {}
    for node in nodes:
        assert re.fullmatch(r"hyperpod-i-[0-9a-f]{17}", node["metadata"]["name"])
        kind = node["metadata"]["labels"]["node.kubernetes.io/instance-type"]
        by_type.setdefault(kind, []).append(node["status"]["capacity"].get("nvidia.com/gpu", "0"))
    assert by_type == {
        "ml.g5.12xlarge": ["4"] * 4,
        "ml.p4d.24xlarge": ["8", "4", "8"],  # of the second, four are cut into MIG partitions
        "ml.p5.48xlarge": ["8"] * 2,
        "ml.m5.2xlarge": ["0"] * 2,
    }
    jobs = _kubectl(endpoints, "get", "hyperpodpytorchjobs", "-o", "json")["items"]
    states = {job["metadata"]["name"]: job["status"]["conditions"][-1]["type"] for job in jobs}
    assert states == {
        "llama3-70b-sft": "Running",
        "qwen3-8b-dpo": "Completed",
        "mistral-7b-pretrain": "Failed",
        "qwen3-32b-sft": "Created",
        "phi4-grpo": "Suspended",
    }
    _kubectl(endpoints, "wait", "--for=jsonpath={.status.phase}=Bound", "pv/s3-pv")
    for pod, phase in {
        "llama3-70b-sft-pods-1": "Running",
        "qwen3-8b-dpo-pods-0": "Succeeded",
        "mistral-7b-pretrain-pods-0": "Failed",
    }.items():
        wanted = f"--for=jsonpath={{.status.phase}}={phase}"
        _kubectl(endpoints, "wait", wanted, f"pod/{pod}", "--timeout=60s")
    _kubectl(endpoints, "wait", "--for=condition=Failed", "job/convert-checkpoint", "--timeout=90s")
    _kubectl(
        endpoints, "wait", "--for=condition=Complete", "job/tokenize-ultrachat", "--timeout=90s"
    )
    _check_log_grows(endpoints)


def _check_log_grows(endpoints: dict[str, Any]) -> None:
    follow = subprocess.Popen(
        [
            *(f"{endpoints['programs']}/kubectl", "--kubeconfig", endpoints["kubeconfig"]),
            *("logs", "--follow", "--tail=1", "llama3-70b-sft-pods-0"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    guard = threading.Timer(30, follow.kill)
    guard.start()
    try:
        assert follow.stdout is not None
        lines = [follow.stdout.readline() for _ in range(4)]
        assert all(lines)
    finally:
        guard.cancel()
        follow.kill()
        follow.communicate()


def _check_sample_runs(endpoints: dict[str, Any]) -> None:
    client = MlflowClient(endpoints["mlflow"])
    experiments = [found.experiment_id for found in client.search_experiments()]
    runs = client.search_runs(experiments, max_results=1000)
    assert len(runs) == 200
    assert len({run.info.experiment_id for run in runs}) > 2
    assert {run.info.status for run in runs} == {"RUNNING", "FINISHED", "FAILED"}
    wanted = {"model", "dataset", "instance_type", "replica_count", "proc_per_node"}
    wanted |= {"batch_size", "cutoff_len", "deepspeed_conf"}
    assert all(wanted <= set(run.data.tags) for run in runs)
