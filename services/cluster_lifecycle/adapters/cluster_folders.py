"""The registry on disk: one folder a cluster, as the existing scripts and tools know it.

    <state>/managed_clusters_info/<tag>/{config,logs,current,metadata}
    <state>/archived_clusters/<tag>_<timestamp>

A cluster appears and vanishes by one rename of its folder, and its files change
by one rename each, so a crash leaves the state before or after.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from services.cluster_lifecycle.adapters.atomic_files import (
    sync_folder,
    write_atomically,
    write_new,
)
from services.cluster_lifecycle.domain.config_file import FILE_NAME
from services.cluster_lifecycle.domain.config_rules import tag_problem
from services.cluster_lifecycle.domain.ports import Request, StoredCluster
from services.common.errors import AlreadyExistsError, ConflictError, NotFoundError

TIMESTAMP_FORMAT = "%Y-%m-%d_%H-%M-%S"
_REGISTRY = "managed_clusters_info"
_ARCHIVE = "archived_clusters"
_RECORD = "cluster.json"
_SUBFOLDERS = ("config", "logs", "current", "metadata")
_NEW_PREFIX = ".new-"
_KEPT_REQUESTS = 100
"""How many mutations of a cluster can still be repeated under their request ids."""


class _Record(msgspec.Struct):
    """metadata/cluster.json: what init_envs has no place for."""

    create_time: datetime
    requests: list[Request] = []


class ClusterFolders:
    """Clusters' files under `state`. Several processes may use the same folder."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.registry = state / _REGISTRY
        self._archive = state / _ARCHIVE
        self._locks = state / "locks"

    def prepare(self) -> None:
        """Make the folders, and clear away what a crash while creating a cluster left."""
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.registry, self._archive, self._locks):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked("registry"):
            for leftover in self.registry.glob(f"{_NEW_PREFIX}*"):
                shutil.rmtree(leftover)

    def check(self) -> None:
        """OSError unless a file can be written into the registry."""
        probe = self.registry / f".probe-{secrets.token_hex(4)}"
        probe.write_bytes(b"")
        probe.unlink()

    def folder(self, tag: str) -> Path:
        """A cluster's folder, which may not exist; ValueError for what is no tag."""
        if tag_problem(tag):
            raise ValueError(f"not a tag: {tag!r}")
        return self.registry / tag

    def tags(self) -> list[str]:
        """Folders that are named like a cluster and hold an init_envs."""
        return sorted(
            entry.name
            for entry in os.scandir(self.registry)
            if entry.is_dir()
            and not tag_problem(entry.name)
            and self._config_file(entry.name).is_file()
        )

    def read(self, tag: str) -> StoredCluster:
        """One cluster; NotFoundError."""
        path = self._config_file(tag)
        try:
            with path.open("rb") as file:
                text = _decode(file.read())
                changed = os.fstat(file.fileno()).st_mtime
        except (FileNotFoundError, NotADirectoryError):
            raise NotFoundError("cluster", tag) from None
        record = self._record(tag, changed)
        update_time = datetime.fromtimestamp(changed, UTC)
        return StoredCluster(tag, text, record.create_time, update_time, tuple(record.requests))

    def create(self, tag: str, text: str, request: Request) -> StoredCluster:
        """A new cluster; AlreadyExistsError."""
        folder = self.folder(tag)
        new = self.registry / f"{_NEW_PREFIX}{tag}-{secrets.token_hex(6)}"
        with self._locked("registry"):
            new.mkdir(mode=0o700)
            for name in _SUBFOLDERS:
                (new / name).mkdir(mode=0o700)
            write_atomically(new / "config" / FILE_NAME, _encode(text))
            record = _Record(datetime.now(UTC), [request])
            write_atomically(new / "metadata" / _RECORD, msgspec.json.encode(record))
            try:
                # A folder cannot take the place of one that holds something.
                new.rename(folder)
            except OSError as error:
                shutil.rmtree(new)
                if folder.exists():
                    raise AlreadyExistsError("cluster", tag) from None
                raise error
            sync_folder(self.registry)
        return self.read(tag)

    def replace(self, tag: str, text: str, expected: str, request: Request) -> str:
        """New text after a backup of the old; the backup's name. ConflictError, NotFoundError."""
        with self._locked(tag):
            stored = self.read(tag)
            if stored.text != expected:
                raise ConflictError(
                    f'the configuration of cluster "{tag}" changed at the same moment; '
                    "read it again and repeat the change",
                    reason="ETAG_MISMATCH",
                )
            backup = self._back_up(tag, stored.text)
            made = Request(request.id, request.action, request.digest, backup)
            # The file last: a repeated request is answered only once it was made.
            write_atomically(self._config_file(tag), _encode(text))
            self._remember(tag, stored, made)
            return backup

    def archive(self, tag: str, request: Request) -> str:
        """Move a cluster's folder to the archive; its new path below the state folder."""
        with self._locked(tag):
            stored = self.read(tag)
            self._remember(tag, stored, request)
            for name in _timestamped(f"{tag}_"):
                target = self._archive / name
                try:
                    target.mkdir(mode=0o700)
                except FileExistsError:
                    continue
                self.folder(tag).rename(target)
                sync_folder(self._archive)
                sync_folder(self.registry)
                return f"{_ARCHIVE}/{name}"
        raise AssertionError("names never end")

    def archived_by(self, tag: str, request_id: str) -> str:
        """The archived folder that the request made; empty if none."""
        for folder in sorted(self._archive.glob(f"{tag}_*"), reverse=True):
            record = _read_record(folder / "metadata" / _RECORD)
            if record and any(
                made.id == request_id and made.action == "delete" for made in record.requests
            ):
                return f"{_ARCHIVE}/{folder.name}"
        return ""

    def ensure_record(self, tag: str) -> None:
        """Give a cluster that others made its record, so that its age stays as it is now."""
        with self._locked(tag):
            self._remember(tag, self.read(tag), None)

    def _config_file(self, tag: str) -> Path:
        return self.folder(tag) / "config" / FILE_NAME

    def _record(self, tag: str, changed: float) -> _Record:
        """The record; of a folder that Podyard did not make, one with the file's age."""
        record = _read_record(self.folder(tag) / "metadata" / _RECORD)
        return record or _Record(datetime.fromtimestamp(changed, UTC))

    def _remember(self, tag: str, stored: StoredCluster, request: Request | None) -> None:
        new = [request] if request is not None and request.id else []
        path = self.folder(tag) / "metadata" / _RECORD
        if not new and path.exists():
            return
        requests = [*stored.requests, *new][-_KEPT_REQUESTS:]
        path.parent.mkdir(exist_ok=True, mode=0o700)
        write_atomically(path, msgspec.json.encode(_Record(stored.create_time, requests)))

    def _back_up(self, tag: str, text: str) -> str:
        for name in _timestamped(f"{FILE_NAME}.backup."):
            try:
                write_new(self._config_file(tag).with_name(name), _encode(text))
            except FileExistsError:
                continue
            return name
        raise AssertionError("names never end")

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Keeps other processes out; the kernel lets go when this one dies."""
        with (self._locks / f"{name}.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _timestamped(prefix: str) -> Iterator[str]:
    """Names for now: the second, then the second with a number."""
    now = datetime.now(UTC).strftime(TIMESTAMP_FORMAT)
    yield f"{prefix}{now}"
    number = 1
    while True:
        number += 1
        yield f"{prefix}{now}-{number}"


def _read_record(path: Path) -> _Record | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Record)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
