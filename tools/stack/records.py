"""What a running stack leaves on disk: its processes, and its addresses for other programs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.stack import processes
from tools.stack.processes import ProcessIdentity

SUPERVISOR = "supervisor"


@dataclass(frozen=True)
class Records:
    """The files below the state folder."""

    state: Path

    @property
    def endpoints_file(self) -> Path:
        """Addresses of everything, for the CLI, `podyard doctor` and people."""
        return self.state / "endpoints.json"

    @property
    def logs(self) -> Path:
        """One log per component."""
        return self.state / "logs"

    def log(self, name: str) -> Path:
        """The log of a component."""
        return self.logs / f"{name}.log"

    def remember(self, name: str, identity: ProcessIdentity, argv: list[str]) -> None:
        """Write down a process that was started."""
        write_json(
            self._run / f"{name}.json",
            {"pid": identity.pid, "start_time": identity.start_time, "argv": argv},
        )

    def forget(self, name: str) -> None:
        """The process has ended."""
        (self._run / f"{name}.json").unlink(missing_ok=True)

    def recorded(self) -> dict[str, ProcessIdentity]:
        """The recorded processes that still live."""
        found = {}
        for file in sorted(self._run.glob("*.json")):
            record = read_json(file)
            try:
                identity = ProcessIdentity(int(record["pid"]), int(record["start_time"]))
            except (KeyError, TypeError, ValueError):
                continue
            if processes.is_alive(identity):
                found[file.stem] = identity
        return found

    def supervisor(self) -> ProcessIdentity | None:
        """The supervisor of a running stack; None when there is none."""
        return self.recorded().get(SUPERVISOR)

    def was_supervised(self) -> bool:
        """Whether a supervisor ever wrote itself down here and did not take that back."""
        return (self._run / f"{SUPERVISOR}.json").exists()

    def endpoints(self) -> dict[str, Any]:
        """What the running stack has published; empty when nothing is."""
        return read_json(self.endpoints_file)

    @property
    def _run(self) -> Path:
        return self.state / "run"


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Atomically: readers see the old or the new content, never half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    partial.write_text(json.dumps(content, indent=2) + "\n")
    partial.replace(file)


def read_json(file: Path) -> dict[str, Any]:
    """The content; empty when the file is missing or is not JSON."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
