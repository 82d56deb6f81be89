"""Log files that the simulated kubelets serve as the logs of a pod's containers.

The format is the container runtime interface's: `<RFC 3339 time> <stream> <F|P> <text>`, where
P marks a part of a line (github.com/kubernetes/cri-client, pkg/logs).
"""

from __future__ import annotations

import threading
import time
import urllib.error
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.stack.kube_api import KubeApi


def cri_timestamp(seconds: float | None = None) -> str:
    """Nanoseconds in UTC; `seconds` since the epoch, or now."""
    nanoseconds = time.time_ns() if seconds is None else round(seconds * 1_000_000) * 1000
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 1_000_000_000:09d}Z"


def cri_line(text: str, stream: str = "stdout", timestamp: float | None = None) -> bytes:
    """One whole line in the format above."""
    return f"{cri_timestamp(timestamp)} {stream} F {text}\n".encode()


class PodLogs:
    """The logs of one pod; a container's file is announced when first asked for."""

    def __init__(self, api: KubeApi, folder: Path, pod: str, namespace: str = "default") -> None:
        self._api = api
        self._folder = folder / namespace / pod
        self._pod = pod
        self._namespace = namespace
        self._containers: set[str] = set()
        self._lock = threading.Lock()

    def file(self, container: str = "main") -> Path:
        """The container's log file; after the first call the kubelet serves it."""
        with self._lock:
            if container not in self._containers:
                self._announce(container)
                self._await_served(container)
        return self._path(container)

    def announce(self, container: str) -> None:
        """Make the file and tell the kubelet, without waiting until it serves it."""
        with self._lock:
            if container not in self._containers:
                self._announce(container)

    def write(
        self,
        container: str,
        *lines: str,
        stream: str = "stdout",
        timestamp: float | None = None,
    ) -> None:
        """Append whole lines in one write (timestamp: seconds since the epoch, default now)."""
        self.write_raw(container, b"".join(cri_line(line, stream, timestamp) for line in lines))

    def write_raw(self, container: str, data: bytes) -> None:
        """Append bytes as they are; the caller keeps to the format, or breaks it on purpose."""
        with self.file(container).open("ab", buffering=0) as log:
            log.write(data)

    def rotate(self, container: str = "main") -> Path:
        """What a kubelet does at the size limit: rename the file, begin a new one."""
        current = self.file(container)
        old = current.with_name(f"{current.name}.{datetime.now(UTC):%Y%m%d-%H%M%S.%f}")
        current.rename(old)
        current.touch()
        return old

    def restart(self, container: str = "main") -> None:
        """The present log becomes the previous one (`kubectl logs --previous`)."""
        self.file(container).rename(self._path(container, "previous"))
        self._path(container).touch()

    def _path(self, container: str, which: str = "current") -> Path:
        suffix = ".log" if which == "current" else ".previous.log"
        return self._folder / f"{container}{suffix}"

    def _announce(self, container: str) -> None:
        self._containers.add(container)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path(container).touch()
        self._path(container, "previous").touch()
        manifest: dict[str, Any] = {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "Logs",
            "metadata": {"name": self._pod, "namespace": self._namespace},
            "spec": {
                "logs": [
                    {
                        "containers": [container],
                        "logsFile": str(self._path(container)),
                        "previousLogsFile": str(self._path(container, "previous")),
                        "follow": True,
                    }
                    for container in sorted(self._containers)
                ]
            },
        }
        path = f"/apis/kwok.x-k8s.io/v1alpha1/namespaces/{self._namespace}/logs/{self._pod}"
        self._api.apply(path, manifest)

    def _await_served(self, container: str, timeout_seconds: float = 20.0) -> None:
        """The kubelet learns of the file by a watch; a missing pod or container ends the wait."""
        path = (
            f"/api/v1/namespaces/{self._namespace}/pods/{self._pod}/log"
            f"?container={container}&limitBytes=1"
        )
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                self._api.request("GET", path)
                return
            except urllib.error.HTTPError as error:
                reason = error.read().decode("utf-8", "replace")
                if error.code == 404 or "is not valid for pod" in reason:
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self._pod}/{container}: {reason}") from error
            time.sleep(0.02)
