"""A real Kubernetes control plane on loopback, made by kwokctl; KWOK plays the kubelets."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from tools.stack import kwokctl, ports, processes, programs
from tools.stack.console import last_lines
from tools.stack.errors import StackError
from tools.stack.kube_api import KubeApi
from tools.stack.kwok_processes import PARTS, KwokProcesses
from tools.stack.pod_logs import PodLogs
from tools.stack.processes import ProcessIdentity

READY_SECONDS = 90.0
_POLL_SECONDS = 0.05


class ControlPlane:
    """One running control plane. Its data lives below `folder` and goes with it."""

    def __init__(self, name: str, folder: Path, nodes: int = 0) -> None:
        self.name = name
        self.folder = folder
        self.nodes = nodes
        self.kubeconfig = folder / "kubeconfig"
        self.pod_log_folder = folder / "pod-logs"
        self.server_url = ""
        self._restarted: subprocess.Popen[bytes] | None = None
        self._parts = KwokProcesses(self.work_folder)
        # Set by another thread to end a `start` early.
        self.abort = threading.Event()
        self._api_server_argv: list[str] = []
        self._logs: dict[tuple[str, str], PodLogs] = {}

    @cached_property
    def programs(self) -> Path:
        """The folder of the programs; StackError when they are not built."""
        return programs.folder()

    @property
    def kubectl_path(self) -> Path:
        """The kubectl of the same version."""
        return self.programs / "kubectl"

    @property
    def kwokctl_path(self) -> Path:
        """The kwokctl that made this cluster."""
        return self.programs / "kwokctl"

    @property
    def work_folder(self) -> Path:
        """kwokctl's folder of this cluster: pki, logs, pids, etcd's data."""
        return self.folder / "kwok" / "clusters" / self.name

    @property
    def context(self) -> str:
        """The name of the context in the kubeconfig."""
        return f"kwok-{self.name}"

    def log_file(self, part: str) -> Path:
        """The log of one of `PARTS`."""
        return self.work_folder / "logs" / f"{part}.log"

    def start(self) -> None:
        """Make the cluster and wait until pods can be made; StackError with the reason."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.pod_log_folder.mkdir(parents=True)
        at = kwokctl.Addresses(*ports.free_ports(6))
        self.server_url = f"https://{ports.LOOPBACK}:{at.api_server}"
        log = self.folder / "kwokctl.log"
        try:
            command = kwokctl.create_command(
                self.programs, self.name, self.folder, self.kubeconfig, at
            )
            self._run_kwokctl(command, log)
            self.wait_ready()
            if self.nodes:
                self.kwokctl("scale", "node", "--replicas", str(self.nodes))
        except BaseException:
            self.kill()
            raise

    def wait_ready(self, timeout_seconds: float = READY_SECONDS) -> None:
        """Wait until the API server is ready and the controllers have made what pods need."""
        api = self.api()
        self._await("the API server is ready", lambda: api.is_ready(), timeout_seconds)
        # Without its default service account a namespace refuses every pod.
        self._await(
            "the controllers work",
            lambda: api.exists("/api/v1/namespaces/default/serviceaccounts/default"),
            timeout_seconds,
        )

    def stop(self, grace_seconds: float = 3.0) -> None:
        """End all parts, the last started first. Nothing is kept: there is no need to wait long."""
        processes.stop(list(reversed(self.identities().values())), grace_seconds)
        self._reap()

    def kill(self) -> None:
        """End all parts at once."""
        processes.kill(list(self.identities().values()))
        self._reap()

    def identities(self) -> dict[str, ProcessIdentity]:
        """The live processes by part, in the order of their start."""
        return self._parts.identities()

    def kill_apiserver(self) -> None:
        """kill -9 the API server; returns when it is gone."""
        identity = self._parts.identity("kube-apiserver")
        if identity is None:
            raise StackError(f"The API server of {self.name} is not running.")
        if not self._api_server_argv:
            recorded = Path(f"/proc/{identity.pid}/cmdline").read_bytes()
            self._api_server_argv = [os.fsdecode(part) for part in recorded.split(b"\0")[:-1]]
        processes.kill([identity])
        self._reap()

    def start_apiserver(self, *, wait: bool = True) -> None:
        """Start the same program with the same arguments again, on the same data and port."""
        if not self._api_server_argv:
            raise StackError("start_apiserver needs a kill_apiserver before it.")
        with self.log_file("kube-apiserver").open("ab") as log:
            self._restarted = subprocess.Popen(
                self._api_server_argv,
                cwd=self.work_folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._parts.replace("kube-apiserver", self._restarted.pid)
        if wait:
            self.wait_ready()

    def api(self) -> KubeApi:
        """A small client with the administrator's certificate."""
        pki = self.work_folder / "pki"
        return KubeApi(self.server_url, pki / "ca.crt", pki / "admin.crt", pki / "admin.key")

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl against this cluster; its output, or StackError with its complaint."""
        return self._run([str(self.kubectl_path), *arguments], stdin)

    def kwokctl(self, *arguments: str) -> str:
        """Run kwokctl for this cluster; its output, or StackError with its complaint."""
        return self._run([str(self.kwokctl_path), "--name", self.name, *arguments], None)

    def apply(self, manifest: str) -> str:
        """Server-side apply YAML or JSON documents, as field manager `podyard-stack`."""
        return self.kubectl(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=podyard-stack",
            "-f",
            "-",
            stdin=manifest,
        )

    def pod_logs(self, pod: str, namespace: str = "default") -> PodLogs:
        """The log files of a pod; made, and known to the kubelet, after this returns."""
        key = (namespace, pod)
        if key not in self._logs:
            self._logs[key] = PodLogs(self.api(), self.pod_log_folder, pod, namespace)
        return self._logs[key]

    def write_logs(
        self,
        pod: str,
        *lines: str,
        namespace: str = "default",
        container: str = "main",
        timestamp: float | None = None,
    ) -> None:
        """Append lines to a container's log (seconds since the epoch; now when not given)."""
        self.pod_logs(pod, namespace).write(container, *lines, timestamp=timestamp)

    def _run_kwokctl(self, command: list[str], log: Path) -> None:
        """In a session of its own, so that Ctrl-C in a terminal does not reach what it starts."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                env=kwokctl.environment(self.programs, self.folder, self.kubeconfig),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_SECONDS
        try:
            while (code := process.poll()) is None:
                if self.abort.is_set() or time.monotonic() > deadline:
                    raise StackError(f"kwokctl was stopped before its end:\n{last_lines(log)}")
                time.sleep(_POLL_SECONDS)
        finally:
            process.kill()
            process.wait()
        if code != 0:
            raise StackError(f"kwokctl failed (exit code {code}):\n{last_lines(log)}")

    def _run(self, command: list[str], stdin: str | None) -> str:
        done = subprocess.run(
            command,
            env=kwokctl.environment(self.programs, self.folder, self.kubeconfig),
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            shown = " ".join([Path(command[0]).name, *command[1:]])
            raise StackError(f"`{shown}` failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def _await(self, what: str, condition: Callable[[], bool], timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not condition():
            for part in PARTS:
                if self._parts.identity(part) is None:
                    raise StackError(
                        f"{part} of {self.name} ended while starting. Last lines of "
                        f"{self.log_file(part)}:\n{last_lines(self.log_file(part))}"
                    )
            if self.abort.is_set() or time.monotonic() > deadline:
                raise StackError(f"Gave up after {timeout_seconds:.0f} s waiting until {what}.")
            time.sleep(_POLL_SECONDS)

    def _reap(self) -> None:
        if self._restarted is not None and self._restarted.poll() is not None:
            self._restarted = None
