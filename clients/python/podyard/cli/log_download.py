"""Saving logs as a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer
from podyard.cli import output
from podyard.cli.exits import CommandError, usage
from podyard.cli.session import connect

_NOT_FOR_FILES = {
    "follow": "--follow",
    "include": "--include",
    "exclude": "--exclude",
    "min_level": "--level",
    "container_types": "--container-type",
    "pod_uid": "--pod-uid",
    "merge_window": "--merge-window",
}
_NOT_NEEDED = ("captured", "max_containers")


def save_logs(context: typer.Context, target: str, fields: dict[str, Any]) -> None:
    """Save what `podyard logs` was asked for; `fields` are those of its request and of the file.

    The file is there only when it is whole.
    """
    from podyard.k8s_resource.v1 import log_reads_pb2

    for name, option in _NOT_FOR_FILES.items():
        if fields.pop(name, None):
            usage(f"{option} cannot be used with --download, which saves logs as they are")
    for name in _NOT_NEEDED:
        fields.pop(name, None)
    if fields.pop("merged"):
        fields["format"] = log_reads_pb2.LOG_DOWNLOAD_FORMAT_MERGED
    with connect(context) as client, client.k8s.download_logs(**fields) as download:
        if target == "-":
            for data in download:
                sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        path = Path(target)
        if path.is_dir():
            path = _free(path / (download.file_name or "logs"))
        try:
            saved = download.save(path)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror or error}") from None
    output.note(f"saved {saved}, {saved.stat().st_size:,} bytes")


def _free(path: Path) -> Path:
    """The path, or one with a number, that no file has."""
    stem, dot, rest = path.name.partition(".")
    number = 0
    while path.exists():
        number += 1
        path = path.with_name(f"{stem}-{number}{dot}{rest}")
    return path
