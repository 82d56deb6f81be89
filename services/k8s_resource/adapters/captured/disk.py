"""The few operations on files that the store is made of.

In one place, so that tests can end the process, lose what was not synced or fill the disk at
each of them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path


class Disk:
    """A local file system."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder with those above it, durably."""
        if folder.is_dir():
            return
        self.make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        self.sync_folder(folder.parent)

    def append(self, path: Path, offset: int, data: bytes) -> None:
        """Write at the end of a file, which is at `offset`; OSError, and then nothing is added."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(descriptor, data[written:], offset + written)
        except OSError:
            os.ftruncate(descriptor, offset)
            raise
        finally:
            os.close(descriptor)

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file, durably."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync(self, path: Path) -> None:
        """Make a file's content durable."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name in the same folder, in place of what had it."""
        old.rename(new)

    def unlink(self, path: Path) -> None:
        """Delete a file, if it is there."""
        path.unlink(missing_ok=True)

    def remove_folder(self, folder: Path) -> None:
        """Delete a folder if it is there and empty."""
        try:
            folder.rmdir()
        except OSError:
            return

    def write_whole(self, path: Path, data: bytes) -> None:
        """Write a file in place of `path`: wholly or not at all, and durably."""
        temporary = path.with_name(f"{path.name}.tmp")
        self.unlink(temporary)
        try:
            self.append(temporary, 0, data)
            self.sync(temporary)
            self.rename(temporary, path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        self.sync_folder(path.parent)

    def free_bytes(self, folder: Path) -> int:
        """What is free on the file system of a folder, or of the nearest above it that is."""
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free
