"""The CloudFormation stack of a cluster: created once, followed to its end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from services.cluster_lifecycle.adapters.aws_clients import error_code
from services.cluster_lifecycle.adapters.cloudformation import describe_stack
from services.cluster_lifecycle.domain.model import Stack, StepState
from services.cluster_lifecycle.domain.stack_states import in_words, step_state
from services.cluster_lifecycle.steps import stack_events
from services.cluster_lifecycle.steps.program import operation_id, patiently, say
from services.cluster_lifecycle.steps.stack_events import StackEvents, first_failure
from services.common.errors import FailedPreconditionError

MAX_TEMPLATE_BYTES = 51_200
"""CloudFormation's limit of a template that is sent with the call."""


class ClusterStack:
    """The stack `name`; `poll_seconds` between two looks at it."""

    def __init__(self, client: Any, name: str, poll_seconds: float) -> None:
        self._client = client
        self._name = name
        self._poll_seconds = poll_seconds

    def ensure(self, template: str, parameters: Mapping[str, str], tag: str) -> Stack:
        """The complete stack: created if there is none, waited for if it is under way.

        There is no time limit. FailedPreconditionError, naming the resource
        that failed first, if it does not become complete.
        """
        stack = patiently(lambda: describe_stack(self._client, self._name))
        if stack is not None and stack.status == "DELETE_IN_PROGRESS":
            say(f"stack {self._name} is being deleted; waiting for that")
            stack = self._followed(stack)
            if stack.status == "DELETE_COMPLETE":
                stack = None
        if stack is None:
            # Followed even if it is complete at once: its events belong into the log.
            stack = self._followed(self._created(template, parameters, tag))
        else:
            say(in_words(stack))
            if step_state(stack.status) is StepState.RUNNING:
                stack = self._followed(stack)
        if step_state(stack.status) is not StepState.COMPLETED:
            raise self._failure(stack)
        say(in_words(stack))
        return stack

    def _created(self, template: str, parameters: Mapping[str, str], tag: str) -> Stack:
        if len(template.encode()) > MAX_TEMPLATE_BYTES:
            raise FailedPreconditionError(
                f"the template has {len(template.encode())} bytes and CloudFormation takes "
                f"{MAX_TEMPLATE_BYTES}; move parts of it into nested stacks",
                reason="TEMPLATE_TOO_LARGE",
            )
        chosen = self._declared(template, parameters)
        try:
            patiently(
                lambda: self._client.create_stack(
                    StackName=self._name,
                    TemplateBody=template,
                    Parameters=[
                        {"ParameterKey": name, "ParameterValue": value}
                        for name, value in chosen.items()
                    ],
                    Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
                    # A call that is repeated after a lost answer creates nothing twice.
                    ClientRequestToken=operation_id().replace(".", "-") or self._name,
                    Tags=[{"Key": "podyard-cluster", "Value": tag}],
                )
            )
        except ClientError as error:
            if error_code(error) != "AlreadyExistsException":
                raise
            say(f"stack {self._name} exists since a moment ago")
        else:
            say(f"stack {self._name} is asked for")
        stack = patiently(lambda: describe_stack(self._client, self._name))
        if stack is None:
            raise FailedPreconditionError(
                f"stack {self._name} vanished just after it was asked for; launch again",
                reason="STACK_VANISHED",
            )
        return stack

    def _declared(self, template: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """The parameters that the template has; a template of the user's own may have fewer."""
        summary = patiently(lambda: self._client.get_template_summary(TemplateBody=template))
        chosen: dict[str, str] = {}
        for parameter in summary.get("Parameters", ()):
            name = parameter["ParameterKey"]
            if name in parameters:
                chosen[name] = parameters[name]
                say(f"  {name} = {'****' if parameter.get('NoEcho') else parameters[name]}")
        return chosen

    def _followed(self, stack: Stack) -> Stack:
        """Log the events until nothing is under way; by id, because a name can be used again."""
        events = StackEvents(self._client, stack.id)
        while True:
            # The state first: events that follow it are complete once it is the last one.
            present = patiently(lambda: describe_stack(self._client, stack.id))
            for event in patiently(events.new):
                say(stack_events.in_words(event))
            if present is None:
                raise FailedPreconditionError(
                    f"stack {self._name} is gone; launch again to create it",
                    reason="STACK_VANISHED",
                )
            if step_state(present.status) is not StepState.RUNNING:
                return present
            time.sleep(self._poll_seconds)

    def _failure(self, stack: Stack) -> FailedPreconditionError:
        cause = patiently(lambda: first_failure(self._client, stack.id))
        if stack.status == "REVIEW_IN_PROGRESS":
            remedy = "execute the change set or delete the stack, then launch again"
        elif stack.status == "UPDATE_ROLLBACK_FAILED":
            remedy = "continue the rollback in CloudFormation, then launch again"
        else:
            remedy = "put the cause right, delete the stack, and launch again"
        text = in_words(stack) + (f"; first to fail: {cause}" if cause else "")
        return FailedPreconditionError(f"{text}; {remedy}", reason="STACK_FAILED")
