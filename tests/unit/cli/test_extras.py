"""Each process can be installed by its own extra: what it imports is in there.

A development environment has everything, so a missing entry would only show in an image.
"""

from __future__ import annotations

import ast
import functools
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

CHECKOUT = Path(__file__).resolve().parents[3]
FOLDERS = {
    "k8s-resource": ("services/k8s_resource", "services/common"),
    "k8s-resource-s3": ("services/k8s_resource", "services/common"),
    "cluster-lifecycle": ("services/cluster_lifecycle", "services/common"),
    "training-history": ("services/training_history", "services/common"),
    "gateway": ("gateway", "services/common"),
    "cli": ("clients/python/podyard",),
    "": ("clients/python/podyard/client",),
}
# Ours, and modules that only one of the processes imports from the common folder.
OWN = {"services", "gateway", "podyard", "buf"}
OPERATIONS = CHECKOUT / "services" / "common" / "operations"
# Imported only when it is asked for; without its extra the message says what to install.
S3 = CHECKOUT / "services" / "k8s_resource" / "adapters" / "captured" / "s3_objects.py"
SKIPPED: dict[str, tuple[Path, ...]] = {
    "k8s-resource": (OPERATIONS, S3),
    "cluster-lifecycle": (),
}


def imported(folder: Path, *, skip: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """The modules that the files of a folder import, with the file."""
    for file in sorted(folder.rglob("*.py")):
        if any(file.is_relative_to(path) for path in skip):
            continue
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                yield from ((alias.name, file) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module, file


def installed_by(extra: str) -> set[str]:
    """Names of the distributions that `pip install podyard[extra]` brings."""
    found: set[str] = set()
    waiting = [("podyard", frozenset({extra} if extra else ()))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = key = waiting.pop()
        if key in seen:
            continue
        seen.add(key)
        found.add(name)
        for line in requirements_of(name):
            requirement = Requirement(line)
            environments = [{"extra": one} for one in extras] or [{"extra": ""}]
            marker = requirement.marker
            if marker is None or any(marker.evaluate(e) for e in environments):
                child = requirement.name.lower().replace("_", "-").replace(".", "-")
                waiting.append((child, frozenset(requirement.extras)))
    return found


def requirements_of(name: str) -> list[str]:
    """The requirements of a distribution; our own from the source, not as once installed."""
    if name != "podyard":
        return metadata.requires(name) or []
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    return [
        *project["dependencies"],
        *(
            f'{line}; extra == "{extra}"'
            for extra, lines in project["optional-dependencies"].items()
            for line in lines
        ),
    ]


@functools.cache
def distributions() -> Mapping[str, list[str]]:
    """Distributions by the top-level modules that they hold."""
    return metadata.packages_distributions()


@functools.cache
def distributions_of(module: str) -> frozenset[str]:
    """Distributions that hold a module; of a namespace such as google, those with this part."""
    names = distributions().get(module.split(".")[0], ())
    if len(set(names)) < 2:
        return frozenset(name.lower().replace("_", "-") for name in names)
    path = module.replace(".", "/")
    return frozenset(
        name.lower().replace("_", "-")
        for name in set(names)
        if any(
            str(file).startswith((f"{path}/", f"{path}.")) for file in metadata.files(name) or ()
        )
    )


@pytest.mark.parametrize("extra", FOLDERS)
def test_an_extra_brings_what_its_process_imports(extra: str) -> None:
    brought = installed_by(extra)
    skip = SKIPPED.get(extra, (OPERATIONS,))
    missing = {
        f"{module} ({file.relative_to(CHECKOUT)})"
        for folder in FOLDERS[extra]
        for module, file in imported(CHECKOUT / folder, skip=skip)
        if (top := module.split(".")[0]) not in OWN
        and top not in sys.stdlib_module_names
        and not distributions_of(module) & brought
    }
    assert missing == set()
