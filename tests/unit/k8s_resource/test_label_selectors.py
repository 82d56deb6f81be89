"""Label selectors without a cluster; the integration tests compare them with kubectl."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgumentError
from services.k8s_resource.domain.selectors.labels import parse_label_selector

LABELS = {"app": "web", "env": "dev", "size": "12", "example.com/team": "red", "empty": ""}


@pytest.mark.parametrize(
    "selector",
    [
        "", "  ", "app=web", "app == web", "app", "!absent", "absent!=x", "absent notin (x,y)",
        "env in (prod, dev)", "size>11", "size < 13", "example.com/team=red", "empty=", "empty",
        "size>0000000000000000000000011", "env in (in,dev,)", "absent notin ()", "empty in ()",
        "app=web,env!=prod , !absent", "env in (dev,)", "app in (web),size>2",
    ],
)  # fmt: skip
def test_matches(selector: str) -> None:
    assert parse_label_selector(selector).matches(LABELS)


@pytest.mark.parametrize(
    "selector",
    [
        "app=db", "app!=web", "!app", "absent", "absent=", "absent in (x)", "env notin (dev)",
        "size>12", "size<12", "absent>1", "app>1", "app=web,env=prod", "empty in (x)",
    ],
)  # fmt: skip
def test_does_not_match(selector: str) -> None:
    assert not parse_label_selector(selector).matches(LABELS)


@pytest.mark.parametrize(
    "selector",
    [
        "=x", "a b", "app in web", "app in (web", "app in", "app notin ()x", "app>many",
        "app=a=b", "app,,env", ",", "app,", "!", "(x)", "-a=b", "a/b/c=d", "UPPER.example/x=y",
        "a=-b", f"{'k' * 64}=v", f"a={'v' * 64}", "app=we b", "app=web!", "size>9223372036854775808",
        "app\u00a0=web", "app=web\x0b", "size>", "size>+1", "!app in (web)", "app=web\x00",
    ],
)  # fmt: skip
def test_nonsense_is_refused_naming_the_field(selector: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_label_selector(selector, field="targets[2].label_selector")
    assert [v.field for v in caught.value.violations] == ["targets[2].label_selector"]


@pytest.mark.parametrize(
    ("selector", "position"),
    [
        ("=x", 1), ("app=web,", 9), ("app = web, -x", 12), ("app in (web", 12), ("a in (b c)", 9),
        ("a>many", 3), ("a b", 3), ("app=a=b", 6), ("a=-b", 3),
    ],
)  # fmt: skip
def test_a_refusal_says_where(selector: str, position: int) -> None:
    with pytest.raises(InvalidArgumentError, match=f"at character {position} of "):
        parse_label_selector(selector)


NAME = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True).filter(
    lambda name: name not in ("in", "notin")
)


@given(st.dictionaries(NAME, NAME, max_size=4), st.dictionaries(NAME, NAME, max_size=4))
def test_equality_means_containing_these_labels(
    wanted: dict[str, str], labels: dict[str, str]
) -> None:
    selector = parse_label_selector(",".join(f"{key}={value}" for key, value in wanted.items()))
    assert selector.matches(labels) == (wanted.items() <= labels.items())
    canonical = parse_label_selector(str(selector))
    assert canonical.matches(labels) == selector.matches(labels)


@given(st.text(alphabet="ab=!<>(), in\t/.", max_size=20))
def test_any_text_is_either_parsed_or_refused(text: str) -> None:
    try:
        selector = parse_label_selector(text)
    except InvalidArgumentError:
        return
    assert str(parse_label_selector(str(selector))) == str(selector)


def test_equal_selectors_have_equal_canonical_text() -> None:
    one = parse_label_selector("b in (y,x), a=1")
    other = parse_label_selector("a == 1,b in (x, y)")
    assert str(one) == str(other)
