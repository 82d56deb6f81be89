"""Where the local stack keeps things. Standard library only: used before `.venv` exists."""

from __future__ import annotations

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
STACK = Path(__file__).resolve().parent
CHECKOUT_ENVIRONMENT = CHECKOUT / ".venv"
CHECKOUT_PYTHON = CHECKOUT_ENVIRONMENT / "bin" / "python"


def cache_folder() -> Path:
    """Things that are expensive to make and never change: programs, environments."""
    return _folder("PODYARD_CACHE", "~/.cache/podyard")


def state_folder() -> Path:
    """What one running local stack owns: addresses, logs, data, process records."""
    return _folder("PODYARD_STATE", "~/.local/state/podyard")


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or default).expanduser().absolute()
