"""The whole system as `make up` gives it, in a folder and on ports of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tools.stack import layout
from tools.stack.ports import free_ports

PROGRAM = Path(sys.executable).with_name("podyard")
_STEMS = ("gateway", "k8s_resource", "cluster_lifecycle", "training_history")


@dataclass(frozen=True)
class RunningStack:
    """A running stack: where it is, and how to ask it."""

    state: Path
    environment: dict[str, str]

    @property
    def endpoints(self) -> dict[str, Any]:
        """What the stack says of itself now."""
        found: dict[str, Any] = json.loads((self.state / "endpoints.json").read_text())
        return found

    def podyard(self, *arguments: str, stdin: str | None = None) -> str:
        """What the command line prints; the test fails with its error when it fails."""
        done = self.try_podyard(*arguments, stdin=stdin)
        assert done.returncode == 0, f"podyard {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    def try_podyard(
        self, *arguments: str, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        return subprocess.run(
            [str(PROGRAM), *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )

    @contextlib.contextmanager
    def podyard_stream(self, *arguments: str) -> Iterator[Iterator[str]]:
        """Lines of a command that goes on, which is interrupted at the end."""
        process = subprocess.Popen(
            [str(PROGRAM), *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        try:
            yield iter(process.stdout)
        finally:
            process.kill()
            process.communicate()

    def get(self, path: str, **query: str) -> Any:
        """The gateway's JSON answer."""
        answer = httpx.get(f"{self.endpoints['gateway']}{path}", params=query, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl says of the same cluster: the truth to compare with."""
        endpoints = self.endpoints
        done = subprocess.run(
            [
                str(Path(endpoints["programs"]) / "kubectl"),
                "--kubeconfig",
                endpoints["kubeconfig"],
                *arguments,
            ],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def component(self, name: str) -> dict[str, Any]:
        """One row of the stack's components."""
        rows: list[dict[str, Any]] = self.endpoints["components"]
        return next(row for row in rows if row["name"] == name)


@contextlib.contextmanager
def running_stack(state: Path) -> Iterator[RunningStack]:
    """`up`, and `down` at the end."""
    ports = {
        f"PODYARD_{stem.upper()}_LISTEN": f"127.0.0.1:{port}"
        for stem, port in zip(_STEMS, free_ports(len(_STEMS)), strict=True)
    }
    environment = {**os.environ, **ports, "PODYARD_STATE": str(state), "NO_COLOR": "1"}

    def stack(command: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "tools.stack", command],
            cwd=layout.CHECKOUT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    try:
        stack("up")
        yield RunningStack(state, environment)
    finally:
        stack("down")
