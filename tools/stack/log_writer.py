"""Gives every pod of the local cluster a growing log: `python -m tools.stack.log_writer`.

Simulated pods run nothing, so nothing would ever be said in their logs. This watches the pods,
has the simulated kubelets serve a file for each container, and writes what such a program
would: training steps, requests served, the trace of a failure.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import threading
import time
import urllib.error
from pathlib import Path
from typing import Any

from tools.stack.kube_api import KubeApi
from tools.stack.log_lines import Story, story_of
from tools.stack.pod_logs import PodLogs

# Old lines go away with the file before the last one, as with a real kubelet (10 MiB there).
ROTATE_BYTES = 4 * 1024 * 1024
_TICK_SECONDS = 0.25

Pod = dict[str, Any]


class PodWriter:
    """The logs of one pod's containers."""

    def __init__(self, pod: Pod, logs: PodLogs) -> None:
        self._logs = logs
        self._containers = [container["name"] for container in pod["spec"]["containers"]]
        self._story: Story = story_of(pod, random.Random(pod["metadata"]["uid"]))  # noqa: S311
        self._due = 0.0
        self._ended = False
        for container in self._containers:
            logs.announce(container)

    def follow(self, pod: Pod) -> None:
        """Take note of the pod's state; an ended pod gets its last lines."""
        phase = pod.get("status", {}).get("phase")
        if phase in ("Succeeded", "Failed") and not self._ended:
            self._ended = True
            for container in self._containers:
                self._logs.write(container, *self._story.last_lines(phase == "Succeeded"))
        elif phase == "Running" and not self._due:
            self._due = time.monotonic()
            for container in self._containers:
                self._logs.write(container, *self._story.first_lines())

    def tick(self, now: float) -> None:
        """Write the next line when it is due."""
        if self._ended or not self._due or now < self._due:
            return
        self._due = now + self._story.pause_seconds()
        for container in self._containers:
            self._logs.write(container, self._story.next_line())
            if self._logs.file(container).stat().st_size > ROTATE_BYTES:
                self._logs.rotate(container).unlink()


class LogWriter:
    """All pods; the watch runs in a thread, the writing in the caller's."""

    def __init__(self, api: KubeApi, folder: Path) -> None:
        self._api = api
        self._folder = folder
        self._lock = threading.Lock()
        self._pods: dict[str, PodWriter] = {}

    def list(self) -> str:
        """Bring all pods up to date; the resource version to watch from."""
        answer = json.loads(self._api.request("GET", "/api/v1/pods"))
        present = {pod["metadata"]["uid"] for pod in answer["items"]}
        for pod in answer["items"]:
            self._follow(pod)
        with self._lock:
            for uid in set(self._pods) - present:
                del self._pods[uid]
        return str(answer["metadata"]["resourceVersion"])

    def watch_forever(self, version: str) -> None:
        """Follow changes; lists again when the watch breaks."""
        while True:
            try:
                path = f"/api/v1/pods?watch=1&resourceVersion={version}&timeoutSeconds=240"
                for line in self._api.stream(path, timeout_seconds=300.0):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        break
                    self._event(event["type"], event["object"])
                version = self.list()
            except (OSError, ValueError) as error:
                print(f"watch broken, trying again: {error}", flush=True)
                time.sleep(1.0)

    def tick(self) -> None:
        """Write what is due."""
        with self._lock:
            writers = list(self._pods.values())
        now = time.monotonic()
        for writer in writers:
            writer.tick(now)

    def _event(self, kind: str, pod: Pod) -> None:
        if kind == "DELETED":
            with self._lock:
                self._pods.pop(pod["metadata"]["uid"], None)
        else:
            self._follow(pod)

    def _follow(self, pod: Pod) -> None:
        metadata = pod["metadata"]
        writer = self._pods.get(metadata["uid"])
        if writer is None:
            if metadata.get("deletionTimestamp") or not pod["spec"].get("nodeName"):
                return
            logs = PodLogs(self._api, self._folder, metadata["name"], metadata["namespace"])
            try:
                writer = PodWriter(pod, logs)
            except urllib.error.HTTPError as error:  # its namespace is going away, say
                print(f"no log for {metadata['name']}: {error}", flush=True)
                return
            with self._lock:
                self._pods[metadata["uid"]] = writer
        writer.follow(pod)


def main() -> None:
    """Write until told to end."""
    parser = argparse.ArgumentParser(prog="log_writer")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--marker", type=Path, required=True)
    options = parser.parse_args()
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    writer = LogWriter(KubeApi.from_kubeconfig(options.kubeconfig), options.folder)
    version = writer.list()
    threading.Thread(target=writer.watch_forever, args=(version,), daemon=True).start()
    options.marker.touch()
    while not done.wait(_TICK_SECONDS):
        writer.tick()


if __name__ == "__main__":
    main()
