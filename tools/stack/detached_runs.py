"""Steps, such as a launch, that outlast the service that began them.

They are no children of anything that is recorded here, so when the stack's supervisor was killed
they are found by the records of their own runs (services/common/operations/run_folder.py).
"""

from __future__ import annotations

from pathlib import Path

from tools.stack import processes
from tools.stack.console import say
from tools.stack.processes import ProcessIdentity
from tools.stack.records import read_json

_GRACE_SECONDS = 10.0


def end(data: Path) -> list[str]:
    """End what runs for the services whose state is below `data`; the operations' ids."""
    found: dict[str, ProcessIdentity] = {}
    for file in sorted(data.glob("*/runs/*/*/supervisor.json")):
        record = read_json(file)
        try:
            identity = ProcessIdentity(int(record["pid"]), int(record["start_ticks"]))
        except (KeyError, TypeError, ValueError):
            continue
        if processes.is_alive(identity):
            found[file.parents[1].name] = identity
    if found:
        say(f"Ending operations that are under way: {', '.join(found)}.")
        # Asked to end, a supervisor ends its program; killed, the kernel does (PR_SET_PDEATHSIG).
        processes.stop(list(found.values()), _GRACE_SECONDS)
    return list(found)
