"""What must be on the machine before anything can be made. Standard library only."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys

from tools.stack.errors import StackError

MINIMUM_PYTHON = (3, 11)
# Any of these fetches the exact toolchain that go.mod asks for.
MINIMUM_GO = (1, 21)
MINIMUM_NODE = (20, 0)


def check(*, go_needed: bool) -> None:
    """StackError that names every missing tool at once, and how to get each."""
    missing = [
        problem
        for problem in (
            _linux(),
            _python(),
            _venv(),
            _program("make", "Debian, Ubuntu: apt-get install make"),
            _go() if go_needed else None,
            _node(),
        )
        if problem
    ]
    if missing:
        listed = "\n".join(f"  - {problem}" for problem in missing)
        raise StackError(f"These are needed and not here:\n{listed}")


def _linux() -> str | None:
    if sys.platform == "linux":
        return None
    return "Linux (elsewhere: a Linux virtual machine or container; on Windows, WSL 2)"


def _python() -> str | None:
    if sys.version_info >= MINIMUM_PYTHON:
        return None
    wanted = ".".join(str(part) for part in MINIMUM_PYTHON)
    return f"Python {wanted} or later (this is {sys.version.split()[0]}): python.org/downloads"


def _venv() -> str | None:
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return None
    return "Python's venv and ensurepip (Debian, Ubuntu: apt-get install python3-venv)"


def _go() -> str | None:
    hint = "go.dev/doc/install, or set PODYARD_STACK_BIN to a folder with built programs"
    return _at_least("go", ["version"], MINIMUM_GO, hint)


def _node() -> str | None:
    # Builds the web console; nothing else needs it.
    if os.environ.get("PODYARD_WITHOUT_NODE"):
        return None
    hint = "nodejs.org/en/download, or PODYARD_WITHOUT_NODE=1 to go without the web console"
    return _at_least("node", ["--version"], MINIMUM_NODE, hint)


def _at_least(
    program: str, arguments: list[str], minimum: tuple[int, int], hint: str
) -> str | None:
    wanted = ".".join(str(part) for part in minimum)
    path = shutil.which(program)
    if path is None:
        return f"{program} {wanted} or later: {hint}"
    shown = subprocess.run([path, *arguments], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)\.(\d+)", shown)
    if found and (int(found[1]), int(found[2])) >= minimum:
        return None
    return f"{program} {wanted} or later (found: {shown.strip() or 'none'}): {hint}"


def _program(name: str, hint: str) -> str | None:
    return None if shutil.which(name) else f"{name}: {hint}"
