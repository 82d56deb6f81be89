"""Reading files that the user names."""

from __future__ import annotations

import sys
from pathlib import Path

from podyard.cli.exits import CommandError, usage

MAX_MANIFEST_BYTES = 3 * 1024 * 1024
"""What the service accepts in one request."""


def read_manifest(name: str) -> str:
    """The text of a file, or of stdin for "-"; a folder means the YAML and JSON files in it."""
    if name == "-":
        data = sys.stdin.buffer.read(MAX_MANIFEST_BYTES + 1)
        return _text(data, "standard input")
    path = Path(name)
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml", ".json"))
        if not files:
            usage(f"{name}: no .yaml, .yml or .json file in this folder")
        return "\n---\n".join(_read(file) for file in files)
    return _read(path)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from None
    return _text(data, str(path))


def _text(data: bytes, name: str) -> str:
    if len(data) > MAX_MANIFEST_BYTES:
        raise CommandError(
            f"{name}: larger than {MAX_MANIFEST_BYTES // 1024 // 1024} MiB; split it"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(f"{name}: not UTF-8 text (byte {error.start})") from None
    if not text.strip():
        raise CommandError(f"{name}: empty")
    return text
