"""Where in the store's folder what is kept.

logs/<cluster>/<namespace>/<pod>/<uid>/pod.json
logs/<cluster>/<namespace>/<pod>/<uid>/<container>/<run>/<number>.open | .sealed | .remote
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote, unquote

from services.k8s_resource.domain.captured.records import PodKey, RunKey, SegmentKey

OPEN, REMOTE, SEALED, TEMPORARY = ".open", ".remote", ".sealed", ".tmp"
RECORD = "pod.json"
_LONGEST = 200


class Paths:
    """Paths below one folder. Names from outside never become more than one part of a path."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.logs = root / "logs"

    def pod(self, key: PodKey) -> Path:
        """The folder of a pod."""
        return self.logs.joinpath(*map(_part, key))

    def record(self, key: PodKey) -> Path:
        """The record of a pod."""
        return self.pod(key) / RECORD

    def run(self, key: RunKey) -> Path:
        """The folder of a run."""
        return self.pod(key.pod) / _part(key.container) / str(key.run)

    def open(self, key: SegmentKey) -> Path:
        """A segment that is appended to."""
        return self.run(key.run) / f"{key.number:08d}{OPEN}"

    def sealed(self, key: SegmentKey) -> Path:
        """A segment that does not change any more."""
        return self.run(key.run) / f"{key.number:08d}{SEALED}"

    def remote(self, key: SegmentKey) -> Path:
        """The index of a sealed segment that was copied elsewhere."""
        return self.run(key.run) / f"{key.number:08d}{REMOTE}"


def plain(part: str) -> str:
    """The name that a part of a path stands for, as far as it tells."""
    return unquote(part)


def _part(name: str) -> str:
    part = quote(name, safe="")
    if part.startswith("."):
        part = "%2E" + part[1:]
    if len(part) > _LONGEST:
        digest = hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
        part = f"{part[:64].rstrip('%')}~{digest}"
    return part or "~"
