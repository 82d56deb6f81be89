"""Clusters in files: `tag` and `config` with the field names of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from podyard.cli.exits import CommandError
from podyard.cli.manifest import read_manifest

if TYPE_CHECKING:
    from podyard.cluster_lifecycle.v1 import cluster_pb2


def read_cluster(name: str) -> cluster_pb2.Cluster:
    """The cluster of a YAML or JSON file.

    Either `tag` and `config`, as `clusters show -o yaml` prints it, or the fields of the
    configuration alone. CommandError names an unknown field or a value of the wrong type.
    """
    import yaml
    from google.protobuf.json_format import ParseDict, ParseError
    from podyard.cluster_lifecycle.v1 import cluster_pb2

    try:
        document: Any = yaml.safe_load(read_manifest(name))
    except yaml.YAMLError as error:
        raise CommandError(f"{name}: not valid YAML: {_position(error)}") from None
    if not isinstance(document, dict):
        raise CommandError(f"{name}: a cluster is a mapping with tag and config")
    if "config" not in document:
        tag = document.pop("tag", "")
        document = {"tag": tag, "config": document}
    cluster = cluster_pb2.Cluster()
    try:
        ParseDict(document, cluster)
    except ParseError as error:
        raise CommandError(f"{name}: {error}") from None
    return cluster


def _position(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "cannot be parsed"
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else problem
