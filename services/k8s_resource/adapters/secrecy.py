"""Keeps credentials out of texts that other programs write and that callers get to see."""

from __future__ import annotations

import re
from collections.abc import Iterable

MARK = "(hidden)"

# Every repetition is bounded where its beginning is not fixed: texts come from anywhere.
_WORDS = (
    r"[\w-]{0,40}(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|credential"
    r"|authorization)[\w-]{0,40}"
)
_PATTERNS = [
    # Whole tokens by their form: JSON web tokens, those of EKS, AWS access keys, PEM blocks.
    re.compile(r"\bey[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"),
    re.compile(r"\bk8s-aws-v1\.[A-Za-z0-9_-]+"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"),
    re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)", re.DOTALL),
    # Long runs of digits, capitals and small letters, as no word of a language is.
    re.compile(
        r"(?<![\w/.-])(?=[A-Za-z+/_-]*[0-9])(?=[a-z0-9+/_-]*[A-Z])(?=[A-Z0-9+/_-]*[a-z])"
        r"[A-Za-z0-9+/_-]{40,}={0,2}"
    ),
    re.compile(r"\b[0-9a-f]{40,}\b"),
]
# What follows a name that says what it is: `password: x`, `--token=x`, `Bearer x`.
_NAMED = re.compile(
    rf"(?P<name>{_WORDS}[\"']?\s{{0,4}}[=:]\s{{0,4}}[\"']?(?:bearer\s+|basic\s+)?)"
    r"(?P<value>[^\s\"',;}]+)",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"\b(?P<name>(?:bearer|basic)\s+)(?P<value>[^\s\"',;]{8,})", re.IGNORECASE)
_USERINFO = re.compile(
    r"(?P<name>\b[a-z][a-z0-9+.-]{0,20}://)(?P<value>[^\s/@]{1,500})(?=@)", re.IGNORECASE
)


def without_secrets(text: str, known: Iterable[str] = ()) -> str:
    """The text without what is, by its form or its name, a credential, and without `known`."""
    for value in sorted({value for value in known if len(value) >= 4}, key=len, reverse=True):
        text = text.replace(value, MARK)
    for named in (_USERINFO, _NAMED, _SCHEME):
        text = named.sub(lambda match: f"{match['name']}{MARK}", text)
    for pattern in _PATTERNS:
        text = pattern.sub(MARK, text)
    return text
