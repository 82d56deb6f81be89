"""What is up, where, and what is wrong."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import typer
from podyard.cli import output
from podyard.cli.colors import colored, paint
from podyard.cli.exits import ERROR, exit_with
from podyard.cli.session import connect
from podyard.cli.tables import cell_width

if TYPE_CHECKING:
    from podyard.cli.doctor_checks import Finding

_SIGNS = {"ok": "✓", "warning": "!", "problem": "✗", "skipped": "-"}
_COLORS = {"ok": "green", "warning": "yellow", "problem": "red", "skipped": "dim"}


def doctor(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Tell what is up, where, and what is wrong with the remedy. Exit code 1 on a problem."""
    from podyard.cli.doctor_checks import findings

    found: list[Finding] = []
    with connect(context) as client:
        for finding in findings(client):
            found.append(finding)
            if not json:
                _print(finding, is_first=len(found) == 1 or found[-2].group != finding.group)
    problems = [finding for finding in found if finding.state == "problem"]
    if json:
        document = {
            "ok": not problems,
            "client": {"version": version("podyard"), "python": platform.python_version()},
            "checks": [finding.document() for finding in found],
        }
        output.print_document(document, output.OutputFormat.JSON)
    else:
        print(_verdict(len(problems)))
    if problems:
        exit_with(ERROR)


def _print(finding: Finding, *, is_first: bool) -> None:
    styled = colored(sys.stdout)
    if is_first:
        print(paint(finding.group, "bold") if styled else finding.group)
    sign = _SIGNS[finding.state]
    if styled:
        sign = paint(sign, _COLORS[finding.state])
    latency = f" ({finding.latency_ms:g} ms)" if finding.latency_ms is not None else ""
    name = finding.name + " " * max(0, 34 - cell_width(finding.name))
    print(f"  {sign} {name}  {finding.detail}{latency}")
    if finding.address and finding.state != "ok":
        print(f"      at {finding.address}")
    elif finding.address:
        print(f"      {paint(finding.address, 'dim') if styled else finding.address}")
    if finding.remedy:
        print(f"      remedy: {finding.remedy}")
    sys.stdout.flush()


def _verdict(problems: int) -> str:
    if not problems:
        return "everything is up"
    return f"{problems} problem{'s' if problems > 1 else ''} found"
