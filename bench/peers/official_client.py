"""The official Python client: `python -m bench.peers.official_client KUBECONFIG lists|watch …`.

Prints one JSON object with what it measured of itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubernetes import client, config, watch

from bench.processes import CHECKOUT, cpu_seconds, peak_rss_mb
from bench.timing import concurrent_ms, median_ms


def measured(kubeconfig: Path, what: str, *arguments: object) -> dict[str, float]:
    """Run it in a process of its own and read what it prints."""
    command = [sys.executable, "-m", "bench.peers.official_client", str(kubeconfig), what]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        check=True,
        capture_output=True,
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _lists(api: Any, selector: str, samples: str, clients: str, each: str) -> dict[str, float]:
    """Lists by label on an open connection: one client, then several at once."""

    def call() -> Callable[[], object]:
        own = client.CoreV1Api(client.ApiClient())
        return lambda: own.list_namespaced_pod("default", label_selector=selector)

    alone = median_ms(
        lambda: api.list_namespaced_pod("default", label_selector=selector), int(samples)
    )
    together = concurrent_ms(call, int(clients), int(each))
    return {"one": alone, "several": together, "rss": peak_rss_mb(os.getpid())}


def _watch(api: Any, version: str, count: str) -> dict[str, float]:
    """Events of a watch from a resourceVersion on, until so many have come."""
    stream = watch.Watch().stream(
        api.list_pod_for_all_namespaces, resource_version=version, timeout_seconds=600
    )
    begun = used = 0.0
    seen = 0
    for _ in stream:
        if not seen:
            begun, used = time.perf_counter(), cpu_seconds(os.getpid())
        seen += 1
        if seen == int(count):
            break
    seconds = time.perf_counter() - begun
    return {"rate": (seen - 1) / seconds, "cpu": (cpu_seconds(os.getpid()) - used) / (seen - 1)}


def main(kubeconfig: str, what: str, *arguments: str) -> None:
    """Measure and print."""
    config.load_kube_config(kubeconfig)
    measure: Any = {"lists": _lists, "watch": _watch}[what]
    print(json.dumps(measure(client.CoreV1Api(), *arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
