"""Loads the demo data into the local cluster; repeatable.

`python -m tools.stack.demo --kubectl PATH --kubeconfig PATH`. Only ever run by the local stack
against the control plane that it made itself.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from tools.stack.demo.training_jobs import at_times, pods_of, status_of, workload_of

MANIFESTS = Path(__file__).resolve().parent / "kubernetes"
Manifest = dict[str, Any]


class Loader:
    """kubectl's server-side apply, which makes or corrects and never doubles."""

    def __init__(self, kubectl: Path, kubeconfig: Path) -> None:
        self._kubectl = kubectl
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}

    def load(self) -> int:
        """Load everything; the number of objects."""
        now = datetime.now(UTC)
        kinds = _read("crd")
        self._apply(kinds)
        self._run("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
        nodes, system = _read("nodes"), _read("system")
        # A claim made before its volume is known to the controller waits 15 s for a resync.
        self._apply([manifest for manifest in system if manifest["kind"] == "PersistentVolume"])
        self._run("wait", "--for=jsonpath={.status.phase}", "--timeout=30s", "pv", "s3-pv")
        self._apply(nodes + system)
        self._apply_status(nodes)
        queues = at_times(_read("kueue"), now)
        self._apply([_without_status(queue) for queue in queues])
        self._apply_status(queues)
        loaded = self._load_jobs(at_times(_read("training"), now))
        # Before inference comes for what is left of the GPUs.
        scheduled = ("wait", "--for=condition=PodScheduled", "--timeout=30s", "pod")
        self._run(*scheduled, "-l", "HPJob,app notin (qwen3-32b-sft)")
        rest = _read("inference") + _read("jobs")
        self._apply(rest)
        self._apply_status([manifest for manifest in rest if "status" in manifest])
        loaded += self._load_jobs(at_times(_read("waiting"), now))
        plain = nodes + system + queues + rest
        return len(kinds) + len(plain) + loaded

    def _load_jobs(self, jobs: list[Manifest]) -> int:
        """Training jobs with their pods and Kueue's workloads; the number of objects."""
        self._apply([_without_status(job) for job in jobs])
        uids = {job["metadata"]["name"]: self._uid(job) for job in jobs}
        pods = [pod for job in jobs for pod in pods_of(job, uids[job["metadata"]["name"]])]
        if pods:
            self._apply(pods)
        self._apply_status([status_of(job, pods) for job in jobs])
        workloads = [workload_of(job, uids[job["metadata"]["name"]]) for job in jobs]
        self._apply([_without_status(workload) for workload in workloads])
        self._apply_status(workloads)
        return len(jobs) + len(pods) + len(workloads)

    def _uid(self, job: Manifest) -> str:
        found = json.loads(
            self._run("get", "hyperpodpytorchjob", job["metadata"]["name"], "-o", "json")
        )
        return str(found["metadata"]["uid"])

    def _apply(self, manifests: list[Manifest]) -> None:
        self._server_side(manifests)

    def _apply_status(self, manifests: list[Manifest]) -> None:
        self._server_side(manifests, "--subresource=status")

    def _server_side(self, manifests: list[Manifest], *options: str) -> None:
        self._run(
            *("apply", "--server-side", "--force-conflicts", "--field-manager=podyard-demo"),
            *(*options, "-f", "-"),
            stdin=yaml.safe_dump_all(manifests),
        )

    def _run(self, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            [str(self._kubectl), *arguments],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            sys.exit(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout


def _read(name: str) -> list[Manifest]:
    text = (MANIFESTS / f"{name}.yaml").read_text()
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def _without_status(manifest: Manifest) -> Manifest:
    return {key: value for key, value in manifest.items() if key != "status"}


def main() -> None:
    """Load, and say how much."""
    parser = argparse.ArgumentParser(prog="demo")
    parser.add_argument("--kubectl", type=Path, required=True)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    options = parser.parse_args()
    print(f"demo data: {Loader(options.kubectl, options.kubeconfig).load()} objects")


if __name__ == "__main__":
    main()
