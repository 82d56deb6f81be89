"""Field selectors."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from services.common.errors import InvalidArgumentError
from services.k8s_resource.domain.selectors.fields import parse_field_selector

FIELDS = {"metadata.name": lambda o: str(o.name), "status.phase": lambda o: str(o.phase)}
OBJECT = SimpleNamespace(name="a,b=c\\d", phase="Running")


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("", True),
        ("status.phase=Running", True),
        (",status.phase==Running,", True),
        ("status.phase== Running", False),
        ("status.phase!=Running", False),
        ("status.phase=", False),
        ("status.phase!=", True),
        (r"metadata.name=a\,b\=c\\d,status.phase=Running", True),
        (r"metadata.name!=a\,b\=c\\d", False),
    ],
)
def test_matches(selector: str, matches: bool) -> None:
    parsed = parse_field_selector(selector, FIELDS)
    assert parsed.matches(OBJECT) is matches
    assert parse_field_selector(str(parsed), FIELDS).matches(OBJECT) is matches


@pytest.mark.parametrize(
    ("selector", "position"),
    [
        ("metadata.name", 1),
        ("=x", 1),
        ("metadata.name=a=b", 16),
        ("metadata.name=\\", 15),
        ("metadata.name=a\\b", 16),
        ("status.phase=Running, metadata.name=a", 22),
        ("status.phase == Running", 1),
        ("status.phase=Running,status.phase=a=b", 36),
    ],
)
def test_nonsense_is_refused_naming_field_and_position(selector: str, position: int) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_field_selector(selector, FIELDS)
    assert [v.field for v in caught.value.violations] == ["field_selector"]
    assert f"at character {position} of " in caught.value.message


def test_an_unknown_field_names_the_known_ones() -> None:
    with pytest.raises(InvalidArgumentError, match=r"metadata\.name, status\.phase"):
        parse_field_selector("spec.nodeName=x", FIELDS)
