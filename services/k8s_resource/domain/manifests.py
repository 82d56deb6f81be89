"""Manifests: text into objects, each checked before anything is sent to a cluster."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from services.common.errors import FieldViolation, InvalidArgumentError
from services.k8s_resource.domain.yaml_documents import Document, DocumentError, read_documents

MAX_OBJECTS = 2000
"""Objects of one manifest; more belong into several calls."""

_LONG_TEXT = 64 * 1024
_API_VERSION = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?v[a-z0-9]+\Z")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}\Z")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z")


@dataclass(frozen=True, slots=True)
class ManifestObject:
    """One object of a manifest: `document` counts from 0, `line` from 1.

    `namespace` is what the object names itself, empty if it names none.
    """

    document: int
    line: int
    api_version: str
    kind: str
    namespace: str
    name: str
    value: dict[str, Any]

    @property
    def group(self) -> str:
        """The API group, empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def where(self) -> str:
        """Its place, for messages."""
        return f"document {self.document}, line {self.line}"


def read_manifest(text: str, *, field: str = "manifest") -> list[ManifestObject]:
    """The objects of a YAML or JSON manifest in their order, items of lists included.

    Raises InvalidArgumentError that tells every wrong document with its line.
    """
    try:
        documents = read_documents(text)
    except DocumentError as error:
        raise InvalidArgumentError.field(field, str(error), reason="BAD_MANIFEST") from None
    objects: list[ManifestObject] = []
    problems: list[str] = []
    for document in documents:
        if document.value is None:
            continue
        for line, value in _items(document):
            try:
                objects.append(_check(document.index, line, value))
            except _WrongError as error:
                problems.append(f"document {document.index}, line {line}: {error}")
    problems.extend(_repeated(objects))
    if not objects and not problems:
        problems.append("holds no object")
    if len(objects) > MAX_OBJECTS:
        problems.append(f"holds {len(objects)} objects; at most {MAX_OBJECTS} are taken at once")
    if problems:
        raise InvalidArgumentError(
            f"{field}: " + "; ".join(problems[:20]),
            violations=[FieldViolation(field, problem) for problem in problems[:20]],
            reason="BAD_MANIFEST",
        )
    return objects


async def load_manifest(text: str) -> list[ManifestObject]:
    """`read_manifest`, without blocking other calls when the text is long."""
    if len(text) < _LONG_TEXT:
        return read_manifest(text)
    return await asyncio.to_thread(read_manifest, text)


class _WrongError(Exception):
    pass


def _items(document: Document) -> Iterator[tuple[int, Any]]:
    """The document itself, or what a list in it holds; a typed list gives its items their kind."""
    value = document.value
    kind = value.get("kind") if isinstance(value, dict) else None
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(value, dict)):
        yield document.line, value
        return
    items = value.get("items")
    if not isinstance(items, list):
        yield document.line, value
        return
    for item in items:
        line = document.line_of(item)
        if kind != "List" and isinstance(item, dict):
            item = {"apiVersion": value.get("apiVersion"), "kind": kind[:-4]} | item
        yield line, item


def _check(document: int, line: int, value: Any) -> ManifestObject:
    if not isinstance(value, dict):
        raise _WrongError("is not a mapping; an object has apiVersion, kind and metadata")
    api_version = _text(value, "apiVersion")
    if not _API_VERSION.match(api_version):
        raise _WrongError(f'apiVersion "{_shown(api_version)}" is not like "v1" or "apps/v1"')
    kind = _text(value, "kind")
    if not _KIND.match(kind):
        raise _WrongError(f'kind "{_shown(kind)}" is not a name of a kind')
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        raise _WrongError(f"{kind} has no metadata; give it at least metadata.name")
    if metadata.get("name") in (None, "") and metadata.get("generateName"):
        raise _WrongError(
            f"{kind} has generateName in place of metadata.name; apply needs a name that stays"
        )
    name = _text(metadata, "name", "metadata.name")
    problem = name_problem(name, api_version.rpartition("/")[0], kind)
    if problem:
        raise _WrongError(f'{kind}: metadata.name "{_shown(name)}" {problem}')
    namespace = metadata.get("namespace")
    if namespace is None:
        namespace = ""
    if not isinstance(namespace, str) or (namespace and not _LABEL.match(namespace)):
        raise _WrongError(f"{kind} {name}: metadata.namespace is not a valid namespace name")
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise _WrongError(f"{kind} {name}: cannot be written as JSON ({error})") from None
    return ManifestObject(document, line, api_version, kind, namespace, name, value)


def _text(value: dict[str, Any], key: str, path: str = "") -> str:
    found = value.get(key)
    if found is None or found == "":
        raise _WrongError(f"has no {path or key}")
    if not isinstance(found, str):
        raise _WrongError(f"{path or key} is not text; put it in quotes")
    return found


def _shown(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


def name_problem(name: str, group: str = "", kind: str = "") -> str:
    """What is wrong with an object's name, empty if nothing.

    The API server's rules for each kind are its own; these hold for all, and keep a name from
    being more than one segment of a path (k8s.io/apimachinery, pkg/api/validation/path).
    """
    if name in (".", "..") or "/" in name or "%" in name:
        return 'must not be "." or "..", nor hold "/" or "%"'
    if len(name) > 253:
        return f"has {len(name)} characters; at most 253 are allowed"
    # Names of roles and bindings ("system:node") and of IP addresses are freer.
    if group == "rbac.authorization.k8s.io" or kind == "IPAddress":
        return "" if name.isprintable() else "holds characters that cannot be printed"
    if kind == "Namespace" and group == "" and not _LABEL.match(name):
        return "must be 1 to 63 lower-case letters, digits and inner dashes"
    if not _SUBDOMAIN.match(name):
        return (
            "must be lower-case letters, digits, dashes and dots, "
            "beginning and ending with a letter or digit"
        )
    return ""


def namespace_problem(namespace: str) -> str:
    """What is wrong with a namespace's name, empty if nothing; an empty one is not wrong."""
    if not namespace or _LABEL.match(namespace):
        return ""
    return "must be 1 to 63 lower-case letters, digits and inner dashes"


def _repeated(objects: list[ManifestObject]) -> Iterator[str]:
    seen: dict[tuple[str, str, str, str], ManifestObject] = {}
    for item in objects:
        first = seen.setdefault((item.group, item.kind, item.namespace, item.name), item)
        if first is not item:
            yield f"{item.where}: {item.kind} {item.name} is already in {first.where}"
