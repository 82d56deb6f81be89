"""What the steps write: kubeconfig, stack_envs, manifest, environments."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from services.cluster_lifecycle.adapters.step_environment import step_environment
from services.cluster_lifecycle.steps.kubeconfig import kubeconfig_text
from services.cluster_lifecycle.steps.objects import manifest
from services.cluster_lifecycle.steps.stack_envs import stack_envs_text, stack_values
from services.common.errors import FailedPreconditionError


def test_a_kubeconfig_asks_aws_for_tokens_and_holds_none() -> None:
    cluster = {
        "name": "eks-1",
        "endpoint": "https://ABC.gr7.us-west-2.eks.amazonaws.com",
        "certificateAuthority": {"data": "Q0E="},
    }
    config = yaml.safe_load(kubeconfig_text(cluster, "us-west-2"))
    assert config["current-context"] == "eks-1"
    assert config["clusters"][0]["cluster"] == {
        "server": "https://ABC.gr7.us-west-2.eks.amazonaws.com",
        "certificate-authority-data": "Q0E=",
    }
    user = config["users"][0]["user"]["exec"]
    assert [user["command"], *user["args"]] == [
        *("aws", "eks", "get-token", "--output", "json"),
        *("--cluster-name", "eks-1", "--region", "us-west-2"),
    ]


@pytest.mark.parametrize(
    "outputs",
    [
        {"EksClusterName": "eks-1", "VpcId": "vpc-1", "Other": "x"},
        {"OutputEKSClusterName": "eks-1", "OutputVpcId": "vpc-1"},
    ],
)
def test_stack_envs_come_from_our_outputs_and_from_those_of_aws_templates(
    outputs: dict[str, str],
) -> None:
    values = stack_values(outputs)
    assert values == {"EKS_CLUSTER_NAME": "eks-1", "VPC_ID": "vpc-1"}
    script = f'{stack_envs_text(values)}printf "%s %s" "$EKS_CLUSTER_NAME" "$VPC_ID"'
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "eks-1 vpc-1"


@pytest.mark.parametrize("value", ["vpc-1; reboot", "$(id)", "a\nb", "`id`", "a'b"])
def test_an_output_that_bash_would_run_is_refused(value: str) -> None:
    with pytest.raises(FailedPreconditionError, match="VPC_ID"):
        stack_values({"VpcId": value})


def test_the_volume_names_its_bucket_and_its_claim() -> None:
    volume, claim, account = yaml.safe_load_all(manifest("models", "us-west-2"))
    assert volume["spec"]["csi"]["volumeAttributes"] == {"bucketName": "models"}
    assert "region us-west-2" in volume["spec"]["mountOptions"]
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"] == "s3-pv"
    assert claim["metadata"]["name"] == volume["spec"]["claimRef"]["name"] == "s3-claim"
    assert account["metadata"]["name"] == "mlflow-service-account"


def test_a_step_gets_what_aws_needs_and_nothing_else() -> None:
    own = {
        "PATH": "/bin",
        "HOME": "/root",
        "AWS_PROFILE": "ops",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "LC_ALL": "C",
        "GITHUB_TOKEN": "secret",
        "PODYARD_CLUSTER_LIFECYCLE_DATABASE_URL": "postgresql://user:secret@db/x",
        "BASH_ENV": "/tmp/evil",
        "LD_PRELOAD": "/tmp/evil.so",
    }
    assert set(step_environment(own)) == {
        *("PATH", "HOME", "AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "LC_ALL")
    }
