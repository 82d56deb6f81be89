"""How a step's program tells where it is: JSON lines appended to a file.

The file is named by the environment variable PODYARD_PROGRESS_FILE. One line
is one object: `step` (a name of the plan), `state` ("running", "succeeded" or
"failed"), and optionally `message` and, on failure, `reason` (UPPER_SNAKE).
A program in another language writes the same lines. Only the standard library
is used, so that any program can import this.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Literal

PROGRESS_FILE_VARIABLE = "PODYARD_PROGRESS_FILE"

ReportedState = Literal["running", "succeeded", "failed"]


def report(step: str, state: ReportedState, message: str = "", reason: str = "") -> None:
    """Append one line; nothing happens where no progress file is set."""
    path = os.environ.get(PROGRESS_FILE_VARIABLE)
    if not path:
        return
    line = {
        "step": step,
        "state": state,
        "message": message,
        "reason": reason,
        "time": datetime.now(UTC).isoformat(),
    }
    # One write of a whole line: O_APPEND keeps lines of several processes apart.
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, json.dumps(line, ensure_ascii=False).encode() + b"\n")
    finally:
        os.close(file)
