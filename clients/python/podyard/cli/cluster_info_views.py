"""The preflight of a Kubernetes cluster as people read it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from podyard.cli import output
from podyard.cli.colors import colored, paint
from podyard.cli.tables import Column
from podyard.cli.times import MISSING
from podyard.cli.words import enum_word

COLORS = {
    "READY": "green",
    "ALLOWED": "green",
    "PARTLY": "yellow",
    "NOT_READY": "yellow",
    "WARNING": "yellow",
    "MISSING": "red",
    "DENIED": "red",
    "ERROR": "red",
    "UNKNOWN": "dim",
}
_VERBS = ("get", "list", "watch", "create", "patch", "delete")


def connection_columns() -> list[Column[Any]]:
    """A table of the clusters that `--cluster` may name."""
    return [
        Column("NAME", lambda c: c.name),
        Column("DEFAULT", lambda c: "*" if c.default else "", 1),
        Column("SERVER", lambda c: c.server),
        Column("NAMESPACE", lambda c: c.namespace or MISSING, 2),
    ]


def print_info(info: Any, *, everything: bool) -> None:
    """What was found, the problems last: they are what is still on the screen at the end."""
    output.print_fields(_connection(info))
    if info.reachable:
        print()
        _print_components(info.components, everything=everything)
        print()
        _print_permissions(info.permissions)
    if everything and info.cached_kinds:
        print()
        output.print_table(
            [
                Column("WATCHED", lambda k: k.resource),
                Column("NAMESPACE", lambda k: k.namespace or "all", 1),
                Column("OBJECTS", lambda k: str(k.objects), right=True),
                Column("STATE", lambda k: "outdated" if k.freshness.stale else "up to date", 2),
            ],
            list(info.cached_kinds),
        )
    print()
    print_problems(info.problems)


def print_problems(problems: Sequence[Any]) -> None:
    """Each with its remedy below it."""
    styled = colored(sys.stdout)
    if not problems:
        text = "no problems found"
        print(paint(text, "green") if styled else text)
    for problem in problems:
        severity = enum_word(problem, "severity")
        label = paint(severity, COLORS[severity]) if styled else severity
        print(f"{label} {problem.subject}: {problem.message}")
        if problem.remedy:
            print(f"  remedy: {problem.remedy}")


def _connection(info: Any) -> Iterable[tuple[str, str]]:
    yield "Cluster", info.cluster
    yield "Server", info.server
    yield "Reachable", "yes" if info.reachable else "no"
    yield "Version", f"{info.version} ({info.platform})" if info.platform else info.version
    if info.reachable and info.HasField("latency"):
        yield "Latency", f"{info.latency.ToTimedelta().total_seconds() * 1000:.1f} ms"
    if info.HasField("clock_skew"):
        yield "Clock", f"{info.clock_skew.ToTimedelta().total_seconds():+g} s"
    yield "User", info.user
    yield "Groups", ", ".join(info.groups)
    failing = [f"{c.endpoint}/{c.name}" for c in info.health_checks if not c.passed]
    if info.health_checks:
        passed = len(info.health_checks) - len(failing)
        text = f"{passed} of {len(info.health_checks)} checks pass"
        yield "API server", f"{text}; failing: {', '.join(failing)}" if failing else text
    yield (
        "Installed",
        ", ".join(dict.fromkeys(group.product for group in info.api_groups if group.product)),
    )


def _print_components(components: Sequence[Any], *, everything: bool) -> None:
    shown = [c for c in components if everything or c.needed or c.desired or c.objects]
    output.print_table(
        [
            Column("COMPONENT", lambda c: c.name),
            Column("STATE", lambda c: enum_word(c, "state"), color=_color),
            Column("READY", lambda c: f"{c.ready}/{c.desired}" if c.desired else MISSING),
            Column("NEEDED", lambda c: "yes" if c.needed else "no", 2),
            Column("MESSAGE", lambda c: c.message or MISSING, 1),
        ],
        shown,
    )


def _print_permissions(permissions: Sequence[Any]) -> None:
    """One row for each feature and resource; the verbs as columns."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for each in permissions:
        full = f"{each.resource}.{each.api_group}" if each.api_group else each.resource
        rows.setdefault((each.feature, full), {})[each.verb] = each
    verbs = [verb for verb in _VERBS if any(verb in row for row in rows.values())]
    output.print_table(
        [
            Column("PERMISSION FOR", lambda row: row[0][0]),
            Column("RESOURCE", lambda row: row[0][1], 1),
            *(_verb_column(verb) for verb in verbs),
        ],
        list(rows.items()),
    )


def _verb_column(verb: str) -> Column[Any]:
    def text(row: Any) -> str:
        each = row[1].get(verb)
        if each is None:
            return ""
        state = enum_word(each, "state")
        words = {"ALLOWED": "yes", "DENIED": "no", "UNKNOWN": "?"}
        return words.get(state, f"in {', '.join(each.namespaces)}")

    def color(_text: str, row: Any) -> str:
        each = row[1].get(verb)
        return COLORS.get(enum_word(each, "state"), "") if each is not None else ""

    return Column(verb.upper(), text, color=color)


def _color(text: str, _row: Any) -> str:
    return COLORS.get(text, "")
