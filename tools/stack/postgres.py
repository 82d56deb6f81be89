"""A PostgreSQL of its own in a temporary folder, on a loopback port, for tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from tools.stack import ports
from tools.stack.component import Component
from tools.stack.errors import StackError

_DEBIAN = Path("/usr/lib/postgresql")
_USER = "postgres"


class PostgresMissingError(StackError):
    """PostgreSQL's server programs are not on this machine."""


def find_programs() -> Path:
    """The folder with `initdb` and `postgres`; PostgresMissingError when there is none."""
    found = [path.parent for path in _DEBIAN.glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).parent)
    if not found:
        raise PostgresMissingError(
            "PostgreSQL is not installed (Debian: apt-get install postgresql)"
        )
    return max(found, key=lambda path: (path.parent.name.isdigit(), path.parent.name))


def make(folder: Path) -> tuple[Component, str]:
    """Initialise a database cluster; the server as a component, and its URL."""
    programs = find_programs()
    data, port = folder / "data", ports.free_ports(1)[0]
    data.mkdir(parents=True, mode=0o700)
    as_user = _as_other_user(folder)
    done = subprocess.run(
        [
            *(*as_user, str(programs / "initdb"), "-D", str(data), "-U", _USER, "-A", "trust"),
            *("-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise StackError(f"initdb failed: {done.stderr.strip()}")
    settings = {
        "listen_addresses": ports.LOOPBACK,
        "port": str(port),
        "unix_socket_directories": str(data),
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": "200",
    }
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    check = [str(programs / "pg_isready"), "-q", "-h", ports.LOOPBACK, "-p", str(port)]
    component = Component(
        name="postgres",
        argv=(*as_user, str(programs / "postgres"), "-D", str(data), *options),
        ready=lambda: subprocess.run(check, check=False).returncode == 0,
        folder=folder,
        address=f"{ports.LOOPBACK}:{port}",
    )
    return component, f"postgresql://{_USER}@{ports.LOOPBACK}:{port}/postgres"


def _as_other_user(folder: Path) -> list[str]:
    """The server refuses to run as root; as root, it runs as the package's own user."""
    if os.geteuid() != 0:
        return []
    try:
        user = pwd.getpwnam(_USER)
    except KeyError:
        raise PostgresMissingError(
            f"PostgreSQL refuses to run as root and there is no user {_USER}"
        ) from None
    for path in (folder, folder / "data"):
        os.chown(path, user.pw_uid, user.pw_gid)
    return ["setpriv", "--reuid", _USER, "--regid", _USER, "--clear-groups"]
