"""Python environments: the checkout's `.venv`, and those of the backing servers.

Standard library only: this is what makes the environments.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

from tools.stack import layout
from tools.stack.console import run_step, say
from tools.stack.errors import StackError
from tools.stack.locks import held

MARKER = ".podyard-complete"
SERVERS = ("mlflow", "ministack")
PIP = ("install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off")


def digest(*files: Path) -> str:
    """A short hash of the files' contents and of the Python version that runs."""
    total = hashlib.sha256(repr(sys.version_info[:3]).encode())
    for file in files:
        total.update(file.read_bytes() if file.exists() else b"")
    return total.hexdigest()[:16]


def ensure_checkout_environment() -> None:
    """Make `.venv`, or bring it up to date when pyproject.toml or constraints.txt changed."""
    project, constraints = layout.CHECKOUT / "pyproject.toml", layout.CHECKOUT / "constraints.txt"
    key = digest(project, constraints)
    folder = layout.CHECKOUT_ENVIRONMENT
    with held(layout.cache_folder() / "checkout.lock", "the checkout's environment"):
        if _marked(folder, key):
            say(f"  {folder.name}: up to date")
            return
        say(f"  {folder.name}: installing Podyard and its development tools (a few minutes once)")
        log = layout.cache_folder() / "logs" / "checkout-environment.log"
        _create(folder, log)
        limits = ["-c", str(constraints)] if constraints.exists() else []
        seconds = run_step(
            "installing into .venv",
            [folder / "bin" / "python", "-m", "pip", *PIP, *limits, "-e", ".[dev]"],
            log,
            cwd=layout.CHECKOUT,
        )
        (folder / MARKER).write_text(key)
        say(f"  {folder.name}: ready after {seconds:.0f} s")


def server_environment(name: str) -> Path:
    """The folder of a backing server's environment, complete or not yet made."""
    requirements = layout.STACK / f"requirements-{name}.txt"
    return layout.cache_folder() / "environments" / f"{name}-{digest(requirements)}"


def server_python(name: str) -> Path:
    """The interpreter of a backing server; StackError when `setup` has not made it."""
    folder = server_environment(name)
    if not (folder / MARKER).exists():
        raise StackError(f"The environment of {name} is not there yet: run `make setup` first.")
    return folder / "bin" / "python"


def ensure_server_environment(name: str) -> Path:
    """Make the environment of one backing server; a broken-off attempt is continued."""
    final = server_environment(name)
    if (final / MARKER).exists():
        say(f"  {name}: up to date")
        return final
    partial = final.with_name(final.name + ".partial")
    with held(final.with_name(final.name + ".lock"), f"the environment of {name}"):
        if (final / MARKER).exists():
            return final
        say(f"  {name}: installing (once)")
        log = layout.cache_folder() / "logs" / f"{name}-environment.log"
        _create(partial, log)
        requirements = layout.STACK / f"requirements-{name}.txt"
        python = partial / "bin" / "python"
        seconds = run_step(
            f"installing {name}", [python, "-m", "pip", *PIP, "-r", requirements], log
        )
        _move(partial, final)
        say(f"  {name}: ready after {seconds:.0f} s")
    return final


def ensure_mlflow_template() -> Path:
    """An empty database: MLflow's migrations take seconds, so they run once, into this file."""
    python = server_python("mlflow")
    template = python.parent.parent / "empty.db"
    if template.exists():
        return template
    with held(template.with_suffix(".lock"), "MLflow's database"):
        if not template.exists():
            partial = template.with_name("empty.partial.db")
            partial.unlink(missing_ok=True)
            run_step(
                "preparing MLflow's database",
                [python, "-m", "mlflow", "db", "upgrade", f"sqlite:///{partial}"],
                layout.cache_folder() / "logs" / "mlflow-database.log",
            )
            partial.replace(template)
    return template


def _marked(folder: Path, key: str) -> bool:
    try:
        return (folder / MARKER).read_text() == key
    except OSError:
        return False


def _create(folder: Path, log: Path) -> None:
    """An empty environment, unless a usable one is there (then pip continues in it)."""
    if (folder / "bin" / "pip").exists() and (folder / "bin" / "python").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        run_step("creating an environment", [sys.executable, "-m", "venv", folder], log)
    except StackError as error:
        raise StackError(
            f"{error}\nPython's venv module is needed (Debian and Ubuntu: apt-get install "
            "python3-venv)."
        ) from error


def _move(partial: Path, final: Path) -> None:
    """Put a finished environment in place; its scripts name the interpreter by full path."""
    old, new = os.fsencode(partial), os.fsencode(final)
    for script in (partial / "bin").iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        if old in content:
            script.write_bytes(content.replace(old, new))
    (partial / MARKER).write_text("complete\n")
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
