"""Asking before something is deleted."""

from __future__ import annotations

import sys

import typer
from podyard.cli.exits import CommandError, usage


def confirm_deletion(what: str, *, yes: bool) -> None:
    """Ask on the terminal unless `yes`; refuse where nobody can be asked."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        usage(f"deleting {what} needs --yes when there is no terminal to ask on")
    if not typer.confirm(f"Delete {what}?", default=False, err=True):
        raise CommandError("nothing was deleted")
