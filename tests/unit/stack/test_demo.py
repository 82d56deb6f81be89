"""Demo data and log lines: shapes that the rest of the system relies on."""

from __future__ import annotations

import random
import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from tools.stack.demo.__main__ import MANIFESTS
from tools.stack.demo.training_jobs import at_times, pods_of, status_of, workload_of
from tools.stack.log_lines import Serving, Training, Work, story_of
from tools.stack.mlflow_store import insert_runs
from tools.stack.pod_logs import cri_line
from tools.stack.sample_runs import sample_runs
from tools.stack.servers import mlflow_database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_relative_times_are_replaced_everywhere() -> None:
    value = {"a": ["{{-2h}}", {"b": "{{-90m}}"}], "c": "{{-2x}} stays", "d": 3}
    assert at_times(value, NOW) == {
        "a": ["2026-03-01T10:00:00Z", {"b": "2026-03-01T10:30:00Z"}],
        "c": "{{-2x}} stays",
        "d": 3,
    }


def test_pods_are_what_the_operator_would_make() -> None:
    jobs = at_times(list(yaml.safe_load_all((MANIFESTS / "training.yaml").read_text())), NOW)
    job = jobs[0]
    pods = pods_of(job, uid="u-1")
    assert [pod["metadata"]["name"] for pod in pods] == [
        "llama3-70b-sft-pods-0",
        "llama3-70b-sft-pods-1",
    ]
    for pod in pods:
        assert pod["metadata"]["labels"]["HPJob"] == "llama3-70b-sft"
        assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "HyperPod"
        assert pod["metadata"]["ownerReferences"][0]["uid"] == "u-1"
        assert [container["name"] for container in pod["spec"]["containers"]] == ["pytorch"]
    # The template itself is not touched.
    template = job["spec"]["replicaSpecs"][0]["template"]
    assert "HPJob" not in template["metadata"]["labels"]
    status = status_of(job, pods)["status"]
    assert [row["name"] for row in status["jobPods"]] == [p["metadata"]["name"] for p in pods]
    assert status["startTime"] == "2026-03-01T10:00:00Z"


def test_every_job_has_a_workload_with_the_verdict_that_fits_it() -> None:
    jobs = [
        job
        for name in ("training", "waiting")
        for job in at_times(list(yaml.safe_load_all((MANIFESTS / f"{name}.yaml").read_text())), NOW)
    ]
    newest = {}
    for job in jobs:
        workload = workload_of(job, uid="u-123456")
        assert workload["metadata"]["ownerReferences"][0]["name"] == job["metadata"]["name"]
        assert workload["spec"]["queueName"] == "research"
        last = workload["status"]["conditions"][-1]
        newest[job["metadata"]["name"]] = (last["type"], last["status"])
    assert newest == {
        "llama3-70b-sft": ("Admitted", "True"),
        "qwen3-8b-dpo": ("Finished", "True"),
        "mistral-7b-pretrain": ("Finished", "True"),
        "qwen3-32b-sft": ("Admitted", "True"),
        "phi4-grpo": ("QuotaReserved", "False"),
    }
    # A suspended job has no pods.
    assert pods_of(jobs[-1], uid="u-1") == []


def test_inference_names_and_labels_follow_the_contract() -> None:
    objects = list(yaml.safe_load_all((MANIFESTS / "inference.yaml").read_text()))
    deployments = [one for one in objects if one["kind"] == "Deployment"]
    services = {one["metadata"]["name"]: one for one in objects if one["kind"] == "Service"}
    assert len(deployments) == len(services)
    for deployment in deployments:
        match = re.fullmatch(r"(vllm|sglang|olm)-(.+)-inference", deployment["metadata"]["name"])
        assert match is not None
        assert {"app", "model-type", "model-id", "model-tag"} <= set(
            deployment["metadata"]["labels"]
        )
        service = services[f"{match[1]}-{match[2]}-nlb"]
        assert service["spec"]["ports"][0]["port"] == (11434 if match[1] == "olm" else 8000)


def test_samples_are_the_same_for_a_seed_and_varied() -> None:
    runs = list(sample_runs(200, now_ms=1_700_000_000_000))
    assert runs == list(sample_runs(200, now_ms=1_700_000_000_000))
    assert len({run.run_id for run in runs}) == 200
    assert {run.status for run in runs} == {"RUNNING", "FINISHED", "FAILED"}
    assert [run.start_ms for run in runs] != sorted(run.start_ms for run in runs)
    for run in runs:
        assert (run.end_ms is None) == (run.status == "RUNNING")
        assert {"train_samples_per_second", "train_steps_per_second", "loss"} <= {
            key for key, _, _ in run.metrics
        }


def test_latest_metrics_are_the_last_step(tmp_path: Path) -> None:
    database = mlflow_database(tmp_path)
    run = next(sample_runs(1, now_ms=1_700_000_000_000))
    assert insert_runs(database, "mlflow-artifacts:", [run]) == [run.run_id]
    with sqlite3.connect(database) as connection:
        rows = {
            key: (step, value)
            for key, step, value in connection.execute(
                "SELECT key, step, value FROM latest_metrics"
            )
        }
    expected = {key: (step, value) for key, step, value in run.metrics}
    assert rows == expected


def test_log_line_is_in_the_runtime_format() -> None:
    assert cri_line("text", timestamp=1_700_000_000.25) == (
        b"2023-11-14T22:13:20.250000000Z stdout F text\n"
    )


@pytest.mark.parametrize(
    ("labels", "kind"),
    [({"HPJob": "j", "ReplicaIndex": "1"}, Training), ({"model-id": "m"}, Serving), ({}, Work)],
)
def test_each_kind_of_pod_has_its_story(labels: dict[str, str], kind: type) -> None:
    story = story_of({"metadata": {"name": "p", "labels": labels}}, random.Random(1))  # noqa: S311
    assert isinstance(story, kind)
    lines = [story.next_line() for _ in range(400)]
    assert all(line and "\n" not in line for line in lines)
    assert story.first_lines()
    assert story.last_lines(succeeded=True) != story.last_lines(succeeded=False)
    assert story.pause_seconds() > 0


def test_training_has_losses_and_an_error_now_and_then() -> None:
    story = Training("job", 0, random.Random(2))  # noqa: S311
    lines = [story.next_line() for _ in range(500)]
    assert 1 <= sum("ERROR" in line for line in lines) <= 20
    assert sum("'loss':" in line for line in lines) > 400
