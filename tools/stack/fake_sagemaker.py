"""A small HTTP server that answers SageMaker's HyperPod and MLflow calls, for boto3.

JSON 1.1 protocol. Requests and responses are checked against botocore's model; the errors are
those the model declares. Beside the AWS calls, for tests:

    GET  /_fake/health
    POST /_fake/reset
    POST /_fake/cluster-status  {"name", "status", "message"}
    POST /_fake/training-plan   {"name", "instance_type", "count"}
    POST /_fake/fault           {"operation", "code", "message", "status", "count"}

Run as `python -m tools.stack.fake_sagemaker --port N [--transition-seconds S]`.
"""

from __future__ import annotations

import argparse
import json
import threading
import uuid
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tools.stack.aws_model import AwsModel, problems, to_wire
from tools.stack.ports import LOOPBACK
from tools.stack.sagemaker_shapes import Members
from tools.stack.sagemaker_state import AwsError, SageMakerState


class FakeSageMaker:
    """The state, the model and the faults to come; one call at a time."""

    def __init__(self, transition_seconds: float) -> None:
        self._transition_seconds = transition_seconds
        self._model = AwsModel("sagemaker")
        self._lock = threading.Lock()
        self._faults: dict[str, list[Members]] = {}
        self._state = SageMakerState(transition_seconds=transition_seconds)

    def answer(self, target: str, request: Members) -> tuple[int, Members]:
        """The status and body for an AWS call (`X-Amz-Target: SageMaker.<operation>`)."""
        operation = target.rpartition(".")[2]
        with self._lock:
            try:
                return HTTPStatus.OK, self._call(operation, request)
            except AwsError as error:
                return HTTPStatus.BAD_REQUEST, {"__type": error.code, "message": str(error)}
            except _FaultError as fault:
                return fault.status, {"__type": fault.code, "message": str(fault)}

    def control(self, action: str, body: Members) -> Members:
        """What tests ask for; KeyError for an unknown action or a missing member."""
        with self._lock:
            if action == "reset":
                self._state = SageMakerState(transition_seconds=self._transition_seconds)
                self._faults.clear()
            elif action == "cluster-status":
                self._state.set_cluster_status(
                    body["name"], body["status"], body.get("message", "")
                )
            elif action == "training-plan":
                count = body.get("count", 1)
                arn = self._state.add_training_plan(body["name"], body["instance_type"], count)
                return {"arn": arn}
            elif action == "fault":
                waiting = self._faults.setdefault(body["operation"], [])
                waiting += [body] * body.get("count", 1)
            else:
                raise KeyError(action)
        return {}

    def _call(self, operation: str, request: Members) -> Members:
        model = self._model.operation(operation)
        if model is None or not self._state.supports(operation):
            raise AwsError("UnknownOperationException", f"{operation} is not implemented here.")
        if self._faults.get(operation):
            raise _FaultError(self._faults[operation].pop(0))
        wrong = problems(model.input_shape, request)
        if wrong:
            raise AwsError("ValidationException", "; ".join(wrong))
        answer = self._state.call(operation, request)
        wrong = problems(model.output_shape, answer)
        if wrong:  # A fault of this fake; loud, so that its own tests find it.
            raise _FaultError({"code": "InternalFailure", "message": "; ".join(wrong)})
        wire: Members = to_wire(model.output_shape, answer)
        return wire


class _FaultError(Exception):
    def __init__(self, body: Members) -> None:
        super().__init__(body.get("message", "fault on request"))
        self.code: str = body["code"]
        self.status: int = body.get("status", HTTPStatus.INTERNAL_SERVER_ERROR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, fake: FakeSageMaker) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.fake = fake


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        known = self.path == "/_fake/health"
        self._reply(HTTPStatus.OK if known else HTTPStatus.NOT_FOUND, {"status": "ok"})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            self._reply(HTTPStatus.BAD_REQUEST, {"__type": "SerializationException"})
            return
        if self.path.startswith("/_fake/"):
            try:
                answer = self.server.fake.control(self.path.removeprefix("/_fake/"), body)
                self._reply(HTTPStatus.OK, answer)
            except (KeyError, AwsError) as error:
                self._reply(HTTPStatus.BAD_REQUEST, {"message": str(error)})
            return
        self._reply(*self.server.fake.answer(self.headers.get("X-Amz-Target", ""), body))

    def _reply(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its base's name)
        if "/_fake/health" not in self.requestline:
            super().log_message(f"{self.headers.get('X-Amz-Target', '')} {format}", *args)


def main() -> None:
    """Serve until the process is told to end."""
    parser = argparse.ArgumentParser(prog="fake_sagemaker")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--transition-seconds", type=float, default=2.0)
    options = parser.parse_args()
    with _Server(options.port, FakeSageMaker(options.transition_seconds)) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
