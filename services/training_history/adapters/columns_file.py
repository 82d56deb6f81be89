"""The configuration of columns from a YAML or JSON file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import yaml

from services.training_history.domain.columns import ColumnConfig, merge


class ColumnsFileError(ValueError):
    """The file cannot be used; the text says where it is wrong and what is possible."""


def read_columns_file(path: Path) -> ColumnConfig:
    """The defaults with the file's settings in their place; ColumnsFileError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ColumnsFileError(f"{path} cannot be read: {error}") from error
    if content is None:
        return ColumnConfig()
    if not isinstance(content, dict):
        raise ColumnsFileError(f"{path} must hold a mapping of settings, such as `titles:`")
    try:
        changes = msgspec.convert(content, ColumnConfig)
    except msgspec.ValidationError as error:
        raise ColumnsFileError(
            f"{path}: {error}; possible settings are {', '.join(ColumnConfig.__struct_fields__)}"
        ) from error
    return merge(ColumnConfig(), changes, content)
