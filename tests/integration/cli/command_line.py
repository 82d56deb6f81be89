"""Running the real `podyard` in a subprocess, with pipes or on a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROGRAM = (sys.executable, "-m", "podyard.cli")


@dataclass(frozen=True)
class Result:
    """How a run ended."""

    code: int
    stdout: str
    stderr: str


class CommandLine:
    """The program with an environment in which only the given services exist."""

    def __init__(self, environment: Mapping[str, str], state: Path) -> None:
        kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        self.environment = {
            **kept,
            "PODYARD_STATE": str(state),
            "TERM": "xterm-256color",
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
            **environment,
        }

    async def __call__(self, *arguments: str, stdin: str = "") -> Result:
        """Run to the end with pipes."""
        async with self.started(*arguments) as process:
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Result(process.returncode, out.decode(), err.decode())

    @contextlib.asynccontextmanager
    async def started(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run with pipes while the block does something; killed at its end if still there."""
        process = await asyncio.create_subprocess_exec(
            *PROGRAM,
            *arguments,
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def on_terminal(
        self, *arguments: str, columns: int = 80, answer: str = "", **environment: str
    ) -> Result:
        """Run on a terminal of so many columns; stdout and stderr come together."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = await asyncio.create_subprocess_exec(
            *PROGRAM,
            *arguments,
            env={**self.environment, **environment},
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        os.write(master, answer.encode())
        text = await asyncio.to_thread(_read_all, master)
        code = await process.wait()
        return Result(code, text.replace("\r\n", "\n"), "")


def _read_all(master: int) -> str:
    pieces = []
    with contextlib.suppress(OSError):  # a terminal whose other side is closed
        while piece := os.read(master, 65536):
            pieces.append(piece)
    os.close(master)
    return b"".join(pieces).decode()
