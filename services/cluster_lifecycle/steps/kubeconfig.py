"""A kubeconfig of the cluster's own; no other kubeconfig is touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

FILE_NAME = "kubeconfig"


def kubeconfig_text(cluster: Mapping[str, Any], region: str) -> str:
    """The kubeconfig of an EKS cluster as DescribeCluster gives it.

    The context is named as the EKS cluster. Tokens come from `aws eks
    get-token`, so the file holds no secret.
    """
    name = cluster["name"]
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [
                {
                    "name": name,
                    "cluster": {
                        "server": cluster["endpoint"],
                        "certificate-authority-data": cluster["certificateAuthority"]["data"],
                    },
                }
            ],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "users": [
                {
                    "name": name,
                    "user": {
                        "exec": {
                            "apiVersion": "client.authentication.k8s.io/v1beta1",
                            "command": "aws",
                            "args": [
                                *("eks", "get-token", "--output", "json"),
                                *("--cluster-name", name, "--region", region),
                            ],
                            "interactiveMode": "Never",
                        }
                    },
                }
            ],
        },
        sort_keys=False,
    )
