"""The environment of a step's program: only what it needs."""

from __future__ import annotations

from collections.abc import Mapping

_PASSED = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
        "KUBECONFIG",
    )
)
_PASSED_PREFIXES = ("AWS_", "LC_")


def step_environment(own: Mapping[str, str]) -> dict[str, str]:
    """Of `own`, the service's environment, what AWS, Python and scripts need to work."""
    return {
        name: value
        for name, value in own.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }
