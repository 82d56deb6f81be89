"""SageMaker's front door: checks AWS Signature Version 4 as AWS does, then lets MLflow answer."""

from __future__ import annotations

import hashlib
import hmac

from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.integration.training_history.fault_proxy import FaultProxy


class SigV4Proxy(FaultProxy):
    """Refuses with 403 what is not signed with the one known key for this ARN and region.

    The signature is computed anew by botocore from what was received, over just the headers that
    the request says it signed.
    """

    def __init__(
        self, target: str, arn: str, region: str, signing_name: str, credentials: Credentials
    ) -> None:
        super().__init__(target)
        self.accepted = 0
        self._arn = arn
        self._region = region
        self._signing_name = signing_name
        self._credentials = credentials
        self.disturb = self._check

    async def _check(self, request: web.Request, body: bytes) -> web.Response | None:
        problem = self._problem(request, body)
        if problem:
            return web.json_response({"message": problem}, status=403)
        self.accepted += 1
        return None

    def _problem(self, request: web.Request, body: bytes) -> str:
        given = request.headers.get("Authorization", "")
        if not given.startswith("AWS4-HMAC-SHA256 "):
            return "not signed"
        parts = dict(part.split("=", 1) for part in given.partition(" ")[2].split(", "))
        signed = parts["SignedHeaders"].split(";")
        if not {"host", "x-amz-date", "x-mlflow-sm-tracking-server-arn"} <= set(signed):
            return "the signature does not cover what matters"
        if request.headers["x-mlflow-sm-tracking-server-arn"] != self._arn:
            return "unknown tracking server"
        if request.headers["X-Amz-Content-SHA256"] != hashlib.sha256(body).hexdigest():
            return "the body is not the one that was signed"
        again = AWSRequest(
            method=request.method,
            url=f"http://{request.host}{request.path_qs}",
            data=body,
            headers={name: request.headers[name] for name in signed},
        )
        again.context["timestamp"] = request.headers["X-Amz-Date"]
        signer = SigV4Auth(self._credentials, self._signing_name, self._region)
        expected = signer.signature(
            signer.string_to_sign(again, signer.canonical_request(again)), again
        )
        scope = f"{self._credentials.access_key}/{signer.scope(again).partition('/')[2]}"
        if parts["Credential"] != scope:
            return f"wrong scope: {parts['Credential']}"
        if not hmac.compare_digest(expected, parts["Signature"]):
            return "wrong signature"
        return ""
