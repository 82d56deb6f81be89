"""RPCs about captured logs and the rules that capture them."""

from __future__ import annotations

from typing import Any

from podyard.k8s_resource.v1 import captured_logs_pb2 as pb

from services.k8s_resource.convert.captured_logs import (
    deletion_to_pb,
    page_to_pb,
    query_from_pb,
    rule_from_pb,
    rule_to_pb,
    status_to_pb,
)
from services.k8s_resource.domain.captured.captured_logs import CapturedLogs
from services.k8s_resource.domain.captured.rules import CaptureRule


class CapturedLogsServicer:
    """Rules, and what is kept by them."""

    def __init__(self, captured: CapturedLogs) -> None:
        self._captured = captured

    async def CreateCaptureRule(
        self, request: pb.CreateCaptureRuleRequest, _context: Any
    ) -> pb.CreateCaptureRuleResponse:
        rule = await self._captured.rules.create(
            rule_from_pb(request.rule),
            validate_only=request.validate_only,
            request_id=request.request_id,
        )
        return pb.CreateCaptureRuleResponse(rule=self._shown(rule))

    async def GetCaptureRule(
        self, request: pb.GetCaptureRuleRequest, _context: Any
    ) -> pb.GetCaptureRuleResponse:
        return pb.GetCaptureRuleResponse(rule=self._shown(self._captured.rules.get(request.name)))

    async def ListCaptureRules(
        self, request: pb.ListCaptureRulesRequest, _context: Any
    ) -> pb.ListCaptureRulesResponse:
        page = self._captured.rules.list(request.page_size, request.page_token)
        return pb.ListCaptureRulesResponse(
            rules=map(self._shown, page.rules),
            next_page_token=page.next_token,
            total_size=page.total,
            status=status_to_pb(await self._captured.status()),
        )

    async def UpdateCaptureRule(
        self, request: pb.UpdateCaptureRuleRequest, _context: Any
    ) -> pb.UpdateCaptureRuleResponse:
        rule = await self._captured.rules.update(
            rule_from_pb(request.rule),
            etag=request.rule.etag,
            validate_only=request.validate_only,
            request_id=request.request_id,
        )
        return pb.UpdateCaptureRuleResponse(rule=self._shown(rule))

    async def DeleteCaptureRule(
        self, request: pb.DeleteCaptureRuleRequest, _context: Any
    ) -> pb.DeleteCaptureRuleResponse:
        await self._captured.rules.delete(
            request.name,
            etag=request.etag,
            validate_only=request.validate_only,
            request_id=request.request_id,
        )
        return pb.DeleteCaptureRuleResponse()

    async def ListCapturedLogs(
        self, request: pb.ListCapturedLogsRequest, _context: Any
    ) -> pb.ListCapturedLogsResponse:
        query = query_from_pb(request.query, self._captured.cluster(request.query.cluster))
        return page_to_pb(self._captured.list(query, request.page_size, request.page_token))

    async def DeleteCapturedLogs(
        self, request: pb.DeleteCapturedLogsRequest, _context: Any
    ) -> pb.DeleteCapturedLogsResponse:
        query = query_from_pb(request.query, self._captured.cluster(request.query.cluster))
        return deletion_to_pb(
            await self._captured.delete(query, validate_only=request.validate_only)
        )

    def _shown(self, rule: CaptureRule) -> pb.CaptureRule:
        active, stored_bytes = self._captured.figures_of(rule.name)
        return rule_to_pb(rule, active, stored_bytes)
