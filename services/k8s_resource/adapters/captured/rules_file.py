"""The capture rules in a file of the state folder, and those of a settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from services.common.errors import FailedPreconditionError, PodyardError, UnavailableError
from services.k8s_resource.adapters.captured.disk import Disk
from services.k8s_resource.domain.captured.rule_book import RuleTable, digest_of
from services.k8s_resource.domain.captured.rules import CaptureRule, Retention, check_rule

_SECOND = 1_000_000_000


class RulesFile:
    """`rule_book.RuleStore` on a JSON file that is replaced whole."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self._path = path
        self._disk = disk or Disk()

    def load(self) -> RuleTable:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=RuleTable)
        except FileNotFoundError:
            return RuleTable()
        except (OSError, msgspec.DecodeError) as error:
            raise FailedPreconditionError(
                f"the capture rules in {self._path} cannot be read ({error}); mend the file or "
                "move it away, and start the service again"
            ) from error

    def save(self, table: RuleTable) -> None:
        try:
            self._disk.make_folder(self._path.parent)
            data = msgspec.json.format(msgspec.json.encode(table))
            self._disk.write_whole(self._path, data)
        except OSError as error:
            raise UnavailableError(
                f"the capture rules cannot be written to {self._path}: {error.strerror}; nothing "
                "was changed"
            ) from error


class _SeedRetention(msgspec.Struct, forbid_unknown_fields=True):
    max_age_seconds: float = 0
    max_bytes: int = 0
    max_pods: int = 0


class _SeedRule(msgspec.Struct, forbid_unknown_fields=True):
    """A rule as the settings file has it: the fields of CaptureRule of the API."""

    name: str
    description: str = ""
    cluster: str = ""
    namespaces: tuple[str, ...] = ()
    label_selector: str = ""
    training_jobs: bool = False
    containers: tuple[str, ...] = ()
    include_init_containers: bool = False
    disabled: bool = False
    retention: _SeedRetention = msgspec.field(default_factory=_SeedRetention)


class _Seed(msgspec.Struct, forbid_unknown_fields=True):
    rules: list[_SeedRule] = []


def read_seed(path: Path) -> tuple[list[CaptureRule], str]:
    """The rules of a settings file and its digest; ValueError saying what is wrong in it."""
    try:
        text = path.read_bytes()
        document: Any = yaml.safe_load(text)
        seed = msgspec.convert(document or {}, _Seed)
        rules = [_rule(rule) for rule in seed.rules]
        for rule in rules:
            check_rule(rule, prefix=f"{rule.name}: ")
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ValueError(f"{path} is no file of capture rules: {error}") from error
    except PodyardError as error:
        raise ValueError(f"{path}: {error.message}") from error
    names = [rule.name for rule in rules]
    if len(set(names)) < len(names):
        raise ValueError(f"{path} has two rules of the same name")
    return rules, digest_of(text)


def _rule(seed: _SeedRule) -> CaptureRule:
    fields = {name: getattr(seed, name) for name in seed.__struct_fields__ if name != "retention"}
    kept = seed.retention
    age = round(kept.max_age_seconds * _SECOND)
    return CaptureRule(**fields, retention=Retention(age, kept.max_bytes, kept.max_pods))
