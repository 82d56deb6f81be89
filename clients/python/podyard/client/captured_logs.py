"""Capture rules and captured logs."""

from __future__ import annotations

import datetime
import uuid
from typing import Any, TypedDict, Unpack

from podyard.client.channel import ServiceChannel
from podyard.client.listing import Listing
from podyard.client.request_fields import timed
from podyard.k8s_resource.v1 import captured_logs_pb2 as pb

_PAGE_SIZE = 1000


class CapturedLogOptions(TypedDict, total=False):
    """Which captured logs; the fields of CapturedLogQuery."""

    cluster: str
    namespace: str
    pod: str
    pod_uid: str
    label_selector: str
    training_job: str
    before: datetime.datetime


class CapturedLogCalls:
    """The calls of K8sResourceService about captured logs."""

    _channel: ServiceChannel
    _stub: Any

    def create_capture_rule(
        self, rule: pb.CaptureRule, *, validate_only: bool = False, request_id: str = ""
    ) -> pb.CaptureRule:
        """Have the logs of some pods kept from now on."""
        request = pb.CreateCaptureRuleRequest(
            rule=rule, validate_only=validate_only, request_id=request_id or uuid.uuid4().hex
        )
        answer = self._channel.unary(self._stub.CreateCaptureRule, request)
        made: pb.CaptureRule = answer.rule
        return made

    def get_capture_rule(self, name: str) -> pb.CaptureRule:
        """One rule."""
        request = pb.GetCaptureRuleRequest(name=name)
        rule: pb.CaptureRule = self._channel.unary(self._stub.GetCaptureRule, request).rule
        return rule

    def list_capture_rules(
        self, *, page_size: int = _PAGE_SIZE
    ) -> Listing[pb.CaptureRule, pb.ListCaptureRulesResponse]:
        """All rules; the answer also says what capture does now."""
        request = pb.ListCaptureRulesRequest(page_size=page_size)
        return self._channel.listing(self._stub.ListCaptureRules, request, "rules")

    def update_capture_rule(
        self, rule: pb.CaptureRule, *, validate_only: bool = False, request_id: str = ""
    ) -> pb.CaptureRule:
        """Replace a rule; with its `etag`, only if it has not changed since."""
        request = pb.UpdateCaptureRuleRequest(
            rule=rule, validate_only=validate_only, request_id=request_id or uuid.uuid4().hex
        )
        answer = self._channel.unary(self._stub.UpdateCaptureRule, request)
        changed: pb.CaptureRule = answer.rule
        return changed

    def delete_capture_rule(
        self, name: str, *, etag: str = "", validate_only: bool = False, request_id: str = ""
    ) -> None:
        """End a rule; what it captured stays."""
        request = pb.DeleteCaptureRuleRequest(
            name=name,
            etag=etag,
            validate_only=validate_only,
            request_id=request_id or uuid.uuid4().hex,
        )
        self._channel.unary(self._stub.DeleteCaptureRule, request)

    def list_captured_logs(
        self, *, page_size: int = _PAGE_SIZE, **options: Unpack[CapturedLogOptions]
    ) -> Listing[pb.CapturedLog, pb.ListCapturedLogsResponse]:
        """What is kept: one entry for each run of a container."""
        request = pb.ListCapturedLogsRequest(query=_query(options), page_size=page_size)
        return self._channel.listing(self._stub.ListCapturedLogs, request, "logs")

    def delete_captured_logs(
        self, *, validate_only: bool = False, **options: Unpack[CapturedLogOptions]
    ) -> pb.DeleteCapturedLogsResponse:
        """Delete what is kept; what is being captured or read is left."""
        request = pb.DeleteCapturedLogsRequest(query=_query(options), validate_only=validate_only)
        answer: pb.DeleteCapturedLogsResponse = self._channel.unary(
            self._stub.DeleteCapturedLogs, request
        )
        return answer


def _query(options: CapturedLogOptions) -> pb.CapturedLogQuery:
    return pb.CapturedLogQuery(**timed(options, "before"))
