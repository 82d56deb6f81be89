"""CloudFormation stacks, read by boto3."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from services.cluster_lifecycle.adapters.aws_clients import (
    AwsClients,
    domain_error,
    error_code,
    error_message,
)
from services.cluster_lifecycle.domain.model import Stack

_THREADS = 8
_DEFAULT_REGION = "us-east-1"
_NO_STACK = "podyard-probe"
"""A name to ask for; that there is no such stack is an answer."""


class CloudFormationStackProvider:
    """A StackProvider. boto3 blocks, so it runs in threads of its own.

    A call that hangs then keeps only this adapter busy, and at most for the
    timeouts of `clients`.
    """

    def __init__(self, clients: AwsClients) -> None:
        self._clients = clients
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="cloudformation")

    async def describe(self, region: str, name: str) -> Stack | None:
        """The stack, None where there is none."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._describe, region, name)

    async def check(self) -> None:
        """Prove that CloudFormation answers in the default region; PodyardError."""
        await self.describe(os.environ.get("AWS_REGION", _DEFAULT_REGION), _NO_STACK)

    def close(self) -> None:
        """Let go of the threads; calls in progress are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _describe(self, region: str, name: str) -> Stack | None:
        try:
            return describe_stack(self._clients.get("cloudformation", region), name)
        except (BotoCoreError, ClientError) as error:
            raise domain_error(error) from error


def describe_stack(client: Any, name: str) -> Stack | None:
    """One stack by name or id, None where there is none; errors of boto3."""
    try:
        answer = client.describe_stacks(StackName=name)
    except ClientError as error:
        # CloudFormation has no error code of its own for this.
        if error_code(error) == "ValidationError" and "does not exist" in error_message(error):
            return None
        raise
    return stack_from_answer(answer["Stacks"][0])


def stack_from_answer(stack: Mapping[str, Any]) -> Stack:
    """A member of DescribeStacks' `Stacks`."""
    return Stack(
        name=stack["StackName"],
        id=stack["StackId"],
        status=stack["StackStatus"],
        status_reason=stack.get("StackStatusReason", ""),
        create_time=stack["CreationTime"],
        update_time=stack.get("LastUpdatedTime"),
        outputs={output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())},
    )
