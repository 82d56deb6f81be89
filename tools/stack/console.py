"""Plain progress lines, and long commands that show they are alive. Standard library only."""

from __future__ import annotations

import collections
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from tools.stack.errors import StackError

# A line at least this often while a step runs, so that nobody takes it for stuck.
HEARTBEAT_SECONDS = 20.0


def say(text: str) -> None:
    """Print one line at once, also when the output is a file or a pipe."""
    _print(text, sys.stdout)


def warn(text: str) -> None:
    """Print one line to standard error."""
    _print(text, sys.stderr)


def _print(text: str, stream: TextIO) -> None:
    """A reader that is gone (`| tee` on Ctrl-C, a closed terminal) must not stop the work."""
    try:
        print(text, file=stream, flush=True)
    except OSError:
        # From here on into nothing, also what is still in the buffer.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def last_lines(path: Path, count: int = 20) -> str:
    """The last `count` lines of a log, indented; a note when there are none."""
    try:
        with path.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - 64 * 1024))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return "    (no log)"
    tail = collections.deque((line.rstrip() for line in text.splitlines() if line.strip()), count)
    return "\n".join(f"    {line[:400]}" for line in tail) or "    (the log is empty)"


def run_step(
    label: str,
    argv: Sequence[str | Path],
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> float:
    """Run a long command with its output in `log`; return the seconds it took.

    Prints a heartbeat line every `HEARTBEAT_SECONDS`. Raises StackError with the log's last
    lines when the command fails. Interrupted, it ends the command before it passes the
    interrupt on.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in argv],
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while True:
                try:
                    code = process.wait(timeout=HEARTBEAT_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    say(f"  … {label}: {time.monotonic() - started:.0f} s so far")
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code != 0:
        raise StackError(
            f"{label} failed with exit code {code}. Last lines of {log}:\n{last_lines(log)}"
        )
    return time.monotonic() - started
