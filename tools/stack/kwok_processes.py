"""The processes that kwokctl started for one cluster, known by id and start time."""

from __future__ import annotations

import os
from pathlib import Path

from tools.stack import processes
from tools.stack.processes import ProcessIdentity

# In the order of their start; stopped in the reverse order.
PARTS = ("etcd", "kube-apiserver", "kwok-controller", "kube-controller-manager", "kube-scheduler")


class KwokProcesses:
    """What runs from kwokctl's folder of a cluster."""

    def __init__(self, work_folder: Path) -> None:
        self._work_folder = work_folder
        self._known: dict[str, ProcessIdentity] = {}

    def identities(self) -> dict[str, ProcessIdentity]:
        """The live processes by part, in the order of their start."""
        return {part: found for part in PARTS if (found := self.identity(part)) is not None}

    def identity(self, part: str) -> ProcessIdentity | None:
        """The live process of a part; None when it does not run."""
        if part not in self._known:
            found = self._recorded(part)
            if found is None:
                return None
            self._known[part] = found
        known = self._known[part]
        return known if processes.is_alive(known) else None

    def replace(self, part: str, pid: int) -> None:
        """A part was started again; kwokctl's own record follows."""
        # Known by its id alone: right after the fork its command line may still be empty.
        started = processes.identify(pid)
        if started is not None:
            self._known[part] = started
        self._pid_file(part).write_text(str(pid))

    def _recorded(self, part: str) -> ProcessIdentity | None:
        """From kwokctl's file of process ids."""
        try:
            pid = int(self._pid_file(part).read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        # The id alone could be another's by now; the program's path names this very cluster.
        ours = os.fsencode(self._work_folder / "bin" / part)
        return processes.identify(pid) if command.split(b"\0", 1)[0] == ours else None

    def _pid_file(self, part: str) -> Path:
        return self._work_folder / "pids" / f"{part}.pid"
