"""The replay server as a process, and how to tell it to send."""

from __future__ import annotations

import http.client
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import python_process, wait_until
from tools.stack.ports import free_ports


@dataclass(frozen=True)
class ReplaySource:
    """A running replay server; `kubeconfig` points to it."""

    address: str
    pid: int
    kubeconfig: Path

    def replay(self, count: int, rate: int = 0) -> tuple[float, int]:
        """Send events, `rate` a second; the seconds it took, and the last one's version."""
        connection = http.client.HTTPConnection(self.address, timeout=600)
        connection.request("POST", f"/replay?count={count}&rate={rate}")
        done = json.loads(connection.getresponse().read())
        return done["seconds"], done["version"]

    def watches(self) -> int:
        """How many watches are open."""
        connection = http.client.HTTPConnection(self.address, timeout=5)
        connection.request("GET", "/watches")
        return int(connection.getresponse().read())


@contextmanager
def replay_source(pods: int, log_lines: int = 1) -> Iterator[ReplaySource]:
    """Serves so many pods, and a log of so many lines for each of them."""
    port = free_ports(1)[0]
    with (
        tempfile.TemporaryDirectory() as folder,
        python_process("bench.replay.server", str(port), str(pods), str(log_lines)) as process,
    ):
        kubeconfig = Path(folder) / "kubeconfig"
        kubeconfig.write_text(_kubeconfig(f"http://127.0.0.1:{port}"))
        source = ReplaySource(f"127.0.0.1:{port}", process.pid, kubeconfig)
        wait_until(lambda: _answers(source), "the replay server answers", 60)
        yield source


def _answers(source: ReplaySource) -> bool:
    try:
        connection = http.client.HTTPConnection(source.address, timeout=5)
        connection.request("GET", "/version")
        return connection.getresponse().status == 200
    except OSError:
        return False


def _kubeconfig(server: str) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "replay", "cluster": {"server": server}}],
            "users": [{"name": "replay", "user": {}}],
            "contexts": [{"name": "replay", "context": {"cluster": "replay", "user": "replay"}}],
            "current-context": "replay",
        }
    )
