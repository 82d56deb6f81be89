"""Columns of capture rules and captured logs."""

from __future__ import annotations

import datetime
from typing import Any

from podyard.cli.tables import Column
from podyard.cli.times import MISSING, age, human_duration, local_time
from podyard.cli.words import enum_word

# Messages are typed Any here: this module must not load the generated code.


def rule_columns() -> list[Column[Any]]:
    """Rules with what they choose and keep."""
    return [
        Column("NAME", lambda r: r.name),
        Column("CLUSTER", lambda r: r.cluster or MISSING, 3),
        Column("NAMESPACES", lambda r: ",".join(r.namespaces) or "all"),
        Column("PODS", _pods),
        Column("KEEPS", _retention, 1),
        Column("ACTIVE", lambda r: "off" if r.disabled else str(r.active_containers), right=True),
        Column("STORED", lambda r: size(r.stored_bytes), 2, right=True),
    ]


def log_columns(now: datetime.datetime) -> list[Column[Any]]:
    """Captured logs, one row for each run of a container."""
    return [
        Column("NAMESPACE", lambda c: c.namespace, 4),
        Column("POD", lambda c: c.pod),
        Column("CONTAINER", lambda c: c.container, 2),
        Column("RUN", lambda c: str(c.run), 2, right=True),
        Column("STATE", _state),
        Column("LINES", lambda c: str(c.lines), right=True),
        Column("STORED", lambda c: size(c.stored_bytes), 1, right=True),
        Column("FIRST", lambda c: local_time(c, "first_time"), 5),
        Column("LAST", lambda c: age(c, "last_time", now), 1),
        Column("JOB", lambda c: c.training_job or MISSING, 3),
        Column("REMARKS", _remarks, 6),
    ]


def status_text(status: Any) -> str:
    """What capture does, in one line."""
    limit = f" of {size(status.max_bytes)}" if status.max_bytes else ""
    text = (
        f"{enum_word(status, 'state').lower()}: {status.active_containers} containers, "
        f"{size(status.stored_bytes)}{limit} stored"
    )
    if status.interrupted_containers:
        text += f", {status.interrupted_containers} cannot be read now"
    if status.pending_uploads:
        text += f", {status.pending_uploads} parts wait for S3"
    for problem in (status.message, status.upload_problem):
        if problem:
            text += f"; {problem}"
    return text


def size(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _pods(rule: Any) -> str:
    parts = ["of training jobs"] if rule.training_jobs else []
    if rule.label_selector:
        parts.append(rule.label_selector)
    return " and ".join(parts) or "all"


def _retention(rule: Any) -> str:
    kept = rule.retention
    parts = []
    if kept.HasField("max_age"):
        parts.append(human_duration(kept.max_age.ToTimedelta().total_seconds()))
    if kept.max_bytes:
        parts.append(size(kept.max_bytes))
    if kept.max_pods:
        parts.append(f"{kept.max_pods} gone pods")
    return ", ".join(parts) or "all"


def _state(log: Any) -> str:
    if log.active:
        return "capturing"
    if log.HasField("exit_code"):
        return log.reason or f"exit {log.exit_code}"
    return "complete" if log.complete else "stopped"


def _remarks(log: Any) -> str:
    parts = [] if log.pod_exists else ["pod gone"]
    if log.gaps:
        parts.append(f"{len(log.gaps)} gaps")
    if log.deleted_lines:
        parts.append(f"first {log.deleted_lines} lines deleted")
    if log.problems:
        parts.append(f"damaged: {log.problems[0]}")
    return ", ".join(parts) or MISSING
