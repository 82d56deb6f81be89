"""init_envs: what bash would get from it, and edits that leave the rest alone."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cluster_lifecycle.domain.config_file import (
    KEYS,
    edited_file,
    new_file,
    read_config,
)
from services.cluster_lifecycle.domain.config_rules import config_violations
from services.cluster_lifecycle.domain.init_envs import InitEnvs
from services.cluster_lifecycle.domain.model import ClusterConfig

EARLIER = """\
#!/bin/bash
# Written by hand in 2024.
export CLOUD_FORMATION_FULL_STACK_NAME=hyperpod-instantstart-stack-0821
export AWS_REGION='us-west-2'
export EKS_CLUSTER_NAME="eks-cluster-2"   # the old one
export HP_CLUSTER_NAME=hp-cluster-2
export DEPLOY_MODEL_S3_BUCKET=my-models
export FTP_NAME=plan-7
export GPU_CAPACITY_AZ=${AWS_REGION}c
export GPU_INSTANCE_TYPE=ml.p5.48xlarge
export GPU_INSTANCE_COUNT=8

export MY_OWN=$(date +%s); echo "export AWS_REGION=not-this"
cat > /tmp/x <<EOF
export AWS_REGION=nor-this
EOF
"""

regions = st.sampled_from(["us-east-1", "eu-central-1", "us-gov-west-1", "ap-southeast-2"])
names = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}(-[A-Za-z0-9]{1,8}){0,2}", fullmatch=True)
buckets = st.from_regex(r"[a-w][a-w0-9]{2,10}(-[a-w0-9]{1,8}){0,2}0", fullmatch=True)


@st.composite
def configs(draw: st.DrawFn) -> ClusterConfig:
    region = draw(regions)
    config = ClusterConfig(
        aws_region=region,
        gpu_capacity_az=region + draw(st.sampled_from("abcdef")),
        gpu_instance_type=draw(st.sampled_from(["ml.g5.12xlarge", "ml.p6-b200.48xlarge"])),
        gpu_instance_count=draw(st.integers(0, 6758)),
        training_plan=draw(st.just("") | names),
        stack_name=draw(st.just("") | names),
        eks_cluster_name=draw(st.just("") | names),
        hyperpod_cluster_name=draw(st.just("") | names),
        mlflow_server_name=draw(st.just("") | names),
        model_bucket=draw(st.just("") | buckets),
    ).with_defaults("demo")
    assert not config_violations(config)
    return config


foreign_lines = st.sampled_from(
    [
        "",
        "# a comment with 'one quote and $(a command",
        "   ",
        'export NOTE="two\nlines export AWS_REGION=no"',
        "export ACCOUNT_ID=$(aws sts get-caller-identity --query 'Account' --output text)",
        "cat <<'END'\nexport GPU_INSTANCE_COUNT=99\nEND",
        "echo started >&2; true",
        "AWS_REGION=elsewhere true",
        "export PATH=$PATH:/opt/bin",
        "if true; then\n  MINE=1\nfi",
    ]
)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, ClusterConfig]:
    """A file of either generation, with lines of others between, and what it configures."""
    config = draw(configs())
    quote = draw(st.sampled_from(["{}", "'{}'", '"{}"']))
    lines = [f"export CLUSTER_TAG={quote.format('demo')}"] if draw(st.booleans()) else []
    for field, key in KEYS.items():
        value = str(getattr(config, field))
        if field == "training_plan" and not value:
            lines.append("# export FTP_NAME=your-ftp-name")
        else:
            lines.append(f"export {key}={quote.format(value)}")
    mixed: list[str] = []
    for line in lines:
        mixed += [*draw(st.lists(foreign_lines, max_size=2)), line]
    ending = draw(st.sampled_from(["", "\n"]))
    return "\n".join(mixed) + ending, config


@given(files())
def test_a_file_is_read_and_saving_what_it_says_changes_no_byte(
    file: tuple[str, ClusterConfig],
) -> None:
    text, config = file
    read = read_config(text, "demo")
    assert read.config == config
    assert read.problems == ()
    assert edited_file(text, "demo", config) == text


@given(files(), configs())
def test_an_edit_gives_the_new_values_and_keeps_what_others_wrote(
    file: tuple[str, ClusterConfig], wanted: ClusterConfig
) -> None:
    text, _ = file
    edited = edited_file(text, "demo", wanted)
    assert read_config(edited, "demo").config == wanted

    def others(content: str) -> list[str]:
        own = (*KEYS.values(), "CLUSTER_TAG")
        return [
            line
            for line in content.splitlines()
            if not line.lstrip("# ").startswith(tuple(f"export {key}=" for key in own))
        ]

    assert others(edited) == others(text)


@settings(max_examples=25)
@given(files(), configs())
def test_bash_gets_the_same_values(file: tuple[str, ClusterConfig], wanted: ClusterConfig) -> None:
    for text in (file[0], edited_file(file[0], "demo", wanted)):
        document = InitEnvs(text)
        for key in KEYS.values():
            assignment = document.last(key)
            assert sourced(text, key) == (assignment.value if assignment else "")


def test_the_words_of_bash() -> None:
    text = (
        "A=plain\nB='single $A'\nC=\"double $A \\$A\"\nD=$A-$B\nE=a\\ b; F=${A}x && G=2\n"
        "H=\"$A\"'-'$F\nI=1 J=2\nexport K\nL=#no-comment # comment\nM=a#b\nN=$'x'\n"
        "O=$(echo computed)\nP=`echo computed`\nQ=${A:-default}\nR=\n"
    )
    document = InitEnvs(text)
    for key in "ABCDEFGHIJLMR":
        assignment = document.last(key)
        assert assignment is not None
        assert assignment.value == sourced(text, key), key
    for key in "NOPQ":
        assignment = document.last(key)
        assert assignment is not None
        assert assignment.value is None, key


def test_the_earlier_generation_is_read_and_edited() -> None:
    read = read_config(EARLIER, "old")
    assert read.problems == ()
    assert read.config == ClusterConfig(
        aws_region="us-west-2",
        gpu_capacity_az="us-west-2c",
        gpu_instance_type="ml.p5.48xlarge",
        gpu_instance_count=8,
        training_plan="plan-7",
        stack_name="hyperpod-instantstart-stack-0821",
        eks_cluster_name="eks-cluster-2",
        hyperpod_cluster_name="hp-cluster-2",
        mlflow_server_name="mlflow-server-old",
        model_bucket="my-models",
    )
    edited = edited_file(
        EARLIER, "old", replace(read.config, gpu_instance_count=16, training_plan="")
    )
    assert edited == EARLIER.replace("COUNT=8", "COUNT=16").replace(
        "export FTP_NAME=plan-7", "# export FTP_NAME=your-ftp-name"
    )


def test_a_new_file_has_the_lines_that_scripts_know() -> None:
    config = ClusterConfig(gpu_instance_count=2).with_defaults("demo")
    text = new_file("demo", config)
    assert text.splitlines()[:14] == [
        "export CLUSTER_TAG=demo",
        "export AWS_REGION=us-east-1",
        "# export FTP_NAME=your-ftp-name",
        "export GPU_CAPACITY_AZ=us-east-1a",
        "export GPU_INSTANCE_TYPE=ml.g5.12xlarge",
        "export GPU_INSTANCE_COUNT=2",
        "",
        "# Automatic fill",
        "export CLOUD_FORMATION_FULL_STACK_NAME=full-stack-$CLUSTER_TAG",
        "export EKS_CLUSTER_NAME=eks-cluster-$CLUSTER_TAG",
        "export HP_CLUSTER_NAME=hp-cluster-$CLUSTER_TAG",
        "export MLFLOW_SERVER_NAME=mlflow-server-$CLUSTER_TAG",
        "export DEPLOY_MODEL_S3_BUCKET=cluster-mount-$CLUSTER_TAG",
        "export ACCOUNT_ID=$(aws sts get-caller-identity --query Account --output text)",
    ]
    with_plan = edited_file(text, "demo", replace(config, training_plan="plan-1"))
    assert with_plan == text.replace("# export FTP_NAME=your-ftp-name", "export FTP_NAME=plan-1")
    assert edited_file(with_plan, "demo", config) == text


def test_the_computed_lines_work_where_there_is_an_aws_command() -> None:
    text = new_file("demo", ClusterConfig(gpu_instance_count=1).with_defaults("demo"))
    aws = (
        'aws() { case "$*" in *Account*) echo 123456789012;; '
        "*Arn*) echo arn:aws:sts::123456789012:assumed-role/ops/me;; *) echo use1-az1;; esac; }\n"
    )
    assert sourced(aws + text, "IAM_ROLE_ARN") == "arn:aws:iam::123456789012:role/ops"
    assert sourced(aws + text, "AWS_AZ") == "use1-az1"
    assert sourced(aws + text, "STACK_ID") == "full-stack-demo"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("export AWS_REGION=$(curl evil)", "AWS_REGION is computed"),
        ("export AWS_REGION='us-east-1;reboot'", "AWS_REGION must be an AWS region"),
        ("export GPU_INSTANCE_COUNT=many", "GPU_INSTANCE_COUNT must be a number"),
        ("export GPU_INSTANCE_COUNT=", "GPU_INSTANCE_COUNT must be a number"),
        ("export CLUSTER_TAG=other", 'CLUSTER_TAG must be "demo"'),
        ("export EKS_CLUSTER_NAME='unclosed", "EKS_CLUSTER_NAME is computed"),
        ("export HP_CLUSTER_NAME+=x", "HP_CLUSTER_NAME is computed"),
    ],
)
def test_a_bad_line_is_named_and_an_edit_puts_it_right(line: str, problem: str) -> None:
    config = ClusterConfig(gpu_instance_count=1).with_defaults("demo")
    text = new_file("demo", config) + line + "\n"
    problems = [
        f"{found.field} {found.description}" for found in read_config(text, "demo").problems
    ]
    assert any(problem in found for found in problems), problems
    assert read_config(edited_file(text, "demo", config), "demo").problems == ()


def test_a_missing_count_is_a_problem() -> None:
    problems = read_config("export AWS_REGION=us-east-1\n", "demo").problems
    assert [found.field for found in problems] == ["init_envs: GPU_INSTANCE_COUNT"]


def sourced(text: str, key: str) -> str:
    """What bash has in `key` after sourcing `text`; what the text prints goes elsewhere."""
    script = f'{{ eval "$1"; }} >/dev/null 2>&1; printf %s "${key}"'
    environment = {"PATH": "/usr/bin:/bin"}
    result = subprocess.run(
        ["bash", "-c", script, "bash", text],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return result.stdout
