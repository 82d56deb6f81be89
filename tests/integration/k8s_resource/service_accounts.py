"""Service accounts of tests: real tokens, and the rights that a test grants."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.stack.testing import ControlPlane


@dataclass(frozen=True)
class ServiceAccount:
    """An account without rights, and a kubeconfig with its token."""

    plane: ControlPlane
    namespace: str
    name: str
    kubeconfig: Path

    @property
    def user(self) -> str:
        """As the API server names it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    def token(self, **options: str) -> str:
        """A new token (TokenRequest); `duration` as kubectl takes it."""
        flags = [f"--{name}={value}" for name, value in options.items()]
        return self.plane.kubectl(
            "create", "token", self.name, "-n", self.namespace, *flags
        ).strip()

    def grant(self, namespace: str, *rules: dict[str, list[str]], name: str = "granted") -> None:
        """Let it do something in one namespace."""
        self.plane.apply(
            json.dumps(_role("Role", name, rules, namespace))
            + "\n---\n"
            + json.dumps(_binding("Role", name, self, namespace))
        )

    def revoke(self, namespace: str, name: str = "granted") -> None:
        """Take back what `grant` gave."""
        self.plane.kubectl("delete", "rolebinding", name, "-n", namespace)

    @property
    def cluster_role(self) -> str:
        """The name of what `grant_everywhere` makes: unique among tests."""
        return f"{self.namespace}-{self.name}"

    def grant_everywhere(self, *rules: dict[str, list[str]]) -> None:
        """Let it do something in the whole cluster; `revoke_everywhere` must follow."""
        self.plane.apply(
            json.dumps(_role("ClusterRole", self.cluster_role, rules))
            + "\n---\n"
            + json.dumps(_binding("ClusterRole", self.cluster_role, self))
        )

    def revoke_everywhere(self) -> None:
        """Take back what `grant_everywhere` gave."""
        for kind in ("clusterrolebinding", "clusterrole"):
            self.plane.kubectl("delete", kind, self.cluster_role, "--ignore-not-found")


def reading(
    *resources: str, group: str = "", verbs: str = "get list watch"
) -> dict[str, list[str]]:
    """A rule of a role."""
    return {"apiGroups": [group], "resources": [*resources], "verbs": verbs.split()}


def kubeconfig_with(plane: ControlPlane, user: dict[str, Any], namespace: str = "") -> Any:
    """The plane's kubeconfig with other credentials."""
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["users"][0]["user"] = user
    if namespace:
        config["contexts"][0]["context"]["namespace"] = namespace
    return config


def service_account(plane: ControlPlane, namespace: str, folder: Path) -> ServiceAccount:
    """A new account in a namespace, which it goes with."""
    account = ServiceAccount(plane, namespace, "reader", folder / f"kubeconfig-{namespace}")
    plane.kubectl("create", "serviceaccount", account.name, "-n", namespace)
    config = kubeconfig_with(plane, {"token": account.token()})
    account.kubeconfig.write_text(yaml.safe_dump(config))
    return account


def _role(
    kind: str, name: str, rules: tuple[dict[str, list[str]], ...], namespace: str = ""
) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "rules": rules,
    }


def _binding(kind: str, name: str, account: ServiceAccount, namespace: str = "") -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": f"{kind}Binding",
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [
            {"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}
        ],
    }
